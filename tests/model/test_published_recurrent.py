"""The published recurrent part, rebuilt for comparison, is as large as published and has the published
faults.
"""

import pytest
import torch
from torch import nn

from tests.support.published_recurrent import BATCH, EDGES, WIDTH, Gated, Plain, PublishedRecurrence


def weights_of(module: nn.Module) -> int:
    """Their number."""
    return sum(value.numel() for value in module.parameters())


def test_its_weights_are_as_many_as_those_of_the_public_code():
    with torch.device("meta"):
        assert weights_of(PublishedRecurrence()) == 210_710_528
        assert [weights_of(Plain(nn.LSTM, 1)), weights_of(Plain(nn.RNN, 4))] == [132_096, 4 * 33_024]
        assert [weights_of(Gated(kind, layers)) for kind in (nn.LSTM, nn.RNN) for layers in (1, 2)] == [
            502_400,
            905_856,
            300_160,
            403_072,
        ]


def test_its_utterances_depend_on_the_others_of_the_batch_and_it_fits_one_size_of_batch():
    torch.manual_seed(0)
    lstm, gated, x = Plain(nn.LSTM, 1), Gated(nn.LSTM, 1), torch.randn(BATCH, WIDTH)
    changed = x.clone()
    changed[0] += 1
    assert not torch.allclose(lstm(changed)[1:], lstm(x)[1:])
    assert EDGES == 14
    assert gated(x).shape == x.shape
    with pytest.raises(RuntimeError, match="shape"):
        gated(x[:8])
