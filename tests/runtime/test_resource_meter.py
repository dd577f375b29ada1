"""Laws of the resource meter: it measures the seconds of the block and the block's own peak of memory."""

import time

import numpy as np
import pytest
import torch

from raysernas.runtime.resource_meter import metered


def test_seconds_and_peak_belong_to_the_block():
    with metered(torch.device("cpu")) as large:
        block = np.ones(40_000_000)
        time.sleep(0.05)
        del block
    with metered(torch.device("cpu")) as small:
        pass
    assert large.seconds >= 0.05
    assert large.peak_mb - small.peak_mb > 250, "40 million doubles are 305 MiB"


def test_cost_is_known_even_if_the_block_fails():
    costs = []

    def fail() -> None:
        with metered(torch.device("cpu")) as cost:
            costs.append(cost)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert costs[0].peak_mb > 0
