"""How loud a sound is: the level of its loud frames, which pauses and single clicks hardly move.

In: samples. Out: the level in dB below full scale (dBFS), that of the `LOUD` quantile of its frames.
"""

from math import log10

import numpy as np
import numpy.typing as npt

from raysernas.corpora.audio import Samples

FRAME_S = 0.025  # about two periods of a low voice
LOUD = 0.9  # quantile of the frames that are heard
HEARD_DB = 60.0  # frames this far below the loudest one are pauses and do not count

Energies = npt.NDArray[np.float64]


def frame_samples(rate_hz: int) -> int:
    """Samples of one frame."""
    return max(1, round(FRAME_S * rate_hz))


def energies(samples: Samples, rate_hz: int) -> Energies:
    """Mean square of each frame [frame] of [samples] or [samples, channels]; the last one may be shorter."""
    starts = np.arange(0, len(samples), frame_samples(rate_hz))
    if not len(starts):
        return np.zeros(0)
    lengths = np.diff(starts, append=len(samples))
    power = np.square(samples, dtype=np.float64)
    return np.add.reduceat(power if power.ndim == 1 else power.mean(axis=1), starts) / lengths


def loud_db(frames: Energies) -> float | None:
    """The level of the loud ones of these frames in dBFS; None if all are silent."""
    most = float(frames.max(initial=0.0))
    if not most:
        return None
    heard = frames[frames > most * 10 ** (-HEARD_DB / 10)]
    return 10 * log10(float(np.quantile(heard, LOUD)))
