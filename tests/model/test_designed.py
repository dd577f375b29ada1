"""Laws of what needs no search."""

import torch

from raysernas.model.designed import Majority
from raysernas.model.network import count_parameters


def test_the_majority_knows_nothing_of_the_utterance():
    made = Majority(3)
    assert count_parameters(made) == 0
    torch.testing.assert_close(
        made(torch.randn(2, 5, 4), torch.tensor([5, 2])).softmax(dim=1), torch.full((2, 3), 1 / 3)
    )
    made.shares = torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(
        made(torch.randn(1, 5, 4), torch.tensor([5])).softmax(dim=1), made.shares[None]
    )
