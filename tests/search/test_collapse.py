"""Laws of the warnings: what collapses is told, what does not is not, and a search goes back to before the
curvature grew.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import NetworkConfig, SearchConfig
from raysernas.record.genotype import GenotypePart, all_skip, draw, space
from raysernas.search.collapse import gene_counts, grown_since, share, warnings

SPACE = space(NetworkConfig(nodes=3))
DRAWN = draw(np.random.default_rng(0), SPACE).to_json()
STOPS = SearchConfig(eigenvalue_every=1, stop="eigenvalue")


def entry(epoch: int, eigenvalue: float | None = None, genotype: str = DRAWN, entropy: float = 0.9) -> dict:
    """Of a history."""
    measured = {} if eigenvalue is None else {"eigenvalue": eigenvalue}
    return {"epoch": epoch, "genotype": genotype, "entropy": entropy} | measured


def test_a_cell_of_skips_alone_is_told_by_name():
    told = warnings([entry(1, genotype=all_skip(SPACE).to_json())], SearchConfig())
    assert told == [
        "every gene of the normal part is skip_connect",
        "every gene of the reduction part is skip_connect",
    ]
    assert warnings([entry(1)], SearchConfig()) == []


def test_entropy_below_its_floor_is_told():
    assert warnings([entry(1, entropy=0.2)], SearchConfig(entropy_floor=0.2)) == []
    (told,) = warnings([entry(1, entropy=0.1994)], SearchConfig(entropy_floor=0.2))
    assert told == "the entropy of the mixing weights, 0.199, is below search.entropy_floor=0.2"


def test_the_search_goes_back_to_the_middle_of_the_window_before_the_growth():
    """k = 5: at epoch 10 the mean of 6..10 stands against that of 1..5, and epoch 3 = (10 - 2) - 5 is
    returned.
    """
    history = [entry(epoch, 1.0 if epoch < 6 else 2.0) for epoch in range(1, 11)]
    assert grown_since(history, STOPS) == 3
    assert [grown_since(history[:last], STOPS) for last in range(1, 10)] == [None] * 9
    assert warnings(history, STOPS) == [
        "the curvature in the alphas has grown more than 1/0.75-fold since epoch 3"
    ]


@pytest.mark.parametrize(("now", "grown"), [(1.3, False), (4 / 3, False), (1.34, True)])
def test_growth_counts_beyond_the_ratio(now, grown):
    history = [entry(epoch, 1.0 if epoch < 6 else now) for epoch in range(1, 11)]
    assert (grown_since(history, STOPS) is not None) == grown


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 6))
def test_an_eigenvalue_that_never_grows_stops_no_search(steps, window):
    falling = 0.2 - np.cumsum(steps) / 30
    config = SearchConfig(eigenvalue_every=1, stop="eigenvalue", stop_window=window)
    assert grown_since([entry(epoch, value) for epoch, value in enumerate(falling, start=1)], config) is None


@pytest.mark.parametrize(("before", "now"), [(-1.0, -1.1), (1e-9, 4e-9), (0.0, 5e-7)])
def test_a_falling_negative_eigenvalue_or_one_of_rounding_errors_has_not_grown(before, now):
    history = [entry(epoch, before if epoch < 6 else now) for epoch in range(1, 11)]
    assert grown_since(history, STOPS) is None
    grown = [entry(epoch, before if epoch < 6 else 1.0 + abs(before)) for epoch in range(1, 11)]
    assert grown_since(grown, STOPS) == 3


def test_measurements_of_the_warm_up_do_not_count():
    history = [entry(epoch, 1.0 if epoch < 6 else 2.0) for epoch in range(1, 11)]
    config = SearchConfig(eigenvalue_every=1, stop="eigenvalue", warmup_epochs=1)
    assert grown_since(history, config) is None
    later = [entry(epoch, 1.0 if epoch < 7 else 2.0) for epoch in range(1, 12)]
    assert grown_since(later, config) == 4


def test_rare_measurements_warn_in_the_epochs_that_have_one():
    history = [
        entry(epoch, (1.0 if epoch < 12 else 2.0) if epoch % 2 == 0 else None) for epoch in range(1, 22)
    ]
    config = SearchConfig(eigenvalue_every=2)
    assert grown_since(history[:20], config) == 6
    assert grown_since(history, config) is None


def test_genes_are_counted_against_the_epoch_before():
    other = draw(np.random.default_rng(1), SPACE).to_json()
    assert "changed" not in gene_counts(DRAWN, None)
    assert gene_counts(DRAWN, DRAWN)["changed"] == 0
    assert 0 < gene_counts(other, DRAWN)["changed"] <= 12
    assert gene_counts(all_skip(SPACE).to_json(), DRAWN)["skips"] == 12


def test_the_share_of_an_operation_is_taken_over_the_parts_that_offer_it():
    parts = space(NetworkConfig(cnn="ordered", recurrent="searched"))
    mixtures: dict[GenotypePart, Any] = {
        part: np.full((len(c.edges), len(c.operations)), 1 / len(c.operations)) for part, c in parts.items()
    }
    assert share(mixtures, parts, "none") == pytest.approx(1 / len(parts["recurrent"].operations))
    assert share(mixtures, parts, "max_pool_3x3") == pytest.approx(0.5)
    assert share(mixtures, parts, "nothing") == 0
