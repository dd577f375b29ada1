"""Waveform to [time, band]: log-mel or MFCC of one utterance.

In: mono samples and the feature settings. Out: a `Clip`. There are two ways, librosa's (the reference) and a
fast one with torchaudio's Slaney filters, on the CPU or a GPU; they agree to 1e-3. Every utterance is by
itself, on one thread: neither the loudness of another utterance nor the number of cores moves a single bit,
so that what is cached may be shared.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig

Floats = npt.NDArray[np.float32]
SILENT_DB = -100.0  # of a spectrum at the smallest power that is told apart from zero
SMALLEST_POWER = 1e-10
MEL_BLOCKS = 8  # products over a few bins each: a filter is zero nearly everywhere


@dataclass(frozen=True, slots=True)
class Clip:
    """What a network may see of one utterance."""

    values: Floats  # [time, band]
    silence: Floats  # [band], a frame in which nothing is heard
    true: int  # frames of `values` that hold the utterance; what follows them is padding


Extract = Callable[[Floats], Clip]  # waveform [samples] -> Clip


def window_frames(config: FeaturesConfig) -> int:
    """Frames of one network input, after pooling."""
    frames = round(config.window_s * config.sample_rate_hz / config.hop_samples)
    if config.pad == "waveform":
        frames = _frames(window_samples(config), config)
    return max(1, frames // config.pool_frames)


def window_samples(config: FeaturesConfig) -> int:
    """Samples of one network input."""
    return max(1, round(config.window_s * config.sample_rate_hz))


def extractor(config: FeaturesConfig, device: str | None = None) -> Extract:
    """The function waveform -> Clip.

    With `pad: waveform` the sound is cut to the window, or filled up with zeros, before anything is computed.
    Frames are pooled in groups that follow one another; a last group that is not full is dropped, unless it
    is the only one.

    Args:
        device: where to compute, if not where the settings say; librosa always computes on the CPU.

    Raises:
        Fault: when torchaudio cannot be loaded, or there is no GPU where one is asked for.
    """
    place = torch.device("cpu" if config.backend == "librosa" else device or config.device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise Fault(
            "features",
            "there is no GPU here",
            got="features.device=cuda",
            expected="a GPU that torch sees",
            fix="set features.device=cpu",
        )
    log_mel = _by_torchaudio(config, place) if config.backend == "torchaudio" else _by_librosa(config)
    basis = _cosines(config).to(place) if config.kind == "mfcc" else None

    def extract(wave: Floats) -> Clip:
        with torch.inference_mode():
            spectrum = log_mel(_window(wave, config) if config.pad == "waveform" else wave)
            floor = torch.clamp_min(spectrum.max() - config.range_db, SILENT_DB).expand(1, config.bands)
            if basis is not None:
                spectrum, floor = spectrum @ basis, floor @ basis
            values = _pooled(spectrum.cpu().numpy(), config.pool_frames)
            return Clip(values, floor[0].cpu().numpy().copy(), _true_frames(len(wave), len(values), config))

    return extract


@contextmanager
def one_thread() -> Iterator[int]:
    """Let torch compute on one thread, because the last bits hang on their number; gives the number that was
    set before.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


@contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads, on each of which torch computes alone: decoding, torch and soxr all let go of Python's
    lock.
    """
    with one_thread():
        pool = ThreadPoolExecutor(count)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def import_torchaudio() -> Any:
    """torchaudio, or the one error that says which pair of versions works."""
    try:
        import torchaudio
    except (ImportError, OSError) as error:
        raise Fault(
            "features",
            f"torchaudio does not work with torch {torch.__version__}",
            got=str(error).splitlines()[0],
            expected="torch >=2.11, !=2.13.*, <2.15 with torchaudio >=2.11, <2.12",
            fix="pip install 'torch==2.14.1' 'torchaudio==2.11.0', or set features.backend=librosa",
        ) from error
    return torchaudio


def _by_torchaudio(
    config: FeaturesConfig, device: torch.device
) -> Callable[[Floats], Float[Tensor, "time band"]]:
    half, hop = config.n_fft // 2, config.hop_samples
    hann = torch.hann_window(config.n_fft, dtype=torch.float64).float().to(device)
    blocks = _blocks(_filters(config), device)

    def log_mel(wave: Floats) -> Float[Tensor, "time band"]:
        samples = torch.from_numpy(wave if wave.flags.writeable else wave.copy()).to(device)
        frames = torch.nn.functional.pad(samples, (half, half)).unfold(0, config.n_fft, hop)
        parts = rearrange(
            torch.view_as_real(torch.fft.rfft(frames * hann)), "time bin part -> time (bin part)"
        )
        squares = parts.square_()  # of real and imaginary parts in turn; the filters add them up
        mel = torch.cat([squares[:, first:last] @ block for first, last, block in blocks], dim=1)
        decibel = mel.clamp_min_(SMALLEST_POWER).log10_().mul_(10)
        return torch.maximum(decibel, decibel.max() - config.range_db)

    return log_mel


def _by_librosa(config: FeaturesConfig) -> Callable[[Floats], Float[Tensor, "time band"]]:
    import librosa  # takes seconds to import

    def log_mel(wave: Floats) -> Float[Tensor, "time band"]:
        power = librosa.feature.melspectrogram(
            y=wave,
            sr=config.sample_rate_hz,
            n_fft=config.n_fft,
            hop_length=config.hop_samples,
            n_mels=config.bands,
        )
        decibel = librosa.power_to_db(power, amin=SMALLEST_POWER, top_db=config.range_db)
        return torch.from_numpy(np.ascontiguousarray(decibel.T, dtype=np.float32))

    return log_mel


def _filters(config: FeaturesConfig) -> Float[Tensor, "bin band"]:
    rate_hz = config.sample_rate_hz
    if config.n_fft % 2 or rate_hz % 2:  # torchaudio takes the last bin for rate_hz // 2
        import librosa

        return torch.from_numpy(
            librosa.filters.mel(sr=rate_hz, n_fft=config.n_fft, n_mels=config.bands).T.copy()
        )
    return import_torchaudio().functional.melscale_fbanks(
        config.n_fft // 2 + 1, 0.0, rate_hz / 2, config.bands, rate_hz, norm="slaney", mel_scale="slaney"
    )


def _blocks(filters: Float[Tensor, "bin band"], device: torch.device) -> list[tuple[int, int, Tensor]]:
    """Neighbouring filters of real and imaginary parts, with the first and last (exclusive) that one of them
    sees.
    """
    blocks = []
    for group in repeat(filters, "bin band -> (bin part) band", part=2).chunk(MEL_BLOCKS, dim=1):
        seen = group.any(dim=1).nonzero().flatten().tolist()
        first, last = (seen[0], seen[-1] + 1) if seen else (0, 1)
        blocks.append((first, last, group[first:last].contiguous().to(device)))
    return blocks


def _cosines(config: FeaturesConfig) -> Float[Tensor, "band coefficient"]:
    """The orthonormal DCT-II, librosa's default."""
    from scipy.fft import dct

    basis = np.asarray(dct(np.eye(config.bands), axis=1, norm="ortho"))
    return torch.from_numpy(basis[:, : config.coefficients].astype(np.float32))


def _window(wave: Floats, config: FeaturesConfig) -> Floats:
    """The first window of a sound, filled up with zeros."""
    full = np.zeros(window_samples(config), np.float32)
    full[: len(wave)] = wave[: len(full)]
    return full


def _pooled(values: Floats, group: int) -> Floats:
    if group == 1:
        return values
    groups = len(values) // group
    if not groups:
        return values.max(axis=0, keepdims=True)
    return reduce(values[: groups * group], "(time frame) band -> time band", "max", frame=group)


def _true_frames(samples: int, frames: int, config: FeaturesConfig) -> int:
    """Of so many frames, those that hold sound of the utterance; a pooled one does if any frame of its group
    does.
    """
    return (
        min(frames, -(-_frames(samples, config) // config.pool_frames))
        if config.pad == "waveform"
        else frames
    )


def _frames(samples: int, config: FeaturesConfig) -> int:
    """Frames of a sound before pooling: one around every `hop_samples`-th sample."""
    return 1 + (samples + 2 * (config.n_fft // 2) - config.n_fft) // config.hop_samples
