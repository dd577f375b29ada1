"""Laws of the steps of a search: down the loss of their own half, as every setting of the two optimisers
asks.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from raysernas.config.schema import SearchConfig
from raysernas.record.genotype import space
from raysernas.search import darts
from raysernas.search.bilevel import first_order, frozen_weights
from raysernas.search.darts import alpha_step, search, weight_step
from tests.search.test_darts import QUICK, halves
from tests.support.searches import batch, objective, under_way
from tests.support.small import NETWORK, network, noise_part


def test_the_alpha_step_goes_down_the_loss_of_the_alphas_half():
    """The first step of Adam is the learning rate times the sign of the gradient."""
    state = under_way(SearchConfig(batch=4, alphas_lr=1e-2, alphas_decay=0.0))
    before, held_out = {part: value.detach().clone() for part, value in state.alphas.items()}, batch(6)
    with frozen_weights(state.network):
        expected = first_order(lambda a: objective(state.network, held_out)(None, a), state.alphas).gradients
    alpha_step(state, batch(4), held_out)
    for (part, value), gradient in zip(state.alphas.items(), expected, strict=True):
        torch.testing.assert_close(value.grad, gradient)
        torch.testing.assert_close(value.detach(), before[part] - 1e-2 * gradient.sign(), atol=1e-5, rtol=0)


def test_every_setting_of_the_two_optimisers_reaches_them():
    config = SearchConfig(
        epochs=7,
        weights_lr=0.3,
        weights_lr_min=0.1,
        weights_momentum=0.2,
        weights_decay=0.4,
        alphas_lr=0.5,
        alphas_beta1=0.6,
        alphas_decay=0.7,
    )
    state = under_way(config)
    (weights,), (alphas,) = state.weight_optimizer.param_groups, state.alpha_optimizer.param_groups
    assert (weights["lr"], weights["momentum"], weights["weight_decay"]) == (0.3, 0.2, 0.4)
    assert (state.schedule.eta_min, state.schedule.T_max) == (0.1, 7)
    assert (alphas["lr"], alphas["betas"][0], alphas["weight_decay"]) == (0.5, 0.6, 0.7)


def test_the_weight_step_clips_its_gradient_and_tells_the_norm_from_before():
    for clip in (1e-3, 1e9):
        state = under_way(SearchConfig(batch=4, weights_clip=clip))
        norm = weight_step(state, batch()).gradient.item()
        clipped = nn.utils.get_total_norm(
            [p.grad for p in state.network.parameters() if p.grad is not None]
        ).item()
        assert clipped == pytest.approx(min(norm, clip), rel=1e-3)


def test_the_rate_of_the_weights_falls_with_every_epoch_to_its_lowest(monkeypatch):
    rates = []
    real = darts.weight_step
    monkeypatch.setattr(
        darts,
        "weight_step",
        lambda state, given: (rates.append(state.weight_optimizer.param_groups[0]["lr"]), real(state, given))[
            1
        ],
    )
    config = SearchConfig(epochs=4, batch=12, weights_lr=0.3, weights_lr_min=0.1)
    search(network("darts", chosen=False), *halves(), config, space(NETWORK), seed=0, report=lambda _: None)
    assert rates == pytest.approx([0.1 + 0.1 * (1 + np.cos(np.pi * epoch / 4)) for epoch in range(4)])


def test_rare_classes_weigh_more_in_the_search(monkeypatch):
    weights, alphas = halves()
    rare = replace(weights, emotion=np.array([0] * 10 + [1, 2]))
    seen = []
    real = darts.weight_step
    monkeypatch.setattr(
        darts, "weight_step", lambda state, given: (seen.append(state.loss_of.weight), real(state, given))[1]
    )
    search(network("darts", chosen=False), rare, alphas, QUICK, space(NETWORK), seed=0, report=lambda _: None)
    torch.testing.assert_close(seen[0], torch.tensor([0.4, 4.0, 4.0]))


def test_the_curvature_is_measured_on_one_batch_of_the_alphas_half(monkeypatch):
    seen = []
    monkeypatch.setattr(
        darts, "alpha_curvature", lambda objective, _: (seen.append(objective.batch.features), 1.0)[1]
    )
    weights, alphas = noise_part("weights", 12, longest=1), noise_part("alphas", 12, seed=1, longest=1)
    search(
        network("darts", chosen=False),
        weights,
        alphas,
        replace(QUICK, eigenvalue_every=1),
        space(NETWORK),
        seed=0,
        report=lambda _: None,
    )
    assert torch.equal(*seen), "the same in both epochs"
    own, _ = next(alphas.windows(12))
    assert {tuple(clip.flatten().tolist()) for clip in seen[0]} <= {
        tuple(clip.flatten().tolist()) for clip in own.features
    }
