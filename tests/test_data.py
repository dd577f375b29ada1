"""Laws of the data of a trial: each role has its own utterances, the scale is the training speakers' alone."""

import dataclasses
from typing import get_args

import numpy as np
import pytest

from raysernas.corpora import catalogue, features
from raysernas.corpora.features import Role
from raysernas.learn.data import prepare
from tests.test_trial import resolved


def test_each_role_gets_its_own_utterances_and_train_is_both_halves():
    data = prepare(resolved(), None)
    split = data.split
    for role in ("weights", "alphas", "valid", "test"):
        assert data.part(role).indices == getattr(split, role)
        assert data.part(role).role == role
    assert data.part("train").indices == tuple(sorted(split.weights + split.alphas))
    speakers = {role: {data.corpus.utterances[i].speaker for i in data.part(role).indices} for role in get_args(Role)}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not speakers[one] & speakers[other]


def test_emotions_are_numbered_as_the_corpus_lists_them():
    data = prepare(resolved(), None)
    part = data.part("valid")
    named = [data.corpus.utterances[i].emotion for i in part.indices]
    assert [data.corpus.emotions[number] for number in part.emotion] == named


@pytest.mark.parametrize("role", ["valid", "test"])
def test_the_sound_of_people_who_are_not_trained_on_does_not_move_the_scale(role, monkeypatch):
    trial = resolved()
    before = prepare(trial, None)
    load, strangers = features.load, before.part(role).indices

    def louder(*arguments):
        frames = load(*arguments)
        values = frames.values.copy()
        for i in strangers:
            values[frames.offsets[i] : frames.offsets[i + 1]] += 40
        return dataclasses.replace(frames, values=values)

    monkeypatch.setattr(features, "load", louder)
    after = prepare(trial, None)
    np.testing.assert_array_equal(before.scale.mean, after.scale.mean)
    np.testing.assert_array_equal(before.scale.deviation, after.scale.deviation)
    assert not np.array_equal(before.frames.of(strangers[0]), after.frames.of(strangers[0]))


def test_the_scale_is_applied_to_every_input():
    data = prepare(resolved(), None)
    part = data.part("train")
    batch = next(iter(part.epoch(len(part), np.random.default_rng(0))))
    true = np.concatenate([row[:frames] for row, frames in zip(batch.features.numpy(), batch.frames.numpy(), strict=True)])
    np.testing.assert_allclose(true.mean(axis=0), 0, atol=0.35)  # crops of the frames that the scale was taken from
    np.testing.assert_allclose(true.std(axis=0), 1, atol=0.35)


def test_features_do_not_depend_on_the_number_of_threads():
    import torch

    trial, before = resolved(), torch.get_num_threads()
    corpus = catalogue.read(trial.corpus, None)
    found = []
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            found.append(features.load(corpus, trial.features, None).values)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
