"""Laws of streams and contours: what a pure tone sounds like, what a slope is, and what each layer holds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import FeaturesConfig
from raysernas.features import extraction
from raysernas.features.contours import VOICED, contours
from raysernas.features.streams import deltas

RATE_HZ = 16_000
CONFIG = FeaturesConfig(kind="streams", bands=12, coefficients=8)


def tone(f0_hz: float, seconds: float = 0.5, level: float = 0.1) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    harmonics = [np.sin(2 * np.pi * k * f0_hz * t) / k for k in (1, 2, 3)]
    return (level * np.sum(harmonics, axis=0)).astype(np.float32)


@given(f0_hz=st.floats(70, 450), level=st.floats(1e-3, 0.5))
def test_the_pitch_of_a_tone_is_found_whatever_its_level(f0_hz, level):
    f0, strength, energy = contours(tone(f0_hz, level=level), 320, 320, RATE_HZ)
    inner = slice(2, -2)
    np.testing.assert_allclose(f0[inner], 12 * np.log2(f0_hz), atol=0.3)  # semitones
    assert (strength[inner] > VOICED).all()
    power = 10 * np.log10(level**2 / 2 * (1 + 1 / 4 + 1 / 9))
    np.testing.assert_allclose(energy[inner], power, atol=0.5)


def test_noise_and_silence_are_not_voiced():
    noise = np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    for wave in (noise, np.zeros(RATE_HZ, np.float32), np.full(RATE_HZ, 0.3, np.float32)):
        f0, strength, energy = contours(wave, 320, 320, RATE_HZ)
        assert (strength[2:-2] < VOICED).all()
        assert f0.isfinite().all()
        assert energy.isfinite().all()


def test_a_delta_is_the_slope_over_five_frames():
    values = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    found = deltas(values)
    for frame in range(2, 7):
        slope = np.polyfit(np.arange(-2, 3), values[frame - 2 : frame + 3].numpy(), 1)[0]
        np.testing.assert_allclose(found[frame], slope, atol=1e-6)
    assert torch.equal(deltas(values[:1]), torch.zeros(1, 3)), "one frame has no slope"


def test_layers_stand_side_by_side_in_the_order_of_the_setting():
    wave = tone(200)
    both = extraction.extractor(CONFIG)(wave).values
    front_end = extraction.front_end(CONFIG)
    assert front_end.layers == {
        "bands": 12,
        "cepstra": 8,
        "band_deltas": 12,
        "cepstrum_deltas": 8,
        "contours": 3,
    }
    log_mel = extraction.extractor(FeaturesConfig(bands=12))(wave).values
    mfcc = extraction.extractor(FeaturesConfig(kind="mfcc", bands=12, coefficients=8))(wave).values
    np.testing.assert_array_equal(both[:, :12], log_mel)
    np.testing.assert_array_equal(both[:, 12:20], mfcc)
    turned = FeaturesConfig(kind="streams", bands=12, coefficients=8, streams=("contours", "bands"))
    found = extraction.extractor(turned)(wave).values
    np.testing.assert_array_equal(found, np.concatenate([both[:, -3:], both[:, :12]], axis=1))


@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321, 5000])
def test_every_length_of_sound_has_frames(samples):
    wave = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    clip = extraction.extractor(CONFIG)(wave)
    assert clip.values.shape == (extraction.front_end(CONFIG).frames(samples), 43)
    assert np.isfinite(clip.values).all()
