"""Every setting of a study and its default, as dataclasses.

One dotted vocabulary: `search.weights_lr` is the YAML key, the override, the key in `study.space` and the
column of the result table. Defaults, ranges and meanings are written here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from raysernas.config.arms import ARMS
from raysernas.config.setting import setting

Scalar = str | int | float | bool
Value = Scalar | Sequence[Scalar] | Mapping[str, str]
Precision = Literal["fp32", "bf16"]
CorpusName = Literal[
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
]
FoldScheme = Literal[
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
]
ValidationScheme = Literal["usual", "speakers", "next_session", "next_fold", "other_speaker", "utterances"]
FrontEndName = Literal["logmel", "mfcc", "pretrained"]
RelaxationName = Literal["softmax"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig:
    """Which speech, which classes, and who is held out."""

    name: CorpusName = setting("synthetic", "which corpus; manifest: a table of your own recordings")
    root: str = setting("", "folder of the corpus, or the manifest file; no part of a trial's identity")
    fingerprint: str = setting("", "hash of the content; filled in by a study, checked if given")
    label: Literal["usual", "intended", "perceived"] = setting(
        "usual", "intended: what the actor meant; perceived: what listeners heard; for a corpus with both"
    )
    emotions: tuple[str, ...] = setting((), "classes to keep; empty: the usual ones of the corpus")
    merge: dict[str, str] = setting({}, "{emotion: the emotion that it counts as}")
    scenarios: tuple[str, ...] = setting((), "scenarios to keep, such as improvised; empty: all")
    channel: Literal["mean", "left", "right", "auto"] = setting(
        "mean", "sound of files with several channels; auto: their mean where they agree, else the louder one"
    )
    on_bad_file: Literal["fail", "skip"] = setting("fail", "what to do about a file that cannot be read")
    folds: FoldScheme = setting("usual", "who is tested in which fold; usual: as papers on the corpus do")
    groups: int = setting(4, "number of folds of speaker_groups and random", least=2)
    balance: Literal["genders", "emotions"] = setting(
        "genders",
        "what groups of speakers, and speakers who validate, are balanced over; emotions: over both",
    )
    fold_file: str = setting(
        "", "a folds.csv or a folder of EmoBox lists, for folds=file; no part of a trial's identity"
    )
    folds_hash: str = setting("", "hash of the folds; filled in by a study, checked if given")
    speaker_dependent: bool = setting(
        False, "allow folds with a speaker on two sides; this marks every table of results"
    )
    valid: ValidationScheme = setting(
        "usual", "who validates; usual: whoever the folds name, else as papers on the corpus do"
    )
    valid_fraction: float = setting(
        0.2, "share of the speakers, or of the utterances with valid=utterances, that validates", below=1
    )
    halves: Literal["utterance", "speaker"] = setting(
        "utterance", "how the rest is divided between weights and alphas"
    )
    synthetic_speakers: int = setting(8, "number of speakers of the synthetic corpus", least=2)
    synthetic_takes: int = setting(8, "synthetic utterances per speaker and emotion", least=1)
    synthetic_seed: int = setting(0, "seed of the synthetic corpus")


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturesConfig:
    """Waveform to [time, band]."""

    kind: FrontEndName = setting(
        "logmel", "the front end: log-mel spectrogram, MFCC, or the frozen layers of a pretrained encoder"
    )
    model: str = setting(
        "",
        "a pretrained encoder: its folder, or NAME[@REVISION] on the Hugging Face hub; no part of a trial's "
        "identity",
    )
    fingerprint: str = setting("", "hash of that model; filled in by a study, checked if given")
    layers: tuple[int, ...] = setting(
        (), "layers of that model to choose from, 0 being what the first one reads; empty: all"
    )
    layer_width: int = setting(0, "numbers in one of these layers; filled in by a study")
    backend: Literal["torchaudio", "librosa"] = setting("torchaudio", "the library that computes it")
    sample_rate_hz: int = setting(16_000, "sample rate after resampling, in Hz", least=1000)
    n_fft: int = setting(640, "length of the Fourier transform, in samples", least=16)
    hop_samples: int = setting(320, "samples from one frame to the next", least=1)
    bands: int = setting(40, "number of mel bands", least=8)
    coefficients: int = setting(40, "number of MFCCs, for kind=mfcc", least=8)
    range_db: float = setting(80.0, "dynamic range of a clip in dB; what is softer is silence", least=1)
    level: Literal["as_is", "utterance"] = setting(
        "as_is", "utterance: a gain for each utterance, so that its loud frames have one level"
    )
    window_s: float = setting(3.0, "length of every network input, in s", least=0.1)
    pad: Literal["frames", "waveform"] = setting(
        "frames", "short clips: append silent frames, or append zeros to the sound and cut it at window_s"
    )
    pool_frames: int = setting(
        1, "this many adjacent frames become one: their maximum, of layers their mean", least=1
    )
    normalisation: Literal["train", "utterance", "speaker", "none"] = setting(
        "train", "whose mean and deviation scale a band; speaker uses test speakers too and marks the tables"
    )
    device: Literal["cpu", "cuda"] = setting("cpu", "where features are computed; cuda with torchaudio only")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """The joint CNN + LSTM; `designed_channels` belongs to the hand-designed arms, cells, nodes and channels
    to the others.
    """

    cnn: Literal["free", "ordered"] = setting(
        "free", "any operation on any edge, or conv -> pool pairs with only the operations searched"
    )
    cells: int = setting(3, "number of cells (with cnn=ordered: of pairs)", least=3)
    nodes: int = setting(2, "number of nodes in a cell", least=1)
    channels: int = setting(8, "channels of a node before the first reduction", least=1)
    reductions: tuple[int, ...] = setting(
        (), "cells that halve the map and double the channels; empty: at a third and two thirds of the depth"
    )
    reduction_halves: Literal["both", "time", "band"] = setting("both", "the axes that a reduction halves")
    stem_multiplier: int = setting(3, "channels of the stem, as a multiple of network.channels", least=1)
    stem_halves: bool = setting(True, "halve time and band before the first cell: four times cheaper")
    cell_dropout: float = setting(
        0.0, "dropout rate after every cell; configs/README.md says why it is off", below=1
    )
    band_pooling: Literal["mean", "flatten"] = setting(
        "mean", "what becomes of the bands of the last map: their mean, or all of them side by side"
    )
    recurrent: Literal["lstm_attention", "searched"] = setting(
        "lstm_attention", "a fixed bidirectional LSTM, or searched cells over time (arXiv 2403.14083)"
    )
    recurrent_cells: int = setting(
        1, "number of searched cells over time", least=1, only_if=("network.recurrent", "searched")
    )
    recurrent_nodes: int = setting(
        2, "nodes in a searched cell over time", least=1, only_if=("network.recurrent", "searched")
    )
    hidden: int = setting(
        32, "LSTM units in each direction; searched cells over time are twice as wide", least=1
    )
    dropout: float = setting(
        0.3, "dropout rate after the convolutions, the cells over time and before the output layer", below=1
    )
    designed_channels: int = setting(16, "channels of the first block of hand-designed networks", least=1)
    projection: int = setting(
        64, "channels that a layer of frames (features.layers) is projected to", least=1
    )
    layer: str = setting(
        "mix",
        "layer that hand-designed networks read, such as layer_2; mix: a trained mixture of all",
    )
    time_pooling: Literal["usual", "attention", "mean_deviation", "multi_attention"] = setting(
        "usual", "how time is pooled; usual: by attention where the arm has it, else by the mean"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchConfig:
    """DARTS (arXiv 1806.09055): weights by SGD, alphas by Adam. From `eigenvalue_every` on: what is watched,
    and when a search stops.
    """

    epochs: int = setting(30, "epochs of the search", least=1)
    warmup_epochs: int = setting(0, "first epochs, in which only the weights learn")
    alphas_every: int = setting(1, "weight steps per alpha step", least=1)
    batch: int = setting(16, "utterances in a batch", least=2)
    weights_lr: float = setting(0.025, "learning rate of the weights (SGD, cosine schedule)")
    weights_lr_min: float = setting(0.001, "learning rate of the weights at the end of the schedule")
    weights_momentum: float = setting(0.9, "momentum of the weights", below=1)
    weights_decay: float = setting(3e-4, "weight decay of the weights")
    weights_clip: float = setting(5.0, "largest norm of the weights' gradient", least=1e-9)
    alphas_lr: float = setting(1e-2, "learning rate of the alphas (Adam)")
    alphas_decay: float = setting(1e-3, "weight decay of the alphas")
    alphas_beta1: float = setting(0.5, "Adam's beta1 for the alphas", below=1)
    relaxation: RelaxationName = setting("softmax", "how alphas become mixing weights")
    order: Literal["first", "second_exact", "second_difference"] = setting(
        "first", "order of the alpha gradient; second_difference: by finite differences, as published"
    )
    difference_scale: float = setting(
        0.01,
        "step of the finite difference, divided by the norm of the gradient at the unrolled weights",
        least=1e-9,
        only_if=("search.order", "second_difference"),
    )
    eigenvalue_every: int = setting(
        0, "epochs between two measurements of the curvature, each costs some 20 steps; 0: never"
    )
    difference_error: bool = setting(
        False, "measure once an epoch how far second_difference is from second_exact"
    )
    entropy_floor: float = setting(
        0.1, "warn of a collapse when the mean entropy of the edges falls below this (1: uniform)", below=1
    )
    stop: Literal["epochs", "eigenvalue"] = setting(
        "epochs", "when to stop; eigenvalue: go back to before the curvature grew (arXiv 1909.09656)"
    )
    stop_window: int = setting(
        5, "measurements in each of the two means compared", least=1, only_if=("search.stop", "eigenvalue")
    )
    stop_ratio: float = setting(
        0.75,
        "stop when the earlier mean divided by the present one is below this",
        below=1,
        only_if=("search.stop", "eigenvalue"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChecksConfig:
    """What a search is measured against, on validation speakers only; none of it changes what the search
    finds.
    """

    draws: int = setting(
        8, "genotypes that random_search draws and trains for a short time; the best is kept", least=2
    )
    draw_epochs: int = setting(15, "epochs of such a short training, also of those of ranking", least=1)
    anytime_every: int = setting(0, "retrain the genotype found after every so many epochs; 0: never")
    ranking: int = setting(
        0, "drawn genotypes scored by the supernet and by a short training: their rank correlation; 0 or >= 8"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainConfig:
    """Training of a chosen or hand-designed network from scratch; the same for every arm."""

    seeds: tuple[int, ...] = setting((0,), "one training per seed", needed=True)
    on: Literal["train", "all_but_test"] = setting(
        "train",
        "whom the tested model is trained on; all_but_test: on the validation speakers too, in a second "
        "training as long as they chose",
    )
    epochs: int = setting(60, "epochs of a training", least=1)
    batch: int = setting(32, "utterances in a batch", least=2)
    lr: float = setting(2e-3, "highest learning rate (AdamW; warm-up, then cosine schedule)")
    weight_decay: float = setting(1e-2, "weight decay")
    clip: float = setting(5.0, "largest norm of the gradient", least=1e-9)
    label_smoothing: float = setting(0.1, "share of each label that is spread over all classes", below=1)
    drop_path: float = setting(
        0.0, "share of the edges of free cells that is dropped at the end; grows linearly from 0", below=1
    )
    masks: int = setting(1, "SpecAugment masks on each axis")
    mask_frames: int = setting(20, "largest width of a mask in time, in frames", least=1)
    mask_bands: int = setting(6, "largest width of a mask in bands", least=1)
    speeds: tuple[float, ...] = setting(
        (),
        "speed factors, one drawn at each use of an utterance, such as [0.9, 1.0, 1.1]",
        entries=(0.5, 2.0),
    )
    pitches_st: tuple[float, ...] = setting(
        (), "pitch shifts in semitones, one drawn at each use", entries=(-24.0, 24.0)
    )
    noise_snr_db: tuple[float, ...] = setting(
        (), "signal-to-noise ratios of added white noise in dB, one drawn at each use", entries=(-20.0, 100.0)
    )
    shift_s: float = setting(0.0, "largest shift in s: a delay (silence before) or an advance (cut)")
    versions: int = setting(
        0, "varied versions of each utterance, made once at the start; 0: made anew at each use"
    )
    mixup: float = setting(0.0, "alpha of mixup's Beta distribution; 0: no mixup")
    average: float = setting(
        0.0, "decay per step of the moving average of the weights that is used; 0: the last weights", below=1
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeConfig:
    """What runs a trial; all of it may change bits of a result, so all of it is part of its identity."""

    device: Literal["auto", "cpu", "cuda"] = setting("auto", "where a trial computes; auto: a GPU if any")
    threads: int = setting(1, "CPU threads of a trial", least=1)
    cuda_graph: bool = setting(
        False, "on a GPU, launch a step as one graph (not second-order alpha steps, nor with drop_path)"
    )
    precision: Precision = setting(
        "fp32", "of maps and products; norms, loss, weights and alphas are always fp32"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourcesConfig:
    """How many trials run at once and what is done when one dies; no part of any trial's identity."""

    address: str = setting("", "address of a running Ray cluster, or auto; empty: start Ray here")
    cpus: int = setting(0, "CPUs of this machine that a study may use; 0: all")
    trials_at_once: int = setting(
        0, "trials at once; 0: as many as fit (on a growing cluster: as it may grow to)"
    )
    gpus_per_trial: float = setting(1.0, "GPUs per trial, where trials run on GPUs", least=0.01)
    cache_gb: float = setting(200.0, "GB of cached features; the least recently used are deleted first")
    checkpoint_s: float = setting(
        60.0, "seconds between checkpoints of a trial; each stage ends with one too"
    )
    pictures_every: int = setting(5, "epochs between pictures in TensorBoard; 0: only at the end")
    max_failures: int = setting(
        2, "how often a trial is run again after its process died or ran out of memory"
    )
    no_progress_s: float = setting(
        1800.0, "seconds without a step (without a report) after which a trial (a study) is ended", least=1
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RacingConfig:
    """When a candidate is given up: worse than the best one on the same folds, by a paired t-test (Nadeau and
    Bengio, 2003).
    """

    enabled: bool = setting(False, "give up candidates that are clearly worse than the best")
    pairs: int = setting(3, "fewest folds that both candidates have finished", least=2)
    p: float = setting(0.1, "one-sided level of the test, shared by all looks at a candidate", below=1)
    looks: Literal["bonferroni", "none"] = setting("bonferroni", "how the looks share the level")


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """One question on one corpus: arms x candidates x folds x seeds."""

    name: str = setting("study", "name of the study and of its folder")
    storage: str = setting("results", "folder of all studies, or a URI such as s3://bucket/prefix")
    cache: str = setting(
        "", "local folder, on each node, of features and fetched corpora; empty: .cache in a local storage"
    )
    arms: tuple[str, ...] = setting(
        ("darts", "random", "cnn_lstm_attention"), "what is compared", needed=True, one_of=tuple(ARMS)
    )
    candidates: int = setting(1, "candidates per arm; the first is the configuration as written", least=1)
    folds: tuple[int, ...] = setting((), "folds that are run; empty: all")
    seeds: tuple[int, ...] = setting((0,), "one trial per seed", needed=True)
    seed: int = setting(0, "seed of the proposals")
    protocol: Literal["flat", "nested"] = setting(
        "flat", "one outer search per arm (optimistic), or one per arm and outer fold"
    )
    sampler: Literal["tpe", "gp", "random", "nsga2"] = setting("tpe", "the Optuna sampler that proposes")
    objectives: tuple[Literal["valid_ua", "parameters", "latency_ms"], ...] = setting(
        ("valid_ua",), "what candidates are compared by; more than one: a Pareto set", needed=True
    )
    generation: int = setting(
        0, "candidates proposed together once all earlier ones have ended; 0: one whenever a slot is free"
    )
    points: dict[str, Any] = setting({}, "candidates to try first: {name: {key of study.space: value}}")
    space: dict[str, Any] = setting({}, "what is searched: {key: {low, high[, log]}} or {key: {choices}}")
    racing: RacingConfig = field(default_factory=RacingConfig)
    retry_failed: bool = setting(False, "run failed trials again")
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
