"""The mel spectrum in decibels, which log-mel and MFCC are made of.

Two backends agree to 1e-3: librosa, the reference, and a faster one with torchaudio's Slaney filters, on the
CPU or a GPU. Both clamp the spectrum `range_db` below its loudest point.
"""

import functools
import os
import tempfile
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.audio import Samples
from raysernas.features.front_end import FrontEnd, Transform

SMALLEST_POWER = 1e-10  # what is smaller counts as zero
SILENT_DB = -100.0  # of the smallest power
MEL_BLOCKS = 8  # matrix products over a few bins each, because a filter is zero nearly everywhere


@dataclass(frozen=True, slots=True)
class MelFrontEnd(FrontEnd, ABC):
    """A front end made of the mel spectrum: one frame around every `hop_samples`-th sample."""

    version = 2
    reads = ("backend", "n_fft", "hop_samples", "bands", "range_db")

    @property
    def samples_per_frame(self) -> float:
        return float(self.config.hop_samples)

    def frames(self, samples: int) -> int:
        n_fft = self.config.n_fft
        return 1 + (samples + 2 * (n_fft // 2) - n_fft) // self.config.hop_samples

    def spectrum(self, device: torch.device) -> Transform:
        """The spectrum, and a frame at its lowest value."""
        config = self.config
        log_mel = _by_librosa(config) if config.backend == "librosa" else _by_torchaudio(config, device)

        def transform(wave: Samples) -> tuple[Float[Tensor, "time band"], Float[Tensor, "1 band"]]:
            decibel = log_mel(wave)
            floor = torch.clamp_min(decibel.max() - config.range_db, SILENT_DB)
            return decibel, floor.expand(1, config.bands)

        return transform


def import_librosa() -> Any:
    """librosa, which takes seconds to import.

    Its functions are compiled by numba, which refuses to work where it can keep the result neither beside
    librosa nor in the home folder, as in a container with another user. It is then kept for this process.
    """
    settings: Any = import_module("numba").config
    found = find_spec("librosa")
    beside = Path(found.origin).parent / "core" / "__pycache__" if found and found.origin else None
    home = Path(os.path.expanduser("~/.cache/numba"))
    if not settings.CACHE_DIR and not any(_can_be_made(each) for each in (beside, home) if each):
        settings.CACHE_DIR = _folder_of_this_process().name
    import librosa

    return librosa


def _can_be_made(folder: Path) -> bool:
    """Whether there is a folder of this name that can be written, or one can be made."""
    existing = next((each for each in (folder, *folder.parents) if os.path.exists(each)), None)
    return (
        folder.is_absolute() and existing is not None and existing.is_dir() and os.access(existing, os.W_OK)
    )


@functools.cache
def _folder_of_this_process() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="raysernas-numba-")


def import_torchaudio() -> Any:
    """torchaudio, or a Fault that names the versions that work together."""
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
) -> Callable[[Samples], Float[Tensor, "time band"]]:
    half, hop = config.n_fft // 2, config.hop_samples
    hann = torch.hann_window(config.n_fft, dtype=torch.float64).float().to(device)
    blocks = _blocks(_filters(config), device)

    def log_mel(wave: Samples) -> Float[Tensor, "time band"]:
        samples = torch.from_numpy(wave if wave.flags.writeable else wave.copy()).to(device)
        frames = torch.nn.functional.pad(samples, (half, half)).unfold(0, config.n_fft, hop)
        bins = torch.view_as_real(torch.fft.rfft(frames * hann))
        # squares of real and imaginary parts in turn; the filters add them up
        squares = rearrange(bins, "time bin part -> time (bin part)").square_()
        mel = torch.cat([squares[:, first:last] @ block for first, last, block in blocks], dim=1)
        decibel = mel.clamp_min_(SMALLEST_POWER).log10_().mul_(10)
        return torch.maximum(decibel, decibel.max() - config.range_db)

    return log_mel


def _by_librosa(config: FeaturesConfig) -> Callable[[Samples], Float[Tensor, "time band"]]:
    librosa = import_librosa()
    make, rate_hz = librosa.feature.melspectrogram, config.sample_rate_hz
    n_fft, hop, bands = config.n_fft, config.hop_samples, config.bands

    def log_mel(wave: Samples) -> Float[Tensor, "time band"]:
        power = make(y=wave, sr=rate_hz, n_fft=n_fft, hop_length=hop, n_mels=bands)
        decibel = librosa.power_to_db(power, amin=SMALLEST_POWER, top_db=config.range_db)
        return torch.from_numpy(np.ascontiguousarray(decibel.T, dtype=np.float32))

    return log_mel


def _filters(config: FeaturesConfig) -> Float[Tensor, "bin band"]:
    rate_hz, n_fft, bands = config.sample_rate_hz, config.n_fft, config.bands
    if n_fft % 2 or rate_hz % 2:  # torchaudio takes the last bin for rate_hz // 2
        librosa = import_librosa()
        return torch.from_numpy(librosa.filters.mel(sr=rate_hz, n_fft=n_fft, n_mels=bands).T.copy())
    slaney = {"norm": "slaney", "mel_scale": "slaney"}
    make = import_torchaudio().functional.melscale_fbanks
    return make(n_fft // 2 + 1, 0.0, rate_hz / 2, bands, rate_hz, **slaney)


def _blocks(filters: Float[Tensor, "bin band"], device: torch.device) -> list[tuple[int, int, Tensor]]:
    """Neighbouring filters of real and imaginary parts, each block with its first and last (exclusive) row
    that is not zero.
    """
    blocks = []
    for group in repeat(filters, "bin band -> (bin part) band", part=2).chunk(MEL_BLOCKS, dim=1):
        used = group.any(dim=1).nonzero().flatten().tolist()
        first, last = (used[0], used[-1] + 1) if used else (0, 1)
        blocks.append((first, last, group[first:last].contiguous().to(device)))
    return blocks
