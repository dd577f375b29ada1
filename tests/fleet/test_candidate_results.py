"""Standing: a candidate's value is the one that the tables show, whatever the order in which its trials have
ended.
"""

import math
import random

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import Config
from raysernas.fleet.candidate_results import Standing
from raysernas.fleet.candidates import GivenUp
from raysernas.fleet.proposals import Outcome
from raysernas.record import summary
from raysernas.record.files import CandidateGroup, TrialKey
from raysernas.record.ledger import VALIDATION, TrialRecord
from tests.support import records
from tests.support.fleet import study

FOLDS, SEEDS, RETRAIN = (0, 1, 2), (0, 1), (0, 1)
LINE = CandidateGroup(arm="cnn")
RUNS = len(FOLDS) * len(SEEDS) * len(RETRAIN)
hits = st.lists(st.integers(0, 10), min_size=RUNS, max_size=RUNS)


def plan(*more: str) -> Config:
    return study("study.folds=[0,1,2]", "study.seeds=[0,1]", "retrain.seeds=[0,1]", *more)


def pair(fold: int, seed: int, right: list[int], candidate: int = 0) -> list[TrialRecord]:
    """The records of one trial, one for each retrain seed."""
    first = (FOLDS.index(fold) * len(SEEDS) + SEEDS.index(seed)) * len(RETRAIN)
    return [
        records.record(
            "cnn", candidate, fold, seed, each, valid=(right[first + each], 5, 0), parameters=100 + first
        )
        for each in RETRAIN
    ]


def note(standing: Standing, found: list[TrialRecord]) -> None:
    rows = records.rows(*found).reindex(columns=list(VALIDATION)).to_dict("records")
    standing.note(LINE, found[0].key, rows)


@hypothesis.settings(max_examples=25)
@given(right=hits, order=st.integers(0, 1000))
def test_the_value_is_that_of_the_tables_in_any_order(right: list[int], order: int) -> None:
    trials = [pair(fold, seed, right) for fold in FOLDS for seed in SEEDS]
    random.Random(order).shuffle(trials)
    standing = Standing(plan("study.objectives=[valid_ua,parameters]"))
    for found in trials:
        assert standing.outcome(LINE, 0) == Outcome("running")
        note(standing, found)
    rows = records.rows(*(each for found in trials for each in found))
    table = summary.candidates(rows, folds=FOLDS, seeds=SEEDS, retrain_seeds=RETRAIN)
    outcome = standing.outcome(LINE, 0)
    assert outcome.state == "complete"
    assert outcome.values[0] == pytest.approx(table["valid_ua"].item())
    assert outcome.values[1] == pytest.approx(100 + 5)


@pytest.mark.parametrize("lacking", ["failed", "one retrain seed", "a score", "every row"])
def test_a_candidate_with_a_trial_that_has_no_value_has_none(lacking: str) -> None:
    standing, right = Standing(plan()), 12 * [5]
    for fold in FOLDS:
        for seed in SEEDS:
            found = pair(fold, seed, right)
            if (fold, seed) != (1, 1):
                note(standing, found)
            elif lacking == "failed":
                note(standing, [records.failure("cnn", 0, fold, seed)])
            elif lacking == "one retrain seed":
                note(standing, found[:1])
            elif lacking == "a score":
                rows = records.rows(*found).reindex(columns=list(VALIDATION)).assign(valid_ua=[0.5, math.nan])
                standing.note(LINE, found[0].key, rows.to_dict("records"))
            else:
                standing.note(LINE, found[0].key, [])
    assert standing.outcome(LINE, 0) == Outcome("failed")


def test_a_retrain_seed_that_the_plan_does_not_name_counts_for_nothing() -> None:
    standing = Standing(plan("retrain.seeds=[0]"))
    for fold in FOLDS:
        for seed in SEEDS:
            note(standing, pair(fold, seed, 6 * [4, 10]))
    assert standing.outcome(LINE, 0).values == pytest.approx(((4 + 5 + 0) / 30,))


def test_a_candidate_that_was_given_up_keeps_the_value_it_was_given() -> None:
    standing = Standing(plan())
    standing.give_up(LINE, 0, GivenUp("hopeless", 0.25))
    note(standing, pair(0, 0, 12 * [10]))
    assert standing.outcome(LINE, 0) == Outcome("complete", (0.25,), raced=True)
    assert standing.status(LINE, TrialKey(arm="cnn", candidate=0, fold=0, seed=0)) == "finished"
    assert standing.status(LINE, TrialKey(arm="cnn", candidate=0, fold=0, seed=1)) is None


def test_nobody_is_judged_while_racing_is_off_or_nothing_to_race_against_is_complete() -> None:
    for on in ("true", "false"):
        standing = Standing(plan(f"study.racing.on={on}", "study.racing.looks=none"))
        for fold in FOLDS:
            note(standing, pair(fold, 0, 12 * [0], candidate=1))
            assert standing.look(LINE, 1) is None
