"""Laws of a search's state: a resumed search is the uninterrupted one, and every tensor that learns has one
optimiser.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from raysernas.config.schema import SearchConfig
from raysernas.record.genotype import space
from raysernas.record.history import HistoryEntry
from raysernas.runtime.checkpointing import SavedState
from raysernas.search.darts import SearchResult, search
from raysernas.search.state import require_one_owner
from raysernas.training.batches import EndlessBatches
from tests.search.test_bilevel import with_dropout
from tests.support.checkpoints import RecordingCheckpoint
from tests.support.searches import equal, under_way
from tests.support.small import network, noise_part

NET = replace(with_dropout(0.3), nodes=1)
CONFIGS = {
    "first": SearchConfig(epochs=2, batch=4, warmup_epochs=1),
    "watched": SearchConfig(epochs=3, batch=4, warmup_epochs=1, eigenvalue_every=2),
    "second_exact": SearchConfig(epochs=2, batch=4, order="second_exact", difference_error=True),
    "second_difference": SearchConfig(epochs=3, batch=4, order="second_difference", alphas_every=2),
}


def searched(
    config: SearchConfig, seed: int = 0, kept: SavedState | None = None
) -> tuple[SearchResult, RecordingCheckpoint, list[HistoryEntry]]:
    """A small search with dropout whose halves have unlike numbers of batches, what it kept, and what it
    reported.
    """
    checkpoint, reported = RecordingCheckpoint(kept), []
    net = network("darts", chosen=False, config=NET, seed=seed)
    parts = noise_part("weights", 12), noise_part("alphas", 18, seed=1)
    found = search(net, *parts, config, space(NET), seed=0, report=reported.append, checkpoint=checkpoint)
    return found, checkpoint, reported


def untimed(entries: list[HistoryEntry]) -> list[HistoryEntry]:
    return [
        {name: value for name, value in entry.items() if name not in ("timing", "restored")}
        for entry in entries
    ]


@pytest.mark.parametrize(
    "order", ["first", *(pytest.param(each, marks=pytest.mark.slow) for each in CONFIGS if each != "first")]
)
def test_a_search_resumed_after_any_step_is_the_uninterrupted_one_bit_for_bit(order):
    whole, checkpoint, reported = searched(CONFIGS[order])
    assert len(checkpoint.states) == 3 * CONFIGS[order].epochs
    for kept in checkpoint.states:
        again, _, told = searched(CONFIGS[order], seed=7, kept=kept)  # another supernet, to be overwritten
        assert again.history == whole.history
        assert equal(again.state, whole.state)
        assert again.genotype == whole.genotype
        assert untimed(told) == untimed(reported), "earlier epochs are told again, each epoch once"


def test_what_is_told_again_is_marked_but_for_the_last_epoch():
    config = CONFIGS["first"]
    _, checkpoint, reported = searched(config)
    _, _, told = searched(config, kept=checkpoint.states[-1])  # the last epoch had no end yet
    assert ["restored" in entry for entry in told] == [False, False]
    assert told[0]["timing"] == reported[0]["timing"], "the times of earlier attempts are not lost"


def test_what_is_kept_holds_the_supernet_and_the_alphas_and_is_a_copy():
    found, checkpoint, _ = searched(CONFIGS["first"])
    assert checkpoint.last is not None
    assert equal(
        {name: checkpoint.last[name] for name in found.state if name != "random"}
        | {"random": found.state["random"]},
        found.state,
    )
    assert not equal(checkpoint.states[0]["network"], found.state["network"]), "later steps leave it alone"
    net = network("darts", chosen=False, config=NET, seed=3)
    net.load_state_dict(found.state["network"])
    mixing = {part: value.softmax(-1).tolist() for part, value in found.state["alphas"].items()}
    assert mixing == found.history[-1]["mixing"]


def test_a_finished_search_is_resumed_to_its_result_without_a_step():
    whole, checkpoint, _ = searched(CONFIGS["first"])
    again, more, _ = searched(CONFIGS["first"], seed=7, kept=checkpoint.last)
    assert more.states == []
    assert (again.genotype, again.history) == (whole.genotype, whole.history)
    assert equal(again.state, whole.state)


def test_the_alphas_half_goes_on_in_the_middle_of_a_pass():
    def stream() -> EndlessBatches:
        return EndlessBatches(noise_part("alphas", 14), 4, np.random.default_rng(0))

    whole, again = stream(), stream()
    for _ in range(6):
        next(whole)
    kept = whole.state_dict()
    assert kept["taken"] == 2
    again.load_state_dict(kept)
    assert all(torch.equal(next(whole).features, next(again).features) for _ in range(9))


def test_every_weight_and_every_alpha_has_exactly_one_optimiser():
    state = under_way(SearchConfig(batch=4))
    require_one_owner(state.network, state.alphas, state.weight_optimizer, state.alpha_optimizer)
    learning = {
        id(value) for value in (*state.network.parameters(), *state.alphas.values()) if value.requires_grad
    }
    owned: list[int] = [
        id(each)
        for by in (state.weight_optimizer, state.alpha_optimizer)
        for group in by.param_groups
        for each in group["params"]
    ]
    assert sorted(owned) == sorted(learning)


def test_a_tensor_without_an_optimiser_or_with_two_or_of_the_other_kind_is_refused():
    state = under_way(SearchConfig(batch=4))
    weights, values = list(state.network.parameters()), list(state.alphas.values())
    wrong: dict[str, list[Any]] = {
        "none": [torch.optim.SGD(weights[1:]), torch.optim.Adam(values)],
        "alphas forgotten": [torch.optim.SGD(weights), torch.optim.Adam(values[1:])],
        "two": [torch.optim.SGD(weights), torch.optim.Adam([*values, weights[0]])],
        "mixed": [torch.optim.SGD(weights[1:]), torch.optim.Adam([*values, weights[0]])],
    }
    for optimizers in wrong.values():
        with pytest.raises(ValueError, match="not in exactly one optimiser"):
            require_one_owner(state.network, state.alphas, *optimizers)
