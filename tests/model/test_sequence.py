"""Laws of the searched recurrent part: any size fits, padding has no influence, derivatives are exact."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from raysernas.model.recurrent import Recurrence
from raysernas.model.sequence import ChosenSequence, SearchedRecurrence, SearchSequence, twice_differentiable
from raysernas.record.genotype import SEQUENCE_OPERATIONS, Gene, sources
from tests.support.sequences import LENGTHS, a_cell, batch, chosen_cell, mixing_weights, same


@settings(max_examples=10)
@given(
    channels=st.integers(1, 5),
    width=st.integers(2, 9),
    steps=st.integers(1, 6),
    size=st.integers(1, 4),
    nodes=st.integers(1, 3),
    cells=st.integers(1, 2),
    searched=st.booleans(),
)
def test_the_part_fits_any_channels_to_its_width(channels, width, steps, size, nodes, cells, searched):
    part = SearchedRecurrence(
        channels, width, cells, nodes, None if searched else a_cell(steps, nodes), 0.1
    ).double()
    x, mask = batch(channels, steps, torch.full((size,), steps))
    assert part.channels == width
    assert part(x, mask, mixing_weights(nodes) if searched else None).shape == (size, steps, width)


@pytest.mark.parametrize("searched", [True, False])
def test_padded_steps_change_nothing_and_come_out_as_zeros(searched):
    torch.manual_seed(0)
    part = SearchedRecurrence(5, 6, 2, 3, None if searched else a_cell(0, 3), 0.0).double()
    mixing, (x, mask) = mixing_weights(3) if searched else None, batch(5)
    made = part(x, mask, mixing)
    assert torch.equal(part(x.masked_fill(~mask[:, :, None], float("nan")), mask, mixing), made)
    assert (made[~mask] == 0).all()
    assert (made[mask] != 0).any(dim=1).all()
    for i, length in enumerate(LENGTHS.tolist()):
        same(part(x[i : i + 1, :length], mask[i : i + 1, :length], mixing)[0], made[i, :length])


@pytest.mark.parametrize("seed", range(6))
def test_a_searched_cell_under_one_hot_mixing_is_the_chosen_cell_of_its_weights(seed):
    torch.manual_seed(0)
    nodes = 3
    searched, genes = SearchSequence(6, nodes, 0.0).double(), a_cell(seed, nodes)
    mixing = torch.zeros_like(mixing_weights(nodes))
    mixing[:, 0] = 1
    for node, into in enumerate(genes):
        for gene in into:
            edge = sources(nodes, inputs=1).index((node, gene.source))
            mixing[edge] = torch.zeros(len(SEQUENCE_OPERATIONS))
            mixing[edge, SEQUENCE_OPERATIONS.index(gene.operation)] = 1
    x, mask = batch(6)
    chosen = chosen_cell(searched, genes)
    assert isinstance(chosen, ChosenSequence)
    same(searched(x, mask, mixing), chosen(x, mask))


def test_a_chosen_cell_has_its_own_copy_of_the_weights():
    searched = SearchSequence(4, 1, 0.0)
    chosen = chosen_cell(searched, ((Gene(0, "bigru_1_attention"),),))
    before = [value.clone() for value in chosen.parameters()]
    with torch.no_grad():
        for value in searched.parameters():
            value.add_(1)
    assert all(torch.equal(value, kept) for value, kept in zip(chosen.parameters(), before, strict=True))


@pytest.mark.parametrize("searched", [True, False])
def test_every_parameter_gets_a_gradient(searched):
    torch.manual_seed(0)
    part = SearchedRecurrence(5, 7, 2, 3, None if searched else a_cell(1, 3), 0.0).double()
    mixing, (x, mask) = mixing_weights(3).requires_grad_(), batch(5)
    made = part(x, mask, mixing if searched else None)
    (made * torch.randn_like(made)).sum().backward()
    for name, value in part.named_parameters():
        assert value.grad is not None, name
        assert (value.grad != 0).any(), name
    if searched:
        assert mixing.grad is not None
        assert (mixing.grad[:, 1:] != 0).all()
        assert (mixing.grad[:, 0] == 0).all()


def test_the_gradients_of_a_searched_cell_are_those_of_differences():
    torch.manual_seed(0)
    cell, (x, mask) = SearchSequence(3, 1, 0.0).double(), batch(3, 3, torch.tensor([3, 2]))
    with twice_differentiable():
        assert torch.autograd.gradcheck(
            lambda x, mixing: cell(x, mask, mixing), (x.requires_grad_(), mixing_weights(1).requires_grad_())
        )


@pytest.mark.parametrize("within", [twice_differentiable, nullcontext])  # on a CPU it is not needed
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_with_the_hessian_is_exact(dtype, within):
    """d/de of the gradient at weights + e * direction, by double backward and by differences in float64."""
    torch.manual_seed(0)
    cell, (x, mask), mixing = SearchSequence(4, 2, 0.0).double(), batch(4), mixing_weights(2)
    weights = list(cell.parameters())
    direction = [torch.randn_like(value) for value in weights]
    mixing.requires_grad_()

    def towards_mixing(step: float) -> torch.Tensor:
        with torch.no_grad():
            for value, way in zip(weights, direction, strict=True):
                value.add_(way, alpha=step)
        return torch.autograd.grad(cell(x, mask, mixing).pow(3).sum(), mixing)[0]

    difference = (towards_mixing(1e-6) - towards_mixing(-2e-6)) / 2e-6
    towards_mixing(1e-6)
    cell.to(dtype)
    weights, mixing_as = list(cell.parameters()), mixing.detach().to(dtype).requires_grad_()
    with within():
        loss = cell(x.to(dtype), mask, mixing_as).pow(3).sum()
    first = torch.autograd.grad(loss, weights, create_graph=True)
    along = torch.stack(
        [(gradient * way.to(dtype)).sum() for gradient, way in zip(first, direction, strict=True)]
    ).sum()
    (product,) = torch.autograd.grad(along, mixing_as)
    error = (product.double() - difference).norm() / difference.norm()
    assert error < (1e-6 if dtype == torch.float64 else 1e-4)


def test_the_fixed_recurrence_can_be_differentiated_twice():
    torch.manual_seed(0)
    recurrence, (x, mask) = Recurrence(4, 3), batch(4)
    with twice_differentiable():
        loss = recurrence(x.float(), mask).pow(3).sum()
    first = torch.autograd.grad(loss, list(recurrence.parameters()), create_graph=True)
    second = torch.autograd.grad(
        torch.stack([each.pow(2).sum() for each in first]).sum(), list(recurrence.parameters())
    )
    assert all(gradient.isfinite().all() and (gradient != 0).any() for gradient in second)


@pytest.mark.parametrize("within", [twice_differentiable, nullcontext])
def test_weights_given_from_outside_are_used(within):
    """An unrolled step must reach the recurrent layers, which keep lists of their weights."""
    torch.manual_seed(0)
    cell, mixing, (x, mask) = SearchSequence(6, 2, 0.0).double(), mixing_weights(2), batch(6)
    weights = {name: torch.randn_like(value) for name, value in cell.named_parameters()}
    with within():
        ahead = functional_call(cell, weights, (x, mask, mixing))
        cell.load_state_dict(weights)
        same(ahead, cell(x, mask, mixing))
