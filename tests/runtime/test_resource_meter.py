"""Laws of the resource meter: it measures the seconds of the block and the block's own peak of memory."""

import time

import numpy as np
import pytest
import torch

from raysernas.runtime.resource_meter import Cost, metered


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


def test_sleep_takes_time_and_no_processor():
    with metered(torch.device("cpu")) as cost:
        time.sleep(0.2)
    assert cost.cpu_s < cost.seconds / 2
    with metered(torch.device("cpu"), Cost(1.0, 1.0, 2.0)) as again:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
    assert again.cpu_s >= 2.05


def test_a_record_shares_seconds_among_runs_but_no_memory():
    assert Cost(6.0, 100.0, 9.0).row("test", runs=3) == {"test_s": 2.0, "test_cpu_s": 3.0, "test_mb": 100.0}
