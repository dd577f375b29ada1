"""Settings of a search that depend on one another: every refusal word by word."""

import pytest

from raysernas.config.files import load
from tests.support.faults import refusal, told

WRONG = {  # overrides -> the text of their refusal
    "search.weights_lr_min=1": told(
        "search.weights_lr_min is above search.weights_lr",
        1.0,
        "at most 0.025",
        "set search.weights_lr_min or search.weights_lr",
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
    "search.stop=eigenvalue search.eigenvalue_every=1 search.epochs=12 search.warmup_epochs=3": told(
        "search.stop=eigenvalue compares two windows of measurements, for which the search is too short",
        *("9 epochs after the warm-up", "at least 10, twice search.stop_window"),
        "set search.stop_window, search.epochs or search.stop=epochs",
    ),
    "retrain.versions=8": told(
        "retrain.versions asks for versions of a varied sound, but nothing varies it",
        *(8, "0, or one of retrain.speeds, pitches_st, noise_snr_db and shift_s"),
        "set retrain.speeds=[0.9,1.0,1.1], say, or retrain.versions=0",
    ),
    "network.cnn=ordered retrain.drop_path=0.1": told(
        "retrain.drop_path drops edges of free cells, but network.cnn=ordered has none",
        *(0.1, "0, or network.cnn=free", "set retrain.drop_path=0 or network.cnn=free"),
    ),
    "search.difference_error=true": told(
        "search.difference_error measures the second order, but search.order is first",
        *(
            "order: first",
            "second_difference or second_exact",
            "set search.difference_error=false or another search.order",
        ),
    ),
    "search.order=second": told(
        "search.order cannot be 'second'",
        *("'second', text", "first, second_exact, second_difference", "set search.order to one of them"),
    ),
    "search.stop_ratio=1": told(
        "search.stop_ratio is out of range", 1.0, "0 <= number < 1", "set search.stop_ratio"
    ),
}


@pytest.mark.parametrize("overrides", WRONG)
def test_settings_that_do_not_fit_are_refused_in_these_words(overrides: str) -> None:
    assert refusal(lambda: load(None, overrides.split())) == WRONG[overrides]


def test_a_search_just_long_enough_may_stop_by_its_curvature() -> None:
    given = [
        "search.stop=eigenvalue",
        "search.eigenvalue_every=1",
        "search.epochs=13",
        "search.warmup_epochs=3",
    ]
    assert load(None, given).search.epochs == 13


def test_settings_that_fit_are_accepted() -> None:
    given = [
        "search.stop=eigenvalue",
        "search.eigenvalue_every=1",
        "search.order=second_difference",
        "search.difference_error=true",
    ]
    assert load(None, given).search.stop == "eigenvalue"
