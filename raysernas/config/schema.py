"""Every setting of a study and its default, as dataclasses.

One dotted vocabulary: `search.weights_lr` is the YAML key, the override, the key in `study.space` and the
column of the result table. Defaults stand here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from raysernas.config.arms import ARMS

Scalar = str | int | float | bool
Value = Scalar | Sequence[Scalar] | Mapping[str, str]
Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig:
    """Which speech, which classes, and who is held out."""

    name: Literal[
        "synthetic",
        "manifest",
        "crema_d",
        "emodb",
        "emovo",
        "iemocap",
        "msp_improv",
        "msp_podcast",
        "nemo",
        "ravdess",
        "savee",
        "tess",
    ] = "synthetic"
    # folder of the corpus, or the manifest file; where it lies is not part of a trial's identity
    root: str = ""
    fingerprint: str = ""  # of the content; filled in when a study is planned, refused when it does not fit
    # what the actor meant, or listeners heard, where a corpus has both
    label: Literal["usual", "intended", "perceived"] = "usual"
    # classes to keep; none named = the usual ones of the corpus, merged as usual
    emotions: tuple[str, ...] = ()
    merge: dict[str, str] = field(default_factory=dict)  # emotion -> the emotion that it counts as
    scenarios: tuple[str, ...] = ()  # to keep, such as improvised; none named = all
    on_bad_file: Literal["fail", "skip"] = "fail"
    folds: Literal[
        "usual",
        "speaker",
        "speaker_groups",
        "session",
        "official",
        "emobox",
        "luna_jimenez",
        "published",
        "random",
        "file",
    ] = "usual"
    groups: int = 4  # number of folds of `speaker_groups` and `random`
    # a folds.csv, or a folder of EmoBox lists, for folds=file; where it lies is no part of the identity
    fold_file: str = ""
    # of who is in which part of which fold; filled in when a study is planned, refused when it does not fit
    folds_hash: str = ""
    speaker_dependent: bool = False  # allows folds that hear a speaker on two sides; marked in every table
    valid: Literal["usual", "speakers", "next_session", "next_fold", "other_speaker", "utterances"] = "usual"
    # of all speakers (`speakers`) or of the training utterances (`utterances`) that validate
    valid_fraction: float = 0.2
    halves: Literal["utterance", "speaker"] = "utterance"  # how weights and alphas share the rest
    synthetic_speakers: int = 8
    synthetic_takes: int = 8  # utterances of one speaker in one emotion
    synthetic_seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturesConfig:
    """Waveform to [time, band]."""

    kind: Literal["logmel", "mfcc"] = "logmel"
    backend: Literal["torchaudio", "librosa"] = "torchaudio"
    sample_rate_hz: int = 16_000
    n_fft: int = 640
    hop_samples: int = 320
    bands: int = 40  # mel bands
    coefficients: int = 40  # of the MFCC; mfcc only
    range_db: float = 80.0  # below the loudest point of the clip; what is softer is silence
    window_s: float = 3.0  # length of every network input
    # silent frames after the features, or zeros before them and a cut at window_s
    pad: Literal["frames", "waveform"] = "frames"
    pool_frames: int = 1  # maximum over so many adjacent frames
    # whose moments; speaker: tested ones too, marked
    normalisation: Literal["train", "utterance", "speaker", "none"] = "train"
    device: Literal["cpu", "cuda"] = "cpu"  # that computes the features; torchaudio only


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """The joint CNN + LSTM; `designed_channels` belongs to the hand-designed arms, cells, nodes and channels
    to the others.
    """

    # any operation on any edge, or conv -> pool -> conv ... with the operations searched
    cnn: Literal["free", "ordered"] = "free"
    cells: int = 3  # ordered: pairs of conv -> pool, each as wide as the cell it stands for
    nodes: int = 2
    channels: int = 8  # of a node, before the first reduction
    # cells that halve the map and double the channels; none named = at a third and two thirds
    reductions: tuple[int, ...] = ()
    reduction_halves: Literal["both", "time", "band"] = "both"
    stem_multiplier: int = 3  # channels of the stem, in units of network.channels
    stem_halves: bool = True  # time and band, before the first cell: four times cheaper
    cell_dropout: float = 0.0  # after every cell; README tells why it is off
    # of the bands that are left; flatten: a frame has channel x band numbers
    band_pooling: Literal["mean", "flatten"] = "mean"
    # a fixed BiLSTM, or cells over time (arXiv 2403.14083)
    recurrent: Literal["lstm_attention", "searched"] = "lstm_attention"
    recurrent_cells: int = 1  # searched only, as the next
    recurrent_nodes: int = 2
    hidden: int = 32  # LSTM units in each direction; the width of the searched cells is twice this
    # after the convolutions, after each searched cell over time, and before the output layer
    dropout: float = 0.3
    designed_channels: int = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchConfig:
    """DARTS (arXiv 1806.09055): weights by SGD, alphas by Adam. From `eigenvalue_every` on: what is watched,
    and what it costs.
    """

    epochs: int = 30
    warmup_epochs: int = 0  # in which only the weights learn
    alphas_every: int = 1  # a step of the alphas with every so many steps of the weights
    batch: int = 16
    weights_lr: float = 0.025
    weights_lr_min: float = 0.001
    weights_momentum: float = 0.9
    weights_decay: float = 3e-4
    weights_clip: float = 5.0
    alphas_lr: float = 1e-2
    alphas_decay: float = 1e-3
    alphas_beta1: float = 0.5
    order: Literal["first", "second_exact", "second_difference"] = "first"
    # of second_difference: its step is difference_scale / |gradient at the weights ahead|
    difference_scale: float = 0.01
    # epochs, between two measurements of the curvature, each as dear as some 20 steps; 0 = never
    eigenvalue_every: int = 0
    difference_error: bool = False  # measure, once an epoch, how far second_difference is from second_exact
    entropy_floor: float = 0.1  # of the mixtures; below it the history warns of a collapse
    # eigenvalue: go back to before it grew (arXiv 1909.09656)
    stop: Literal["epochs", "eigenvalue"] = "epochs"
    stop_window: int = 5  # measurements that are averaged and compared
    stop_ratio: float = 0.75  # of the mean before and the mean now; below it the curvature has grown


@dataclass(frozen=True, kw_only=True, slots=True)
class ChecksConfig:
    """What a search is measured against; none of it changes what the search finds. Validation speakers
    only.
    """

    # genotypes that `random_search` draws and trains shortly; the best on validation speakers is kept
    draws: int = 8
    draw_epochs: int = 15  # of such a short training, and of those of `ranking`
    anytime_every: int = 0  # epochs of the search after which its genotype is retrained too; 0 = never
    # drawn genotypes scored by the supernet and by a short training: their rank correlation; 0 = none, else
    # >= 8
    ranking: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainConfig:
    """Training of a chosen or hand-designed network from scratch; the same for every arm."""

    seeds: tuple[int, ...] = (0,)
    epochs: int = 60
    batch: int = 32
    lr: float = 2e-3
    weight_decay: float = 1e-2
    clip: float = 5.0
    label_smoothing: float = 0.1
    # of the edges of chosen free cells (ordered ones have none); its maximum, reached linearly
    drop_path: float = 0.0
    masks: int = 1  # SpecAugment masks on each axis
    mask_frames: int = 20
    mask_bands: int = 6
    # of the training utterances, one drawn at each use, such as [0.9, 1.0, 1.1]
    speeds: tuple[float, ...] = ()
    pitches_st: tuple[float, ...] = ()  # semitones, one drawn at each use
    noise_snr_db: tuple[float, ...] = ()  # of white noise, one drawn at each use
    shift_s: float = 0.0  # utmost delay (silence before) or advance (cut) of an utterance
    # of each utterance's sound, drawn and held at the start, one taken at each use; 0 = drawn anew at each
    # use
    versions: int = 0
    # both parameters of the Beta distribution of a clip's share in its mixture; 0 = nothing is mixed
    mixup: float = 0.0
    # decay, a step, of the moving average of weights and norms that is validated and kept; 0 = the last ones
    average: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeConfig:
    """What runs a trial; all of it may change bits of a result, so all of it is part of its identity."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 1
    # a step is one launch on a GPU (alpha steps of second order, and retrain.drop_path, are not)
    cuda_graph: bool = False
    # of maps and products in forward and backward passes; norms, loss, weights, alphas: fp32
    precision: Precision = "fp32"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourcesConfig:
    """How many trials at once and what is done when one dies; no part of any trial's identity."""

    address: str = ""  # of a running Ray cluster, or auto; none = start one here
    cpus: int = 0  # 0 = all
    # 0 = as many as fit; on a cluster that grows by itself, as many as it may grow to
    trials_at_once: int = 0
    gpus_per_trial: float = 1.0  # where trials run on GPUs
    cache_gb: float = 200.0  # of features kept in study.storage; the least recently used go first
    checkpoint_s: float = 60.0  # between two checkpoints of a trial; stages always end with one
    # epochs, between two pictures of the same in TensorBoard; 0 = none but those of the end
    pictures_every: int = 5
    max_failures: int = 2  # so often a trial whose process was lost or ran out of memory is run again
    # after which a trial without a step is killed, and a study without a report ends
    no_progress_s: float = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RacingConfig:
    """When a candidate is given up: worse than the best one on the same folds, by a paired t-test (Nadeau and
    Bengio, 2003).
    """

    on: bool = False
    pairs: int = 3  # fewest folds that both have, seeds averaged within a fold
    p: float = 0.1  # one-sided, that all looks at one candidate share
    looks: Literal["bonferroni", "none"] = "bonferroni"  # how they share it


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """One question on one corpus: arms x candidates x folds x seeds."""

    name: str = "study"
    storage: str = "results"  # folder, or a URI such as s3://bucket/prefix, that holds the studies
    # local folder, on each node, of features and fetched corpora; none = .cache in a local storage
    cache: str = ""
    arms: tuple[str, ...] = field(
        default=("darts", "random", "cnn_lstm_attention"), metadata={"one_of": tuple(ARMS)}
    )
    candidates: int = 1  # per arm; the first is the configuration as written
    folds: tuple[int, ...] = ()  # none named = all
    seeds: tuple[int, ...] = (0,)
    seed: int = 0  # of the proposals
    # one search for settings per arm (optimistic), or one per arm and outer fold
    protocol: Literal["flat", "nested"] = "flat"
    sampler: Literal["tpe", "gp", "random", "nsga2"] = "tpe"
    # more than one: a Pareto set
    objectives: tuple[Literal["valid_ua", "parameters", "latency_ms"], ...] = ("valid_ua",)
    # candidates proposed together once all earlier ones have ended; 0 = each when a slot is free
    generation: int = 0
    # tried first, after the settings as written: name -> {dotted key: value}
    points: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)  # dotted key -> {low, high[, log]} or {choices}
    racing: RacingConfig = field(default_factory=RacingConfig)
    retry_failed: bool = False
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A study and the settings that its trials share."""

    study: StudyConfig = field(default_factory=StudyConfig)
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialConfig:
    """Everything that can change the numbers of one trial (and PLACES, which cannot)."""

    arm: str = "darts"
    fold: int = 0
    seed: int = 0
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)


PRESETS: dict[str, dict[str, Any]] = {  # section -> word that may stand for it -> what it means
    "features": {
        "published": FeaturesConfig(  # the input of arXiv 2305.14402, as its code prepares it
            kind="mfcc",
            sample_rate_hz=32_750,
            n_fft=2048,
            hop_samples=512,
            bands=128,
            coefficients=128,
            window_s=8.0,
            pad="waveform",
            pool_frames=4,
            normalisation="none",
        )
    }
}
