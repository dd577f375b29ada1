"""Augmentation, in training only. All draws are seeded and made on the CPU, so that devices agree.

`draw` and `applied` change a waveform: shift, speed, pitch (a phase vocoder, Flanagan and Golden 1966), white
noise. `mask` is SpecAugment (arXiv 1904.08779), `mixed` is mixup (arXiv 1710.09412).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from raysernas.config.schema import RetrainConfig
from raysernas.corpora.audio import Samples, resampled
from raysernas.features.mel import import_torchaudio

VOCODER_FFT = 512
MOST_CUT = 0.5  # share of an utterance that a shift may cut off


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The change of one utterance at one use; the defaults change nothing."""

    shift_s: float = 0.0  # above 0: silence before; below 0: a cut
    speed: float = 1.0
    pitch_st: float = 0.0
    snr_db: float = math.inf
    seed: int = 0  # of the noise


def changes_sound(config: RetrainConfig) -> bool:
    """Whether the settings change waveforms."""
    return bool(config.speeds or config.pitches_st or config.noise_snr_db or config.shift_s)


def draw(config: RetrainConfig, rng: np.random.Generator) -> Change:
    """A change: each value is drawn uniformly from the offered ones."""
    return Change(
        shift_s=float(rng.uniform(-config.shift_s, config.shift_s)),
        speed=float(rng.choice(config.speeds or (1.0,))),
        pitch_st=float(rng.choice(config.pitches_st or (0.0,))),
        snr_db=float(rng.choice(config.noise_snr_db or (math.inf,))),
        seed=int(rng.integers(2**63)),
    )


def applied(wave: Samples, rate_hz: int, change: Change) -> Samples:
    """The changed sound [samples]: shift, then speed, then pitch, then noise."""
    wave = _shifted(wave, round(change.shift_s * rate_hz))
    wave = _shortened(wave, rate_hz, change.speed)
    if change.pitch_st:
        wave = _pitched(wave, rate_hz, change.pitch_st)
    return _noisy(wave, change.snr_db, change.seed)


def mask(
    features: Float[Tensor, "batch time width"],
    config: RetrainConfig,
    generator: torch.Generator,
    fill: Float[Tensor, " width"],
    *,
    bands: bool = True,
) -> Float[Tensor, "batch time width"]:
    """Sets `masks` random stretches of each clip on each axis, at most mask_frames (mask_bands) long, to the
    mean of the training data (`Part.fill`).

    Args:
        bands: whether neighbouring numbers of a frame belong together; those of layers do not.
    """
    axes = ((1, config.mask_frames), (2, config.mask_bands))
    for axis, longest in axes if bands else axes[:1]:
        for _ in range(config.masks):
            features = torch.where(_stretch(features, axis, longest, generator), fill, features)
    return features


def mixed(
    features: Float[Tensor, "batch time width"], spread: float, rng: np.random.Generator
) -> tuple[Float[Tensor, "batch time width"], Int[Tensor, " batch"], float]:
    """Mixup: each clip with another one of its batch. Returns the mixtures, the partner of each clip, and the
    share of the clip itself, at least a half.

    Args:
        spread: the share is drawn from Beta(spread, spread).
    """
    share = float(rng.beta(spread, spread))
    # at least a half, because the true frames of the clip count as those of the mixture
    share = max(share, 1 - share)
    partner = torch.from_numpy(rng.permutation(len(features))).to(features.device)
    return share * features + (1 - share) * features[partner], partner, share


def _shifted(wave: Samples, by: int) -> Samples:
    if by > 0:
        return np.concatenate([np.zeros(by, np.float32), wave])
    return wave[min(-by, int(MOST_CUT * len(wave))) :]


def _shortened(wave: Samples, rate_hz: int, speed: float) -> Samples:
    """Faster and higher, or slower and lower, by resampling."""
    faster = resampled(wave, round(rate_hz * speed), rate_hz)
    return faster if len(faster) else wave


def _pitched(wave: Samples, rate_hz: int, semitones: float) -> Samples:
    """The same length at another pitch: stretched in time, then played faster.

    torchaudio's pitch_shift computes a filter of gigabytes for most intervals; its phase vocoder with soxr
    takes 5 ms.
    """
    factor = 2.0 ** (-semitones / 12)
    hop, bins = VOCODER_FFT // 4, VOCODER_FFT // 2 + 1
    hann = torch.hann_window(VOCODER_FFT)
    with torch.inference_mode():
        samples = torch.tensor(wave)
        spectrum = torch.stft(
            samples, VOCODER_FFT, hop, window=hann, pad_mode="constant", return_complex=True
        )
        advance = torch.linspace(0, math.pi * hop, bins)[:, None]
        spectrum = import_torchaudio().functional.phase_vocoder(spectrum, factor, advance)
        stretched = torch.istft(
            spectrum, VOCODER_FFT, hop, window=hann, length=max(1, round(len(wave) / factor))
        ).numpy()
    pitched = resampled(stretched, round(rate_hz / factor), rate_hz)[: len(wave)]
    return np.concatenate([pitched, np.zeros(len(wave) - len(pitched), np.float32)])


def _noisy(wave: Samples, snr_db: float, seed: int) -> Samples:
    if math.isinf(snr_db):
        return wave
    deviation = math.sqrt(float(np.mean(np.square(wave, dtype=np.float64))) / 10 ** (snr_db / 10))
    noise = np.random.default_rng(seed).standard_normal(len(wave))
    return (wave + deviation * noise).astype(np.float32)


def _stretch(features: Tensor, axis: int, longest: int, generator: torch.Generator) -> Tensor:
    """Whether a random stretch of each clip covers an entry: [batch, time, 1] or [batch, 1, width]."""
    clips, size = features.shape[0], features.shape[axis]
    length = torch.rand(clips, 1, generator=generator) * (min(longest, size) + 1)
    start = (torch.rand(clips, 1, generator=generator) * (size - length.floor() + 1)).floor()
    at = torch.arange(size)[None]
    covered = ((at >= start) & (at < start + length.floor())).to(features.device)
    return covered[:, :, None] if axis == 1 else covered[:, None, :]
