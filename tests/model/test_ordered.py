"""Laws of the ordered network: conv then pool, always; nothing depends on batch mates."""

import pytest
import torch
from torch import nn

from raysernas.model.mixed import MixedEdge
from raysernas.model.ordered import OrderedPair
from raysernas.record.genotype import CONVOLUTIONS, Gene


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_a_pair_widens_and_its_pool_halves(strides, conv):
    pair = OrderedPair(3, 6, strides, ((Gene(0, conv),), (Gene(0, "max_pool_3x3"),)))
    made = pair(torch.randn(2, 3, 9, 7))
    assert made.shape == (2, 6, -(-9 // strides[0]), -(-7 // strides[1]))
    assert any(isinstance(layer, nn.Conv2d) for layer in pair.conv.modules())
    assert not any(isinstance(layer, nn.Conv2d) for layer in pair.pool.modules())


@pytest.mark.parametrize("training", [True, False])
def test_a_searched_pair_is_the_weighted_sum_of_each_slots_operations(training):
    pair, plain = (OrderedPair(3, 4, (2, 2), None).double().train(training) for _ in range(2))
    plain.load_state_dict(pair.state_dict())
    x = torch.randn(3, 3, 8, 6, dtype=torch.float64)
    conv, pool = torch.rand(4, dtype=torch.float64), torch.rand(2, dtype=torch.float64)
    expected = plain.fit(x)
    for slot, mixing in ((plain.conv, conv), (plain.pool, pool)):
        assert isinstance(slot, MixedEdge)
        expected = torch.stack(
            [weight * op(expected) for weight, op in zip(mixing, slot.operations, strict=True)]
        ).sum(0)
    torch.testing.assert_close(pair(x, conv, pool), expected, rtol=0, atol=1e-10)
    kept = plain.state_dict()
    for name, value in pair.state_dict().items():
        torch.testing.assert_close(value, kept[name], rtol=0, atol=1e-10, msg=name)


def test_a_searched_pair_is_equivariant_under_batch_permutation():
    pair = OrderedPair(3, 4, (2, 2), None).double().eval()
    x, order = torch.randn(5, 3, 9, 7, dtype=torch.float64), torch.tensor([3, 0, 4, 2, 1])
    conv, pool = torch.rand(4, dtype=torch.float64), torch.rand(2, dtype=torch.float64)
    torch.testing.assert_close(pair(x[order], conv, pool), pair(x, conv, pool)[order], rtol=0, atol=1e-10)
