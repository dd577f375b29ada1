"""The settings of what a network reads: which speech, who is held out, and how sound becomes numbers."""

from dataclasses import dataclass
from typing import Literal, get_args

from raysernas.config.setting import setting

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
    "speaker_text",
    "session",
    "official",
    "emobox",
    "luna_jimenez",
    "published",
    "random",
    "file",
]
ValidationScheme = Literal["usual", "speakers", "next_session", "next_fold", "other_speaker", "utterances"]
FrontEndName = Literal["logmel", "mfcc", "streams", "pretrained"]
StreamName = Literal["bands", "cepstra", "band_deltas", "cepstrum_deltas", "contours"]
FunctionalsName = Literal["none", "own", "egemaps", "compare"]


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
    text_groups: int = setting(
        0,
        "groups of texts of speaker_text; 0: each text by itself",
        only_if=("corpus.folds", "speaker_text"),
    )
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
        "logmel",
        "the front end: log-mel spectrogram, MFCC, both with deltas and contours as layers (streams), or the "
        "frozen layers of a pretrained encoder",
    )
    streams: tuple[StreamName, ...] = setting(
        get_args(StreamName), "layers of kind=streams; contours: F0, voicing and energy", needed=True
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
    coefficients: int = setting(40, "number of MFCCs, for kind=mfcc and streams", least=8)
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
    functionals: FunctionalsName = setting(
        "none",
        "statistics of an utterance; egemaps, compare: by opensmile, for research and personal use only",
    )
