"""Laws of the curvature: its eigenvalue is that of the whole Hessian, and measuring it leaves no trace."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.search.bilevel import frozen_weights
from raysernas.search.curvature import alpha_curvature, hessian_product, largest_eigenvalue
from tests.search.test_bilevel import with_dropout
from tests.support.searches import batch, double_alphas, equal, objective, smooth, softmax
from tests.support.small import SMALLEST, network


@pytest.mark.parametrize("kinks", [False, True])
def test_the_eigenvalue_is_that_of_the_whole_hessian_in_the_alphas(kinks):
    net, alphas = network("darts", chosen=False, config=SMALLEST).double(), double_alphas(SMALLEST)
    net = net if kinks else smooth(net)
    loss = objective(net, batch(6))
    size = sum(value.numel() for value in alphas.values())
    with frozen_weights(net):
        product = hessian_product(loss(None, alphas), list(alphas.values()))
        whole = torch.stack([product(row) for row in torch.eye(size, dtype=torch.float64)])
    torch.testing.assert_close(whole, whole.T, rtol=0, atol=1e-12)
    expected = torch.linalg.eigvalsh(whole)[-1].item()
    assert expected > 0
    assert alpha_curvature(loss, alphas) == pytest.approx(expected, rel=1e-8)


def test_a_product_with_the_hessian_is_the_central_difference_of_gradients():
    net, alphas = smooth(network("darts", chosen=False)).double(), double_alphas()
    loss, values = objective(net, batch(6)), list(alphas.values())
    v = torch.randn(80, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sides = []
    with frozen_weights(net):
        found = hessian_product(loss(None, alphas), values)(v)
        for sign in (1, -2):
            with torch.no_grad():
                for value, part in zip(values, v.split(40), strict=True):
                    value.add_(part.view_as(value), alpha=sign * 1e-5)
            sides.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss(None, alphas), values)]))
    torch.testing.assert_close(found, (sides[0] - sides[1]) / 2e-5, rtol=1e-5, atol=1e-8)


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(0, 10**6), st.sampled_from(["any", "below zero", "low rank"]))
def test_lanczos_finds_the_largest_eigenvalue_of_any_symmetric_matrix(size, seed, kind):
    """Of matrices as small as one number, without a positive eigenvalue, and of two eigenvalues that are not
    0.
    """
    half = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    matrix = {"any": half + half.T, "below zero": -half @ half.T, "low rank": half[:, :2] @ half[:, :2].T}[
        kind
    ]
    found = largest_eigenvalue(lambda v: matrix @ v, size, torch.float64)
    values = torch.linalg.eigvalsh(matrix)
    assert found == pytest.approx(values[-1].item(), abs=1e-6 * values.abs().max().item())


def test_a_flat_loss_has_no_curvature():
    assert largest_eigenvalue(torch.zeros_like, 5, torch.float32) == 0


@pytest.mark.slow
def test_measuring_is_repeatable_and_leaves_no_trace():
    config = replace(with_dropout(0.3), nodes=1)
    net, alphas = network("darts", chosen=False, config=config).double().train(), double_alphas(config)
    loss = objective(net, batch(6), softmax(config))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    torch.manual_seed(3)
    first = alpha_curvature(loss, alphas)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    assert torch.equal(torch.get_rng_state(), after)
    torch.manual_seed(4)
    assert alpha_curvature(loss, alphas) == first
    assert equal(before, dict(net.state_dict()))
    assert [module.training for module in net.modules()] == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())
    assert all(value.grad is None for value in alphas.values())
