"""Laws of the candidate operations on maps, and of one that is added to them."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from raysernas.model.cells import ChosenCell, SearchCell
from raysernas.model.mixed import MixedEdge
from raysernas.model.operations.members import OPERATIONS, build
from raysernas.model.operations.operation import Operation
from raysernas.model.operations.skip_connect import Halve
from raysernas.record.genotype import CELL_OPERATIONS, CONVOLUTIONS, POOLS, Gene, sources
from tests.support.cells import assert_same, everything
from tests.support.faults import refusal
from tests.support.reference_cells import reference

STRIDES = [(1, 1), (2, 1), (1, 2), (2, 2)]


def test_the_names_of_a_space_are_those_of_the_operations():
    assert tuple(OPERATIONS) == CELL_OPERATIONS
    assert {*CONVOLUTIONS, *POOLS} < {*OPERATIONS}


def test_an_unknown_name_is_refused():
    text = (
        "network: there is no such operation on maps\n  got: sep_conv_7x7\n  expected: one of none, "
        "max_pool_3x3, avg_pool_3x3, skip_connect, sep_conv_3x3, sep_conv_5x5, dil_conv_3x3, dil_conv_5x5\n"
        "  fix: add it to OPERATIONS in raysernas/model/operations/members.py"
    )
    assert refusal(lambda: build("sep_conv_7x7", 4, (1, 1), affine=True)) == text
    assert refusal(lambda: MixedEdge(4, (1, 1), ("none", "sep_conv_7x7"))) == text


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("stride", STRIDES)
@settings(max_examples=8, deadline=None)
@given(time=st.integers(3, 13), band=st.integers(3, 9), channels=st.sampled_from([1, 2, 3, 4]))
def test_every_operation_keeps_channels_and_halves_rounding_up(operation, stride, time, band, channels):
    x = torch.randn(2, channels, time, band)
    made = build(operation, channels, stride, affine=True)(x)
    assert made.shape == (2, channels, -(-time // stride[0]), -(-band // stride[1]))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("stride", STRIDES)
def test_every_operation_is_equivariant_under_batch_permutation(operation, stride):
    torch.manual_seed(0)
    module = build(operation, 4, stride, affine=True).double().eval()
    x, order = torch.randn(5, 4, 9, 7, dtype=torch.float64), torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(module(x[order]), module(x)[order], rtol=0, atol=1e-12)


def test_skip_at_stride_1_is_the_identity_and_none_is_zero():
    x = torch.randn(2, 3, 5, 4)
    assert torch.equal(build("skip_connect", 3, (1, 1), affine=False)(x), x)
    assert not build("none", 3, (1, 1), affine=False)(x).any()


def test_halving_sees_both_phases_of_time_and_band():
    halve = Halve(1, 2, affine=False).double().eval()
    x = torch.ones(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    halve(x).sum().backward()
    assert x.grad is not None
    seen = x.grad[0, 0] != 0
    assert seen[::2, ::2].all()
    assert seen[1::2, 1::2].all()


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "none"])
@settings(max_examples=5)
@given(channels=st.integers(1, 5), batch=st.integers(2, 4), time=st.integers(2, 9), band=st.integers(2, 6))
def test_in_training_a_mixed_edge_of_one_operation_is_its_plain_module(
    operation, stride, channels, batch, time, band
):
    torch.manual_seed(0)
    edge = MixedEdge(channels, stride).double()
    number = CELL_OPERATIONS.index(operation)
    (plain,) = reference(nn.ModuleList([edge.operations[number]]))
    x = torch.randn(batch, channels, time, band, dtype=torch.float64)
    one_hot = torch.zeros(len(CELL_OPERATIONS), dtype=torch.float64)
    one_hot[number] = 1
    torch.testing.assert_close(edge(x, one_hot), plain(x), rtol=0, atol=1e-10)
    for one, other in zip(edge.operations[number].buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def toy(channels: int, stride: tuple[int, int], affine: bool) -> nn.Module:
    """An operation with layers of its own and no fast form."""
    convolution = nn.Conv2d(channels, channels, (3, 1), stride, (1, 0), bias=False)
    return nn.Sequential(nn.Sigmoid(), convolution, nn.BatchNorm2d(channels, affine=affine))


@pytest.fixture
def with_toy(monkeypatch):
    """Names of operations, the toy among them."""
    monkeypatch.setitem(OPERATIONS, "toy", Operation(toy))
    return (*CELL_OPERATIONS[:4], "toy", *CELL_OPERATIONS[4:])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("kind", ["normal", "reduction"])
def test_an_operation_that_is_added_joins_the_sum_of_every_edge(kind, only, training, with_toy):
    torch.manual_seed(0)
    names = ("none", "toy") if only else with_toy
    cell = SearchCell(kind, 2, (3, 5), 4, halved_before=False, names=names).double().train(training)
    maps = [torch.randn(3, width, 9, 7, dtype=torch.float64) for width in (3, 5)]
    mixing = torch.rand(len(sources(2)), len(names), dtype=torch.float64)
    plain = reference(cell)
    assert_same(everything(cell, maps, mixing), everything(plain, maps, mixing), 1e-10)
    toys: Any = [edge.operations[names.index("toy")] for edge in cell.edges]  # pyright: ignore
    assert all(module[1].weight.grad.any() for module in toys)
    assert all(module[2].num_batches_tracked == training for module in toys)


@pytest.mark.usefixtures("with_toy")
def test_an_operation_that_is_added_can_be_chosen():
    genes = ((Gene(0, "toy"), Gene(1, "skip_connect")),)
    cell = ChosenCell("reduction", genes, (3, 5), 4, halved_before=False)
    assert cell(torch.randn(2, 3, 9, 7), torch.randn(2, 5, 9, 7), 0.0).shape == (2, 4, 5, 4)
