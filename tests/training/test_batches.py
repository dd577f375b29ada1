"""Laws of passes: left after any batch and gone on with, the same batches come, none twice, none computed in
vain.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.features.cache import FrameStore
from raysernas.runtime.determinism import generator_state, set_generator_state
from raysernas.training.batches import EndlessBatches, EpochBatches
from tests.support.checkpoints import through_a_file
from tests.support.small import noise_part


@given(count=st.integers(1, 20), batch=st.integers(1, 7), left=st.integers(0, 20), seed=st.integers(0, 99))
def test_a_pass_left_after_any_batch_goes_on_with_the_next_one(count, batch, left, seed):
    part, rng = noise_part("train", count), np.random.default_rng(seed)
    whole = [each.features for each in EpochBatches(part, batch, rng)]
    rng = np.random.default_rng(seed)
    begun = EpochBatches(part, batch, rng)
    taken = [each.features for _, each in zip(range(left), begun, strict=False)]
    kept, state = through_a_file(begun.state_dict()), generator_state(rng)
    other = np.random.default_rng(1000)
    set_generator_state(other, state)
    taken += [each.features for each in EpochBatches(part, batch, other, saved=kept)]
    assert len(taken) == len(whole)
    assert all(torch.equal(*pair) for pair in zip(taken, whole, strict=True))


def test_batches_that_were_taken_are_not_made_again(monkeypatch):
    part, read = noise_part("train", 12), []
    clip = FrameStore.clip
    begun = EpochBatches(part, 4, np.random.default_rng(0))
    next(begun)
    next(begun)
    kept = begun.state_dict()
    monkeypatch.setattr(FrameStore, "clip", lambda self, i: read.append(i) or clip(self, i))
    list(EpochBatches(replace(part), 4, np.random.default_rng(0), saved=kept))
    assert sorted(read) == sorted(kept["order"].tolist()[8:])


@pytest.mark.parametrize("left", range(9))
def test_endless_batches_go_on_in_the_middle_of_any_pass(left):
    def stream(seed: int = 0) -> EndlessBatches:
        return EndlessBatches(noise_part("alphas", 14), 4, np.random.default_rng(seed))

    whole, again = stream(), stream(5)
    for _ in range(left):
        next(whole)
    again.load_state_dict(through_a_file(whole.state_dict()))
    assert all(torch.equal(next(whole).features, next(again).features) for _ in range(9))
