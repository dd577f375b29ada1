"""Speech to numbers: waveform -> [time, band], cached on disk, cut into the fixed-length inputs of a network.

Log-mel or MFCC by torchaudio or librosa, which agree to 1e-3 (same Slaney filters, zero padding at the ends, dynamic range
clamped below the loudest point of each clip by itself). Every input is `window_s` long: longer utterances are cropped at
random in training and covered by several windows at test; shorter ones are padded with the clip's own silence.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from torch import Tensor

from raysernas.config import Fault, FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.record import storage

Role = Literal["weights", "alphas", "train", "valid", "test"]
Floats = npt.NDArray[np.float32]
VERSION = 1  # of this room's arithmetic; a new one leaves old caches unused
SILENT_DB = -100.0  # of a spectrum at the smallest power that is told apart from zero (1e-10)


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one step; `frames` counts the true frames of each, the rest is silence."""

    features: Float[Tensor, "batch time band"]
    frames: Int[Tensor, " batch"]
    emotion: Int[Tensor, " batch"]


@dataclass(frozen=True, slots=True)
class Frames:
    """Features of a whole corpus: utterance i has rows `offsets[i]:offsets[i+1]` of `values` and the silent frame `silence[i]`."""

    values: Floats  # [sum of frames, band], memory-mapped
    offsets: npt.NDArray[np.int64]
    silence: Floats  # [utterance, band]

    def of(self, index: int) -> Floats:
        """[time, band] of one utterance."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and deviation of each band over the frames of a training split."""

    mean: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a split, ready for a network. Its `role` is checked by whoever uses it: nothing trains on `test`."""

    role: Role
    frames: Frames
    indices: tuple[int, ...]  # into the corpus
    emotion: npt.NDArray[np.int64]  # [len(indices)]
    scale: Scale
    window: int  # frames of every input
    device: torch.device

    def __len__(self) -> int:
        return len(self.indices)

    def epoch(self, batch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Every utterance once, in random order, each cropped at random; batches differ in size by at most one."""
        order = rng.permutation(len(self))
        for chosen in np.array_split(order, -(-len(self) // batch)):
            lengths = [len(self.frames.of(self.indices[i])) for i in chosen]
            starts = [int(rng.integers(max(length - self.window, 0) + 1)) for length in lengths]
            yield self._batch(chosen.tolist(), starts)

    def windows(self, batch: int) -> Iterator[tuple[Batch, npt.NDArray[np.int64]]]:
        """Every window of every utterance, evenly spread so that all frames are seen, with the utterance each belongs to."""
        cuts = [
            (i, start) for i, index in enumerate(self.indices) for start in window_starts(len(self.frames.of(index)), self.window)
        ]
        for at in range(0, len(cuts), batch):
            owners, starts = zip(*cuts[at : at + batch], strict=True)
            yield self._batch(owners, starts), np.array(owners)

    def _batch(self, chosen: Sequence[int], starts: Sequence[int]) -> Batch:
        inputs = np.empty((len(chosen), self.window, self.frames.values.shape[1]), np.float32)
        lengths = np.empty(len(chosen), np.int64)
        for row, (i, start) in enumerate(zip(chosen, starts, strict=True)):
            clip = self.frames.of(self.indices[i])[start : start + self.window]
            lengths[row] = len(clip)
            inputs[row, : len(clip)] = clip
            inputs[row, len(clip) :] = self.frames.silence[self.indices[i]]
        inputs = (inputs - self.scale.mean) / self.scale.deviation
        tensors = (torch.from_numpy(array).to(self.device) for array in (inputs, lengths, self.emotion[list(chosen)]))
        return Batch(*tensors)


def window_starts(frames: int, window: int) -> list[int]:
    """First frames of the fewest evenly spread windows that cover an utterance."""
    count = max(1, -(-frames // window))
    return [round(i * (frames - window) / (count - 1)) for i in range(count)] if count > 1 else [0]


def window_frames(config: FeaturesConfig) -> int:
    """Frames of one input."""
    return max(1, round(config.window_s * config.sample_rate_hz / config.hop_samples))


def width(config: FeaturesConfig) -> int:
    """Numbers in one frame."""
    return config.bands if config.kind == "logmel" else config.coefficients


def part(
    role: Role,
    frames: Frames,
    corpus: Corpus,
    indices: Sequence[int],
    *,
    scale: Scale,
    config: FeaturesConfig,
    device: torch.device,
) -> Part:
    """Utterances of one role with the scale of the training split."""
    numbers = {emotion: i for i, emotion in enumerate(corpus.emotions)}
    emotion = np.array([numbers[corpus.utterances[i].emotion] for i in indices], dtype=np.int64)
    return Part(role, frames, tuple(indices), emotion, scale, window_frames(config), device)


def scale_of(frames: Frames, indices: Sequence[int], config: FeaturesConfig) -> Scale:
    """Statistics of the training split's true frames; no other utterance is looked at."""
    bands = frames.values.shape[1]
    if config.normalisation == "none":
        return Scale(np.zeros(bands, np.float32), np.ones(bands, np.float32))
    count = sum(len(frames.of(i)) for i in indices)  # clip by clip: a corpus need not fit into memory
    mean = np.sum([frames.of(i).sum(axis=0, dtype=np.float64) for i in indices], axis=0) / count
    square = np.sum([((frames.of(i) - mean) ** 2).sum(axis=0) for i in indices], axis=0) / count
    return Scale(mean.astype(np.float32), np.maximum(np.sqrt(square), 1e-5).astype(np.float32))


def load(corpus: Corpus, config: FeaturesConfig, cache: Path | None) -> Frames:
    """Features of every utterance, from the cache if they are there, else computed and (with a cache) kept.

    Raises:
        Fault: for audio that cannot be read; every such file is counted, the first ones are named.
    """
    path = cache / f"features-{_digest(corpus, config)}.arrow" if cache else None
    if path and path.exists():
        try:
            return _open(path)
        except (pa.ArrowInvalid, OSError):
            path.unlink(missing_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the last bits hang on the number of threads, and the cache is shared
    try:
        clips = _extract_all(corpus, config)
    finally:
        torch.set_num_threads(threads)
    counts = [len(clip) for clip, _ in clips]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    frames = Frames(np.concatenate([clip for clip, _ in clips]), offsets, np.stack([silence for _, silence in clips]))
    if path:
        storage.write(path, lambda temporary: _save(temporary, frames))
        return _open(path)
    return frames


def extractor(config: FeaturesConfig) -> Callable[[Floats], tuple[Floats, Floats]]:
    """The function waveform [samples] -> features [time, band] and the silent frame [band] of that clip."""
    log_mel = _torchaudio(config) if config.backend == "torchaudio" else _librosa(config)
    basis = _cosines(config) if config.kind == "mfcc" else None

    def extract(wave: Floats) -> tuple[Floats, Floats]:
        spectrum = log_mel(wave)
        silence = np.full(config.bands, max(spectrum.max() - config.range_db, SILENT_DB), np.float32)
        return (spectrum, silence) if basis is None else (spectrum @ basis, silence @ basis)

    return extract


def _torchaudio(config: FeaturesConfig) -> Callable[[Floats], Floats]:
    transforms = import_torchaudio().transforms
    mel = transforms.MelSpectrogram(
        config.sample_rate_hz, config.n_fft, hop_length=config.hop_samples, n_mels=config.bands, pad_mode="constant",
        norm="slaney", mel_scale="slaney",
    )  # fmt: skip
    decibel = transforms.AmplitudeToDB("power", config.range_db)
    # one clip at a time as (1, 1, samples): in a batch of shape (batch, samples) the range would hang on the loudest clip of all
    return lambda wave: decibel(mel(torch.from_numpy(wave)[None, None]))[0, 0].T.contiguous().numpy()


def _librosa(config: FeaturesConfig) -> Callable[[Floats], Floats]:
    import librosa  # takes seconds to import

    def log_mel(wave: Floats) -> Floats:
        power = librosa.feature.melspectrogram(
            y=wave, sr=config.sample_rate_hz, n_fft=config.n_fft, hop_length=config.hop_samples, n_mels=config.bands
        )
        return np.ascontiguousarray(librosa.power_to_db(power, top_db=config.range_db).T, dtype=np.float32)

    return log_mel


def _cosines(config: FeaturesConfig) -> Floats:
    """[band, coefficient] of the orthonormal DCT-II, librosa's default."""
    from scipy.fft import dct

    basis = np.asarray(dct(np.eye(config.bands), axis=1, norm="ortho"))
    return basis[:, : config.coefficients].astype(np.float32)


def import_torchaudio():
    """torchaudio, or the one error that says which pair of versions works."""
    try:
        import torchaudio
    except (ImportError, OSError) as error:
        raise Fault(
            "features", f"torchaudio does not work with torch {torch.__version__}", got=str(error).splitlines()[0],
            expected="torch >=2.11, !=2.13.*, <2.15 with torchaudio >=2.11, <2.12",
            do="pip install 'torch==2.14.1' 'torchaudio==2.11.0', or set features.backend=librosa",
        ) from error  # fmt: skip
    return torchaudio


def _extract_all(corpus: Corpus, config: FeaturesConfig) -> list[tuple[Floats, Floats]]:
    extract = extractor(config)
    clips, faults = [], []
    for utterance in corpus.utterances:
        try:
            clips.append(extract(catalogue.waveform(utterance, config.sample_rate_hz)))
        except Fault as fault:
            faults.append(fault)
    if faults:
        first = "\n       ".join(fault.what for fault in faults[:3])
        raise Fault(
            "features", f"{len(faults)} of {len(corpus.utterances)} utterances of {corpus.name} cannot be read", got=first,
            expected="audio that libsndfile reads from end to end", do="mend or remove these files (and their labels)",
        ) from faults[0]  # fmt: skip
    return clips


def _digest(corpus: Corpus, config: FeaturesConfig) -> str:
    shape = {key: value for key, value in asdict(config).items() if key not in ("window_s", "normalisation")}
    text = json.dumps([VERSION, corpus.fingerprint, [utterance.key for utterance in corpus.utterances], shape], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _save(path: Path, frames: Frames) -> None:
    rows = pa.LargeListArray.from_arrays(frames.offsets * frames.values.shape[1], pa.array(frames.values.ravel()))
    silent = pa.FixedSizeListArray.from_arrays(pa.array(frames.silence.ravel()), frames.silence.shape[1])
    table = pa.table({"values": rows, "silence": silent})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _open(path: Path) -> Frames:
    batch = pa.ipc.open_file(pa.memory_map(str(path))).read_all().combine_chunks().to_batches()[0]
    values, silence = batch.column("values"), batch.column("silence")
    bands = silence.type.list_size
    flat = values.values.to_numpy(zero_copy_only=True).reshape(-1, bands)
    return Frames(flat, values.offsets.to_numpy() // bands, silence.values.to_numpy().reshape(-1, bands))
