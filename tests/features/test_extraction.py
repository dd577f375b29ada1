"""Laws of the extraction: both ways agree with librosa, each clip by itself, silence is what zeros give, no
group is lost.
"""

import dataclasses
import warnings

import librosa
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.config.schema import PRESETS, FeaturesConfig
from raysernas.features import extraction, threads
from raysernas.features.extraction import extractor
from raysernas.features.mel import SILENT_DB

PUBLISHED: FeaturesConfig = PRESETS["features"]["published"]


def speech(samples: int, rate_hz: int = 16_000, loudness: float = 1.0, pitch_hz: float = 110.0) -> np.ndarray:
    """Something with an envelope, partials and noise."""
    at = np.arange(samples) / rate_hz
    noise = np.random.default_rng(samples).standard_normal(samples)
    return (loudness * (np.abs(np.sin(3 * at)) * np.sin(6.28 * pitch_hz * at) + 0.1 * noise)).astype(
        np.float32
    )


def clips() -> list[np.ndarray]:
    """Of very unlike loudness and length."""
    unlike = [(1.0, 1.3), (1e-3, 0.7), (0.3, 2.0), (1e-5, 0.4)]
    return [
        speech(round(16_000 * seconds), loudness=loudness, pitch_hz=90 + 20 * i)
        for i, (loudness, seconds) in enumerate(unlike)
    ]


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["logmel", "mfcc"]),
    samples=st.integers(1, 12_000),
    rate_hz=st.sampled_from([8000, 11_025, 16_000, 22_050, 32_750, 44_100]),
    n_fft=st.integers(400, 2048),
    hop=st.integers(40, 700),
    loudness=st.sampled_from([1.0, 0.01, 1e-5]),
)
@example(kind="mfcc", samples=1, rate_hz=16_000, n_fft=640, hop=320, loudness=1.0)
@example(kind="logmel", samples=639, rate_hz=16_000, n_fft=640, hop=320, loudness=1.0)
@example(kind="logmel", samples=5000, rate_hz=11_025, n_fft=511, hop=160, loudness=1.0)
def test_both_ways_agree_for_every_length_rate_and_frame(kind, samples, rate_hz, n_fft, hop, loudness):
    config = FeaturesConfig(
        kind=kind, sample_rate_hz=rate_hz, n_fft=n_fft, hop_samples=hop, bands=24, coefficients=24
    )
    wave = speech(samples, rate_hz, loudness)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")  # of librosa, for the shortest
        ours, reference = (
            extractor(dataclasses.replace(config, backend=way))(wave) for way in ("torchaudio", "librosa")
        )
    np.testing.assert_allclose(ours.values, reference.values, atol=1e-3)
    np.testing.assert_allclose(ours.silence, reference.silence, atol=1e-3)
    assert ours.true == reference.true == len(ours.values)
    assert ours.values.dtype == ours.silence.dtype == np.float32


def test_mfcc_are_librosas():
    config = FeaturesConfig(kind="mfcc", bands=64, coefficients=20)
    for wave in clips():
        expected = librosa.feature.mfcc(
            y=wave, sr=16_000, n_mfcc=20, n_mels=64, n_fft=config.n_fft, hop_length=config.hop_samples
        )
        np.testing.assert_allclose(extractor(config)(wave).values, expected.T, atol=2e-3)


@pytest.mark.parametrize("backend", ["torchaudio", "librosa"])
@pytest.mark.parametrize(("seconds", "true"), [(2.3, 37), (8.0, 128), (8.5, 128), (11.0, 128)])
def test_the_published_input_is_the_maximum_over_four_frames_of_plain_librosa(backend, seconds, true):
    wave = speech(round(seconds * 32_750), 32_750)
    full = np.zeros(262_000, np.float32)
    full[: len(wave)] = wave[:262_000]
    mfcc = librosa.feature.mfcc(y=full, sr=32_750, n_mfcc=128)
    expected = torch.nn.functional.max_pool2d(torch.from_numpy(mfcc)[None], (1, 4))[0].T
    found = extractor(dataclasses.replace(PUBLISHED, backend=backend))(wave)
    assert found.values.shape == (128, 128)
    np.testing.assert_allclose(found.values, expected, atol=1e-3)
    assert found.true == true
    assert extraction.window_frames(PUBLISHED) == 128


def test_the_range_is_clamped_below_the_loudest_point_of_each_clip_and_silence_lies_on_it():
    extract = extractor(FeaturesConfig(range_db=30))
    for wave in clips():
        found = extract(wave)
        assert found.values.min() >= found.values.max() - 30 - 1e-4
        np.testing.assert_allclose(found.silence, max(found.values.max() - 30, SILENT_DB), rtol=1e-6)


@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
def test_silence_is_what_a_stretch_of_zeros_gives(kind):
    found = extractor(FeaturesConfig(kind=kind))(np.concatenate([clips()[0], np.zeros(8000, np.float32)]))
    np.testing.assert_allclose(found.values[-5], found.silence, atol=1e-3)


def test_digital_silence_is_no_trouble():
    found = extractor(FeaturesConfig())(np.zeros(3000, np.float32))
    assert (found.values == SILENT_DB).all()
    assert (found.silence == SILENT_DB).all()


@pytest.mark.parametrize("count", [1, 2])
def test_neither_neighbours_nor_threads_move_a_bit(count):
    waves = clips()
    extract = extractor(FeaturesConfig(kind="mfcc"))
    alone = [extract(wave).values for wave in waves]
    before = torch.get_num_threads()
    with threads.workers(count) as pool:
        together = list(pool.map(extract, waves[::-1]))[::-1]
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other.values)


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1), (3 * 320 - 1, 1), (4 * 320, 1), (7 * 320, 2), (8 * 320, 2)]
)
def test_groups_of_frames_that_are_not_full_are_dropped_but_the_only_one_is_not(samples, frames):
    """A clip of n samples has 1 + n // 320 frames."""
    wave, single = speech(samples), FeaturesConfig()
    each = extractor(single)(wave).values
    found = extractor(dataclasses.replace(single, pool_frames=4))(wave)
    assert len(found.values) == found.true == frames
    np.testing.assert_array_equal(found.values[0], each[:4].max(axis=0))


@given(samples=st.integers(1, 40_000), pool=st.integers(1, 5))
def test_a_padded_waveform_has_the_frames_of_the_window_and_counts_those_that_hold_sound(samples, pool):
    config = FeaturesConfig(pad="waveform", window_s=1.0, pool_frames=pool, bands=8)
    found = extractor(config)(np.full(samples, 0.1, np.float32))
    assert len(found.values) == extraction.window_frames(config) == 51 // pool
    assert found.true == min(-(-(1 + min(samples, 16_000) // 320) // pool), 51 // pool)
    quiet = found.values[found.true + 1 :]  # the one between holds the edge
    np.testing.assert_allclose(quiet, np.broadcast_to(found.silence, quiet.shape), atol=1e-3)


def test_what_lies_behind_the_window_is_not_heard():
    config = FeaturesConfig(pad="waveform", window_s=0.5)
    wave = speech(20_000)
    louder = np.concatenate([wave[:8000], 100 * wave[8000:]])
    for one, other in zip(
        *(dataclasses.astuple(extractor(config)(each)) for each in (wave, louder)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "frames"),
    [
        ({}, 150),
        ({"pool_frames": 4}, 37),
        ({"pad": "waveform"}, 151),
        ({"window_s": 0.1, "pool_frames": 20}, 1),
    ],
)
def test_the_window_counts_pooled_frames(change, frames):
    assert extraction.window_frames(dataclasses.replace(FeaturesConfig(), **change)) == frames


def test_a_waveform_that_must_not_be_written_to_is_read_all_the_same():
    wave = speech(4000)
    expected = extractor(FeaturesConfig())(wave).values
    wave.flags.writeable = False
    np.testing.assert_array_equal(extractor(FeaturesConfig())(wave).values, expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_a_fault():
    with pytest.raises(Fault) as caught:
        extractor(FeaturesConfig(device="cuda"))
    assert str(caught.value) == (
        "features: there is no GPU here\n  got: features.device=cuda\n  expected: a GPU that torch sees\n"
        "  fix: set features.device=cpu"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
def test_a_gpu_agrees_with_the_cpu(kind):
    for wave in clips():
        ours, reference = (extractor(FeaturesConfig(kind=kind), device)(wave) for device in ("cuda", "cpu"))
        np.testing.assert_allclose(ours.values, reference.values, atol=1e-3)
        np.testing.assert_allclose(ours.silence, reference.silence, atol=1e-3)
