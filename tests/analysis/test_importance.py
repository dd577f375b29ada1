"""Importance of settings: Optuna's, by validation alone, and refused where it would be noise."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.importance import COLUMNS, importance
from raysernas.config.files import assign
from raysernas.config.schema import Config
from tests.support.ledgers import simulated


def trials(count: int = 40, *, folds: int = 2, seeds: int = 1, nested: bool = False) -> pd.DataFrame:
    """Candidates whose learning rate costs a lot, whose pool costs a little, and whose decay costs
    nothing.
    """
    rng = np.random.default_rng(0)
    lines = [(fold, candidate) for candidate in range(count) for fold in range(folds)]
    drawn = {
        line: (10 ** rng.uniform(-4, -1), rng.choice(["max", "mean"]), rng.uniform(0, 1)) for line in lines
    }
    rows = []
    for fold, candidate in lines:
        rate, pool, decay = drawn[fold if nested else 0, candidate]
        score = 0.7 - 0.1 * abs(math.log10(rate) + 2.5) - 0.03 * (pool == "max") + 0.1 * fold
        rows += [(fold, candidate, seed, rate, pool, decay, score) for seed in range(seeds)]
    columns = ["fold", "candidate", "seed", "retrain.lr", "network.pool", "retrain.weight_decay", "valid_ua"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(
        study="s", arm="darts", retrain_seed=0, status="finished", planned=True, **{"retrain.epochs": 30}
    )


def shares(frame: pd.DataFrame) -> dict[str, float]:
    assert list(frame.columns) == list(COLUMNS)
    return dict(zip(frame["setting"], frame["importance"], strict=True))


def refusal(frame: pd.DataFrame) -> str:
    """The note of an arm with nothing to say."""
    (row,) = importance(frame).to_dict("records")
    assert (row["setting"], row["importance"]) == ("", pytest.approx(math.nan, nan_ok=True))
    return row["note"]


def test_the_importance_is_that_of_optuna() -> None:
    rows, names = trials(), ["retrain.lr", "network.pool", "retrain.weight_decay"]
    axes: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(rows[name].min(), rows[name].max())
        for name in names[::2]
    }
    axes["network.pool"] = optuna.distributions.CategoricalDistribution(["max", "mean"])
    study = optuna.create_study(direction="maximize")
    for _, own in rows.groupby("candidate"):
        params = {name: own[name].iloc[0] for name in names}
        study.add_trial(optuna.create_trial(value=own["valid_ua"].mean(), params=params, distributions=axes))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=5 / 40)
    theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)
    found = importance(rows)
    assert shares(found) == pytest.approx(theirs)
    assert set(found["candidates"]) == {40}
    assert set(found["note"]) == {"for being among the best 5 of 40"}


def test_the_settings_that_matter_come_first(tmp_path: Path) -> None:
    """A simulated study in which the learning rates cost, and the decay nothing; with the plan of the
    study.
    """
    simulated(
        tmp_path / "s",
        arms=("cnn",),
        candidates=120,
        folds=4,
        takes=60,
        tuning=0.2,
        seed_sd=0.0,
        fold_sd=0.0,
        speaker_sd=0.0,
    )
    results = analysis.load(tmp_path / "s")
    found = shares(importance(results.trials, results.configs))
    assert list(found) == ["retrain.lr", "retrain.weight_decay"]
    assert found["retrain.lr"] > 0.8


def test_the_best_of_each_fold_count_where_candidates_belong_to_folds(tmp_path: Path) -> None:
    simulated(
        tmp_path / "s",
        arms=("cnn",),
        candidates=30,
        folds=4,
        protocol="nested",
        takes=60,
        tuning=0.2,
        fold_sd=0.2,
        seed_sd=0.0,
    )
    results = analysis.load(tmp_path / "s")
    found = importance(results.trials, results.configs)
    assert set(found["candidates"]) == {120}
    assert found["setting"].iloc[0] == "retrain.lr"


def test_a_hard_fold_does_not_make_its_candidates_worse() -> None:
    rows, configs = trials(12, nested=True), {"s": assign(Config(), {"study.protocol": "nested"})}
    hard = rows.assign(valid_ua=rows["valid_ua"] - 0.4 * rows["fold"])
    assert shares(importance(hard, configs)) == pytest.approx(shares(importance(rows, configs)))
    assert set(importance(rows, configs)["candidates"]) == {24}


@settings(max_examples=5)
@given(order=st.integers(0, 2**31 - 1))
def test_the_order_of_rows_does_not_matter(order: int) -> None:
    rows = trials(25)
    pd.testing.assert_frame_equal(importance(rows), importance(rows.sample(frac=1, random_state=order)))


def test_no_test_score_is_used() -> None:
    rows = trials()
    tested = rows.assign(test_ua=np.random.default_rng(0).uniform(size=len(rows)))
    pd.testing.assert_frame_equal(importance(rows), importance(tested))


def test_more_seeds_are_not_more_candidates() -> None:
    assert shares(importance(trials(25))) == shares(importance(trials(25, seeds=3)))
    assert refusal(trials(10, seeds=3)) == "10 candidates with a score: importance needs 20"


def test_fewer_than_twenty_are_refused() -> None:
    assert refusal(trials(19)) == "19 candidates with a score: importance needs 20"
    assert refusal(trials(1)) == "1 candidate with a score: importance needs 20"
    unfinished = trials(20).drop(index=3)  # candidate 1 on fold 1
    assert refusal(unfinished) == "19 candidates with a score: importance needs 20"
    assert "" not in shares(importance(trials(20)))


def test_candidates_that_were_raced_out_count_as_the_worst() -> None:
    rows = trials(30)
    bad = rows["candidate"].isin(rows.groupby("candidate")["valid_ua"].mean().nsmallest(10).index)
    raced = rows[~bad | (rows["fold"] == 0)].assign(
        status=lambda told: np.where(bad[told.index], "raced", "finished")
    )
    raced.loc[raced["status"] == "raced", "valid_ua"] = math.nan
    assert shares(importance(raced)) == pytest.approx(shares(importance(rows)))


def test_without_an_estimate_a_note_says_why() -> None:
    assert refusal(trials(25).assign(valid_ua=0.5)) == "all candidates score the same"
    same: dict[str, Any] = {"retrain.lr": 1e-3, "network.pool": "max", "retrain.weight_decay": 0.0}
    assert refusal(trials(25).assign(**same)) == "the candidates do not differ in any setting"
    assert refusal(trials(25).assign(status="failed")) == "0 candidates with a score: importance needs 20"
    assert importance(trials(25).iloc[:0]).empty


def test_a_setting_that_only_some_candidates_have_is_included() -> None:
    rows = trials(40)
    rows.loc[rows["network.pool"] == "max", "retrain.weight_decay"] = math.nan
    assert set(shares(importance(rows))) == {"retrain.lr", "network.pool", "retrain.weight_decay"}


def test_optuna_is_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    importance(trials(25))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
