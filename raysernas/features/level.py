"""`features.level=utterance`: a gain for each utterance that brings its loud frames to one level."""

import numpy as np

from raysernas.corpora import loudness
from raysernas.corpora.audio import Samples

LEVEL_DB = -26.0  # dBFS of the loud frames; the usual speech level, far enough below full scale


def levelled(wave: Samples, rate_hz: int) -> Samples:
    """The utterance [samples] with its loud frames at `LEVEL_DB`; silence stays silence.

    Samples are floats, so nothing is clipped: a click may exceed full scale.
    """
    found_db = loudness.loud_db(loudness.energies(wave, rate_hz))
    if found_db is None:
        return wave
    gain = 10 ** ((LEVEL_DB - found_db) / 20)
    return (wave.astype(np.float64) * gain).astype(np.float32)
