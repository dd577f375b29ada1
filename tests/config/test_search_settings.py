"""What may stand in the settings of a search that depend on one another, word by word."""

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


DEAD = {  # axis of a space -> what makes it count, for the arm darts
    "network.recurrent_cells: {choices: [1, 2]}": "network.recurrent=searched",
    "search.difference_scale: {low: 0.001, high: 0.1}": "search.order=second_difference",
    "search.stop_window: {low: 3, high: 6}": "search.stop=eigenvalue search.eigenvalue_every=1",
    "checks.draw_epochs: {choices: [5, 15]}": "checks.ranking=8",
}


@pytest.mark.parametrize("axis", DEAD)
def test_a_space_has_no_axis_that_changes_nothing(axis: str) -> None:
    given, key = ["study.arms=[darts]", f"study.space={{{axis}}}"], axis.split(":", maxsplit=1)[0]
    assert f"study.space names {key}, which changes nothing under the other settings" in refusal(
        lambda: load(None, given)
    )
    # an arm that does not read the key runs once, as ever
    for alive in (DEAD[axis].split(), ["study.arms=[cnn]"]):
        assert key in load(None, [*given, *alive]).study.space


def test_one_arm_that_reads_an_axis_is_enough_and_another_axis_may_wake_it() -> None:
    cells = "network.recurrent_cells: {choices: [1, 2]}"
    assert load(None, ["study.arms=[darts,darts_joint]", f"study.space={{{cells}}}"])
    both = f"study.space={{{cells}, network.recurrent: {{choices: [lstm_attention, searched]}}}}"
    assert load(None, ["study.arms=[darts]", both])


def test_a_search_just_long_enough_may_stop_by_its_curvature() -> None:
    given = [
        "search.stop=eigenvalue",
        "search.eigenvalue_every=1",
        "search.epochs=13",
        "search.warmup_epochs=3",
    ]
    assert load(None, given).search.epochs == 13


def test_settings_that_fit_are_taken() -> None:
    given = [
        "search.stop=eigenvalue",
        "search.eigenvalue_every=1",
        "search.order=second_difference",
        "search.difference_error=true",
    ]
    assert load(None, given).search.stop == "eigenvalue"
