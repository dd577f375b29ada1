"""Synthetic speech: a frame of speakers and takes, and sound that its path decides."""

import time

import numpy as np
import pytest

from raysernas.config.schema import CorpusConfig
from raysernas.corpora import fingerprint
from raysernas.corpora.readers import synthetic


def test_the_synthetic_corpus_has_a_frame() -> None:
    release = synthetic.read(CorpusConfig(synthetic_speakers=5, synthetic_takes=2))
    assert release.emotions == ("anger", "happiness", "neutral", "sadness")
    assert [sum(u.emotion == emotion for u in release.utterances) for emotion in release.emotions] == [10] * 4
    assert {u.speaker: (u.gender, u.session) for u in release.utterances} == {
        "s00": ("female", "00"),
        "s01": ("male", "00"),
        "s02": ("female", "01"),
        "s03": ("male", "01"),
        "s04": ("female", "02"),
    }
    assert [u.key for u in release.utterances] == sorted(u.key for u in release.utterances)
    assert (release.name, release.remarks, release.folds) == ("synthetic", (), "speaker")


def test_every_setting_of_the_synthetic_corpus_is_in_its_fingerprint() -> None:
    settings = [{}, {"synthetic_seed": 1}, {"synthetic_speakers": 9}, {"synthetic_takes": 9}]
    assert (
        len({fingerprint.of(synthetic.read(CorpusConfig(**setting)).utterances, {}) for setting in settings})
        == 4
    )


def test_path_and_rate_decide_the_sound() -> None:
    release, other = (synthetic.read(CorpusConfig(synthetic_seed=seed)) for seed in (0, 1))
    one = synthetic.waveform(release.utterances[0].path, 16_000)
    np.testing.assert_array_equal(one, synthetic.waveform(release.utterances[0].path, 16_000))
    assert not np.array_equal(one, synthetic.waveform(release.utterances[1].path, 16_000))
    assert not np.array_equal(one, synthetic.waveform(other.utterances[0].path, 16_000))
    half = synthetic.waveform(release.utterances[0].path, 8_000)
    assert half.dtype == one.dtype == np.float32
    assert abs(2 * len(half) - len(one)) <= 2


def test_synthetic_speech_is_quick_and_sound() -> None:
    paths = [u.path for u in synthetic.read(CorpusConfig(synthetic_takes=1)).utterances]
    begun_s = time.process_time()
    waves = [synthetic.waveform(path, 16_000) for path in paths]
    assert (time.process_time() - begun_s) / len(paths) < 0.1
    assert all(0.9 * 16_000 <= len(wave) <= 1.5 * 16_000 for wave in waves)
    assert all(np.isfinite(wave).all() and 0.01 < np.abs(wave).max() < 1 for wave in waves)


@pytest.mark.parametrize(
    "path", ["synthetic:", "synthetic:v0/seed0/speaker0/anger/take0", "synthetic:v1/seed0/speaker0/joy/take0"]
)
def test_a_path_of_another_generator_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path of the synthetic corpus"):
        synthetic.waveform(path, 16_000)


def test_anger_and_happiness_differ_in_the_order_of_frames_only() -> None:
    """Level at the end over level at the beginning tells them apart; the level of the whole does not."""
    courses: dict[str, list[float]] = {"anger": [], "happiness": []}
    levels: dict[str, list[float]] = {"anger": [], "happiness": []}
    for utterance in synthetic.read(CorpusConfig(emotions=("anger", "happiness"))).utterances:
        if utterance.emotion in courses:
            wave = synthetic.waveform(utterance.path, 16_000).astype(float)
            first, last = (np.mean(part**2) for part in np.array_split(wave, 2))
            courses[utterance.emotion].append(10 * np.log10(last / first))
            levels[utterance.emotion].append(10 * np.log10(np.mean(wave**2)))
    assert np.mean(courses["anger"]) < -3
    assert np.mean(courses["happiness"]) > 3
    assert abs(np.mean(levels["anger"]) - np.mean(levels["happiness"])) < 1.5
    assert synthetic.MANNERS["anger"].arc == -synthetic.MANNERS["happiness"].arc
