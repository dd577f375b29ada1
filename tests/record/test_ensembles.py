"""Laws of ensembles: the mean of the members' posteriors, never one of them, and believed only as far as the
members bear it out.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from io import StringIO
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from raysernas.config.files import assign
from raysernas.config.schema import Config
from raysernas.record import ensembles, ledger, soundness
from raysernas.record.ensembles import Ensemble, as_runs, mean_posteriors
from raysernas.record.ledger import TrialRecord
from raysernas.record.printing import print_tables
from raysernas.record.summary import Tables, summary
from tests.support import records

PLAN = {"study.arms": ["cnn", "lstm"], "study.folds": [0, 1], "study.seeds": [0, 1], "retrain.seeds": [3, 5]}
CONFIG = assign(Config(), PLAN)
ROWS = [(arm, fold, seed) for arm in ("cnn", "lstm") for fold in (0, 1) for seed in (0, 1)]


def trial(arm: str, fold: int, seed: int, *, together: bool = True) -> list[TrialRecord]:
    """Two retrainings that got five and seven of ten right, whose ensemble got more."""
    shared = {"arm": arm, "fold": fold, "seed": seed, "valid": (5, 5, 5)}
    members = [
        records.record(**shared, test=(right, right, right), retrain_seed=number)
        for number, right in ((3, 5), (5, 7))
    ]
    found = Ensemble(2, records.confusion((6, 6, 6)), records.confusion((8 + fold, 8 + seed, 8)))
    return [dataclasses.replace(each, ensemble=found if together else None) for each in members]


def study(root: Path, *, together: bool = True, config: Config = CONFIG) -> Any:
    files = records.study(root, config)
    for one in ROWS:
        rows = trial(*one, together=together)
        ledger.write(files.trial(rows[0].key), rows)
    return files


def changed(files: Any, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """The record of the first trial, written anew."""
    path = files.trial(trial(*ROWS[0])[0].key).record
    ledger.write_table(path, change(pd.read_parquet(path)))


def of(tables: Tables, arm: str) -> dict[str, Any]:
    """The row of one arm's ensembles."""
    (row,) = tables.ensembles[tables.ensembles["of"] == arm].to_dict("records")
    return {str(name): value for name, value in row.items()}


# --- the mean


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_it_is_the_mean_in_any_order_of_the_members_bit_for_bit(members, classes, seed):
    posteriors = np.random.default_rng(seed).dirichlet(np.ones(classes), (members, 4))
    mean = mean_posteriors([*posteriors])
    exact = [[math.fsum(posteriors[:, row, at]) / members for at in range(classes)] for row in range(4)]
    np.testing.assert_allclose(mean, exact, rtol=1e-15)
    if members <= 2:
        np.testing.assert_array_equal(mean, posteriors.mean(axis=0))
    for order in [*permutations(range(members))][:24]:
        np.testing.assert_array_equal(mean_posteriors([posteriors[i] for i in order]), mean)


@given(st.integers(1, 8), st.integers(0, 99))
def test_of_identical_members_it_gives_their_answers(members, seed):
    one = np.random.default_rng(seed).dirichlet(np.ones(4), 20)
    np.testing.assert_array_equal(mean_posteriors([one] * members).argmax(axis=1), one.argmax(axis=1))


# --- the record


def test_a_trial_without_several_retrainings_records_nothing_of_ensembles():
    row = records.record().row()
    assert not [name for name in row if "ensemble" in str(name)]
    together = trial(*ROWS[0])[0].row()
    assert {name for name in together if name not in row} == {
        ensembles.MEMBERS,
        *ensembles.SCORES,
        *ensembles.CONFUSIONS,
        *(f"{part}_classes" for part in ensembles.PARTS),
    }


def test_it_stands_as_one_run_as_large_and_slow_as_its_members_together(tmp_path):
    rows = soundness.believed(ledger.table(study(tmp_path)), CONFIG.corpus.emotions)[0]
    own = as_runs(rows)
    assert len(own) == len(ROWS)
    assert own["test_ua"].tolist() == rows.drop_duplicates("trial")["ensemble_test_ua"].tolist()
    assert (
        own["valid_confusion"].tolist() == rows.drop_duplicates("trial")["ensemble_valid_confusion"].tolist()
    )
    for column in ensembles.SUMMED:
        assert own[column].tolist() == rows.groupby("trial", sort=False)[column].sum().tolist()
    unknown = as_runs(rows.assign(parameters=rows["parameters"].where(rows["retrain_seed"] == 3)))
    assert unknown["parameters"].isna().all()


# --- the tables


def test_an_ensemble_is_averaged_over_seeds_then_folds_and_is_in_no_other_number(tmp_path):
    tables, bare = (summary(study(tmp_path / str(has), together=has)) for has in (True, False))
    for name in ("candidates", "folds", "arms"):
        pd.testing.assert_frame_equal(getattr(tables, name), getattr(bare, name))
    assert bare.ensembles.empty
    row = of(tables, "cnn")
    assert (row["arm"], row["members"], row["folds"], row["runs"]) == ("cnn (ensemble of 2)", 2, 2, 2)
    by_fold = [(24.0 + fold + seed) / 30 for fold, seed in ((0, 0.5), (1, 0.5))]
    assert row["ua"] == pytest.approx(np.mean(by_fold))
    assert row["ua_sd"] == pytest.approx(np.std(by_fold, ddof=1))
    assert row["pooled_wa"] == pytest.approx(np.mean(by_fold))
    assert (row["member_ua"], row["valid_ua"]) == (pytest.approx(0.6), pytest.approx(0.6))
    assert (row["parameters"], row["retrain_s"], row["search_s"]) == (2000, 4.0, 8.0)


def test_nothing_that_chooses_sees_an_ensemble(tmp_path):
    files = study(tmp_path)
    assert not [name for name in ledger.validation(files) if "ensemble" in str(name)]
    shown = ledger.validation_of(files.trial(trial(*ROWS[0])[0].key))
    assert shown is not None
    assert shown.columns.tolist() == list(ledger.VALIDATION)


def test_a_score_is_unknown_if_one_trial_has_no_ensemble(tmp_path):
    files = study(tmp_path)
    alone = trial(*ROWS[0], together=False)
    ledger.write(files.trial(alone[0].key), alone)
    tables = summary(files)
    assert np.isnan([of(tables, "cnn")[name] for name in ("ua", "pooled_ua", "valid_ua")]).all()
    assert of(tables, "lstm")["ua"] > 0


def test_records_of_earlier_versions_are_read_as_before(tmp_path):
    files = study(tmp_path)
    for one in ROWS:
        path = files.trial(trial(*one)[0].key).record
        rows = pd.read_parquet(path)
        older = rows.drop(columns=[name for name in rows if "ensemble" in str(name)]).assign(schema_version=3)
        ledger.write_table(path, older)
    tables = summary(files)
    assert tables.ensembles.empty
    pd.testing.assert_frame_equal(tables.arms, summary(study(tmp_path / "new")).arms)
    assert soundness.believed(ledger.table(files), CONFIG.corpus.emotions)[1] == []


def test_the_launch_shows_it_below_its_arm_and_says_what_it_is(tmp_path):
    shown = []
    for together in (True, False):
        console = Console(file=StringIO(), width=120)
        print_tables(study(tmp_path / str(together), together=together).root, console)
        shown.append(console.file.getvalue())  # pyright: ignore[reportAttributeAccessIssue]
    lines = [line.split("  ")[0].strip() for line in shown[0].splitlines()]
    assert lines[lines.index("cnn") :][:4] == ["cnn", "cnn (ensemble of 2)", "lstm", "lstm (ensemble of 2)"]
    assert "mean posterior of a trial's retrain seeds" in " ".join(shown[0].split())
    assert "ensemble" not in shown[1]


# --- what is not believed


def confusion(*right: int) -> str:
    return json.dumps(records.confusion(right, of=12).confusion.tolist())


def in_one_row(column: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows.assign(**{column: [value, *rows[column].tolist()[1:]]})


FORGED: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "score": (
        lambda rows: rows.assign(ensemble_test_ua=0.99),
        "ensemble_test scores of cnn-c000-f0-s0 do not fit their confusion and count as unknown",
    ),
    "validation score": (
        lambda rows: rows.assign(ensemble_valid_ua=0.99),
        "ensemble_valid scores of cnn-c000-f0-s0 do not fit their confusion and count as unknown",
    ),
    "outside": (
        lambda rows: rows.assign(ensemble_test_wa=1.2),
        "ensemble_test scores of cnn-c000-f0-s0 lie outside 0..1 and count as unknown",
    ),
    "torn": (
        lambda rows: rows.assign(ensemble_test_confusion="[[1, 2"),
        "the ensemble_test confusion of cnn-c000-f0-s0 cannot be read and is in no sum",
    ),
    "number": (
        lambda rows: rows.assign(ensemble_members=3),
        "the ensembles of cnn-c000-f0-s0 do not fit their retrainings and count as unknown",
    ),
    "a member is gone": (
        lambda rows: rows.iloc[:1],
        "the ensembles of cnn-c000-f0-s0 do not fit their retrainings and count as unknown",
    ),
    "other utterances": (
        lambda rows: rows.assign(ensemble_test_confusion=confusion(9, 9, 9)).assign(
            **{f"ensemble_test_{name}": 0.75 for name in ("ua", "wa", "f1")}
        ),
        "the ensembles of cnn-c000-f0-s0 do not fit their retrainings and count as unknown",
    ),
    "rows disagree": (
        lambda rows: in_one_row("ensemble_test_confusion", "")(in_one_row("ensemble_test_f1", np.nan)(rows)),
        "the ensembles of cnn-c000-f0-s0 do not fit their retrainings and count as unknown",
    ),
}


@pytest.mark.parametrize("kind", FORGED)
def test_an_ensemble_that_contradicts_itself_or_its_members_is_named_and_unknown(kind, tmp_path):
    change, remark = FORGED[kind]
    files = study(tmp_path)
    members = ledger.table(files).filter(regex="^(test|valid)_")
    changed(files, change)
    rows, remarks = soundness.believed(ledger.table(files), CONFIG.corpus.emotions)
    assert remark in remarks
    bad = rows[rows["trial"] == "cnn-c000-f0-s0"]
    part = "ensemble_valid" if kind == "validation score" else "ensemble_test"
    assert (bad[f"{part}_confusion"] == "").all()
    tables = summary(files, rows)
    assert of(tables, "lstm")["ua"] > 0
    if kind == "a member is gone":
        assert tables.ensembles["of"].tolist() == ["lstm"], "nor has the arm a score"
        return
    # a score whose confusion is torn still counts in means, as that of a single model does
    lost = {"validation score": ["valid_ua"], "torn": ["pooled_ua"]}.get(kind, ["ua", "pooled_ua"])
    assert np.isnan([of(tables, "cnn")[name] for name in lost]).all()
    pd.testing.assert_frame_equal(rows[members.columns], members, check_dtype=False)
