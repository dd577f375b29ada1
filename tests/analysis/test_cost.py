"""What a study cost: nothing is left out, unknown time is not zero, and no point of a front is dominated."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis
from analysis.cost import PRICES, cost, front, per_trial
from raysernas.config.files import assign
from tests.support.golden_ledger import ROOT
from tests.support.ledgers import NAME, simulated
from tests.support.records import failure, record
from tests.support.records import study as by_hand

POINTS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.3, np.nan]), st.sampled_from([1.0, 2.0, 3.0, np.nan])), max_size=8
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> analysis.Results:
    root = tmp_path_factory.mktemp("study")
    simulated(root, folds=3, retrain_seeds=2, candidates=3, failed=0.05, raced=0.1, seed=2)
    return analysis.load(root)


def test_the_sum_over_purposes_is_the_time_of_all_trials(study: analysis.Results) -> None:
    """One search a trial, one retraining and test for each of its rows; every trial is counted for one
    purpose.
    """
    rows = study.trials[study.trials["status"] == "finished"]
    once = rows.drop_duplicates("trial")[["features_s", "search_s", "checks_s"]].to_numpy().sum()
    assert study.cost["seconds"].sum() == pytest.approx(once + rows[["retrain_s", "test_s"]].to_numpy().sum())
    stages = study.cost["purpose"].isin(["search", "checks", "retrain", "test"])
    assert study.cost.loc[~stages, "trials"].sum() == study.trials["trial"].nunique()
    for _, of_arm in study.cost.groupby("arm"):
        assert of_arm["share"].sum() == pytest.approx(1)


def of_purpose(results: analysis.Results, arm: str) -> dict[str, dict[str, Any]]:
    """Purpose -> its row."""
    rows = results.cost[results.cost["arm"] == arm].to_dict("records")
    return {str(row["purpose"]): {str(name): value for name, value in row.items()} for row in rows}


def test_seconds_of_the_stored_ledger() -> None:
    """darts: 6 chosen and 6 other trials of two seeds (10 and 20 s of search) and two retrainings (2 and 3
    s).
    """
    results = analysis.load(ROOT)
    darts = {purpose: row["seconds"] for purpose, row in of_purpose(results, "darts").items()}
    assert darts == {
        "features": 6.0,
        "search": 90.0,
        "checks": 0.0,
        "retrain": 30.0,
        "test": 6.0,
        "other candidates": 132.0,
    }
    cnn = of_purpose(results, "cnn")
    assert (cnn["other candidates"]["trials"], cnn["other candidates"]["seconds"]) == (5, 35.0)
    assert (cnn["failed"]["trials"], cnn["failed"]["note"]) == (1, "seconds of 1 of 1 trial are not recorded")


def test_failed_and_raced_trials_cost_an_unknown_time_not_none(study: analysis.Results) -> None:
    lost = study.cost[study.cost["purpose"].isin(["failed", "raced"])]
    assert len(lost) > 1
    assert lost["seconds"].isna().all()
    assert lost["note"].str.contains("are not recorded").all()


def test_a_failed_trial_costs_its_last_attempt_if_recorded(tmp_path: Path) -> None:
    config = assign(
        analysis.load(ROOT).configs["golden"],
        {"study.arms": ["cnn"], "study.folds": [0, 1], "study.seeds": [0]},
    )
    known, unknown = failure("cnn", 0, 0), failure("cnn", 0, 1)
    by_hand(tmp_path / "one", config, replace(known, facts={"failed_s": 7.0}))
    lost = of_purpose(analysis.load(tmp_path / "one"), "cnn")["failed"]
    assert (lost["trials"], lost["seconds"], lost["note"]) == (1, 7.0, "")
    by_hand(tmp_path / "both", config, replace(known, facts={"failed_s": 7.0}), unknown)
    lost = of_purpose(analysis.load(tmp_path / "both"), "cnn")["failed"]
    assert np.isnan(lost["seconds"])
    assert lost["note"] == "seconds of 1 of 2 trials are not recorded; the others took 7 s"


def test_trials_beyond_the_plan_count_in_the_cost(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"features_s": 1.0, "checks_s": 0.0, "test_s": 1.0}
    config = assign(
        analysis.load(ROOT).configs["golden"], {"study.arms": ["cnn"], "study.folds": [0], "study.seeds": [0]}
    )
    by_hand(tmp_path, config, record(fold=0, **parts), record(fold=1, **parts))
    beyond = of_purpose(analysis.load(tmp_path), "cnn")["beyond the plan"]
    assert (beyond["trials"], beyond["seconds"]) == (1, 12.0)


def test_device_time_counts_threads_of_a_cpu_and_the_share_of_a_gpu(study: analysis.Results) -> None:
    config = assign(study.configs[NAME], {"compute.threads": 3, "study.resources.gpus_per_trial": 0.25})
    on_cpu = cost(study.trials, study.headline(NAME), config)
    on_gpu = cost(study.trials.assign(**{"compute.device": "cuda"}), study.headline(NAME), config)
    assert {*on_cpu["device"]} == {"cpu"}
    assert on_cpu["device_s"].sum() == pytest.approx(3 * on_cpu["seconds"].sum())
    assert {*on_gpu["device"]} == {"cuda"}
    assert on_gpu["device_s"].sum() == pytest.approx(0.25 * on_gpu["seconds"].sum())


def test_a_stage_that_one_row_lacks_is_unknown(study: analysis.Results) -> None:
    trials = study.trials[study.trials["status"] == "finished"].copy()
    trials.loc[trials.index[0], "retrain_s"] = np.nan
    each = per_trial(trials).set_index("trial")["seconds"]
    assert each.isna().sum() == 1
    assert np.isnan(each[trials["trial"].iloc[0]])


@given(points=POINTS)
def test_no_point_of_a_front_is_dominated(points: list[tuple[float, float]]) -> None:
    """By comparing every pair, which is the definition."""
    gain, price = (np.array([point[axis] for point in points], dtype=float) for axis in (0, 1))
    expected = [
        not (np.isnan(g) or np.isnan(p))
        and not any(h >= g and q <= p and (h > g or q < p) for h, q in points)
        for g, p in points
    ]
    assert front(gain, price).tolist() == expected


def test_arms_are_compared_by_test_and_candidates_by_validation_scores(
    study: analysis.Results,
) -> None:
    for chosen, gain in ((True, "ua"), (False, "valid_ua")):
        rows = study.pareto[study.pareto["chosen"] == chosen]
        assert len(rows) >= 3
        for price in PRICES:
            assert (
                front(rows[gain].to_numpy(dtype=float), rows[price].to_numpy(dtype=float)).tolist()
                == rows[f"front_{price}"].tolist()
            )
    assert study.pareto.loc[~study.pareto["chosen"].astype(bool), "ua"].isna().all()
    of_arms = study.arms[(study.arms["selection"] == "nested") & study.arms["ua"].notna()]
    pd.testing.assert_series_equal(
        study.pareto.loc[study.pareto["chosen"].astype(bool), "ua"],
        of_arms["ua"],
        check_index=False,
        check_dtype=False,
    )


def test_candidates_of_a_nested_study_are_compared_on_their_own_fold(tmp_path: Path) -> None:
    simulated(tmp_path, arms=("cnn",), folds=2, candidates=3, protocol="nested")
    rows = analysis.load(tmp_path).pareto
    tried = rows[~rows["chosen"].astype(bool)]
    assert tried.groupby("fold").size().to_dict() == {0: 3, 1: 3}
    best = tried.loc[tried.groupby("fold")["valid_ua"].idxmax()]
    assert best["front_parameters"].all()
