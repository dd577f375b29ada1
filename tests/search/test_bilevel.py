"""Laws of the second order: it is the derivative of the loss one step ahead, and looking ahead leaves no
trace.
"""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from raysernas.config.schema import NetworkConfig, SearchConfig
from raysernas.search.alphas import Alphas
from raysernas.search.bilevel import (
    Objective,
    UnrolledStep,
    difference_error,
    first_order,
    frozen_statistics,
    frozen_weights,
    second_order,
    unrolled_step_of,
)
from raysernas.search.darts import weight_step
from tests.support.reference_cells import reference
from tests.support.searches import batch, double_alphas, equal, objective, smooth, under_way
from tests.support.small import NETWORK, network

ORDERS = ("second_exact", "second_difference")
AHEAD = UnrolledStep(0.3, 0.9, 0.01, None)


class Quadratic:
    """L_train = |w - A alphas|^2 / 2 and L_val = |w - b|^2 / 2 + c . alphas: everything is known in closed
    form.
    """

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.matrix, self.b, self.c, w, a, v = (
            torch.randn(*shape, dtype=torch.float64, generator=generator)
            for shape in ((4, 3), (4,), (3,), (4,), (3,), (4,))
        )
        self.weights = {"w": w.requires_grad_()}
        self.alphas: Alphas = {"normal": a.requires_grad_()}
        self.velocity = v

    def train(self, weights, alphas) -> Tensor:
        return (weights["w"] - self.matrix @ alphas["normal"]).square().sum() / 2

    def validate(self, weights, alphas) -> Tensor:
        return (weights["w"] - self.b).square().sum() / 2 + self.c @ alphas["normal"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("moving", [False, True])
def test_both_second_orders_are_the_closed_form_of_a_quadratic_problem(order, moving):
    toy = Quadratic()
    w, a = toy.weights["w"].detach(), toy.alphas["normal"].detach()
    unroll = UnrolledStep(0.3, 0.9, 0.01, [toy.velocity] if moving else None)
    found = second_order(order, toy.train, toy.validate, toy.weights, toy.alphas, unroll, 0.01)
    step = (w - toy.matrix @ a) + 0.01 * w + (0.9 * toy.velocity if moving else 0)
    u = w - 0.3 * step - toy.b  # the gradient of L_val at w'
    torch.testing.assert_close(found.loss, u.square().sum() / 2 + toy.c @ a)
    torch.testing.assert_close(found.gradients, [toy.c + 0.3 * toy.matrix.T @ u], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.mixed, [-toy.matrix.T @ u], rtol=1e-10, atol=1e-10)


def test_the_first_order_sees_only_the_direct_part_of_a_quadratic_problem():
    toy = Quadratic()
    found = first_order(lambda alphas: toy.validate(toy.weights, alphas), toy.alphas)
    assert torch.equal(found.gradients[0], toy.c)


def test_where_the_training_loss_knows_no_alphas_the_second_order_has_no_mixed_term():
    toy = Quadratic()
    unaware = lambda weights, _: weights["w"].square().sum()  # noqa: E731
    found = second_order("second_exact", unaware, toy.validate, toy.weights, toy.alphas, AHEAD, 0.01)
    assert torch.equal(found.gradients[0], toy.c)


def test_weights_that_are_already_best_give_no_mixed_term_and_no_nan():
    toy = Quadratic()
    still = UnrolledStep(0.0, 0.9, 0.0, None)
    toy.b = toy.weights["w"].detach()
    for order in ORDERS:
        found = second_order(order, toy.train, toy.validate, toy.weights, toy.alphas, still, 0.01)
        assert torch.equal(found.gradients[0], toy.c)


def objectives(net, dtype: torch.dtype = torch.float64) -> tuple[Objective, Objective]:
    """Training and validation loss of a network on two batches."""
    return objective(net, batch(4, dtype)), objective(net, batch(6, dtype))


def test_the_exact_second_order_is_the_central_difference_of_the_loss_one_step_ahead():
    """Of the very loss L_val(w - xi dL_train/dw, alphas): nothing of the formula is used to check it."""
    net, alphas = smooth(network("darts", chosen=False)).double(), double_alphas()
    train, validate = objectives(net)
    weights = dict(net.named_parameters())

    def one_step_ahead() -> float:
        weight_gradients = torch.autograd.grad(train(weights, alphas), list(weights.values()))
        moved = AHEAD(list(weights.values()), list(weight_gradients))
        return validate(dict(zip(weights, moved, strict=True)), alphas).item()

    with frozen_statistics(net):
        found = second_order("second_exact", train, validate, weights, alphas, AHEAD, 0.0)
        plain = first_order(lambda alphas: validate(None, alphas), alphas).gradients
        for part, gradient, first in zip(alphas, found.gradients, plain, strict=True):
            for edge, operation in [(0, 1), (1, 4), (2, 6), (4, 0), (3, 7)]:
                sides = []
                for sign in (1, -1):
                    with torch.no_grad():
                        alphas[part][edge, operation] += sign * 1e-5
                    sides.append(one_step_ahead())
                    with torch.no_grad():
                        alphas[part][edge, operation] -= sign * 1e-5
                weight_gradient = (sides[0] - sides[1]) / 2e-5
                assert gradient[edge, operation].item() == pytest.approx(weight_gradient, abs=1e-8, rel=1e-5)
                assert abs(first[edge, operation].item() - weight_gradient) > 1e-6, (
                    "the first order is another number"
                )


def test_the_step_ahead_is_the_next_step_of_sgd():
    state = under_way(SearchConfig(batch=4, weights_clip=1e9))
    weight_step(state, batch())
    weights = dict(state.network.named_parameters())
    fixed: Alphas = {part: value.detach() for part, value in state.alphas.items()}
    train = objective(state.network, batch(6))
    with frozen_statistics(state.network):
        weight_gradients = list(torch.autograd.grad(train(None, fixed), list(weights.values())))
    expected = unrolled_step_of(state.weight_optimizer)(
        [weight.detach() for weight in weights.values()], weight_gradients
    )
    weight_step(state, batch(6))
    torch.testing.assert_close(
        [weight.detach() for weight in weights.values()], expected, rtol=1e-12, atol=1e-14
    )


def test_difference_and_exact_agree_on_a_smooth_supernet_the_closer_the_smaller_the_step():
    net, alphas = smooth(network("darts", chosen=False)).double(), double_alphas()
    train, validate = objectives(net)
    with frozen_statistics(net):
        errors = [
            difference_error(train, validate, dict(net.named_parameters()), alphas, AHEAD, scale).item()
            for scale in (1e-1, 1e-2, 1e-3)
        ]
    assert errors[2] < 1e-4
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(100, rel=0.2), (
            "the error of a central difference is quadratic in its step"
        )


def test_the_fast_cells_have_the_second_order_of_the_plain_ones():
    net, alphas = network("darts", chosen=False).double(), double_alphas()
    found = []
    for each in (net, reference(net)):
        with frozen_statistics(each):
            found.append(
                second_order(
                    "second_exact", *objectives(each), dict(each.named_parameters()), alphas, AHEAD, 0.0
                )
            )
    torch.testing.assert_close(found[0].loss, found[1].loss, rtol=1e-12, atol=0)
    for name in ("gradients", "mixed"):
        torch.testing.assert_close(getattr(found[0], name), getattr(found[1], name), rtol=1e-8, atol=1e-11)


def test_at_kinks_the_difference_is_right_only_with_a_step_that_crosses_none():
    net, alphas = network("darts", chosen=False).double(), double_alphas()
    train, validate = objectives(net)
    with frozen_statistics(net):
        assert (
            difference_error(train, validate, dict(net.named_parameters()), alphas, AHEAD, 1e-8).item() < 1e-5
        )


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("order", ORDERS)
def test_at_learning_rate_0_the_second_order_is_the_first_bit_for_bit(order, dropout):
    """In single precision. Compared with weights that could get a gradient: torch multiplies frozen ones in
    another order.

    The masks of the validation pass are those after the training pass, so they are set for both.
    """
    net = network("darts", chosen=False, config=with_dropout(dropout))
    alphas: Alphas = {
        part: value.detach().float().requires_grad_() for part, value in double_alphas().items()
    }
    train, validate = objectives(net, torch.float32)

    def same_masks(weights, alphas):
        torch.manual_seed(1)
        return validate(weights, alphas)

    with frozen_weights(net):
        frozen = first_order(lambda alphas: same_masks(None, alphas), alphas)
    with frozen_statistics(net):
        first = first_order(lambda alphas: same_masks(None, alphas), alphas)
        second = second_order(
            order,
            train,
            same_masks,
            dict(net.named_parameters()),
            alphas,
            UnrolledStep(0.0, 0.9, 3e-4, None),
            0.01,
        )
    assert equal(first.gradients, second.gradients)
    assert torch.equal(first.loss, second.loss)
    torch.testing.assert_close(frozen.gradients, second.gradients, rtol=1e-4, atol=1e-6)


def with_dropout(share: float) -> NetworkConfig:
    """The small network with dropout."""
    return NetworkConfig(
        cells=3, nodes=2, channels=2, stem_halves=False, hidden=4, dropout=share, cell_dropout=share / 2
    )


def test_the_difference_replays_the_dropout_masks_of_the_training_pass():
    """With masks of their own its two passes would differ by far more than the weights do."""
    net, alphas = smooth(network("darts", chosen=False, config=with_dropout(0.3))).double(), double_alphas()
    train, validate = objectives(net)
    named = dict(net.named_parameters())
    torch.manual_seed(5)
    with frozen_statistics(net):
        assert difference_error(train, validate, named, alphas, AHEAD, 1e-3).item() < 1e-3

        def other_masks(weights, alphas):
            torch.rand(1)
            torch.manual_seed(int(torch.randint(1 << 30, (1,), generator=fresh)))
            return train(weights, alphas)

        fresh = torch.Generator().manual_seed(0)
        assert difference_error(other_masks, validate, named, alphas, AHEAD, 1e-3).item() > 1


@pytest.mark.parametrize("order", ORDERS)
def test_looking_ahead_changes_no_weight_no_statistic_and_draws_what_its_two_passes_draw(order):
    net, alphas = network("darts", chosen=False, config=with_dropout(0.3)), double_alphas()
    net.double().train()
    train, validate = objectives(net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(0)
    with frozen_statistics(net):
        second_order(order, train, validate, dict(net.named_parameters()), alphas, AHEAD, 0.01)
        after = torch.get_rng_state()
        torch.manual_seed(0)
        train(None, alphas)
        validate(None, alphas)
    assert torch.equal(torch.get_rng_state(), after)
    assert equal(before, dict(net.state_dict()))
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(value.grad is None for value in alphas.values())


def test_measuring_the_difference_leaves_the_random_state():
    net, alphas = network("darts", chosen=False, config=with_dropout(0.3)).double(), double_alphas()
    train, validate = objectives(net)
    before = torch.get_rng_state()
    with frozen_statistics(net):
        error = difference_error(train, validate, dict(net.named_parameters()), alphas, AHEAD, 0.01)
    assert torch.equal(torch.get_rng_state(), before)
    assert math.isfinite(error.item())


def test_the_exact_second_order_of_single_precision_is_that_of_double():
    """oneDNN's LSTM and convolutions are differentiated twice on the way."""
    config = NetworkConfig(
        cells=NETWORK.cells, nodes=2, channels=4, stem_halves=False, hidden=16, dropout=0.0
    )
    net, alphas = smooth(network("darts", chosen=False, config=config)), double_alphas()
    with frozen_statistics(net):
        single: Alphas = {part: value.detach().float().requires_grad_() for part, value in alphas.items()}
        rough = second_order(
            "second_exact", *objectives(net, torch.float32), dict(net.named_parameters()), single, AHEAD, 0.0
        ).mixed
        net.double()
        fine = second_order(
            "second_exact", *objectives(net), dict(net.named_parameters()), alphas, AHEAD, 0.0
        ).mixed
    for each, exact in zip(rough, fine, strict=True):
        torch.testing.assert_close(each.double(), exact, rtol=1e-3, atol=1e-3 * exact.abs().max().item())
