"""Laws of functionals in a network: at first they change nothing, they learn with the rest, and mean the same
in a batch of any order.
"""

import dataclasses

import numpy as np
import pytest
import torch

from raysernas.config.rules import check_together
from raysernas.config.schema import Config, RetrainConfig
from raysernas.features import utterance_table
from raysernas.features.cache import in_memory
from raysernas.features.front_end import Clip
from raysernas.features.parts import Part
from raysernas.model.cost import multiply_adds
from raysernas.model.network import Network, build, count_parameters
from raysernas.record.genotype import draw, space
from raysernas.record.history import ignore
from raysernas.search import darts
from raysernas.training import stored_model
from raysernas.training.data import prepare
from raysernas.training.evaluation import evaluate, network_posteriors
from raysernas.training.fit import fit
from raysernas.training.state import TrainingState
from tests.support.faults import refusal
from tests.support.marks import slow_after
from tests.support.small import BANDS, CLASSES, SMALLEST, WINDOW, design, noise_part, resolved
from tests.test_trial import TINY, run
from tests.test_trial import resolved as resolved_trial

NUMBERS = 5
WITH = dataclasses.replace(SMALLEST, functionals=True)
ARMS = ["cnn", "cnn_lstm_attention", "random", "darts_joint"]
HYBRID = dataclasses.replace(
    TINY,
    features=dataclasses.replace(TINY.features, functionals="own"),
    network=dataclasses.replace(TINY.network, functionals=True),
)


def made(arm: str, config=WITH, *, chosen: bool = True) -> Network:
    torch.manual_seed(0)
    config = resolved(arm, config)
    genotype = draw(np.random.default_rng(0), space(config)) if chosen and arm not in ARMS[:2] else None
    return build(design(arm), config, (WINDOW, BANDS), CLASSES, genotype, functionals=NUMBERS)


def with_functionals(part: Part, seed: int = 0) -> Part:
    """Numbers of which the first tells the class."""
    rows = np.random.default_rng(seed).normal(size=(len(part), 1, NUMBERS)).astype(np.float32)
    rows[:, 0, 0] += 3 * part.emotion
    stored = in_memory(Clip(row, np.zeros(NUMBERS, np.float32), 1) for row in rows)
    return dataclasses.replace(part, functionals=utterance_table.fitted(stored, range(len(part))))


@pytest.mark.parametrize("arm", ARMS)
def test_a_fresh_network_gives_the_logits_of_the_one_without_functionals_bit_for_bit(arm):
    with_layer, without = made(arm).eval(), made(arm, SMALLEST).eval()
    x, frames, rows = torch.randn(4, WINDOW, BANDS), torch.tensor([1, 5, 9, WINDOW]), torch.randn(4, NUMBERS)
    assert torch.equal(with_layer(x, frames, functionals=rows), without(x, frames))
    assert count_parameters(with_layer) == count_parameters(without) + CLASSES * (NUMBERS + 1)
    spent = [multiply_adds(each, (WINDOW, BANDS)) for each in (with_layer, without)]
    assert spent[0] - spent[1] == CLASSES * NUMBERS


def test_functionals_add_a_linear_function_of_their_own_utterance_whatever_the_batch():
    net = made("cnn").double().eval()
    assert net.functionals is not None
    torch.nn.init.normal_(net.functionals.weight)
    torch.nn.init.normal_(net.functionals.bias)
    x, frames = torch.randn(5, WINDOW, BANDS, dtype=torch.float64), torch.randint(1, WINDOW + 1, (5,))
    rows, order = torch.randn(5, NUMBERS, dtype=torch.float64), torch.tensor([3, 0, 4, 1, 2])
    together = net(x, frames, functionals=rows)
    layer, net.functionals = net.functionals, None
    torch.testing.assert_close(together - net(x, frames), rows @ layer.weight.T + layer.bias)
    net.functionals = layer
    torch.testing.assert_close(net(x[order], frames[order], functionals=rows[order]), together[order])


def test_all_windows_of_an_utterance_have_its_functionals():
    part = with_functionals(noise_part("valid"))
    assert part.functionals is not None
    for batch, owners in part.windows(7):
        assert batch.functionals is not None
        np.testing.assert_array_equal(batch.functionals.numpy(), part.functionals.of(owners.tolist()))
    for batch in part.epoch(5, np.random.default_rng(0)):
        assert batch.functionals is not None
        assert len(batch.tensors) == 4
        known = {tuple(row) for row in part.functionals.of(range(len(part))).tolist()}
        assert {tuple(row) for row in batch.functionals.tolist()} <= known


def test_the_layer_learns_with_the_network_and_says_what_the_functionals_say():
    train, valid = with_functionals(noise_part("train", 30)), with_functionals(noise_part("valid", 30, 1), 1)
    config = RetrainConfig(epochs=12, batch=8, lr=0.02, masks=0)
    net = made("cnn")
    model = fit(net, train, valid, config, seed=0, report=ignore)
    assert net.functionals is not None
    assert net.functionals.weight.abs().sum(dim=0).argmax() == 0, "the number that tells the class"
    net.functionals.weight.data.zero_()
    assert evaluate(network_posteriors(net), valid, CLASSES).evaluation.ua < model.valid.ua


def test_mixup_mixes_the_functionals_as_it_mixes_the_features():
    train, config = with_functionals(noise_part("train")), RetrainConfig(batch=8, masks=0, mixup=0.4)
    state = TrainingState(made("cnn"), train, config, 0)
    batch = next(train.epoch(8, np.random.default_rng(0)))
    features, _, emotion, functionals, partners, share, _ = state._inputs(batch)
    assert batch.functionals is not None
    same = [
        torch.allclose(features[0], share * batch.features[0] + (1 - share) * batch.features[i], atol=1e-6)
        for i in range(len(emotion))
    ]
    partner = same.index(True)
    assert partners[0] == emotion[partner]
    expected = share * batch.functionals[0] + (1 - share) * batch.functionals[partner]
    torch.testing.assert_close(functionals[0], expected)
    assert torch.isfinite(state.step(batch))


@pytest.mark.parametrize("order", slow_after(1, ["first", "second_exact", "second_difference"]))
def test_a_search_trains_the_layer_of_its_supernet(order):
    config = dataclasses.replace(TINY.search, epochs=1, order=order, eigenvalue_every=1)
    net = made("darts_joint", chosen=False)
    halves = [with_functionals(noise_part(role, seed=i)) for i, role in enumerate(("weights", "alphas"))]
    parts = space(resolved("darts_joint", WITH))
    found = darts.search(net, halves[0], halves[1], config, parts, seed=0, report=ignore)
    assert net.functionals is not None
    assert net.functionals.weight.abs().max() > 0
    assert found.genotype is not None
    assert np.isfinite(found.history[0]["eigenvalue"])


def test_a_whole_trial_uses_functionals_and_its_model_says_how(tmp_path):
    trial = resolved_trial("cnn", HYBRID)
    rows, files = run(tmp_path, trial)
    assert (rows["status"] == "finished").all(), rows["reason"].tolist()
    assert rows["network.functionals"].all()
    model = stored_model.load(files.weights(0))
    data = prepare(trial, None)
    batch, owners = next(data.part("test").windows(4))
    assert model.functionals is not None
    mean, deviation = (each.numpy() for each in model.functionals)
    assert data.functionals is not None
    own = np.concatenate([data.functionals.rows.of(data.split.test[i]) for i in owners])
    assert batch.functionals is not None
    np.testing.assert_array_equal(utterance_table.scaled(own, mean, deviation), batch.functionals)
    assert network_posteriors(stored_model.restored(model))(batch).shape == (4, len(model.classes))


def test_functionals_of_the_settings_that_an_arm_does_not_use_are_not_computed():
    plain = dataclasses.replace(HYBRID, network=TINY.network)
    assert prepare(resolved_trial("cnn", plain), None).functionals is None
    assert prepare(resolved_trial("majority", HYBRID), None).functionals is None
    assert prepare(resolved_trial("cnn", HYBRID), None).functionals is not None


def test_a_network_cannot_use_functionals_that_there_are_not():
    config = Config(network=dataclasses.replace(Config().network, functionals=True))
    assert "features.functionals: none" in refusal(lambda: check_together(config))
