"""Laws of determinism: streams are independent and stable, an unresolved device is refused."""

import pytest
import torch

from raysernas.config.schema import ComputeConfig, TrialConfig
from raysernas.runtime.determinism import device_of, pin, stream


def test_streams_differ_by_purpose_seed_and_fold_and_by_nothing_else():
    assert stream(TrialConfig(seed=3), "search") == stream(TrialConfig(seed=3, arm="cnn"), "search")
    trials = [TrialConfig(seed=seed, fold=fold) for seed in range(10) for fold in range(5)]
    seeds = {
        stream(trial, purpose) for trial in trials for purpose in ("search", "draw", "retrain 0", "retrain 1")
    }
    assert len(seeds) == 200
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_pin_sets_the_threads_of_the_configuration():
    before = torch.get_num_threads()
    try:
        pin(ComputeConfig(threads=1))
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


def test_a_device_must_be_resolved_before_a_trial_runs():
    assert device_of(TrialConfig(compute=ComputeConfig(device="cpu"))) == torch.device("cpu")
    with pytest.raises(ValueError, match="resolve the configuration first"):
        device_of(TrialConfig())
