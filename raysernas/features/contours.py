"""Contours: how pitch, voicing and loudness go on over time.

F0 is the highest peak of the autocorrelation, divided by that of the window (Boersma 1993). Nothing is
smoothed over frames, so every frame is computed by itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.corpora.audio import Samples

LOWEST_F0_HZ, HIGHEST_F0_HZ = 60.0, 500.0
VOICED = 0.5  # least height of the peak of a voiced frame, where a pure tone has 1
OCTAVE_COST = 0.02  # per octave of a longer period, or every second period would fit as well
SMALLEST_ENERGY = 1e-10
Contour = Float[Tensor, " time"]


def contours(wave: Samples, half: int, hop: int, rate_hz: int) -> tuple[Contour, Contour, Contour]:
    """F0 in semitones above 1 Hz, the strength of voicing (0 to 1), energy in decibels.

    Args:
        half: of the length of a frame, in samples; a frame is centred on every `hop`-th sample.
    """
    samples = torch.nn.functional.pad(torch.from_numpy(wave.copy()), (half, half))
    frames = samples.unfold(0, 2 * half, hop)
    energy = 10 * (frames.square().mean(dim=1) + SMALLEST_ENERGY).log10()
    window = torch.hann_window(2 * half, dtype=torch.float64).float()
    shortest, longest = int(rate_hz / HIGHEST_F0_HZ), min(int(rate_hz / LOWEST_F0_HZ), 2 * half - 2)
    by_lag = _autocorrelation((frames - frames.mean(dim=1, keepdim=True)) * window)
    lags = torch.arange(shortest - 1, longest + 2)
    height = by_lag[:, lags] / _autocorrelation(window[None])[:, lags]
    inner = height[:, 1:-1]
    is_peak = (inner >= height[:, :-2]) & (inner > height[:, 2:])
    worth = torch.where(is_peak, inner - OCTAVE_COST * lags[1:-1].log2(), -torch.inf)
    at = worth.argmax(dim=1, keepdim=True)
    before, peak, after = (height.gather(1, at + step).squeeze(1) for step in range(3))
    curve = before - 2 * peak + after
    shift = torch.where(curve < -1e-9, 0.5 * (before - after) / curve, 0.0).clamp(-0.5, 0.5)
    lag = lags[1 + at.squeeze(1)] + shift
    strength = torch.where(is_peak.any(dim=1), peak, 0.0).clamp(0.0, 1.0)
    return 12 * (rate_hz / lag).log2(), strength, energy


def _autocorrelation(frames: Float[Tensor, "time sample"]) -> Float[Tensor, "time lag"]:
    """Divided by that of lag 0; 0 for a silent frame."""
    found = torch.fft.irfft(torch.fft.rfft(frames, 2 * frames.shape[1]).abs().square())
    power = found[:, :1]
    return torch.where(power > SMALLEST_ENERGY, found / power.clamp_min(SMALLEST_ENERGY), 0.0)
