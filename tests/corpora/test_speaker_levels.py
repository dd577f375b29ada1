"""The check tells levels of speakers that are far apart, and nothing where they are alike."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas.corpora import inspection
from raysernas.corpora.check import speaker_levels
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Utterance
from tests.corpora.test_check_printing import FINE, replace, screen

NOISE = np.random.default_rng(0).uniform(-1, 1, 16_000)


def _levels(folder: Path, spoken: Iterable[tuple[str, str, float]]) -> dict[str, float]:
    """Of recordings: (file, speaker, gain in dB)."""
    rows = []
    for name, speaker, gain_db in spoken:
        soundfile.write(folder / name, NOISE * 10 ** (gain_db / 20), 16_000, "FLOAT")
        rows.append(Utterance(key=name, path=str(folder / name), emotion="joy", speaker=speaker))
    return speaker_levels.of(rows, inspection.inspect([row.path for row in rows], folder))


def test_a_speaker_has_the_median_level_of_the_recordings(tmp_path: Path) -> None:
    gains = [("a", -10.0), ("a", -12.0), ("a", -40.0), ("b", -30.0), (UNKNOWN_SPEAKER, 0.0)]
    spoken = [(f"{number}.wav", *each) for number, each in enumerate(gains)]
    for _ in range(2):  # measured, then remembered
        levels = _levels(tmp_path, spoken)
        assert set(levels) == {"a", "b"}
        assert levels["a"] - levels["b"] == pytest.approx(18, abs=0.11)


def test_a_file_of_two_speakers_tells_the_level_of_neither(tmp_path: Path) -> None:
    assert _levels(tmp_path, [("0.wav", "a", 0.0), ("0.wav", "b", 0.0)]) == {}


def test_levels_far_apart_are_told_with_the_remedy() -> None:
    far = screen(replace(FINE, levels_db={"03": -14.0, "08": -36.2}), 400)
    assert "the speakers differ by 22 dB in level (08: -36 dBFS, 03: -14 dBFS)" in far
    assert "features.level=as_is and utterance" in far
    assert "differ by" not in screen(replace(FINE, levels_db={"03": -14.0, "08": -16.2}), 400)
    assert "differ by" not in screen(replace(FINE, levels_db={}), 400)
