"""Laws of a training under way: resumed after any step it is the uninterrupted one, with every draw that a
setting asks for.
"""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raysernas.config.files import assign
from raysernas.config.schema import TrialConfig
from raysernas.model.network import Network
from raysernas.record.genotype import draw, space
from raysernas.runtime.checkpointing import SavedState
from raysernas.training import scratch
from raysernas.training.data import Data, prepare
from raysernas.training.fit import fit
from raysernas.training.losses import CrossEntropy
from raysernas.training.model import TrainedNetwork
from tests.support.checkpoints import RecordingCheckpoint
from tests.support.searches import equal
from tests.support.small import design
from tests.test_trial import TINY, resolved

PLAIN = {"retrain.epochs": 2, "retrain.batch": 8, "retrain.drop_path": 0.4, "network.dropout": 0.3}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "mixup and average": PLAIN | {"retrain.mixup": 0.5, "retrain.average": 0.8},
    "sound drawn anew": PLAIN | {"retrain.speeds": [0.9, 1.1], "retrain.shift_s": 0.05, "retrain.mixup": 0.5},
    "versions of sound": PLAIN
    | {"retrain.speeds": [0.9, 1.1], "retrain.versions": 2, "retrain.average": 0.8},
}


@cache
def prepared(name: str) -> tuple[TrialConfig, Data]:
    trial = resolved("random", assign(TINY, SETTINGS[name]))
    return trial, prepare(trial, None)


def trained(
    name: str, purpose: str = "network", kept: SavedState | None = None
) -> tuple[Network, TrainedNetwork, RecordingCheckpoint, list[dict]]:
    """A small training, what it kept and what it reported; another purpose begins with other weights and
    random states.
    """
    trial, data = prepared(name)
    checkpoint, told = RecordingCheckpoint(kept), []
    genotype = draw(np.random.default_rng(0), space(trial.network))
    net = scratch.new_network(trial, data, design("random"), genotype, purpose)
    fitted = fit(
        net,
        data.part("train"),
        data.part("valid"),
        trial.retrain,
        seed=1,
        report=told.append,
        checkpoint=checkpoint,
    )
    return net, fitted, checkpoint, told


def own(kept: SavedState | None) -> SavedState:
    """Without Python's global generator, from which the checks of shapes draw, in tests only."""
    assert kept is not None
    return kept | {"random": kept["random"] | {"python": ""}}


@pytest.mark.parametrize(
    "name", ["plain", *(pytest.param(each, marks=pytest.mark.slow) for each in SETTINGS if each != "plain")]
)
def test_a_training_resumed_after_any_step_is_the_uninterrupted_one_bit_for_bit(name):
    net, fitted, checkpoint, told = trained(name)
    for kept in checkpoint.states:
        other, again, more, retold = trained(name, "another", kept)
        assert equal(dict(other.state_dict()), dict(net.state_dict()))
        assert (again.epoch, again.history) == (fitted.epoch, fitted.history)
        assert (again.valid.confusion == fitted.valid.confusion).all()
        assert equal(own(more.last), own(checkpoint.last))
        assert [entry | {"restored": True} for entry in retold] == [
            entry | {"restored": True} for entry in told
        ]


@pytest.mark.slow
def test_no_batch_that_was_taken_is_taken_again():
    """Only an evaluation begins anew: it has one batch here, after which there is nothing that the step
    before had not kept.
    """
    _, _, checkpoint, _ = trained("plain")
    for number, kept in enumerate(checkpoint.states):
        more = trained("plain", "another", kept)[2].states
        evaluated = (
            number > 0 and kept["running"]["taken"] == checkpoint.states[number - 1]["running"]["taken"]
        )
        assert len(more) == len(checkpoint.states) - number - 1 + evaluated


def test_a_finished_training_is_resumed_to_its_result_without_a_step():
    net, fitted, checkpoint, _ = trained("plain")
    other, again, more, _ = trained("plain", "another", checkpoint.last)
    assert more.states == []
    assert equal(dict(other.state_dict()), dict(net.state_dict()))
    assert (again.epoch, again.history) == (fitted.epoch, fitted.history)


@given(st.integers(1, 9), st.integers(2, 7), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 99))
def test_the_loss_and_its_gradient_are_those_of_cross_entropy_with_weights_and_smoothing(
    count, classes, smoothing, seed
):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator, dtype=torch.float64)
    emotion = torch.randint(classes, (count,), generator=generator)
    weights = 0.1 + torch.rand(classes, generator=generator, dtype=torch.float64)
    one, other = (logits.clone().requires_grad_() for _ in range(2))
    loss = CrossEntropy(weights, smoothing)(one, emotion)
    expected = nn.CrossEntropyLoss(weights, label_smoothing=smoothing)(other, emotion)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        *torch.autograd.grad(loss, one), *torch.autograd.grad(expected, other), rtol=1e-12, atol=1e-12
    )
