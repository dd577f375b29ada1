"""Laws of `features.level`: the level of a recording is gone, everything else stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora import loudness
from raysernas.features.extraction import extractor
from raysernas.features.level import LEVEL_DB, levelled
from tests.features.test_extraction import speech

RATE_HZ = 16_000


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["logmel", "mfcc"]),
    pad=st.sampled_from(["frames", "waveform"]),
    samples=st.integers(1, 12_000),
    factor=st.floats(1e-4, 100),
)
def test_scaling_an_utterance_leaves_its_frames(kind, pad, samples, factor):
    extract = extractor(FeaturesConfig(kind=kind, pad=pad, level="utterance", window_s=0.5))
    wave = speech(samples)
    one, other = extract(wave), extract((factor * wave).astype(np.float32))
    np.testing.assert_allclose(one.values, other.values, atol=2e-2)
    assert one.true == other.true


@given(samples=st.integers(1, 12_000), loudness_of=st.sampled_from([1.0, 0.01, 1e-5, 1e-20]))
def test_the_loud_frames_of_every_utterance_reach_one_level(samples, loudness_of):
    wave = levelled(speech(samples, loudness=loudness_of), RATE_HZ)
    reached = loudness.loud_db(loudness.energies(wave, RATE_HZ))
    assert reached is None or reached == pytest.approx(LEVEL_DB, abs=1e-3)


def test_as_is_hears_the_level_and_is_the_default():
    wave = speech(8000)
    plain, softer = (extractor(FeaturesConfig())(each) for each in (wave, (wave / 8).astype(np.float32)))
    np.testing.assert_array_equal(extractor(FeaturesConfig(level="as_is"))(wave).values, plain.values)
    assert np.median(plain.values - softer.values) == pytest.approx(20 * np.log10(8), abs=0.1)


@pytest.mark.parametrize("samples", [1, 399, 8000])
def test_silence_stays_silence(samples):
    silence = np.zeros(samples, np.float32)
    assert not levelled(silence, RATE_HZ).any()


@given(
    height=st.floats(2**-100, 1.0, width=32),
    floor=st.sampled_from([0.0, 1e-40, 1e-6]),
    at=st.integers(0, 7999),
)
def test_a_click_stays_finite(height, floor, at):
    wave = np.full(8000, floor, np.float32)
    wave[at] = height
    assert np.isfinite(levelled(wave, RATE_HZ)).all()
    assert np.isfinite(extractor(FeaturesConfig(level="utterance"))(wave).values).all()


def test_pauses_do_not_move_the_level_of_what_is_heard():
    wave = speech(8000)
    paused = np.concatenate([wave, np.zeros(32_000, np.float32)])
    np.testing.assert_allclose(levelled(paused, RATE_HZ)[:8000], levelled(wave, RATE_HZ), rtol=1e-5)
