"""Laws of the features: windows cover everything, each clip is scaled by whom the settings say, the cache has
the right key.
"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.config.schema import PRESETS, CorpusConfig, FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.features import cache, parts
from raysernas.features.augment import Change
from raysernas.features.extraction import Clip
from tests.support.faults import refusal, told
from tests.support.small import BANDS, WINDOW, altered, noise_part

SYNTHETIC = CorpusConfig(synthetic_speakers=4, synthetic_takes=1)
CPU = torch.device("cpu")


@given(frames=st.integers(1, 1000), window=st.integers(1, 200))
def test_windows_are_the_fewest_that_cover_every_frame(frames, window):
    starts = parts.window_starts(frames, window)
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
    part = noise_part("train", 1)
    values = np.arange(100 * BANDS, dtype=np.float32).reshape(100, BANDS)
    long = dataclasses.replace(part, frames=cache.held([Clip(values, np.zeros(BANDS, np.float32), 100)]))
    rng = np.random.default_rng(0)
    starts = {float(next(iter(long.epoch(1, rng))).features[0, 0, 0]) / BANDS for _ in range(400)}
    assert starts == set(range(100 - WINDOW + 1))


def test_padding_inside_a_clip_is_no_true_frame():
    part = noise_part("valid", 1)
    padded = dataclasses.replace(
        part, frames=cache.held([Clip(np.ones((WINDOW, BANDS), np.float32), np.zeros(BANDS, np.float32), 5)])
    )
    batches = [next(iter(padded.epoch(1, np.random.default_rng(0)))), next(iter(padded.windows(1)))[0]]
    assert [each.frames.tolist() for each in batches] == [[5], [5]]
    assert all((each.features == 1).all() for each in batches)


# --- scales


def speakers(*names: str) -> Corpus:
    """A corpus with one utterance of each of these speakers."""
    first = catalogue.read(SYNTHETIC, None).utterances[0]
    utterances = tuple(dataclasses.replace(first, key=str(i), speaker=name) for i, name in enumerate(names))
    return Corpus(name="mine", emotions=(first.emotion,), utterances=utterances, fingerprint="x")


def rows_of(frames: cache.Frames, indices: list[int]) -> np.ndarray:
    return np.concatenate([frames.of(i)[: frames.true_frames(i)] for i in indices])


def half_true(part: parts.Part) -> cache.Frames:
    """The second half of every clip becomes padding, of an absurd value."""
    clips = []
    for i in range(len(part.frames)):
        clip = part.frames.clip(i)
        true = -(-len(clip.values) // 2)
        values = clip.values.copy()
        values[true:] = 1e6
        clips.append(Clip(values, clip.silence, true))
    return cache.held(clips)


def test_the_scale_is_of_the_given_utterances_only_and_makes_them_standard():
    part = noise_part("train", 10)
    scale = parts.scale_of(part.frames, [0, 1, 2, 3], FeaturesConfig())
    scaled = (rows_of(part.frames, [0, 1, 2, 3]) - scale.mean) / scale.deviation
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0), 1, atol=1e-5)
    louder = altered(part.frames, lambda i, values: values + 100 * (i > 3))
    np.testing.assert_array_equal(parts.scale_of(louder, [0, 1, 2, 3], FeaturesConfig()).mean, scale.mean)


@pytest.mark.parametrize("normalisation", ["train", "utterance", "speaker"])
def test_a_scale_looks_at_true_frames_only(normalisation):
    part = noise_part("train", 6)
    frames, corpus = half_true(part), speakers("a", "b", "a", "b", "c", "c")
    config = FeaturesConfig(normalisation=normalisation)
    scale = (
        parts.speaker_scale(frames, corpus, range(6))
        if normalisation == "speaker"
        else parts.scale_of(frames, range(6), config)
    )
    whose = {"train": list(range(6)), "utterance": [2], "speaker": [0, 2]}[normalisation]
    mean, deviation = scale.of(2, frames.clip(2))
    np.testing.assert_allclose(mean, rows_of(frames, whose).mean(0), rtol=1e-5)
    np.testing.assert_allclose(deviation, np.maximum(rows_of(frames, whose).std(0), 1e-5), rtol=1e-5)


def test_no_normalisation_changes_nothing():
    part = noise_part("train", 3)
    scale = parts.scale_of(part.frames, range(3), FeaturesConfig(normalisation="none"))
    inputs, _ = next(dataclasses.replace(part, scale=scale).windows(1))
    np.testing.assert_array_equal(inputs.features[0, : len(part.frames.of(0))], part.frames.of(0)[:WINDOW])


def test_every_input_gets_the_scale_of_its_own_utterance():
    """In order and shuffled; each input must be what its own scale makes of its own frames."""
    part = noise_part("test", 6, longest=WINDOW)
    corpus = speakers("a", "b", "a", "b", "c", "c")
    for scale in (
        parts.speaker_scale(part.frames, corpus, range(6)),
        parts.scale_of(part.frames, [], FeaturesConfig(normalisation="utterance")),
    ):
        scaled = dataclasses.replace(part, scale=scale, emotion=np.arange(6))
        shuffled = [(each, each.emotion.numpy()) for each in scaled.epoch(4, np.random.default_rng(1))]
        for inputs, owners in (*scaled.windows(4), *shuffled):
            for row, i in zip(inputs.features.numpy(), owners.tolist(), strict=True):
                clip = part.frames.clip(i)
                mean, deviation = scale.of(i, clip)
                np.testing.assert_array_equal(row[: clip.true], (clip.values - mean) / deviation)


def test_scaled_by_its_own_speaker_every_speaker_is_standard():
    part = noise_part("train", 6)
    scale = parts.speaker_scale(part.frames, speakers("a", "b", "a", "b", "c", "c"), range(6))
    for own in ([0, 2], [1, 3], [4, 5]):
        scaled = np.concatenate([(part.frames.of(i) - scale.of(i, part.frames.clip(i))[0]) for i in own])
        np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)


def test_a_speaker_nobody_knows_cannot_be_normalised_but_may_be_left_out():
    part, corpus = noise_part("train", 3), speakers("a", "", "b")
    parts.speaker_scale(part.frames, corpus, [0, 2])
    assert refusal(lambda: parts.speaker_scale(part.frames, corpus, [0, 1, 2])) == told(
        "features.normalisation=speaker, but 1 of 3 utterances have no known speaker",
        "an unknown speaker",
        "a speaker for every utterance of a split",
        "set features.normalisation=train or utterance, or choose folds without these utterances",
        where="features",
    )


# --- cache


def test_the_cache_gives_back_the_same_features(tmp_path):
    corpus = catalogue.read(SYNTHETIC, None)
    fresh = parts.load(corpus, FeaturesConfig(), None)
    for _ in range(2):
        cached = parts.load(corpus, FeaturesConfig(), tmp_path)
        for i in range(len(corpus.utterances)):
            for one, other in zip(
                dataclasses.astuple(cached.clip(i)), dataclasses.astuple(fresh.clip(i)), strict=True
            ):
                np.testing.assert_array_equal(one, other)


PUBLISHED: FeaturesConfig = PRESETS["features"]["published"]
DEFAULT, MFCC, PADDED = FeaturesConfig(), FeaturesConfig(kind="mfcc"), FeaturesConfig(pad="waveform")
READ = [
    (DEFAULT, "kind", "mfcc"),
    (DEFAULT, "backend", "librosa"),
    (DEFAULT, "sample_rate_hz", 8000),
    (DEFAULT, "n_fft", 512),
    (DEFAULT, "hop_samples", 160),
    (DEFAULT, "bands", 32),
    (DEFAULT, "range_db", 60.0),
    (DEFAULT, "pad", "waveform"),
    (DEFAULT, "pool_frames", 2),
    (DEFAULT, "device", "cuda"),
    (MFCC, "coefficients", 20),
    (PADDED, "window_s", 1.0),
]
UNREAD = [
    (DEFAULT, "window_s", 1.0),
    (DEFAULT, "normalisation", "none"),
    (DEFAULT, "coefficients", 20),
    (PADDED, "normalisation", "none"),
]


@pytest.mark.parametrize(("config", "name", "value"), READ)
def test_the_cache_is_keyed_by_what_changes_the_features(tmp_path, config, name, value):
    corpus = speakers("a")
    one, other = (
        parts.folders(corpus, each, tmp_path)[0]
        for each in (config, dataclasses.replace(config, **{name: value}))
    )
    assert one != other


@pytest.mark.parametrize(("config", "name", "value"), UNREAD)
def test_the_cache_is_keyed_by_nothing_else(tmp_path, config, name, value):
    corpus = speakers("a")
    assert parts.folders(corpus, config, tmp_path) == parts.folders(
        corpus, dataclasses.replace(config, **{name: value}), tmp_path
    )


def test_every_setting_is_known_to_change_the_features_or_not_to():
    assert {name for _, name, _ in READ + UNREAD} == {
        field.name for field in dataclasses.fields(FeaturesConfig)
    }


def test_another_corpus_has_another_cache_and_waveforms_have_one_for_each_rate(tmp_path):
    corpus = speakers("a")
    others = [dataclasses.replace(corpus, fingerprint="y"), speakers("a", "a")]
    assert (
        len({folder for each in (corpus, *others) for folder in parts.folders(each, DEFAULT, tmp_path)}) == 6
    )
    assert parts.folders(corpus, DEFAULT, tmp_path)[1] == parts.folders(corpus, MFCC, tmp_path)[1]
    assert parts.folders(corpus, DEFAULT, tmp_path)[1] != parts.folders(corpus, PUBLISHED, tmp_path)[1]


def test_broken_audio_is_counted_and_named_in_one_error(tmp_path):
    import soundfile

    keys = [f"a{i}.wav" for i in range(6)]
    for key in keys:
        soundfile.write(tmp_path / key, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 16_000)
    for key in keys[1:5]:
        (tmp_path / key).write_bytes(b"this is not audio")
    utterance = speakers("a").utterances[0]
    utterances = tuple(dataclasses.replace(utterance, key=key, path=str(tmp_path / key)) for key in keys)
    corpus = Corpus(name="mine", emotions=("neutral",), utterances=utterances, fingerprint="x")
    for folder in (tmp_path, None):
        text = refusal(lambda folder=folder: parts.load(corpus, FeaturesConfig(), folder))
        assert text.startswith("features: 4 of 6 utterances of mine cannot be read\n  got: ")
        assert all(key in text for key in keys[1:4])
        assert keys[4] not in text
    assert not list(tmp_path.rglob("*.arrow"))


def test_features_load_without_torchaudio_once_they_are_cached(tmp_path, monkeypatch):
    corpus = speakers("a", "b")
    parts.load(corpus, FeaturesConfig(), tmp_path)

    def never(*_):
        raise AssertionError("something was extracted")

    monkeypatch.setattr(parts.extraction, "extractor", never)
    assert len(parts.load(corpus, FeaturesConfig(), tmp_path)) == 2


# --- sound that varies


def varied(role: parts.Role = "train", config: FeaturesConfig = DEFAULT) -> parts.Part:
    """A part of synthetic speech with its waveforms."""
    corpus = catalogue.read(SYNTHETIC, None)
    frames, indices = parts.load(corpus, config, None), list(range(len(corpus.utterances)))
    return parts.part(
        role,
        frames,
        corpus,
        indices,
        scale=parts.scale_of(frames, indices, config),
        config=config,
        device=CPU,
        source=parts.source(corpus, config, None, CPU),
    )


@pytest.mark.parametrize(
    "config",
    [
        FeaturesConfig(window_s=0.5),
        FeaturesConfig(kind="mfcc", backend="librosa", window_s=0.5),
        FeaturesConfig(pad="waveform", pool_frames=4, normalisation="utterance"),
    ],
    ids=["logmel", "librosa", "padded"],
)
def test_sound_that_is_not_changed_gives_the_batches_of_the_cache_bit_for_bit(config):
    part = varied(config=config)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        made = list(part.epoch(5, np.random.default_rng(3), Change))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(made, part.epoch(5, np.random.default_rng(3)), strict=True):
        assert all(
            torch.equal(getattr(one, name), getattr(other, name))
            for name in ("features", "frames", "emotion")
        )


def test_every_utterance_is_changed_by_its_own_draw():
    part = varied(config=FeaturesConfig(normalisation="none"))
    speeds = iter(np.linspace(0.8, 1.2, len(part)))
    (batch,) = part.epoch(len(part), np.random.default_rng(0), lambda: Change(speed=float(next(speeds))))
    order = np.random.default_rng(0).permutation(len(part))
    for place, frames, speed in zip(
        order, batch.frames.tolist(), np.linspace(0.8, 1.2, len(part)), strict=True
    ):
        assert frames == pytest.approx(
            min(len(part.frames.of(part.indices[place])) / speed, part.window), abs=1.5
        )


@pytest.mark.parametrize("role", ["weights", "alphas", "valid", "test"])
def test_only_the_training_part_can_have_its_sound_changed(role):
    part = varied(role)
    with pytest.raises(Fault, match="features: the sound of a part without waveforms was to be changed"):
        next(iter(part.epoch(4, np.random.default_rng(0), Change)))


def test_a_part_without_waveforms_cannot_have_its_sound_changed():
    with pytest.raises(
        Fault, match="the sound of a part without waveforms was to be changed\n  got: role 'train'"
    ):
        next(iter(noise_part("train").epoch(4, np.random.default_rng(0), Change)))
