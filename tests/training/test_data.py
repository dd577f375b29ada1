"""Laws of the data of a trial: each role has its own utterances, the moments are the training speakers'
alone.
"""

import dataclasses
from typing import get_args

import numpy as np
import pytest
import torch

from raysernas.config.fault import Fault
from raysernas.config.schema import RetrainConfig, TrialConfig
from raysernas.corpora import catalogue
from raysernas.features import augment, loading
from raysernas.features.parts import Role
from raysernas.model.network import build
from raysernas.training.data import prepare
from raysernas.training.fit import fit
from raysernas.training.model import TrainedNetwork
from tests.support import small
from tests.support.small import altered, design
from tests.test_trial import resolved


def test_each_role_gets_its_own_utterances_and_train_is_both_halves():
    data = prepare(resolved(), None)
    split = data.split
    for role in ("weights", "alphas", "valid", "test"):
        assert data.part(role).indices == getattr(split, role)
        assert data.part(role).role == role
    assert data.part("train").indices == tuple(sorted(split.weights + split.alphas))
    speakers = {
        role: {data.corpus.utterances[i].speaker for i in data.part(role).indices}
        for role in get_args(Role)
        if role != "all_but_test"
    }
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not speakers[one] & speakers[other]


def test_emotions_are_numbered_as_the_corpus_lists_them():
    data = prepare(resolved(), None)
    part = data.part("valid")
    named = [data.corpus.utterances[i].emotion for i in part.indices]
    assert [data.corpus.emotions[number] for number in part.emotion] == named


@pytest.mark.parametrize("role", ["valid", "test"])
def test_the_sound_of_people_who_are_not_trained_on_does_not_move_the_moments(role, monkeypatch):
    trial = resolved()
    before = prepare(trial, None)
    load, strangers = loading.load, before.part(role).indices

    def louder(*arguments):
        return altered(load(*arguments), lambda i, values: values + 40 * (i in strangers))

    monkeypatch.setattr(loading, "load", louder)
    after = prepare(trial, None)
    np.testing.assert_array_equal(before.normalisation.mean, after.normalisation.mean)
    np.testing.assert_array_equal(before.normalisation.deviation, after.normalisation.deviation)
    assert not np.array_equal(before.frames.of(strangers[0]), after.frames.of(strangers[0]))


def test_the_scale_is_applied_to_every_input():
    data = prepare(resolved(), None)
    part = data.part("train")
    batch = next(iter(part.epoch(len(part), np.random.default_rng(0))))
    true = np.concatenate(
        [row[:frames] for row, frames in zip(batch.features.numpy(), batch.frames.numpy(), strict=True)]
    )
    # crops of the frames that the scale was taken from
    np.testing.assert_allclose(true.mean(axis=0), 0, atol=0.35)
    np.testing.assert_allclose(true.std(axis=0), 1, atol=0.35)


def test_features_do_not_depend_on_the_number_of_threads():
    trial, before = resolved(), torch.get_num_threads()
    corpus = catalogue.read(trial.corpus, None)
    found = []
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            found.append(loading.load(corpus, trial.features, None).shards[0].values)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def with_settings(section: str, changes: dict) -> TrialConfig:
    """The small trial, some settings changed."""
    trial = resolved("cnn")
    return dataclasses.replace(trial, **{section: dataclasses.replace(getattr(trial, section), **changes)})


def test_normalised_by_speaker_the_tested_are_scaled_by_themselves():
    data = prepare(with_settings("features", {"normalisation": "speaker"}), None)
    speaker = data.corpus.utterances[data.split.test[0]].speaker
    own = [i for i, utterance in enumerate(data.corpus.utterances) if utterance.speaker == speaker]
    frames = np.concatenate([data.frames.of(i) for i in own])
    mean, deviation = data.normalisation.of(own[0], data.frames.clip(own[0]))
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(deviation, frames.std(axis=0), rtol=1e-4)


def test_only_what_is_trained_on_has_waveforms_and_only_if_its_sound_varies(tmp_path):
    assert prepare(resolved("cnn"), tmp_path).waveforms is None
    assert not list(tmp_path.glob("waveforms-*"))
    data = prepare(with_settings("retrain", {"shift_s": 0.1, "on": "all_but_test"}), tmp_path)
    assert {role for role in get_args(Role) if data.part(role).waveforms} == {"train", "all_but_test"}
    assert len(list(tmp_path.glob("waveforms-*/*.arrow"))) == 1


def fitted(retrain: dict) -> TrainedNetwork:
    """A short training of the small trial."""
    trial = with_settings("retrain", {"epochs": 2, **retrain})
    data = prepare(trial, None)
    torch.manual_seed(0)
    network = build(design("cnn"), trial.network, data.size, len(data.corpus.emotions))
    return fit(network, data.part("train"), data.part("valid"), trial.retrain, seed=5, report=lambda _: None)


NEUTRAL = {"speeds": (1.0,), "pitches_st": (0.0,)}


def test_sound_that_varies_by_nothing_trains_the_same_network():
    plain, neutral = fitted({}), fitted(NEUTRAL)
    assert plain.history == neutral.history


@pytest.mark.parametrize(
    "change", [{"speeds": (0.8,)}, {"pitches_st": (3.0,)}, {"noise_snr_db": (0.0,)}, {"shift_s": 0.3}]
)
def test_sound_that_varies_trains_another_network_repeatably(change):
    one, same = fitted(change), fitted(change)
    assert one.history == same.history
    assert one.history != fitted({}).history


def test_sound_that_varies_is_never_heard_at_validation(monkeypatch):
    """The changes are counted: every training utterance once an epoch, nobody else."""
    heard = []

    def counted(wave, *arguments):
        heard.append(wave)
        return applied(wave, *arguments)

    applied = augment.applied
    monkeypatch.setattr(augment, "applied", counted)
    data = prepare(with_settings("retrain", NEUTRAL), None)
    fitted(NEUTRAL)
    assert len(heard) == 2 * len(data.part("train"))
    assert data.waveforms is not None
    own = {data.waveforms.frames.of(i)[:, 0].tobytes() for i in data.part("train").indices}
    assert {wave.tobytes() for wave in heard} == own


def test_a_training_without_waveforms_cannot_vary_the_sound():
    with pytest.raises(Fault, match="the sound of a part without waveforms was to be changed"):
        fit(
            small.network("cnn"),
            small.noise_part("train"),
            small.noise_part("valid"),
            RetrainConfig(epochs=1, shift_s=0.1),
            seed=0,
            report=lambda _: None,
        )


def test_versions_of_sound_are_made_once_and_every_use_takes_one_of_them(monkeypatch):
    calls = []
    applied = augment.applied
    monkeypatch.setattr(augment, "applied", lambda *arguments: calls.append(1) or applied(*arguments))
    data = prepare(with_settings("retrain", {"speeds": (0.8, 1.0, 1.25)}), None)
    rng = np.random.default_rng(0)
    part = data.part("train").with_versions(
        3, lambda: augment.draw(RetrainConfig(speeds=(0.8, 1.0, 1.25)), rng)
    )
    assert len(calls) == 3 * len(part)
    heard = {batch.features.numpy().tobytes() for _ in range(20) for batch in part.epoch(1, rng)}
    assert len(calls) == 3 * len(part), "nothing is computed anew"
    assert len(part) < len(heard), "utterances are heard in more than one version"


def test_versions_of_sound_train_repeatably_and_unlike_sound_that_is_drawn_anew():
    changed = {"speeds": (0.8, 1.25), "versions": 2}
    one, same = fitted(changed), fitted(changed)
    assert one.history == same.history
    assert one.history != fitted({"speeds": (0.8, 1.25)}).history
