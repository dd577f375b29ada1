"""The result tables: what is averaged over what, who wins, and what nobody may look at."""

import math
from dataclasses import replace
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from raysernas.config.files import assign
from raysernas.config.schema import Config
from raysernas.record import ledger
from raysernas.record.files import StudyFiles
from raysernas.record.metrics import evaluate
from raysernas.record.printing import print_tables
from raysernas.record.summary import (
    ALL_FOLDS,
    ARM_COLUMNS,
    arm_table,
    candidates,
    fold_table,
    pooled,
    summary,
    winners,
)
from tests.support.faults import refusal, told
from tests.support.records import EMOTIONS, confusion, failure, raced, record, rows, study

PLAN: dict[str, Any] = {
    "study.arms": ["darts", "cnn"],
    "study.folds": [0, 1],
    "study.candidates": 2,
    "study.name": "small",
}
GRID = {"folds": (0, 1), "seeds": (0,), "retrain_seeds": (0,)}
HITS = st.lists(st.tuples(*[st.integers(0, 10)] * 3), min_size=8, max_size=8)


def best_of(frame: pd.DataFrame, **grid: Any) -> dict[str, int]:
    """The winners of a table over the small grid."""
    return winners(candidates(frame, **(GRID | grid)))


# --- candidates and winners


def test_a_candidate_has_the_mean_of_its_folds() -> None:
    frame = rows(record(fold=0, valid=(10, 10, 10)), record(fold=1, valid=(5, 5, 5)))
    found = candidates(frame, **GRID).to_dict("records")
    counts = {"trials": 2, "finished": 2, "failed": 0, "raced": 0}
    assert found == [{"arm": "cnn", "fold": ALL_FOLDS, "candidate": 0, **counts, "valid_ua": 0.75}]


@pytest.mark.parametrize(
    "left",
    [[], [failure(fold=1)], [record(fold=1, seed=1)], [record(fold=2)], [record(fold=1, retrain_seed=1)]],
)
def test_a_candidate_with_a_failed_or_missing_trial_has_no_mean(left: list[Any]) -> None:
    """Never the mean over the remaining folds: those may be the easy ones."""
    found = candidates(rows(record(fold=0, valid=(10, 10, 10)), *left), **GRID)
    assert found["valid_ua"].isna().all()
    assert winners(found) == {}


def test_a_finished_trial_with_only_some_of_its_retrain_seeds_does_not_count() -> None:
    frame = rows(
        record(fold=0, retrain_seed=0), record(fold=0, retrain_seed=1), record(fold=1, retrain_seed=0)
    )
    assert candidates(frame, folds=(0, 1), seeds=(0,), retrain_seeds=(0, 1))["valid_ua"].isna().all()


def test_a_trial_without_a_validation_score_leaves_no_mean() -> None:
    frame = rows(record(fold=0), record(fold=1))
    frame.loc[1, "valid_ua"] = math.nan
    assert candidates(frame, **GRID)["valid_ua"].isna().all()


def test_trials_beyond_the_plan_change_nothing() -> None:
    planned = rows(record(fold=0), record(fold=1))
    more = rows(
        record(fold=0),
        record(fold=1),
        record(fold=2, valid=(10, 10, 10)),
        record(fold=0, seed=1),
        failure(fold=3),
    )
    pd.testing.assert_frame_equal(candidates(planned, **GRID), candidates(more, **GRID))


def test_failures_are_counted_once_a_trial() -> None:
    found = candidates(rows(failure(fold=0), failure(fold=1), record(candidate=1, fold=0)), **GRID)
    assert found["failed"].tolist() == [2, 0]
    assert found["finished"].tolist() == [0, 1]


def test_the_best_validation_wins_in_each_arm() -> None:
    hits = {("cnn", 0): 5, ("cnn", 1): 7, ("darts", 0): 9, ("darts", 1): 2}
    records = [record(arm, c, fold, valid=(n, n, n)) for (arm, c), n in hits.items() for fold in (0, 1)]
    frame = rows(*records)
    assert best_of(frame) == {"cnn": 1, "darts": 0}


def test_a_tie_goes_to_the_lower_number() -> None:
    frame = rows(*[record("cnn", c, fold) for c in (3, 1, 2) for fold in (0, 1)])
    assert best_of(frame) == {"cnn": 1}


def test_a_complete_candidate_beats_a_better_one_with_a_hole() -> None:
    frame = rows(
        record(candidate=0, fold=0),
        record(candidate=0, fold=1),
        record(candidate=1, fold=0, valid=(10, 10, 10)),
    )
    assert best_of(frame) == {"cnn": 0}


@settings(max_examples=12)
@given(valid=HITS, test=HITS, other=HITS)
def test_no_test_score_ever_moves_a_choice(valid: list[Any], test: list[Any], other: list[Any]) -> None:
    keys = list(product(("cnn", "darts"), (0, 1), (0, 1)))
    one, two = (
        rows(*[record(*key, valid=v, test=t) for key, v, t in zip(keys, valid, tests, strict=True)])
        for tests in (test, other)
    )
    assert best_of(one) == best_of(two)
    without = one.drop(columns=[column for column in one if str(column).startswith("test_")])
    assert best_of(without) == best_of(one)


def test_of_nothing_there_is_no_winner() -> None:
    empty = pd.DataFrame(columns=list(ledger.VALIDATION))
    assert candidates(empty, **GRID).empty
    assert best_of(empty) == {}


# --- folds, arms, pooled


def test_seeds_are_averaged_inside_a_fold_first() -> None:
    """Fold 0 has three runs and fold 1 one: each fold still counts once, and the deviation is over the two
    folds.
    """
    hits = {(0, 0): 4, (0, 1): 6, (0, 2): 8, (1, 0): 9}
    frame = rows(*[record(fold=f, seed=s, test=(n, n, n)) for (f, s), n in hits.items()])
    folds = fold_table(frame, {"cnn": 0})
    assert folds["ua"].tolist() == pytest.approx([0.6, 0.9])
    assert folds["runs"].tolist() == [3, 1]
    counts = {"trials": 2, "finished": 2, "failed": 0, "raced": 0}
    tried = pd.DataFrame([{"arm": "cnn", "fold": ALL_FOLDS, "candidate": 0, **counts, "valid_ua": 0.5}])
    arm = arm_table(frame, tried, ["cnn"]).iloc[0]
    assert arm["ua"] == pytest.approx(0.75)
    assert arm["ua_sd"] == pytest.approx(np.std([0.6, 0.9], ddof=1))


def test_retrain_seeds_are_runs_of_one_fold_too(tmp_path: Path) -> None:
    records = [
        record(fold=f, retrain_seed=r, test=(n, n, n))
        for f, r, n in [(0, 0, 2), (0, 1, 4), (1, 0, 6), (1, 1, 8)]
    ]
    arms = summary(
        study(tmp_path, assign(Config(), PLAN | {"retrain.seeds": [0, 1]}), *records)
    ).arms.set_index("arm")
    assert arms.loc["cnn", "ua"] == pytest.approx(0.5)
    assert arms.loc["cnn", "ua_sd"] == pytest.approx(np.std([0.3, 0.7], ddof=1))
    assert (arms.loc["cnn", "folds"], arms.loc["cnn", "runs"]) == (2, 2)


@given(
    parts=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20), min_size=1, max_size=5
    )
)
def test_pooled_is_all_utterances_as_one_set(parts: list[list[tuple[int, int]]]) -> None:
    """The sum of the confusions, with the corpus's class list: a class that a fold lacks is not a class that
    all lack.
    """
    told_apart = [evaluate([t for t, _ in part], [p for _, p in part], 3) for part in parts]
    together = evaluate([t for part in parts for t, _ in part], [p for part in parts for _, p in part], 3)
    found = pooled([str(each.confusion.tolist()) for each in told_apart])
    assert found.confusion.tolist() == together.confusion.tolist()
    assert list(found.scores.values()) == pytest.approx(list(together.scores.values()), nan_ok=True)


def test_pooled_weighs_utterances_and_the_mean_weighs_folds(tmp_path: Path) -> None:
    records = [record(fold=0, test=(10, 10, 10)), replace(record(fold=1), test=confusion((1, 0, 3), of=4))]
    arms = summary(study(tmp_path, assign(Config(), PLAN), *records)).arms.set_index("arm")
    assert list(arms.loc["cnn", ["ua", "wa", "pooled_ua", "pooled_wa"]]) == pytest.approx(
        [2 / 3, 2 / 3, (11 + 10 + 13) / 14 / 3, 34 / 42]
    )


def test_only_the_chosen_candidate_is_reported() -> None:
    frame = rows(
        *[
            record(candidate=c, fold=f, valid=(c + 5,) * 3, test=(9 - 4 * c,) * 3)
            for c in (0, 1)
            for f in (0, 1)
        ]
    )
    tried = candidates(frame, **GRID)
    assert fold_table(frame, winners(tried))["ua"].tolist() == pytest.approx([0.5, 0.5])
    arm = arm_table(frame, tried, ["cnn"]).iloc[0]
    assert list(arm[["candidate", "candidates", "valid_ua", "ua"]]) == pytest.approx([1, 2, 0.6, 0.5])
    assert arm["note"] == ""


def test_the_size_of_a_fold_is_its_number_of_utterances() -> None:
    assert fold_table(rows(record(fold=4)), {"cnn": 0})["n_test"].tolist() == [10 * len(EMOTIONS)]


# --- the whole study


def test_arms_stand_in_the_order_of_the_study_also_those_without_a_result(tmp_path: Path) -> None:
    files = study(
        tmp_path,
        assign(Config(), PLAN),
        record("cnn", fold=0),
        record("cnn", fold=1),
        failure("darts", reason="lost\nmore"),
    )
    tables = summary(files)
    assert tuple(tables.arms.columns) == (*ARM_COLUMNS, "marks")
    assert tables.arms["arm"].tolist() == ["darts", "cnn"]
    assert tables.arms["note"].tolist() == ["no complete candidate: lost", ""]
    assert tables.arms["failed"].tolist() == [1, 0]
    assert tables.arms["planned_folds"].tolist() == [2, 2]
    assert tables.folds["arm"].tolist() == ["cnn", "cnn"]
    assert tables.candidates["valid_ua"].isna().tolist() == [False, True]


@pytest.mark.parametrize("records", [[], [failure(reason="")], [failure(), failure("darts")]])
def test_a_study_without_a_result_says_so(tmp_path: Path, records: list[Any]) -> None:
    tables = summary(study(tmp_path, assign(Config(), PLAN), *records))
    assert tables.folds.empty
    assert all(note.startswith("no complete candidate") for note in tables.arms["note"])
    assert tables.arms["ua"].isna().all()


def test_a_search_that_did_not_leave_uniform_is_told(tmp_path: Path) -> None:
    ends = [("darts", (0.953, 0.4)), ("cnn", (math.nan, math.nan))]
    records = [record(arm, fold=f, search_entropy=each[f]) for arm, each in ends for f in (0, 1)]
    arms = summary(study(tmp_path, assign(Config(), PLAN), *records)).arms
    assert arms["note"].tolist() == ["search did not leave uniform in 1 of 2 (mean entropy 0.68)", ""]


def test_what_the_study_does_not_plan_is_not_reported(tmp_path: Path) -> None:
    planned = [record(fold=f) for f in (0, 1)]
    beyond = [
        record(fold=2),
        record(candidate=2, valid=(10, 10, 10)),
        record("lstm"),
        record(seed=3),
        record(candidate=2, fold=1, valid=(9, 9, 9)),
    ]
    one = summary(study(tmp_path / "one", assign(Config(), PLAN), *planned))
    two = summary(study(tmp_path / "two", assign(Config(), PLAN), *planned, *beyond))
    for name in ("candidates", "folds", "arms"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))


def test_a_study_that_names_no_folds_plans_those_of_its_ledger(tmp_path: Path) -> None:
    records = [record(fold=f) for f in (0, 4, 7)]
    arms = summary(study(tmp_path, assign(Config(), PLAN | {"study.folds": []}), *records)).arms.set_index(
        "arm"
    )
    assert (arms.loc["cnn", "folds"], arms.loc["cnn", "planned_folds"]) == (3, 3)


def test_costs_are_those_of_a_trial_and_of_a_retraining(tmp_path: Path) -> None:
    """Retrain seeds share one search: it is paid once a trial."""
    records = [
        record(fold=f, retrain_seed=r, search_s=10.0 * (f + 1), retrain_s=r + 1.0)
        for f in (0, 1)
        for r in (0, 1)
    ]
    arm = (
        summary(study(tmp_path, assign(Config(), PLAN | {"retrain.seeds": [0, 1]}), *records))
        .arms.set_index("arm")
        .loc["cnn"]
    )
    assert (arm["search_s"], arm["retrain_s"], arm["parameters"]) == (15.0, 1.5, 1000)


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: summary(StudyFiles(tmp_path))) == told(
        f"{tmp_path} is not the folder of a study",
        "no study.yaml in it",
        "a folder that raysernas.launch has written, such as results/laptop",
        "check the path",
        where="results",
    )


def test_a_torn_record_is_a_trial_that_has_not_run(tmp_path: Path) -> None:
    """The table is that of the study without it, which says how many are missing; the printing names the
    file.
    """
    files = study(tmp_path / "torn", assign(Config(), PLAN), record(fold=0), record(fold=1))
    files.trial(record(fold=1).key).record.write_bytes(b"PAR1")
    without = study(tmp_path / "without", assign(Config(), PLAN), record(fold=0))
    pd.testing.assert_frame_equal(summary(files).arms, summary(without).arms)


@pytest.mark.parametrize(("seeds", "noted"), [(2, True), (4, True), (5, False)])
def test_no_claim_about_random_under_ten_draws(tmp_path: Path, seeds: int, noted: bool) -> None:
    """Every fold and seed draws a genotype; a second retraining of one is no second draw."""
    plan = {
        "study.arms": ["random"],
        "study.folds": [0, 1],
        "study.seeds": list(range(seeds)),
        "retrain.seeds": [0, 1],
    }
    records = [
        record("random", 0, fold, seed, again) for fold, seed, again in product((0, 1), range(seeds), (0, 1))
    ]
    note = summary(study(tmp_path, assign(Config(), plan), *records)).arms["note"].iloc[0]
    assert (note == f"{2 * seeds} draws: too few for a claim, which takes 10") == noted
    assert noted or note == ""


# --- nested, raced, several objectives


def test_nested_each_fold_has_a_candidate_of_its_own_and_all_need_one(tmp_path: Path) -> None:
    plan = assign(Config(), PLAN | {"study.protocol": "nested", "study.arms": ["cnn"]})
    hits = {(0, 0): 5, (1, 0): 7, (0, 1): 8, (1, 1): 3}  # candidate, fold
    records = [record(candidate=c, fold=f, valid=(n,) * 3, test=(9 - c,) * 3) for (c, f), n in hits.items()]
    tables = summary(study(tmp_path / "whole", plan, *records))
    assert winners(tables.candidates) == {"cnn-f0": 1, "cnn-f1": 0}
    assert tables.folds["ua"].tolist() == pytest.approx([0.8, 0.9])
    arm = tables.arms.iloc[0]
    assert (arm["valid_ua"], arm["ua"]) == pytest.approx((0.75, 0.85))
    assert (math.isnan(arm["candidate"]), arm["candidates"], tables.marks) == (True, 2, {})
    early = summary(study(tmp_path / "early", plan, *records[:2])).arms.iloc[0]
    assert early["note"] == "no complete candidate"


def test_raced_trials_are_counted_and_their_candidate_is_never_ranked(tmp_path: Path) -> None:
    kept = [record(candidate=0, fold=f) for f in (0, 1)]
    given_up = [record(candidate=1, fold=0, valid=(10, 10, 10)), raced(candidate=1, fold=1)]
    tables = summary(study(tmp_path, assign(Config(), PLAN), *kept, *given_up))
    assert tables.candidates["raced"].tolist() == [0, 1]
    assert winners(tables.candidates) == {"cnn": 0}
    assert (
        "1 trial of candidates that were given up did not run to the end" in tables.arms["note"].tolist()[1]
    )


def test_the_pareto_set_is_what_no_other_candidate_beats_by_validation(tmp_path: Path) -> None:
    # hits and parameters; 4 is not complete
    sizes = {0: (5, 100), 1: (7, 300), 2: (6, 300), 3: (5, 90), 4: (9, 1)}
    records = [
        record(candidate=c, fold=f, valid=(hits,) * 3, test=(10 - hits,) * 3, parameters=size)
        for c, (hits, size) in sizes.items()
        for f in (0, 1)
        if (c, f) != (4, 1)
    ]
    plan = assign(Config(), PLAN | {"study.candidates": 5, "study.objectives": ["valid_ua", "parameters"]})
    tables = summary(study(tmp_path, plan, *records))
    assert tables.pareto["candidate"].tolist() == [1, 3]
    assert tables.pareto["parameters"].tolist() == [300, 90]
    out = StringIO()
    print_tables(tmp_path, Console(width=100, file=out))
    assert "Candidates that no other one beats, by validation" in out.getvalue()
    assert summary(study(tmp_path / "one", assign(Config(), PLAN), *records[:4])).pareto.empty
