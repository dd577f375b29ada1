"""Laws of the parts: windows cover all, an epoch has every utterance once, only training sound varies."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.features import loading, normalisation, parts
from raysernas.features.augment import Change
from raysernas.features.cache import in_memory
from raysernas.features.front_end import Clip
from tests.support.small import BANDS, SYNTHETIC, WINDOW, noise_part

DEFAULT = FeaturesConfig()
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
    long = dataclasses.replace(part, frames=in_memory([Clip(values, np.zeros(BANDS, np.float32), 100)]))
    rng = np.random.default_rng(0)
    starts = {float(next(iter(long.epoch(1, rng))).features[0, 0, 0]) / BANDS for _ in range(400)}
    assert starts == set(range(100 - WINDOW + 1))


def test_padding_inside_a_clip_is_no_true_frame():
    part = noise_part("valid", 1)
    padded = dataclasses.replace(
        part, frames=in_memory([Clip(np.ones((WINDOW, BANDS), np.float32), np.zeros(BANDS, np.float32), 5)])
    )
    batches = [next(iter(padded.epoch(1, np.random.default_rng(0)))), next(iter(padded.windows(1)))[0]]
    assert [each.frames.tolist() for each in batches] == [[5], [5]]
    assert all((each.features == 1).all() for each in batches)


def varied(role: parts.Role = "train", config: FeaturesConfig = DEFAULT) -> parts.Part:
    """A part of synthetic speech with its waveforms."""
    corpus = catalogue.read(SYNTHETIC, None)
    frames, indices = loading.load(corpus, config, None), list(range(len(corpus.utterances)))
    return parts.part(
        role,
        frames,
        corpus,
        indices,
        normalisation=normalisation.fitted(config, frames, corpus, indices, indices),
        config=config,
        device=CPU,
        waveforms=loading.waveforms(corpus, config, None, CPU),
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
