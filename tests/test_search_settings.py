"""What may stand in the settings of a search that depend on one another, word by word."""

import pytest

from raysernas.config_file import load
from tests.faults import refusal, told

WRONG = {  # overrides -> the text of their refusal
    "search.weights_lr_min=1": told(
        "search.weights_lr_min is above search.weights_lr", 1.0, "at most 0.025", "set search.weights_lr_min or search.weights_lr"
    ),
    "search.warmup_epochs=30": told(
        "search.warmup_epochs leaves no epoch in which the alphas learn",
        *(30, "fewer than search.epochs=30", "set search.warmup_epochs or search.epochs"),
    ),
    "search.stop=eigenvalue": told(
        "search.stop=eigenvalue, but the eigenvalue is not measured in every epoch",
        *("eigenvalue_every: 0", "1", "set search.eigenvalue_every=1 or search.stop=epochs"),
    ),
    "search.stop=eigenvalue search.eigenvalue_every=2": told(
        "search.stop=eigenvalue, but the eigenvalue is not measured in every epoch",
        *("eigenvalue_every: 2", "1", "set search.eigenvalue_every=1 or search.stop=epochs"),
    ),
    "search.difference_error=true": told(
        "search.difference_error measures the second order, but search.order is first",
        *("order: first", "second_difference or second_exact", "set search.difference_error=false or another search.order"),
    ),
    "search.order=second": told(
        "search.order cannot be 'second'",
        *("'second', text", "first, second_exact, second_difference", "set search.order to one of them"),
    ),
    "search.stop_ratio=1": told("search.stop_ratio is out of range", 1.0, "0 <= number < 1", "set search.stop_ratio"),
}


@pytest.mark.parametrize("overrides", WRONG)
def test_settings_that_do_not_fit_are_refused_in_these_words(overrides: str) -> None:
    assert refusal(lambda: load(None, overrides.split())) == WRONG[overrides]


def test_settings_that_fit_are_taken() -> None:
    given = [
        "search.stop=eigenvalue",
        "search.eigenvalue_every=1",
        "search.order=second_difference",
        "search.difference_error=true",
    ]
    assert load(None, given).search.stop == "eigenvalue"
