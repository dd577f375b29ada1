"""Laws of the search: the alpha gradient is the true one, each step moves only its own, test parts are
refused.
"""

from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from torch import nn

from raysernas.config.arms import ARMS
from raysernas.config.schema import SearchConfig
from raysernas.features.parts import Part
from raysernas.record.genotype import CELL_OPERATIONS, KINDS, from_json, space
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.bilevel import frozen_weights
from raysernas.search.darts import alpha_step, search, weight_step
from tests.search.test_bilevel import with_dropout
from tests.support.searches import batch, double_alphas, equal, smooth, softmax, under_way
from tests.support.small import NETWORK, SMALLEST, network, noise_part, resolved

QUICK = SearchConfig(epochs=2, batch=4)
ORDERS = get_args(get_type_hints(SearchConfig)["order"])


def halves() -> tuple[Part, Part]:
    """Of a small corpus."""
    return noise_part("weights", 12), noise_part("alphas", 12, seed=1)


def test_first_order_alpha_gradient_is_the_central_difference():
    net = smooth(network("darts", chosen=False)).double()
    alphas, inputs, loss_of, eps = double_alphas(), batch(), nn.CrossEntropyLoss(), 1e-5

    def loss() -> torch.Tensor:
        with frozen_weights(net):
            return loss_of(net(inputs.features, inputs.frames, softmax().weights(alphas)), inputs.emotion)

    gradients = dict(zip(KINDS, torch.autograd.grad(loss(), list(alphas.values())), strict=True))
    for kind in KINDS:
        for edge, operation in [(0, 1), (1, 4), (2, 6), (4, 0), (3, 7)]:
            with torch.no_grad():
                alphas[kind][edge, operation] += eps
                above = loss().item()
                alphas[kind][edge, operation] -= 2 * eps
                below = loss().item()
                alphas[kind][edge, operation] += eps
            assert gradients[kind][edge, operation].item() == pytest.approx(
                (above - below) / (2 * eps), abs=1e-8, rel=1e-5
            )


def test_freezing_the_weights_leaves_the_alpha_gradient_bit_equal():
    net, alphas, inputs = (
        network("darts", chosen=False).double(),
        new_alphas(space(NETWORK), torch.Generator()),
        batch(),
    )
    loss_of = nn.CrossEntropyLoss()
    free = torch.autograd.grad(
        loss_of(net(inputs.features, inputs.frames, softmax().weights(alphas)), inputs.emotion),
        list(alphas.values()),
    )
    with frozen_weights(net):
        loss = loss_of(net(inputs.features, inputs.frames, softmax().weights(alphas)), inputs.emotion)
    frozen = torch.autograd.grad(loss, list(alphas.values()))
    assert all(torch.equal(a, b) for a, b in zip(free, frozen, strict=True))


@pytest.mark.parametrize("order", ORDERS)
def test_the_alpha_step_changes_no_weight_no_gradient_no_momentum_and_no_buffer(order):
    state = under_way(SearchConfig(order=order, batch=4))
    weight_step(state, batch())  # so that there are gradients, momentum and statistics to change
    before, net = state.state_dict(), state.network
    gradients = {
        name: parameter.grad.clone()
        for name, parameter in net.named_parameters()
        if parameter.grad is not None
    }
    alpha_step(state, batch(), batch(6))
    after = state.state_dict()
    for name in ("network", "weight_optimizer", "schedule"):
        assert equal(before[name], after[name]), name
    assert gradients.keys() == {
        name for name, parameter in net.named_parameters() if parameter.grad is not None
    }
    kept = {name: parameter.grad for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert all(torch.equal(kept[name], gradient) for name, gradient in gradients.items())
    assert not any(torch.equal(value, before["alphas"][part]) for part, value in after["alphas"].items()), (
        "the alphas move"
    )
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_the_weight_step_changes_no_alpha():
    state = under_way(SearchConfig(batch=4))
    before = state.state_dict()["alphas"]
    weight_step(state, batch())
    assert equal(state.state_dict()["alphas"], before)
    assert all(value.grad is None for value in state.alphas.values())


def test_search_refuses_a_test_part_in_either_place():
    for weights, alphas in (
        ("test", "alphas"),
        ("weights", "test"),
        ("weights", "valid"),
        ("alphas", "weights"),
    ):
        with pytest.raises(ValueError, match=r"training: a part with the role"):
            search(
                network("darts", chosen=False),
                noise_part(weights),
                noise_part(alphas),
                QUICK,
                space(NETWORK),
                seed=0,
                report=lambda _: None,
            )


def test_a_search_reports_every_epoch_and_its_last_genotype_is_its_result():
    seen = []
    found = search(
        network("darts", chosen=False), *halves(), QUICK, space(NETWORK), seed=0, report=seen.append
    )
    assert [entry["epoch"] for entry in seen] == [1, 2]
    assert from_json(seen[-1]["genotype"]) == found.genotype
    assert 0 < found.entropy <= 1
    assert seen[-1]["entropy"] == found.entropy
    mixtures = torch.tensor(seen[-1]["mixing"]["normal"])
    assert mixtures.shape == (5, len(CELL_OPERATIONS))
    torch.testing.assert_close(mixtures.sum(1), torch.ones(5))


@pytest.mark.slow
def test_alphas_leave_uniform_when_their_learning_rate_lets_them():
    fast = SearchConfig(epochs=6, batch=4, alphas_lr=0.3, alphas_decay=0.0)
    net = network("darts", chosen=False, config=SMALLEST)
    found = search(net, *halves(), fast, space(SMALLEST), seed=0, report=lambda _: None)
    assert found.history[0]["entropy"] > found.entropy
    assert found.entropy < 0.9


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, torch.Tensor]]:
    """(step, features of the batch that it moves on) of every step of the searches to come."""
    steps: list[tuple[str, torch.Tensor]] = []
    for name in ("alpha_step", "weight_step"):
        real = getattr(darts, name)

        def step(state, *batches, name=name, real=real):
            steps.append((name, batches[-1].features))
            return real(state, *batches)

        monkeypatch.setattr(darts, name, step)
    return steps


def test_both_halves_are_seen_whole_and_alphas_move_before_weights(monkeypatch):
    steps = watched(monkeypatch)
    weights, alphas = noise_part("weights", 12, longest=1), noise_part("alphas", 12, seed=1, longest=1)
    search(
        network("darts", chosen=False), weights, alphas, QUICK, space(NETWORK), seed=0, report=lambda _: None
    )
    assert [name for name, _ in steps[:4]] == ["alpha_step", "weight_step"] * 2
    for name in ("alpha_step", "weight_step"):
        epoch = torch.cat([features for step, features in steps if step == name][:3])
        assert len({tuple(clip.flatten().tolist()) for clip in epoch}) == 12, (
            f"{name} sees every utterance in an epoch"
        )


def test_the_alphas_rest_while_the_weights_warm_up_and_between_their_steps(monkeypatch):
    steps = watched(monkeypatch)
    config = SearchConfig(epochs=3, batch=4, warmup_epochs=1, alphas_every=2)
    found = search(
        network("darts", chosen=False), *halves(), config, space(NETWORK), seed=0, report=lambda _: None
    )
    names = "".join(name[0] for name, _ in steps)
    assert names == "www" + 2 * "awwaw", "an epoch has three steps of the weights"
    first, second, _ = found.history
    assert "alphas_loss" not in first
    assert "alphas_loss" in second
    assert first["mixing"] != second["mixing"]


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_whatever_is_watched_changes_no_bit_of_the_search(order):
    plain = SearchConfig(epochs=3, batch=4, order=order)
    watched = replace(plain, eigenvalue_every=1, difference_error=order != "first", entropy_floor=0.999)
    config = with_dropout(0.3)
    found = [
        search(
            network("darts", chosen=False, config=config),
            *halves(),
            each,
            space(config),
            seed=0,
            report=lambda _: None,
        )
        for each in (plain, watched)
    ]
    extra = {"eigenvalue", "difference_error", "warning"}
    seen = [{name: value for name, value in entry.items() if name not in extra} for entry in found[1].history]
    assert seen == found[0].history
    for name in (
        "network",
        "alphas",
        "weight_optimizer",
        "alpha_optimizer",
        "random",
        "rng",
        "alpha_batches",
    ):
        assert equal(found[0].state[name], found[1].state[name]), name
    assert all("eigenvalue" in entry for entry in found[1].history)
    assert all(("difference_error" in entry) == (order != "first") for entry in found[1].history)


@pytest.mark.slow
def test_orders_are_unlike_searches():
    found = [
        search(
            network("darts", chosen=False, config=SMALLEST),
            *halves(),
            SearchConfig(epochs=1, batch=4, order=order),
            space(SMALLEST),
            seed=0,
            report=lambda _: None,
        ).history[-1]["mixing"]
        for order in ORDERS
    ]
    assert found[0] != found[1] != found[2] != found[0]


def test_the_history_tells_what_an_epoch_saw():
    reported = []
    config = SearchConfig(epochs=2, batch=4, entropy_floor=0.99999)
    found = search(
        network("darts", chosen=False), *halves(), config, space(NETWORK), seed=0, report=reported.append
    )
    first, second = found.history
    numbers = {
        "loss",
        "ua",
        "gradient",
        "alphas_loss",
        "alphas_ua",
        "alphas_gradient",
        "entropy",
        "none",
        "skips",
    }
    assert numbers <= first.keys()
    assert second.keys() - first.keys() == {"changed"}
    assert all(
        0 <= entry[name] <= 1 for entry in found.history for name in ("ua", "alphas_ua", "entropy", "none")
    )
    assert np.mean(list(second["entropies"].values())) == pytest.approx(second["entropy"])
    assert "below search.entropy_floor" in first["warning"]
    assert [set(entry) - set(kept) for entry, kept in zip(reported, found.history, strict=True)] == [
        {"timing", "shares"}
    ] * 2
    assert all(entry["timing"]["step_s"] > 0 and entry["timing"]["peak_mb"] > 0 for entry in reported)
    named = reported[-1]["shares"]["normal"]["node1_from2"]
    assert list(named) == list(CELL_OPERATIONS)
    assert list(named.values()) == found.history[-1]["mixing"]["normal"][4]


def test_the_scores_of_an_epoch_are_those_of_its_own_logits(monkeypatch):
    """UA and loss are counted again here, from what the loss function was given in every step."""
    given: list[tuple[torch.Tensor, torch.Tensor]] = []
    real = nn.CrossEntropyLoss.forward

    def forward(self, logits, emotion):
        given.append((logits.detach().clone(), emotion))
        return real(self, logits, emotion)

    monkeypatch.setattr(nn.CrossEntropyLoss, "forward", forward)
    config = SearchConfig(epochs=1, batch=4)
    (entry,) = search(
        network("darts", chosen=False), *halves(), config, space(NETWORK), seed=0, report=lambda _: None
    ).history
    for steps, name in ((given[1::2], "ua"), (given[0::2], "alphas_ua")):
        predicted = torch.cat([logits.argmax(1) for logits, _ in steps])
        truth = torch.cat([emotion for _, emotion in steps])
        assert entry[name] == pytest.approx(
            np.mean([(predicted[truth == c] == c).float().mean() for c in range(3)])
        )


def test_a_search_that_stops_by_the_curvature_returns_the_genotype_from_before_it_grew(monkeypatch):
    values = iter([1.0] * 7 + [9.0] * 99)
    monkeypatch.setattr(darts, "alpha_curvature", lambda *_: next(values))
    config = SearchConfig(
        epochs=20, batch=12, alphas_lr=0.3, eigenvalue_every=1, stop="eigenvalue", stop_window=3
    )
    seen = []
    net = network("darts", chosen=False, config=SMALLEST)
    found = search(net, *halves(), config, space(SMALLEST), seed=0, report=seen.append)
    assert len(found.history) == len(seen) == 8, (
        "the first epoch whose mean of three is more than a third above that before"
    )
    assert found.epoch == 4, "8 - 1 - 3"
    assert found.genotype == from_json(found.history[3]["genotype"])
    assert found.entropy == found.history[3]["entropy"]
    assert "curvature" in found.history[-1]["warning"]


SEARCHED = [(arm, order) for arm in ARMS if ARMS[arm].searches for order in ORDERS]


@pytest.mark.parametrize(
    ("arm", "order"),
    [*SEARCHED[:1], *(pytest.param(*each, marks=pytest.mark.slow) for each in SEARCHED[1:])],
)
def test_every_searched_space_has_every_order(arm, order):
    config = resolved(arm, SMALLEST)
    settings = SearchConfig(
        epochs=1,
        batch=12,
        order=order,
        eigenvalue_every=int(order == "first"),
        difference_error=order != "first",
    )
    net = network(arm, chosen=False, config=SMALLEST)
    found = search(net, *halves(), settings, space(config), seed=0, report=lambda _: None)
    (entry,) = found.history
    assert (
        entry["mixing"].keys()
        == entry["entropies"].keys()
        == space(config).keys()
        == found.genotype.parts.keys()
    )
    assert all(np.isfinite(value) for value in entry.values() if isinstance(value, float))
