"""Laws of the mixed edges: the fused sum equals the plain operations, with every gradient and buffer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from raysernas.model.cells import ChosenCell, SearchCell
from raysernas.model.layers import without_bands
from raysernas.model.mixed import MixedEdge
from raysernas.record.genotype import CELL_OPERATIONS, Gene, sources
from tests.support.cells import assert_same, everything
from tests.support.reference_cells import reference

STRIDES = [(1, 1), (2, 1), (1, 2), (2, 2)]
REAL = CELL_OPERATIONS[1:]


def freeze(cell: nn.Module) -> None:
    """As a step of the alphas does."""
    for parameter in cell.parameters():
        parameter.requires_grad_(False)
    for norm in cell.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.track_running_stats = False


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(["normal", "reduction"]),
    nodes=st.integers(1, 3),
    channels=st.sampled_from([1, 2, 3, 4, 8, 16, 33]),
    batch=st.integers(1, 5),
    size=st.tuples(st.integers(2, 13), st.integers(2, 9)),
    halves=st.sampled_from(STRIDES[1:]),
    names=st.sets(st.sampled_from(REAL), min_size=1).map(
        lambda names: tuple(name for name in CELL_OPERATIONS if name in names)
    ),
    frozen=st.booleans(),
    training=st.booleans(),
    last_format=st.booleans(),
)
def test_search_cells_equal_the_plain_operations(
    kind, nodes, channels, batch, size, halves, names, frozen, training, last_format
):
    if batch == 1 and min(size) == 2:
        batch = 2  # a norm in training needs two values
    torch.manual_seed(0)
    cell = (
        SearchCell(kind, nodes, (3, 5), channels, halved_before=False, halves=halves, names=names)
        .double()
        .train(training)
    )
    maps = [torch.randn(batch, width, *size, dtype=torch.float64) for width in (3, 5)]
    if last_format:
        maps = [x.contiguous(memory_format=torch.channels_last) for x in maps]
    mixing = torch.rand(len(sources(nodes)), len(names), dtype=torch.float64)
    if frozen:
        freeze(cell)
    plain = reference(cell)
    assert_same(everything(cell, maps, mixing), everything(plain, maps, mixing), 1e-10)


@pytest.mark.parametrize("kind", ["normal", "reduction"])
@pytest.mark.parametrize(("channels", "steps"), [(1, 2), (3, 7), (8, 12), (33, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_cells_over_time_equal_the_plain_operations(kind, channels, steps, training):
    torch.manual_seed(0)
    cell = SearchCell(kind, 2, (3, 5), channels, halved_before=False, halves=(2, 1))
    without_bands(cell)
    assert {layer.kernel_size[1] for layer in cell.modules() if isinstance(layer, nn.Conv2d)} == {1}
    plain = reference(cell.double().train(training))
    maps = [torch.randn(3, width, steps, 1, dtype=torch.float64) for width in (3, 5)]
    maps = [x.contiguous(memory_format=torch.channels_last) for x in maps]
    mixing = torch.rand(len(sources(2)), len(CELL_OPERATIONS), dtype=torch.float64)
    assert_same(everything(cell, maps, mixing), everything(plain, maps, mixing), 1e-10)


@pytest.mark.parametrize("halves", STRIDES[1:])
@pytest.mark.parametrize(("channels", "size"), [(8, (38, 10)), (16, (19, 5)), (8, (75, 20))])
def test_search_cells_in_single_precision_differ_from_the_plain_operations_by_rounding_only(
    halves, channels, size
):
    torch.manual_seed(0)
    cell = SearchCell("reduction", 2, (6, 6), channels, halved_before=False, halves=halves)
    maps = [torch.randn(3, 6, *size) for _ in range(2)]
    mixing = torch.rand(len(sources(2)), len(CELL_OPERATIONS))
    plain = reference(cell)
    torch.testing.assert_close(cell(*maps, mixing), plain(*maps, mixing), rtol=1e-5, atol=2e-5)
    for one, other in zip(cell.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    # some gradients at the kinks of ReLUs and maxima differ a little, as the order of summation differs
    found, expected = everything(cell, maps, mixing)[1:4], everything(plain, maps, mixing)[1:4]
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        assert other is not None
        assert (one - other).norm() < 2e-2 * other.norm()


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_a_mean_of_ten_deviations_is_still_harmless_in_single_precision(stride):
    """Variances from moments lose digits to large means; those of sources, which are normed, are far
    smaller.
    """
    torch.manual_seed(0)
    edge = MixedEdge(8, stride)
    x, mixing = torch.randn(8, 8, 20, 12) + 10, torch.rand(len(CELL_OPERATIONS))
    expected = reference(edge).double()(x.double(), mixing.double())
    assert (edge(x, mixing) - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_running_statistics_follow_the_rule_of_the_norms_over_many_passes(momentum):
    torch.manual_seed(0)
    cell = SearchCell("reduction", 2, (4, 4), 4, halved_before=False).double()
    for norm in cell.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = momentum
    plain, mixing = reference(cell), torch.rand(len(sources(2)), len(CELL_OPERATIONS), dtype=torch.float64)
    for x in torch.randn(3, 2, 4, 6, 5, dtype=torch.float64):
        cell(x, x, mixing)
        plain(x, x, mixing)
    assert all(norm.num_batches_tracked == 3 for norm in cell.modules() if isinstance(norm, nn.BatchNorm2d))
    for one, other in zip(cell.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(cell.eval()(x, x, mixing), plain.eval()(x, x, mixing), rtol=0, atol=1e-12)


@pytest.mark.parametrize("stride", STRIDES)
def test_second_derivatives_equal_those_of_the_plain_operations(stride):
    torch.manual_seed(0)
    edge = MixedEdge(4, stride).double()
    plain = reference(edge)
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    products = []
    for net in (edge, plain):
        inputs = x.clone().requires_grad_()
        mixing = torch.full((len(CELL_OPERATIONS),), 0.3, dtype=torch.float64, requires_grad=True)
        weights = list(net.parameters())
        loss = net(inputs, mixing).square().mean()
        first = torch.autograd.grad(loss, [inputs, mixing, *weights], create_graph=True)
        torch.manual_seed(3)
        along = sum(
            (gradient * torch.randn(gradient.shape, dtype=gradient.dtype)).sum() for gradient in first
        )
        products.append([*first, *torch.autograd.grad(along, [inputs, mixing, *weights])])  # pyright: ignore
    for one, other in zip(*products, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9 * max(1.0, other.abs().max().item()))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("operation", REAL)
def test_chosen_edges_equal_the_plain_operations(operation, stride):
    torch.manual_seed(0)
    genes = ((Gene(0, operation), Gene(1, operation)),)
    cell = ChosenCell("reduction", genes, (4, 4), 4, halved_before=False, halves=stride).double()
    maps = [torch.randn(3, 4, 9, 7, dtype=torch.float64) for _ in range(2)]
    plain = reference(cell)
    assert_same(everything(cell, maps, 0.0), everything(plain, maps, 0.0), 1e-10)


def test_weights_get_the_same_bits_whether_or_not_the_mixing_weights_want_a_gradient():
    torch.manual_seed(0)
    edge, x, mixing = MixedEdge(4, (2, 2)), torch.randn(3, 4, 8, 6), torch.rand(len(CELL_OPERATIONS))
    free, fixed = (
        torch.autograd.grad(edge(x, shares).square().sum(), list(edge.parameters()))
        for shares in (mixing.clone().requires_grad_(), mixing)
    )
    assert all(torch.equal(one, other) for one, other in zip(free, fixed, strict=True))


def test_two_passes_give_the_same_bits():
    torch.manual_seed(0)
    cell = SearchCell("reduction", 3, (8, 8), 8, halved_before=False)
    maps, mixing = (
        [torch.randn(4, 8, 20, 12) for _ in range(2)],
        torch.rand(len(sources(3)), len(CELL_OPERATIONS)),
    )
    twin = SearchCell("reduction", 3, (8, 8), 8, halved_before=False)
    twin.load_state_dict(cell.state_dict())
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        assert_same(everything(cell, maps, mixing), everything(twin, maps, mixing), 0.0)
    finally:
        torch.use_deterministic_algorithms(before)
