"""Functionals without a further package: statistics of bands, cepstra and contours, and of their deltas.

Frames of 40 ms every 10 ms: 40 mel bands relative to the level of the utterance, 20 cepstra, and three
contours (F0 in semitones, the strength of voicing, energy in decibels). Each of them, and each of their
deltas, is summarised by ten statistics over the loud frames, F0 over the voiced ones. Only energy knows how
loud the recording is. F0 is the highest peak of the autocorrelation, divided by that of the window (Boersma
1993).
"""

from typing import Any, final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.audio import Samples
from raysernas.features.front_end import Float32Array
from raysernas.features.functionals.functional_set import FunctionalSet, Summarise
from raysernas.features.logmel import LogMel
from raysernas.features.mfcc import cosines

VERSION = 1  # of the arithmetic; a new one leaves old caches unused
FRAME_S, HOP_S = 0.04, 0.01
BANDS, CEPSTRA, CONTOURS = 40, 20, 3
LOWEST_F0_HZ, HIGHEST_F0_HZ = 60.0, 500.0
VOICED = 0.5  # least height of the peak, where a pure tone has 1
LOUD_DB = 35.0  # a frame is loud unless it is so far below the loudest one
OCTAVE_COST = 0.02  # per octave of a longer period, or every second period would fit as well
SMALLEST_ENERGY = 1e-10
PERCENTILES = (5, 25, 50, 75, 95)
STATISTICS = ("mean", "deviation", "skew", *(f"percentile {p}" for p in PERCENTILES), "range", "slope")
TIMING = ("duration", "loud share", "voiced share", "pauses per second", "voiced runs per second")
SILENT_FRACTION = 1e-6  # a deviation below this share of the largest value is rounding
Contours = npt.NDArray[np.float64]


@final
class Own(FunctionalSet):
    """`features.functionals=own`."""

    __slots__ = ()

    @property
    def width(self) -> int:
        return len(STATISTICS) * 2 * (BANDS + CEPSTRA + CONTOURS) + len(TIMING)

    @property
    def fingerprint(self) -> list[Any]:
        return ["own", VERSION, LogMel.version, self.config.sample_rate_hz]

    def check(self) -> None:
        """Nothing is missing."""

    def summarise(self) -> Summarise:
        rate_hz = self.config.sample_rate_hz
        hop, half = round(HOP_S * rate_hz), round(FRAME_S * rate_hz / 2)
        frames = FeaturesConfig(sample_rate_hz=rate_hz, n_fft=2 * half, hop_samples=hop, bands=BANDS)
        log_mel = LogMel(frames).transform(torch.device("cpu"))
        basis = cosines(BANDS, CEPSTRA + 1)[:, 1:]

        def summarise(wave: Samples) -> Float32Array:
            with torch.inference_mode():
                bands = log_mel(wave)[0]
                f0, strength, energy = _contours(wave, half, hop, rate_hz)
                cepstra = bands @ basis
            loud = (energy > energy.max() - LOUD_DB).numpy()
            voiced = loud & (strength > VOICED).numpy()
            relative = bands - bands[torch.from_numpy(loud)].mean()
            spectral = torch.cat([relative, cepstra, strength[:, None], energy[:, None]], dim=1)
            found = [_summaries(spectral.double().numpy(), loud)]
            found.append(_summaries(f0.double().numpy()[:, None], voiced))
            return np.concatenate([*found, _timing(loud, voiced, len(wave) / rate_hz)]).astype(np.float32)

        return summarise


def _contours(
    wave: Samples, half: int, hop: int, rate_hz: int
) -> tuple[Float[Tensor, " time"], Float[Tensor, " time"], Float[Tensor, " time"]]:
    """F0 in semitones above 1 Hz, the strength of voicing (0 to 1), energy in decibels."""
    samples = torch.nn.functional.pad(torch.from_numpy(wave.copy()), (half, half))
    frames = samples.unfold(0, 2 * half, hop)
    energy = 10 * (frames.square().mean(dim=1) + SMALLEST_ENERGY).log10()
    window = torch.hann_window(2 * half, dtype=torch.float64).float()
    shortest, longest = int(rate_hz / HIGHEST_F0_HZ), min(int(rate_hz / LOWEST_F0_HZ), 2 * half - 2)
    by_lag = _autocorrelation((frames - frames.mean(dim=1, keepdim=True)) * window)
    height = (
        by_lag[:, shortest - 1 : longest + 2] / _autocorrelation(window[None])[:, shortest - 1 : longest + 2]
    )
    lags = torch.arange(shortest - 1, shortest - 1 + height.shape[1])
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


def _summaries(contours: Contours, used: npt.NDArray[np.bool_]) -> Contours:
    """Statistics of contours [time, contour], then of their deltas; 0 where no frame is used."""
    steps = _deltas(contours)
    if not used.any():
        return np.zeros(len(STATISTICS) * 2 * contours.shape[1])
    at = np.flatnonzero(used) * HOP_S
    both = np.concatenate([contours[used], steps[used]], axis=1)
    return np.concatenate([*statistics(both, at)])


def statistics(values: Contours, at_s: npt.NDArray[Any]) -> Contours:
    """STATISTICS of values [time, contour] at the times `at_s`: [statistic, contour]."""
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    spread = np.where(deviation > SILENT_FRACTION * np.abs(values).max(axis=0), deviation, 0.0)
    scale = np.where(spread > 0, spread, 1.0)
    skew = np.where(spread > 0, (((values - mean) / scale) ** 3).mean(axis=0), 0.0)
    percentiles = np.percentile(values, PERCENTILES, axis=0)
    since = at_s - at_s.mean()
    across = (since**2).sum()
    slope = since @ (values - mean) / across if across > 0 else np.zeros_like(mean)
    return np.stack([mean, deviation, skew, *percentiles, percentiles[-1] - percentiles[0], slope])


def _deltas(contours: Contours) -> Contours:
    """Slope over five frames, per frame; ends are repeated."""
    padded = np.pad(contours, ((2, 2), (0, 0)), mode="edge")
    return (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10


def _timing(loud: npt.NDArray[np.bool_], voiced: npt.NDArray[np.bool_], seconds: float) -> Contours:
    runs = lambda frames: int(np.count_nonzero(np.diff(np.pad(frames, 1).astype(np.int8)) == 1))  # noqa: E731
    pauses, rate = max(runs(loud) - 1, 0), 1 / max(seconds, HOP_S)
    return np.array(
        [np.log(max(seconds, HOP_S)), loud.mean(), voiced.mean(), pauses * rate, runs(voiced) * rate]
    )
