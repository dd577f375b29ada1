"""Laws of the features: both backends agree, each clip by itself, windows cover everything, scaling sees training frames only."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config import CorpusConfig, Fault, FeaturesConfig
from raysernas.corpora import catalogue, features
from raysernas.corpora.corpus import Corpus
from tests.small import BANDS, WINDOW, noise_part


def clips() -> list[np.ndarray]:
    """Speech-like clips of very unlike loudness and length."""
    rng = np.random.default_rng(0)
    waves = []
    for i, (loudness, seconds) in enumerate([(1.0, 1.3), (1e-3, 0.7), (0.3, 2.0), (1e-5, 0.4)]):
        time = np.arange(int(16_000 * seconds)) / 16_000
        envelope = np.abs(np.sin(3 * time)) * (time > 0.1)
        waves.append(
            (loudness * envelope * (np.sin(700 * (i + 1) * time) + 0.1 * rng.standard_normal(len(time)))).astype(np.float32)
        )
    return waves


@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
def test_both_backends_agree_on_clips_of_unlike_loudness(kind):
    by_torchaudio, by_librosa = (
        features.extractor(FeaturesConfig(kind=kind, backend=backend)) for backend in ("torchaudio", "librosa")
    )
    for wave in clips():
        for ours, reference in zip(by_torchaudio(wave), by_librosa(wave), strict=True):
            np.testing.assert_allclose(ours, reference, atol=1e-3)


def test_mfcc_are_librosas():
    import librosa

    config = FeaturesConfig(kind="mfcc", bands=64, coefficients=20)
    for wave in clips():
        expected = librosa.feature.mfcc(y=wave, sr=16_000, n_mfcc=20, n_mels=64, n_fft=config.n_fft, hop_length=config.hop_samples)
        np.testing.assert_allclose(features.extractor(config)(wave)[0], expected.T, atol=2e-3)


def test_range_is_clamped_below_the_loudest_point_of_each_clip_and_silence_lies_on_it():
    extract = features.extractor(FeaturesConfig(range_db=30))
    for wave in clips():
        spectrum, silence = extract(wave)
        assert spectrum.min() >= spectrum.max() - 30 - 1e-4
        np.testing.assert_allclose(silence, max(spectrum.max() - 30, features.SILENT_DB), rtol=1e-6)


def test_silence_is_what_a_stretch_of_zeros_gives():
    for kind in ("logmel", "mfcc"):
        wave = np.concatenate([clips()[0], np.zeros(8000, np.float32)])
        spectrum, silence = features.extractor(FeaturesConfig(kind=kind))(wave)
        np.testing.assert_allclose(spectrum[-5], silence, atol=1e-3)


@given(frames=st.integers(1, 1000), window=st.integers(1, 200))
def test_windows_are_the_fewest_that_cover_every_frame(frames, window):
    starts = features.window_starts(frames, window)
    seen = np.zeros(frames, bool)
    for start in starts:
        assert start >= 0
        assert start + window <= max(frames, window)
        seen[start : start + window] = True
    assert seen.all()
    assert len(starts) == max(1, -(-frames // window))


@given(count=st.integers(1, 30), batch=st.integers(1, 12), seed=st.integers(0, 9))
def test_an_epoch_has_every_utterance_once_with_silence_after_its_end(count, batch, seed):
    part = dataclasses.replace(noise_part("train", count, seed), emotion=np.arange(count))
    batches = list(part.epoch(batch, np.random.default_rng(seed)))
    seen = torch.cat([each.emotion for each in batches])
    assert sorted(seen.tolist()) == list(range(count))
    assert max(len(each.emotion) for each in batches) <= batch
    assert len({len(each.emotion) for each in batches}) <= 2
    for each in batches:
        for row, true in zip(each.features, each.frames, strict=True):
            assert (row[true:] == -3).all()
            assert row.shape == (WINDOW, BANDS)


def test_short_clips_are_not_moved_and_long_ones_are_cropped_at_random():
    part = noise_part("train", 1, longest=1)
    long = dataclasses.replace(part, frames=features.Frames(np.arange(100 * BANDS, dtype=np.float32).reshape(100, BANDS),
                               np.array([0, 100]), part.frames.silence))  # fmt: skip
    rng = np.random.default_rng(0)
    starts = {float(next(iter(long.epoch(1, rng))).features[0, 0, 0]) / BANDS for _ in range(400)}
    assert starts == set(range(100 - WINDOW + 1))


def test_scale_is_of_the_given_utterances_only_and_makes_them_standard():
    part = noise_part("train", 10)
    scale = features.scale_of(part.frames, [0, 1, 2, 3], FeaturesConfig())
    rows = np.concatenate([part.frames.of(i) for i in range(4)])
    scaled = (rows - scale.mean) / scale.deviation
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0), 1, atol=1e-5)
    louder = features.Frames(part.frames.values.copy(), part.frames.offsets, part.frames.silence)
    louder.values[louder.offsets[4] :] += 100
    again = features.scale_of(louder, [0, 1, 2, 3], FeaturesConfig())
    np.testing.assert_array_equal(again.mean, scale.mean)


SYNTHETIC = CorpusConfig(synthetic_speakers=4, synthetic_takes=1)


def test_the_cache_gives_back_the_same_features_and_a_torn_cache_is_made_anew(tmp_path):
    corpus = catalogue.read(SYNTHETIC, None)
    fresh = features.load(corpus, FeaturesConfig(), None)
    for _ in range(2):
        cached = features.load(corpus, FeaturesConfig(), tmp_path)
        for name in ("values", "offsets", "silence"):
            np.testing.assert_array_equal(getattr(cached, name), getattr(fresh, name))
    (path,) = tmp_path.glob("features-*.arrow")
    path.write_bytes(path.read_bytes()[:1000])
    np.testing.assert_array_equal(features.load(corpus, FeaturesConfig(), tmp_path).values, fresh.values)
    assert len(list(tmp_path.iterdir())) == 1


def test_cache_is_keyed_by_what_changes_the_features_and_by_nothing_else(tmp_path):
    corpus = catalogue.read(SYNTHETIC, None)
    for config in (FeaturesConfig(), FeaturesConfig(window_s=1.0), FeaturesConfig(normalisation="none")):
        features.load(corpus, config, tmp_path)
    assert len(list(tmp_path.glob("*.arrow"))) == 1
    features.load(corpus, FeaturesConfig(bands=32), tmp_path)
    features.load(dataclasses.replace(corpus, fingerprint="other"), FeaturesConfig(), tmp_path)
    assert len(list(tmp_path.glob("*.arrow"))) == 3


def test_broken_audio_is_counted_and_named_in_one_error(tmp_path):
    import soundfile

    keys = [f"a{i}.wav" for i in range(6)]
    for key in keys:
        soundfile.write(tmp_path / key, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 16_000)
    for key in keys[1:5]:
        (tmp_path / key).write_bytes(b"this is not audio")
    utterance = catalogue.read(SYNTHETIC, None).utterances[0]
    utterances = tuple(dataclasses.replace(utterance, key=key, path=str(tmp_path / key)) for key in keys)
    with pytest.raises(Fault) as caught:
        features.load(
            Corpus(name="mine", emotions=("neutral",), utterances=utterances, fingerprint="x"), FeaturesConfig(), tmp_path
        )
    text = str(caught.value)
    assert text.startswith("features: 4 of 6 utterances of mine cannot be read\n  got: ")
    assert all(key in text for key in keys[1:4])
    assert keys[4] not in text
    assert not list(tmp_path.glob("*.arrow"))
