"""What a study may search: every axis is one that can be searched and that changes something."""

from dataclasses import replace
from typing import Any

import pytest

from raysernas.config.files import assign, checked, load
from raysernas.config.schema import Config
from tests.support.faults import refusal, told

OFFERS = "study.space offers a value that the setting refuses:"

SPACES = {  # study.space -> the text of its refusal
    "{search.x: {low: 1, high: 2}}": told(
        "study.space names search.x",
        *(
            "search.x",
            "the dotted key of a trial setting that is no list and chooses neither people nor machine",
        ),
        "write it like study.space={search.alphas_lr: {low: 1e-3, high: 1e-2}}, or remove it",
    ),
    "{search.alphas_lr: {low: 1}}": told(
        "study.space.search.alphas_lr has no range",
        "{'low': 1}",
        "{low, high[, log]} or {choices: [...]}",
        "correct it",
    ),
    "{search.alphas_lr: {low: 1e-2, high: 1e-3}}": told(
        "study.space.search.alphas_lr has no sound range",
        *(
            "{'low': 0.01, 'high': 0.001}",
            "two numbers, low < high; log true or false, and low > 0 where it is true",
            "correct it",
        ),
    ),
    "{search.alphas_lr: {choices: []}}": told(
        "study.space.search.alphas_lr has no choices", "[]", "a list of distinct values", "correct it"
    ),
    "{features.kind: {low: 1, high: 2}}": told(
        "study.space.features.kind has a range, but the setting is no number",
        *("{'low': 1, 'high': 2}", "{choices: [...]}", "list its choices"),
    ),
    "{search.alphas_lr: {low: 0.1, high: 1}}": told(
        "search.alphas_lr lies outside its own range in study.space; the first candidate is the "
        "configuration as written",
        *("0.01", "{'low': 0.1, 'high': 1}", "set search.alphas_lr inside it, or widen it"),
    ),
    "{network.channels: {low: 4.5, high: 16}}": told(
        "study.space offers a value that the setting refuses: network.channels has the wrong type",
        *("4.5", "values that network.channels takes", "correct study.space.network.channels"),
    ),
}


@pytest.mark.parametrize("space", SPACES)
def test_a_wrong_space_is_refused_in_these_words(space: str) -> None:
    assert refusal(lambda: load(None, [f"study.space={space}"])) == SPACES[space]


@pytest.mark.parametrize(
    ("key", "axis", "what"),
    [
        ("study.seed", "{low: 0, high: 9}", "study.space names study.seed"),
        ("corpus.folds", "{choices: [speaker, session]}", "study.space names corpus.folds"),
        ("compute.threads", "{low: 1, high: 2}", "study.space names compute.threads"),
        ("corpus.root", "{choices: ['']}", "study.space names corpus.root"),
        ("retrain.seeds", "{choices: [[0], [1]]}", "study.space names retrain.seeds"),
        ("search", "{alphas_lr: {low: 0, high: 9}}", "study.space names search"),
        ("search.alphas_lr", "5", "study.space.search.alphas_lr has no range"),
        ("search.alphas_lr", "null", "study.space.search.alphas_lr has no range"),
        ("search.alphas_lr", "{low: 0, high: 9, step: 2}", "study.space.search.alphas_lr has no range"),
        ("search.alphas_lr", "{low: a, high: b}", "study.space.search.alphas_lr has no sound range"),
        ("search.alphas_lr", "{low: true, high: 2}", "study.space.search.alphas_lr has no sound range"),
        ("search.alphas_lr", "{low: .nan, high: 2}", "study.space.search.alphas_lr has no sound range"),
        ("search.alphas_lr", "{low: null, high: null}", "study.space.search.alphas_lr has no sound range"),
        (
            "search.alphas_lr",
            "{low: 0, high: 1, log: true}",
            "study.space.search.alphas_lr has no sound range",
        ),
        (
            "search.alphas_lr",
            "{low: 1e-3, high: 1, log: 1}",
            "study.space.search.alphas_lr has no sound range",
        ),
        ("search.alphas_lr", "{low: 1e-3, high: .inf}", f"{OFFERS} search.alphas_lr is out of range"),
        ("search.alphas_lr", "{choices: 3}", "study.space.search.alphas_lr has no choices"),
        ("search.alphas_lr", "{choices: [3e-3, 3e-3]}", "study.space.search.alphas_lr has no choices"),
        ("features.kind", "{choices: [logmel, x]}", f"{OFFERS} features.kind cannot be 'x'"),
        ("network.channels", "{low: 0, high: 16}", f"{OFFERS} network.channels is out of range"),
    ],
)
def test_an_axis_that_cannot_be_searched_is_refused(key: str, axis: str, what: str) -> None:
    assert (
        refusal(lambda: load(None, [f"study.space={{{key}: {axis}}}"])).splitlines()[0] == f"config: {what}"
    )


@pytest.mark.parametrize(
    ("key", "axis"),
    [
        ("search.alphas_lr", {"low": 1e-4, "high": 1e-2, "log": True}),
        ("network.channels", {"low": 4, "high": 16}),
        ("network.channels", {"choices": [8, 16]}),
        ("features.kind", {"choices": ["logmel", "mfcc"]}),
        ("features.window_s", {"choices": [2.0, 3.0]}),
    ],
)
def test_sound_axes_are_accepted_unchanged(key: str, axis: dict[str, Any]) -> None:
    space = {key: axis}
    assert checked(replace(Config(), study=replace(Config().study, space=space))).study.space == space


def test_a_space_chooses_no_machine() -> None:
    space: Any = {"study.space": {"features.device": {"choices": ["cpu", "cuda"]}}}
    assert "study.space names features.device" in refusal(lambda: assign(Config(), space))


def test_a_condition_without_choices_is_refused_in_its_own_words() -> None:
    space = "{search.stop_window: {low: 3, high: 6}, search.stop: {choices: 3}}"
    assert "search.stop_window, which changes nothing" in refusal(
        lambda: load(None, [f"study.space={space}"])
    )


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


def test_one_arm_that_reads_an_axis_is_enough_and_so_is_another_axis_that_turns_it_on() -> None:
    cells = "network.recurrent_cells: {choices: [1, 2]}"
    assert load(None, ["study.arms=[darts,darts_joint]", f"study.space={{{cells}}}"])
    both = f"study.space={{{cells}, network.recurrent: {{choices: [lstm_attention, searched]}}}}"
    assert load(None, ["study.arms=[darts]", both])
