"""The tables of the analysis: on the stored ledger against scikit-learn, on random ones by their laws."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support, recall_score

import analysis
from analysis import selection, tables
from raysernas.record.files import StudyFiles
from raysernas.record.summary import ARM_COLUMNS, arm_table, candidates, fold_table, summary, winners
from tests.support import records
from tests.support.golden_ledger import EMOTIONS, ROOT
from tests.support.ledgers import simulated

CHOSEN = ["arm", "candidate", "fold"]


@pytest.fixture(scope="module")
def golden() -> analysis.Results:
    return analysis.load(ROOT)


@pytest.fixture(scope="module")
def decisions() -> pd.DataFrame:
    """Of the stored ledger, without those of the trial that failed."""
    told = pd.read_csv(ROOT / "decisions.csv")
    return told[
        ~((told["arm"] == "cnn") & (told["candidate"] == 1) & (told["fold"] == 1) & (told["seed"] == 1))
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A simulated one with some of everything."""
    root = tmp_path_factory.mktemp("study")
    plan = {
        "folds": 4,
        "retrain_seeds": 2,
        "candidates": 3,
        "failed": 0.05,
        "raced": 0.1,
        "predictions": True,
        "seed": 3,
    }
    simulated(root, arms=("darts", "cnn", "lstm"), emotions=("Ärger", "悲しみ", "joy"), **plan)
    return analysis.load(root)


def scored(rows: pd.DataFrame) -> tuple[float, float, float]:
    """UA, WA, F1 by scikit-learn."""
    truth, told = rows["truth"], rows["predicted"]
    ua = recall_score(truth, told, labels=sorted(set(truth)), average="macro")
    return float(ua), float(accuracy_score(truth, told)), float(f1_score(truth, told, average="macro"))


def of_fold(decisions: pd.DataFrame, row: Any, part: str) -> list[tuple[float, float, float]]:
    """The scores of each run of a fold's candidate."""
    rows = decisions[decisions["part"] == part]
    rows = rows[(rows["arm"] == row.arm) & (rows["fold"] == row.fold) & (rows["candidate"] == row.candidate)]
    return [scored(run) for _, run in rows.groupby(["seed", "retrain_seed"])]


# --- the stored ledger


def test_folds_are_those_of_scikit_learn(golden: analysis.Results, decisions: pd.DataFrame) -> None:
    assert len(golden.folds) == 3 * 2 * 3
    for row in golden.folds.itertuples():
        runs = np.array(of_fold(decisions, row, "test"))
        assert [row.ua, row.wa, row.f1] == pytest.approx(runs.mean(axis=0), abs=1e-12)
        assert row.ua_seed_sd == pytest.approx(runs[:, 0].std(ddof=1), abs=1e-12)
        assert (row.runs, row.n_test, row.n_train, row.n_valid) == (4, 5 if row.fold == 2 else 9, 19, 6)
        assert (row.search_s, row.retrain_s) == (15.0 if row.arm == "darts" else 0.0, 2.5)


def test_arms_are_those_of_scikit_learn(golden: analysis.Results, decisions: pd.DataFrame) -> None:
    """Mean and deviation are over the three folds; pooled scores are of all decisions as one set."""
    for arm in golden.arms.itertuples():
        own = golden.chosen[(golden.chosen["arm"] == arm.arm) & (golden.chosen["selection"] == arm.selection)]
        folds = np.array([np.mean(of_fold(decisions, row, "test"), axis=0) for row in own.itertuples()])
        assert [arm.ua, arm.wa, arm.f1] == pytest.approx(folds.mean(axis=0), abs=1e-12)
        assert [arm.ua_sd, arm.wa_sd, arm.f1_sd] == pytest.approx(folds.std(axis=0, ddof=1), abs=1e-12)
        whole = decisions[decisions["part"] == "test"].merge(own[CHOSEN], on=CHOSEN)
        assert [arm.pooled_ua, arm.pooled_wa, arm.pooled_f1] == pytest.approx(scored(whole), abs=1e-12)
        assert (arm.best_ua, arm.worst_ua) == pytest.approx((folds[:, 0].max(), folds[:, 0].min()), abs=1e-12)
        assert arm.best_fold == own["fold"].to_numpy()[folds[:, 0].argmax()]
        assert (arm.folds, arm.planned_folds, arm.runs, arm.candidates) == (3, 3, 4, 2)
        assert arm.failed == (1 if arm.arm == "cnn" else 0)


def test_each_selection_takes_the_best_by_its_own_rule(
    golden: analysis.Results, decisions: pd.DataFrame
) -> None:
    """By scikit-learn's scores of the raw decisions. The candidate of which a trial failed is none on that
    fold, and none at all where a candidate is chosen for all folds."""
    keys = ["arm", "candidate", "fold"]
    runs = [(*key, scored(run)[0]) for key, run in decisions.groupby(["part", *keys, "seed", "retrain_seed"])]
    ua = (
        pd.DataFrame(runs, columns=["part", *keys, "seed", "retrain_seed", "ua"])
        .groupby(["part", *keys])["ua"]
        .mean()
    )
    ua = ua.round(12).drop([(part, "cnn", 1, 1) for part in ("valid", "test")])
    for (kind, arm), rows in golden.chosen.groupby(["selection", "arm"]):
        of_arm = ua["test" if kind == "oracle" else "valid"][arm].unstack("fold")
        whole = of_arm.dropna().mean(axis=1).idxmax()
        expected = [whole] * 3 if kind == "flat" else of_arm.idxmax().tolist()
        assert (rows["fold"].tolist(), rows["candidate"].tolist()) == ([0, 1, 2], expected)
        valid = ua["valid"][arm].to_dict()
        assert rows["valid_ua"].tolist() == pytest.approx(
            [valid[each] for each in zip(expected, range(3), strict=True)], abs=1e-9
        )


def test_emotions_are_those_of_scikit_learn(golden: analysis.Results, decisions: pd.DataFrame) -> None:
    for (kind, arm), rows in golden.classes.groupby(["selection", "arm"]):
        own = golden.chosen[(golden.chosen["arm"] == arm) & (golden.chosen["selection"] == kind)]
        whole = decisions[decisions["part"] == "test"].merge(own[CHOSEN], on=CHOSEN)
        precision, recall, f1, support = precision_recall_fscore_support(whole["truth"], whole["predicted"])
        assert rows["emotion"].tolist() == list(EMOTIONS)
        assert rows[["precision", "recall", "f1"]].to_numpy() == pytest.approx(
            np.stack([precision, recall, f1], axis=1), abs=1e-12
        )
        assert (rows["n"] * rows["runs"]).tolist() == np.asarray(support).tolist()


# --- laws


def test_pooled_is_the_sum_of_the_confusions_of_the_folds(study: analysis.Results) -> None:
    for choice in study.choices["simulated"]:
        rows = tables.picked(study.trials, choice.chosen)
        for arm, own in rows.groupby("arm"):
            apart = [tables.confusion(each) for _, each in own.groupby("fold")]
            whole = study.confusion("simulated", choice.name, str(arm))
            total: Any = sum(each.to_numpy() for each in apart)
            assert total.tolist() == whole.to_numpy().tolist()
            row = study.arms[(study.arms["arm"] == arm) & (study.arms["selection"] == choice.name)].iloc[0]
            if not np.isnan(row["pooled_ua"]):
                assert row["pooled_wa"] == pytest.approx(np.trace(whole.to_numpy()) / whole.to_numpy().sum())


def test_speakers_are_those_of_scikit_learn(study: analysis.Results) -> None:
    """And each utterance of a speaker was heard by every run, and the decisions add up to the confusions of
    the ledger.
    """
    assert study.remarks == ()
    names = {arm for arm, rows in study.chosen[study.chosen["selection"] == "nested"].groupby("arm")}
    assert {*study.speakers["arm"]} == names
    for row in study.speakers.itertuples():
        own = study.decisions[
            (study.decisions["arm"] == row.arm) & (study.decisions["speaker"] == row.speaker)
        ]
        told = own.rename(columns={"emotion": "truth"})
        assert [row.ua, row.wa] == pytest.approx(scored(told)[:2], abs=1e-12)
        assert (row.n, row.runs, len(own)) == (3 * 5, 4, 3 * 5 * 4)


def test_seeds_are_never_folds(tmp_path: Path) -> None:
    """More seeds make no more folds, and what is between seeds is in no deviation over folds."""
    simulated(tmp_path / "few", arms=("cnn",), folds=3, seeds=1, seed_sd=0.2)
    simulated(
        tmp_path / "many", arms=("cnn",), folds=3, seeds=8, retrain_seeds=2, seed_sd=0.2, retrain_sd=0.1
    )
    for name, runs in (("few", 1), ("many", 16)):
        results = analysis.load(tmp_path / name)
        arm, folds = results.arms.iloc[0], results.folds[results.folds["selection"] == "nested"]
        assert (arm["folds"], arm["runs"], len(folds)) == (3, runs, 3)
        assert arm["ua_sd"] == pytest.approx(folds["ua"].std(ddof=1))
        trials = results.trials.groupby("fold")["test_ua"].mean()
        assert folds["ua"].tolist() == pytest.approx(trials.tolist())
        assert folds["ua_seed_sd"].isna().all() == (runs == 1)


@settings(max_examples=10)
@given(data=st.data())
def test_repeating_every_run_changes_no_score_over_folds(
    study: analysis.Results, data: st.DataObject
) -> None:
    """As if every seed had been run twice with the same result: the numbers of folds, and all means and
    deviations, stay.
    """
    number = data.draw(st.integers(2, 3))
    choice = study.headline("simulated")
    copies = [study.trials.assign(seed=study.trials["seed"] + 100 * copy) for copy in range(number)]
    one, many = (tables.folds(rows, choice) for rows in (study.trials, pd.concat(copies, ignore_index=True)))
    assert many["runs"].tolist() == (number * one["runs"]).tolist()
    assert many[["ua", "wa", "f1"]].to_numpy() == pytest.approx(one[["ua", "wa", "f1"]].to_numpy(), abs=1e-12)


@pytest.mark.parametrize("protocol", ["flat", "nested"])
@pytest.mark.parametrize("failed", [0.0, 0.1, 1.0])
def test_the_analysis_and_the_launch_say_the_same(tmp_path: Path, protocol: str, failed: float) -> None:
    """The table that a launch prints is that of the selection of the study's protocol."""
    simulated(
        tmp_path,
        protocol=protocol,
        candidates=3,
        folds=3,
        failed=failed,
        raced=0.1 if failed else 0.0,
        seed=5,
    )
    printed, results = summary(StudyFiles(tmp_path)), analysis.load(tmp_path)
    ours = results.arms[results.arms["selection"] == protocol].reset_index(drop=True)
    shared = [name for name in ARM_COLUMNS if name in ours]
    assert len(shared) > 18
    pd.testing.assert_frame_equal(ours[shared], printed.arms[shared], check_dtype=False, rtol=1e-12)
    folds = results.folds[results.folds["selection"] == protocol].sort_values(
        ["arm", "fold"], ignore_index=True
    )
    theirs = printed.folds[["arm", "fold", "ua", "wa", "n_test", "runs"]]
    whole = folds[folds["arm"].isin(printed.arms.loc[printed.arms["ua"].notna(), "arm"])]
    theirs = theirs[theirs["arm"].isin(whole["arm"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        whole[list(theirs)].reset_index(drop=True), theirs, check_dtype=False, rtol=1e-12
    )


def test_a_score_that_one_run_lacks_leaves_its_fold_and_its_arm_without_one(study: analysis.Results) -> None:
    choice = study.headline("simulated")
    trials = study.trials.copy()
    first = tables.picked(trials, choice.chosen).index[0]
    trials.loc[first, ["test_ua", "test_f1"]] = np.nan
    arm, fold = trials.loc[first, ["arm", "fold"]]
    folds = tables.folds(trials, choice)
    assert folds.loc[folds["ua"].isna(), ["arm", "fold"]].to_numpy().tolist() == [[arm, fold]]
    arms = tables.arms(trials, choice, folds, study.configs["simulated"])
    table = arms[arms["arm"] == arm].iloc[0]
    assert table[["ua", "ua_sd", "f1", "f1_sd", "best_fold", "worst_ua"]].isna().all()
    assert not np.isnan(table["wa"])


def test_two_hundred_emotions_are_tabled(tmp_path: Path) -> None:
    emotions = [f"Gefühl № {i}" for i in range(200)]
    simulated(tmp_path, arms=("cnn",), folds=2, seeds=1, speakers=1, takes=1, emotions=emotions)
    results = analysis.load(tmp_path)
    assert results.confusion("simulated", "nested", "cnn").shape == (200, 200)
    assert results.classes.loc[results.classes["selection"] == "nested", "emotion"].tolist() == emotions
    rows = results.classes[results.classes["selection"] == "nested"]
    assert results.arms["pooled_ua"].iloc[0] == pytest.approx(rows["recall"].mean())


def test_an_unknown_selection_is_refused_in_words(study: analysis.Results) -> None:
    with pytest.raises(ValueError, match="there is no such selection of such a study"):
        study.confusion("simulated", "best", "cnn")
    assert study.confusion("simulated", selection.NESTED, "majority").empty


# --- the aggregator below


def test_a_fold_with_a_run_that_has_no_score_has_none() -> None:
    """Nor has its arm: a mean over the runs that are left would be another number. Its utterances stand in no
    sum.
    """
    frame = records.rows(*[records.record(fold=f, test=(9, 9, 9)) for f in (0, 1)])
    frame.loc[1, ["test_ua", "test_wa", "test_confusion"]] = [np.nan, np.nan, ""]
    assert fold_table(frame, {"cnn": 0})["ua"].isna().tolist() == [False, True]
    arm = arm_table(frame, candidates(frame, folds=(0, 1), seeds=(0,), retrain_seeds=(0,)), ["cnn"]).iloc[0]
    assert arm[["ua", "ua_sd", "wa", "pooled_ua", "pooled_f1"]].isna().all()
    assert arm["valid_ua"] == pytest.approx(0.5)


@given(scores=st.lists(st.floats(0, 1), min_size=6, max_size=6), order=st.permutations(range(6)))
def test_the_order_of_trials_moves_no_choice(scores: list[float], order: list[int]) -> None:
    """Equal means are a tie even where their last bits differ by the order in which they were added up."""
    frame = records.rows(*[records.record(candidate=c, fold=f) for c, f in product((0, 1), (0, 1, 2))])
    frame = frame.assign(valid_ua=[*scores[:3], *np.array(scores[:3])[[2, 0, 1]]])
    grid = {"folds": (0, 1, 2), "seeds": (0,), "retrain_seeds": (0,)}
    assert winners(candidates(frame, **grid)) == winners(candidates(frame.iloc[order], **grid)) == {"cnn": 0}
