"""Laws of the normalisation: it looks at true frames of the utterances that the settings name, no others."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.corpus import Corpus
from raysernas.features import normalisation
from raysernas.features.cache import FrameStore, in_memory
from raysernas.features.front_end import Clip
from raysernas.features.normalisation import Normalisation
from raysernas.features.parts import Part
from tests.support.faults import refusal, told
from tests.support.small import WINDOW, altered, noise_part, speakers


def fitted(name: Any, frames: FrameStore, used: Sequence[int], corpus: Corpus | None = None) -> Normalisation:
    """The normalisation of that name, by the used utterances."""
    corpus = corpus or speakers(*"a" * len(frames))
    return normalisation.fitted(FeaturesConfig(normalisation=name), frames, corpus, used, used)


def rows_of(frames: FrameStore, indices: list[int]) -> np.ndarray:
    return np.concatenate([frames.of(i)[: frames.true_frames(i)] for i in indices])


def half_true(part: Part) -> FrameStore:
    """The second half of every clip becomes padding, of an absurd value."""
    clips = []
    for i in range(len(part.frames)):
        clip = part.frames.clip(i)
        true = -(-len(clip.values) // 2)
        values = clip.values.copy()
        values[true:] = 1e6
        clips.append(Clip(values, clip.silence, true))
    return in_memory(clips)


def test_the_moments_are_of_the_given_utterances_only_and_makes_them_standard():
    part = noise_part("train", 10)
    found = fitted("train", part.frames, [0, 1, 2, 3])
    scaled = (rows_of(part.frames, [0, 1, 2, 3]) - found.mean) / found.deviation
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0), 1, atol=1e-5)
    louder = altered(part.frames, lambda i, values: values + 100 * (i > 3))
    np.testing.assert_array_equal(fitted("train", louder, [0, 1, 2, 3]).mean, found.mean)


@pytest.mark.parametrize("name", ["train", "utterance", "speaker"])
def test_the_moments_are_of_true_frames_only(name):
    part = noise_part("train", 6)
    frames, corpus = half_true(part), speakers("a", "b", "a", "b", "c", "c")
    found = fitted(name, frames, range(6), corpus)
    whose = {"train": list(range(6)), "utterance": [2], "speaker": [0, 2]}[name]
    mean, deviation = found.of(2, frames.clip(2))
    np.testing.assert_allclose(mean, rows_of(frames, whose).mean(0), rtol=1e-5)
    np.testing.assert_allclose(deviation, np.maximum(rows_of(frames, whose).std(0), 1e-5), rtol=1e-5)


def test_no_normalisation_changes_nothing():
    part = noise_part("train", 3)
    found = fitted("none", part.frames, range(3))
    inputs, _ = next(dataclasses.replace(part, normalisation=found).windows(1))
    np.testing.assert_array_equal(inputs.features[0, : len(part.frames.of(0))], part.frames.of(0)[:WINDOW])


def test_every_input_is_scaled_by_its_own_utterance():
    """In order and shuffled; each input must be its own frames, scaled by its own moments."""
    part = noise_part("test", 6, longest=WINDOW)
    corpus = speakers("a", "b", "a", "b", "c", "c")
    for found in (
        fitted("speaker", part.frames, range(6), corpus),
        fitted("utterance", part.frames, []),
    ):
        scaled = dataclasses.replace(part, normalisation=found, emotion=np.arange(6))
        shuffled = [(each, each.emotion.numpy()) for each in scaled.epoch(4, np.random.default_rng(1))]
        for inputs, owners in (*scaled.windows(4), *shuffled):
            for row, i in zip(inputs.features.numpy(), owners.tolist(), strict=True):
                clip = part.frames.clip(i)
                mean, deviation = found.of(i, clip)
                np.testing.assert_array_equal(row[: clip.true], (clip.values - mean) / deviation)


def test_scaled_by_its_own_speaker_every_speaker_is_standard():
    part = noise_part("train", 6)
    found = fitted("speaker", part.frames, range(6), speakers("a", "b", "a", "b", "c", "c"))
    for own in ([0, 2], [1, 3], [4, 5]):
        scaled = np.concatenate([(part.frames.of(i) - found.of(i, part.frames.clip(i))[0]) for i in own])
        np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)


def test_a_speaker_nobody_knows_cannot_be_normalised_but_may_be_left_out():
    part, corpus = noise_part("train", 3), speakers("a", "", "b")
    fitted("speaker", part.frames, [0, 2], corpus)
    assert refusal(lambda: fitted("speaker", part.frames, [0, 1, 2], corpus)) == told(
        "features.normalisation=speaker, but 1 of 3 utterances have no known speaker",
        "an unknown speaker",
        "a speaker for every utterance of a split",
        "set features.normalisation=train or utterance, or choose folds without these utterances",
        where="features",
    )
