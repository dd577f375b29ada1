"""Law of the candidate results: a candidate has the value that the tables show, in whatever order its trials
end.
"""

import math
import random

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import Config
from raysernas.fleet.candidate_results import CandidateResults
from raysernas.fleet.candidates import GivenUp
from raysernas.fleet.proposals import Outcome
from raysernas.record import summary
from raysernas.record.files import CandidateGroup, TrialKey
from raysernas.record.ledger import VALIDATION, TrialRecord
from tests.support import records
from tests.support.fleet import study

FOLDS, SEEDS, RETRAIN = (0, 1, 2), (0, 1), (0, 1)
GROUP = CandidateGroup(arm="cnn")
RUNS = len(FOLDS) * len(SEEDS) * len(RETRAIN)
hits = st.lists(st.integers(0, 10), min_size=RUNS, max_size=RUNS)


def plan(*more: str) -> Config:
    return study("study.folds=[0,1,2]", "study.seeds=[0,1]", "retrain.seeds=[0,1]", *more)


def trial(fold: int, seed: int, right: list[int], candidate: int = 0) -> list[TrialRecord]:
    """The records of one trial, one for each retrain seed."""
    first = (FOLDS.index(fold) * len(SEEDS) + SEEDS.index(seed)) * len(RETRAIN)
    return [
        records.record(
            "cnn", candidate, fold, seed, each, valid=(right[first + each], 5, 0), parameters=100 + first
        )
        for each in RETRAIN
    ]


def add(results: CandidateResults, found: list[TrialRecord]) -> None:
    rows = records.rows(*found).reindex(columns=list(VALIDATION)).to_dict("records")
    results.add(GROUP, found[0].key, rows)


@hypothesis.settings(max_examples=25)
@given(right=hits, order=st.integers(0, 1000))
def test_the_value_is_that_of_the_tables_in_any_order(right: list[int], order: int) -> None:
    trials = [trial(fold, seed, right) for fold in FOLDS for seed in SEEDS]
    random.Random(order).shuffle(trials)
    results = CandidateResults(plan("study.objectives=[valid_ua,parameters]"))
    for found in trials:
        assert results.outcome(GROUP, 0) == Outcome("running")
        add(results, found)
    rows = records.rows(*(each for found in trials for each in found))
    table = summary.candidates(rows, folds=FOLDS, seeds=SEEDS, retrain_seeds=RETRAIN)
    outcome = results.outcome(GROUP, 0)
    assert outcome.state == "complete"
    assert outcome.values[0] == pytest.approx(table["valid_ua"].item())
    assert outcome.values[1] == pytest.approx(100 + 5)


@pytest.mark.parametrize("lacking", ["failed", "one retrain seed", "a score", "every row"])
def test_a_candidate_with_a_trial_that_has_no_value_has_none(lacking: str) -> None:
    results, right = CandidateResults(plan()), 12 * [5]
    for fold in FOLDS:
        for seed in SEEDS:
            found = trial(fold, seed, right)
            if (fold, seed) != (1, 1):
                add(results, found)
            elif lacking == "failed":
                add(results, [records.failure("cnn", 0, fold, seed)])
            elif lacking == "one retrain seed":
                add(results, found[:1])
            elif lacking == "a score":
                rows = records.rows(*found).reindex(columns=list(VALIDATION)).assign(valid_ua=[0.5, math.nan])
                results.add(GROUP, found[0].key, rows.to_dict("records"))
            else:
                results.add(GROUP, found[0].key, [])
    assert results.outcome(GROUP, 0) == Outcome("failed")


def test_a_retrain_seed_outside_the_plan_is_ignored() -> None:
    results = CandidateResults(plan("retrain.seeds=[0]"))
    for fold in FOLDS:
        for seed in SEEDS:
            add(results, trial(fold, seed, 6 * [4, 10]))
    assert results.outcome(GROUP, 0).values == pytest.approx(((4 + 5 + 0) / 30,))


def test_a_candidate_that_was_given_up_keeps_the_value_it_was_given() -> None:
    results = CandidateResults(plan())
    results.give_up(GROUP, 0, GivenUp("hopeless", 0.25))
    add(results, trial(0, 0, 12 * [10]))
    assert results.outcome(GROUP, 0) == Outcome("complete", (0.25,), raced=True)
    assert results.status(GROUP, TrialKey(arm="cnn", candidate=0, fold=0, seed=0)) == "finished"
    assert results.status(GROUP, TrialKey(arm="cnn", candidate=0, fold=0, seed=1)) is None


def test_no_candidate_is_given_up_while_racing_is_off_or_no_candidate_is_complete() -> None:
    for on in ("true", "false"):
        results = CandidateResults(plan(f"study.racing.enabled={on}", "study.racing.looks=none"))
        for fold in FOLDS:
            add(results, trial(fold, 0, 12 * [0], candidate=1))
            assert results.race(GROUP, 1) is None
