"""Laws of the training on all but the test speakers: it repeats the training that chose, with more people,
and chooses nothing.
"""

import dataclasses

import numpy as np
import pytest

from raysernas.arms.arm import Arm
from raysernas.arms.members import MEMBERS
from raysernas.config.fault import Fault
from raysernas.config.files import assign
from raysernas.features.parts import Part
from raysernas.model.network import Network
from raysernas.record.genotype import draw, space
from raysernas.record.history import ignore
from raysernas.runtime.checkpointing import NoCheckpoint, SavedState
from raysernas.training import scratch
from raysernas.training.data import prepare
from raysernas.training.fit import fit, refit
from raysernas.training.model import TrainedNetwork
from raysernas.training.state import TrainingState
from tests.support.checkpoints import RecordingCheckpoint
from tests.support.searches import equal
from tests.support.small import design, network, noise_part
from tests.test_trial import TINY, resolved
from tests.training.test_state import SETTINGS, own, prepared

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in SETTINGS if name != "mixup and average"]
REFIT = assign(TINY, {"retrain.on": "all_but_test", "retrain.seeds": [0]})


def fresh(name: str, purpose: str = "network") -> Network:
    trial, data = prepared(name)
    genotype = draw(np.random.default_rng(0), space(trial.network))
    return scratch.new_network(trial, data, design("random"), genotype, purpose)


def chosen_by(name: str, epochs: int = 2) -> TrainedNetwork:
    trial, data = prepared(name)
    config = dataclasses.replace(trial.retrain, epochs=epochs)
    return fit(fresh(name), data.part("train"), data.part("valid"), config, seed=1, report=ignore)


def heard(name: str, *, more: bool) -> Part:
    """The training part in its other role, with the validation speakers or without."""
    data = prepared(name)[1]
    whole = dataclasses.replace(data, refit=data.normalisation).part("all_but_test")
    return whole if more else dataclasses.replace(data.part("train"), role="all_but_test")


def trained_anew(
    name: str, chosen: TrainedNetwork, *, more: bool, purpose: str = "network", kept: SavedState | None = None
) -> tuple[TrainedNetwork, RecordingCheckpoint, list[dict]]:
    checkpoint, told, config = RecordingCheckpoint(kept), [], prepared(name)[0].retrain
    net, part = fresh(name, purpose), heard(name, more=more)
    return (
        refit(net, part, config, chosen, seed=1, report=told.append, checkpoint=checkpoint),
        checkpoint,
        told,
    )


@pytest.mark.parametrize("name", ["mixup and average", *SLOW])
def test_without_more_people_it_gives_the_weights_that_were_chosen_bit_for_bit(name):
    chosen = chosen_by(name)
    again, _, _ = trained_anew(name, chosen, more=False)
    assert equal(dict(again.state_dict()), dict(chosen.state_dict()))
    assert [each["loss"] for each in again.history] == [
        each["loss"] for each in chosen.history[: chosen.epoch]
    ]


@pytest.mark.parametrize("epoch", [1, 2])
def test_it_lasts_as_many_epochs_as_were_chosen_and_has_no_validation_score(epoch):
    chosen = dataclasses.replace(chosen_by("plain"), epoch=epoch)
    anew, _, told = trained_anew("plain", chosen, more=True)
    assert [sorted(each) for each in told] == [["epoch", "loss"]] * epoch
    assert told == anew.history
    assert (anew.epoch, anew.valid) == (epoch, chosen.valid), "those of the training that chose"
    assert not equal(dict(anew.state_dict()), dict(chosen.state_dict()))


def test_the_validation_speakers_are_heard_and_the_tested_ones_are_not(monkeypatch):
    passed, step = [], TrainingState.step
    monkeypatch.setattr(
        TrainingState, "step", lambda state, batch: (passed.append(len(batch.emotion)), step(state, batch))[1]
    )
    trial = resolved("cnn", REFIT)
    data = prepare(trial, None)
    chosen = MEMBERS["cnn"].fit(trial, data, None, "0", ignore, NoCheckpoint())
    passed.clear()
    MEMBERS["cnn"].refit(trial, data, None, "0", chosen, ignore, NoCheckpoint())
    part = data.part("all_but_test")
    assert set(part.indices) == {*data.part("train").indices, *data.part("valid").indices}
    assert not set(part.indices) & set(data.part("test").indices)
    assert sum(passed) == chosen.epoch * len(part)


def test_at_each_epoch_the_learning_rate_is_what_it_was_when_the_epoch_was_chosen(monkeypatch):
    rates, finish = [], TrainingState.finish_epoch
    monkeypatch.setattr(
        TrainingState,
        "finish_epoch",
        lambda state, *given: (rates.append(state.optimizer.param_groups[0]["lr"]), finish(state, *given))[1],
    )
    config = dataclasses.replace(REFIT.retrain, epochs=8, batch=4)
    net, parts = network("cnn"), (noise_part("train", 40), noise_part("valid", 12))
    chosen = fit(net, *parts, config, seed=0, report=ignore)
    before, rates[:] = rates[:5], []
    more = noise_part("all_but_test", 52)
    refit(network("cnn"), more, config, dataclasses.replace(chosen, epoch=5), seed=0, report=ignore)
    np.testing.assert_allclose(rates, before, rtol=0.05)  # up to what a step is of an epoch


@pytest.mark.parametrize("name", ["mixup and average", *SLOW])
def test_resumed_after_any_step_it_is_the_uninterrupted_one_bit_for_bit(name):
    chosen = dataclasses.replace(chosen_by(name), epoch=2)
    whole, checkpoint, told = trained_anew(name, chosen, more=True)
    for kept in (*checkpoint.states, checkpoint.last):
        again, more, retold = trained_anew(name, chosen, more=True, purpose="another", kept=kept)
        assert equal(dict(again.state_dict()), dict(whole.state_dict()))
        assert again.history == whole.history
        assert equal(own(more.last), own(checkpoint.last))
        assert [each | {"restored": True} for each in retold] == [each | {"restored": True} for each in told]


def test_each_training_refuses_the_part_of_the_other_and_both_a_test_part():
    chosen, config = chosen_by("plain"), REFIT.retrain
    for role in ("train", "valid", "weights", "alphas", "test"):
        with pytest.raises(Fault, match=f"role {role!r} was given where all_but_test belongs"):
            refit(network("cnn"), noise_part(role), config, chosen, seed=0, report=ignore)
    parts = noise_part("all_but_test"), noise_part("valid")
    with pytest.raises(Fault, match="role 'all_but_test' was given where train belongs"):
        fit(network("cnn"), *parts, config, seed=0, report=ignore)


def test_unless_it_is_asked_for_nobody_can_train_on_the_validation_speakers():
    with pytest.raises(Fault, match="the validation speakers are not trained on"):
        prepare(resolved("cnn"), None).part("all_but_test")


@pytest.mark.parametrize("scaled_by", ["train", "none"])
def test_the_tested_model_hears_all_parts_scaled_by_the_people_it_was_trained_on(scaled_by):
    trial = resolved("cnn", assign(REFIT, {"features.normalisation": scaled_by}))
    data, before = (
        prepare(trial, None),
        prepare(resolved("cnn", assign(TINY, {"features.normalisation": scaled_by})), None),
    )
    for role in ("train", "valid", "weights", "alphas"):
        assert data.part(role).normalisation is data.normalisation
    for role in ("all_but_test", "test"):
        assert data.part(role).normalisation is data.refit is data.tested_normalisation
    assert data.refit is not None
    of = "mean" if scaled_by == "train" else "fill"
    true = np.concatenate(
        [data.frames.of(i)[: data.frames.true_frames(i)] for i in data.part("all_but_test").indices]
    )
    np.testing.assert_allclose(np.ravel(getattr(data.refit, of)), true.mean(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(getattr(data.normalisation, of), getattr(before.normalisation, of))
    assert before.tested_normalisation is before.normalisation is before.part("test").normalisation


def test_every_arm_can_be_trained_on_all_but_test():
    assert [name for name, arm in MEMBERS.items() if type(arm).refit is Arm.refit] == []


def test_an_arm_that_cannot_says_so():
    trial = resolved("majority", REFIT)
    data = prepare(trial, None)
    chosen = MEMBERS["majority"].fit(trial, data, None, "0", ignore, NoCheckpoint())
    with pytest.raises(Fault, match="the arm majority cannot be trained on all but test"):
        Arm.refit(MEMBERS["majority"], trial, data, None, "0", chosen, ignore, NoCheckpoint())


def test_the_majority_is_then_counted_over_all_but_test():
    trial = resolved("majority", REFIT)
    data = prepare(trial, None)
    chosen = MEMBERS["majority"].fit(trial, data, None, "0", ignore, NoCheckpoint())
    anew = MEMBERS["majority"].refit(trial, data, None, "0", chosen, ignore, NoCheckpoint())
    part = data.part("all_but_test")
    counted = np.bincount(part.emotion, minlength=anew.classes) / len(part)
    np.testing.assert_allclose(anew.state_dict()["shares"], counted, rtol=1e-6)
    assert (anew.epoch, anew.valid) == (0, chosen.valid)
