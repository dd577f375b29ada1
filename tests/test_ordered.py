"""Laws of the ordered network: conv then pool, always; nothing depends on batch mates."""

import pytest
import torch
from torch import nn

from raysernas.model.ordered import MixedSlot, Pair
from raysernas.record.genotype import CONVOLUTIONS, POOLS, Gene


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_a_pair_widens_and_its_pool_halves(strides, conv):
    pair = Pair(3, 6, strides, ((Gene(0, conv),), (Gene(0, "max_pool_3x3"),)))
    made = pair(torch.randn(2, 3, 9, 7))
    assert made.shape == (2, 6, -(-9 // strides[0]), -(-7 // strides[1]))
    assert any(isinstance(layer, nn.Conv2d) for layer in pair.conv.modules())
    assert not any(isinstance(layer, nn.Conv2d) for layer in pair.pool.modules())


@pytest.mark.parametrize("operations", [CONVOLUTIONS, POOLS])
def test_a_mixed_slot_is_the_weighted_sum_of_its_operations(operations):
    slot = MixedSlot(operations, 4, (1, 1)).double()
    x, mixing = torch.randn(3, 4, 8, 6, dtype=torch.float64), torch.rand(len(operations), dtype=torch.float64)
    expected = torch.stack([weight * op(x) for weight, op in zip(mixing, slot.operations, strict=True)]).sum(0)
    torch.testing.assert_close(slot(x, mixing), expected, rtol=0, atol=1e-10)


def test_a_searched_pair_is_equivariant_under_batch_permutation():
    pair = Pair(3, 4, (2, 2), None).double().eval()
    x, order = torch.randn(5, 3, 9, 7, dtype=torch.float64), torch.tensor([3, 0, 4, 2, 1])
    conv, pool = torch.rand(4, dtype=torch.float64), torch.rand(2, dtype=torch.float64)
    torch.testing.assert_close(pair(x[order], conv, pool), pair(x, conv, pool)[order], rtol=0, atol=1e-10)
