"""The words: every setting of a study, its default, and how a trial gets its identity.

One dotted vocabulary: `search.weights_lr` is the YAML key, the override, the key in `study.space` and the column of the
result table. Defaults stand here, those of a study in `config_study.py`, and nowhere else. Files and overrides are read in
`config_file.py`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args

from raysernas.config_arms import FIXED, UNREAD, Arm
from raysernas.config_study import StudyConfig

Scalar = str | int | float | bool
Value = Scalar | Sequence[Scalar] | Mapping[str, str]
Precision = Literal["fp32", "bf16"]


class Fault(ValueError):
    """A mistake that the user can mend, told in five parts: where, what, got, expected, do this."""

    def __init__(self, where: str, what: str, *, got: object, expected: object, do: str) -> None:
        super().__init__(f"{where}: {what}\n  got: {got}\n  expected: {expected}\n  do this: {do}")
        self.what = what


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig:
    """Which speech, which classes, and who is held out."""

    name: Literal[
        "synthetic", "manifest", "crema_d", "emodb", "emovo", "iemocap", "msp_improv", "msp_podcast", "nemo", "ravdess", "savee",
        "tess",
    ] = "synthetic"  # fmt: skip
    root: str = ""  # folder of the corpus, or the manifest file; where it lies is not part of a trial's identity
    fingerprint: str = ""  # of the content; filled in when a study is planned, refused when it does not fit
    label: Literal["usual", "intended", "perceived"] = "usual"  # what the actor meant, or listeners heard, where a corpus has both
    emotions: tuple[str, ...] = ()  # classes to keep; none named = the usual ones of the corpus, merged as usual
    merge: dict[str, str] = field(default_factory=dict)  # emotion -> the emotion that it counts as
    scenarios: tuple[str, ...] = ()  # to keep, such as improvised; none named = all
    on_bad_file: Literal["fail", "skip"] = "fail"
    folds: Literal[
        "usual", "speaker", "speaker_groups", "session", "official", "emobox", "luna_jimenez", "published", "random", "file"
    ] = "usual"  # fmt: skip
    groups: int = 4  # number of folds of `speaker_groups` and `random`
    fold_file: str = ""  # a folds.csv, or a folder of EmoBox lists, for folds=file; where it lies is no part of the identity
    folds_hash: str = ""  # of who is in which part of which fold; filled in when a study is planned, refused when it does not fit
    speaker_dependent: bool = False  # allows folds that hear a speaker on two sides; marked in every table
    valid: Literal["usual", "speakers", "next_session", "next_fold", "other_speaker", "utterances"] = "usual"
    valid_fraction: float = 0.2  # of all speakers (`speakers`) or of the training utterances (`utterances`) that validate
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
    pad: Literal["frames", "waveform"] = "frames"  # silent frames after the features, or zeros before them and a cut at window_s
    pool_frames: int = 1  # maximum over so many adjacent frames
    normalisation: Literal["train", "utterance", "speaker", "none"] = "train"  # whose moments; speaker: tested ones too, marked
    device: Literal["cpu", "cuda"] = "cpu"  # that computes the features; torchaudio only


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """The joint CNN + LSTM; `designed_channels` belongs to the hand-designed arms, cells, nodes and channels to the others."""

    cnn: Literal["free", "ordered"] = "free"  # any operation on any edge, or conv -> pool -> conv ... with the operations searched
    cells: int = 3  # ordered: pairs of conv -> pool, each as wide as the cell it stands for
    nodes: int = 2
    channels: int = 8  # of a node, before the first reduction
    reductions: tuple[int, ...] = ()  # cells that halve the map and double the channels; none named = at a third and two thirds
    reduction_halves: Literal["both", "time", "band"] = "both"
    stem_multiplier: int = 3  # channels of the stem, in units of network.channels
    stem_halves: bool = True  # time and band, before the first cell: four times cheaper
    cell_dropout: float = 0.0  # after every cell; README tells why it is off
    band_pooling: Literal["mean", "flatten"] = "mean"  # of the bands that are left; flatten: a frame has channel x band numbers
    recurrent: Literal["lstm_attention", "searched"] = "lstm_attention"  # a fixed BiLSTM, or cells over time (arXiv 2403.14083)
    recurrent_cells: int = 1  # searched only, as the next
    recurrent_nodes: int = 2
    hidden: int = 32  # LSTM units in each direction; the width of the searched cells is twice this
    dropout: float = 0.3  # after the convolutions, after each searched cell over time, and before the output layer
    designed_channels: int = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchConfig:
    """DARTS (arXiv 1806.09055): weights by SGD, alphas by Adam. From `eigenvalue_every` on: what is watched, and what it costs."""

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
    difference_scale: float = 0.01  # of second_difference: its step is difference_scale / |gradient at the weights ahead|
    eigenvalue_every: int = 0  # epochs, between two measurements of the curvature, each as dear as some 20 steps; 0 = never
    difference_error: bool = False  # measure, once an epoch, how far second_difference is from second_exact
    entropy_floor: float = 0.1  # of the mixtures; below it the history warns of a collapse
    stop: Literal["epochs", "eigenvalue"] = "epochs"  # eigenvalue: go back to before it grew (arXiv 1909.09656)
    stop_window: int = 5  # measurements that are averaged and compared
    stop_ratio: float = 0.75  # of the mean before and the mean now; below it the curvature has grown


@dataclass(frozen=True, kw_only=True, slots=True)
class ChecksConfig:
    """What a search is measured against; none of it changes what the search finds. Validation speakers only."""

    draws: int = 8  # genotypes that `random_search` draws and trains shortly; the best on validation speakers is kept
    draw_epochs: int = 15  # of such a short training, and of those of `ranking`
    anytime_every: int = 0  # epochs of the search after which its genotype is retrained too; 0 = never
    ranking: int = 0  # drawn genotypes scored by the supernet and by a short training: their rank correlation; 0 = none, else >= 8


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
    drop_path: float = 0.0  # of the edges of chosen free cells (ordered ones have none); its maximum, reached linearly
    masks: int = 1  # SpecAugment masks on each axis
    mask_frames: int = 20
    mask_bands: int = 6
    speeds: tuple[float, ...] = ()  # of the training utterances, one drawn at each use, such as [0.9, 1.0, 1.1]
    pitches_st: tuple[float, ...] = ()  # semitones, one drawn at each use
    noise_snr_db: tuple[float, ...] = ()  # of white noise, one drawn at each use
    shift_s: float = 0.0  # utmost delay (silence before) or advance (cut) of an utterance
    versions: int = 0  # of each utterance's sound, drawn and held at the start, one taken at each use; 0 = drawn anew at each use
    mixup: float = 0.0  # both parameters of the Beta distribution of a clip's share in its mixture; 0 = nothing is mixed
    average: float = 0.0  # decay, a step, of the moving average of weights and norms that is validated and kept; 0 = the last ones


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeConfig:
    """What runs a trial; all of it may change bits of a result, so all of it is part of its identity."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 1
    cuda_graph: bool = False  # a step is one launch on a GPU (alpha steps of second order, and retrain.drop_path, are not)
    precision: Precision = "fp32"  # of maps and products in forward and backward passes; norms, loss, weights, alphas: fp32


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

    arm: Arm = "darts"
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
            kind="mfcc", sample_rate_hz=32_750, n_fft=2048, hop_samples=512, bands=128, coefficients=128, window_s=8.0,
            pad="waveform", pool_frames=4, normalisation="none",
        )
    }
}  # fmt: skip
SECTIONS = ("corpus", "features", "network", "search", "checks", "retrain", "compute")
PLACES = ("corpus.root", "corpus.fold_file")  # where something lies; what lies there has a hash


def trial_config(config: Config, *, arm: Arm, fold: int, seed: int) -> TrialConfig:
    """The part of a study that one trial runs under."""
    if arm not in get_args(Arm):
        raise Fault("config", f"{arm!r} is not an arm", got=arm, expected=", ".join(get_args(Arm)), do="name one of them")
    sections = {section: getattr(config, section) for section in SECTIONS}
    stands_for = {key.removeprefix("network."): value for key, value in FIXED.get(arm, {}).items()}
    sections["network"] = replace(config.network, **stands_for)
    return TrialConfig(arm=arm, fold=fold, seed=seed, **sections)


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a configuration, tuples as they are: `{"search.epochs": 30, ...}`."""
    flat: dict[str, Any] = {}
    for spec in fields(node):
        value = getattr(node, spec.name)
        flat |= flatten(value, f"{prefix}{spec.name}.") if is_dataclass(value) else {f"{prefix}{spec.name}": value}
    return flat


def settings(trial: TrialConfig) -> dict[str, Any]:
    """The dotted settings that the trial's arm reads, without PLACES: its identity and its columns in the ledger."""
    fixed = FIXED.get(trial.arm, {})
    return {key: value for key, value in flatten(trial).items() if key in fixed or reads(trial.arm, key)}


def reads(arm: Arm, key: str) -> bool:
    """Whether a setting of the study can change the numbers of an arm."""
    return not key.startswith((*UNREAD[arm], *PLACES)) and key not in FIXED.get(arm, {})


def digest(trial: TrialConfig) -> str:
    """Identity of a trial: 16 hexadecimal digits over all of its settings, never over their difference to the defaults."""
    return identity(settings(trial))


def identity(values: Mapping[str, Any]) -> str:
    """`digest`, of what `settings` has given."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Config, new: Config) -> list[str]:
    """Readable lines, one for each setting whose change would make old and new trials incomparable."""
    kept, fresh = flatten(old), flatten(new)
    extendable = ("study.name", "study.storage", "study.cache", "study.arms", "study.candidates", "study.folds", "study.seeds")
    free = (*extendable, "study.retry_failed", "study.resources.", *PLACES)
    return [f"{key}: {kept[key]!r} -> {fresh[key]!r}" for key in fresh if kept[key] != fresh[key] and not key.startswith(free)]
