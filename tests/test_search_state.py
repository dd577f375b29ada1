"""Laws of a search's state: a resumed search is the uninterrupted one, and every tensor that learns has one optimiser."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch

from raysernas.config import SearchConfig
from raysernas.learn.darts import Searched, search
from raysernas.learn.state import Endless, Kept, require_one_owner
from raysernas.record.genotype import space
from tests.searches import equal, under_way
from tests.small import network, noise_part
from tests.test_bilevel import with_dropout

NET = with_dropout(0.3)
CONFIGS = {
    "first": SearchConfig(epochs=4, batch=4, warmup_epochs=1, eigenvalue_every=2),
    "second_exact": SearchConfig(epochs=4, batch=4, order="second_exact", difference_error=True),
    "second_difference": SearchConfig(epochs=4, batch=4, order="second_difference", alphas_every=2),
}


def searched(config: SearchConfig, seed: int = 0, resume: Kept | None = None) -> tuple[Searched, list[Kept]]:
    """A small search with dropout whose halves have unlike numbers of batches, and what it kept after each epoch."""
    kept: list[Kept] = []
    net = network("darts", chosen=False, config=NET, seed=seed)
    parts = noise_part("weights", 12), noise_part("alphas", 18, seed=1)
    found = search(net, *parts, config, space(NET), seed=0, report=lambda _: None, resume=resume, keep=kept.append)
    return found, kept


def through_a_file(kept: Kept) -> Kept:
    """As it comes back from disk, read without running anything."""
    buffer = BytesIO()
    torch.save(kept, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("order", CONFIGS)
def test_a_search_resumed_after_any_epoch_is_the_uninterrupted_one_bit_for_bit(order):
    whole, kept = searched(CONFIGS[order])
    for epoch in (1, 2):
        again, _ = searched(CONFIGS[order], seed=7, resume=through_a_file(kept[epoch - 1]))  # another supernet, to be overwritten
        assert again.history == whole.history
        assert equal(again.kept, whole.kept)
        assert again.genotype == whole.genotype


def test_what_is_kept_holds_the_supernet_and_the_alphas_and_is_a_copy():
    found, kept = searched(CONFIGS["first"])
    assert equal(kept[-1], found.kept)
    assert not equal(kept[0]["network"], kept[-1]["network"]), "later epochs leave it alone"
    net = network("darts", chosen=False, config=NET, seed=3)
    net.load_state_dict(found.kept["network"])
    mixing = {part: value.softmax(-1).tolist() for part, value in found.kept["alphas"].items()}
    assert mixing == found.history[-1]["mixing"]


def test_a_finished_search_is_resumed_to_its_result():
    whole, kept = searched(CONFIGS["first"])
    again, more = searched(CONFIGS["first"], seed=7, resume=kept[-1])
    assert more == []
    assert (again.genotype, again.history) == (whole.genotype, whole.history)


def test_the_alphas_half_goes_on_in_the_middle_of_a_pass():
    def stream() -> Endless:
        return Endless(noise_part("alphas", 14), 4, np.random.default_rng(0))

    whole, again = stream(), stream()
    for _ in range(6):
        next(whole)
    kept = whole.kept()
    assert kept["taken"] == 2
    again.restore(kept)
    assert all(torch.equal(next(whole).features, next(again).features) for _ in range(9))


def test_every_weight_and_every_alpha_has_exactly_one_optimiser():
    state = under_way(SearchConfig(batch=4))
    require_one_owner(state.network, state.alphas, state.by_sgd, state.by_adam)
    learning = {id(value) for value in (*state.network.parameters(), *state.alphas.values()) if value.requires_grad}
    owned: list[int] = [id(each) for by in (state.by_sgd, state.by_adam) for group in by.param_groups for each in group["params"]]
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
