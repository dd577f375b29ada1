"""Loading: a study folder in any state becomes frames of one shape, and remarks."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis
from raysernas.config.files import assign, show
from raysernas.config.schema import Config
from raysernas.record import ledger, storage
from raysernas.record.files import StudyFiles
from raysernas.record.reading import SCHEMA_VERSION
from raysernas.record.soundness import NUMBERS, TEXTS
from tests.support.faults import refusal, told
from tests.support.ledgers import NAME, simulated
from tests.support.records import failure, record
from tests.support.records import study as by_hand

SMALL: dict[str, Any] = {"arms": ("darts", "cnn"), "folds": 3, "seeds": 2, "candidates": 2}
ONE: dict[str, Any] = {"arms": ("cnn",), "folds": 2, "seeds": 1, "singles": True}
FRAMES = (
    *("trials", "studies", "chosen", "folds", "arms", "classes", "speakers", "cost", "pareto", "decisions"),
    *("pairs", "over_random", "answers", "components", "importance", "genes", "agreement", "typical"),
    *("histories", "alphas", "ensembles"),
)
README = Path(__file__).parents[2] / "analysis" / "README.md"
PLAN: dict[str, Any] = {"study.arms": ["darts", "cnn"], "study.folds": [0, 1], "study.name": "small"}


def everything(results: analysis.Results) -> dict[str, pd.DataFrame]:
    """Every frame, to see that none of them ends in a traceback; each has the column `study` first."""
    found = {name: getattr(results, name) for name in FRAMES}
    assert all(list(frame)[0] == "study" for frame in found.values())  # noqa: RUF015
    return found


def rewritten(files: StudyFiles, name: str, change: Any) -> None:
    """One record, written anew as `change` makes it."""
    path = files.trials / f"{name}.parquet"
    ledger.write_table(path, change(pd.read_parquet(path)))


# --- sound folders


def test_every_row_of_the_ledger_is_a_row_of_the_trials(tmp_path: Path) -> None:
    files = simulated(tmp_path / "one", **SMALL, retrain_seeds=2, predictions=True)
    results = analysis.load(tmp_path / "one")
    assert len(results.trials) == 2 * 2 * 3 * 2 * 2
    assert results.studies[["study", "trials", "finished"]].to_dict("records") == [
        {"study": NAME, "trials": 24, "finished": 24}
    ]
    assert {*NUMBERS, *TEXTS, *ledger.table(files), "trial", "planned", "n_train", "genotype_digest"} <= {
        *results.trials
    }
    assert (results.trials["n_train"] == results.trials["n_weights"] + results.trials["n_alphas"]).all()
    assert (
        results.trials.loc[results.trials["arm"] == "darts", "genotype_digest"]
        .str.fullmatch("[0-9a-f]{8}")
        .all()
    )
    assert results.remarks == ()


@pytest.mark.parametrize("failed", [0.0, 0.2])
def test_one_file_or_many_hold_the_same_study(tmp_path: Path, failed: float) -> None:
    for singles in (True, False):
        simulated(tmp_path / str(singles), **SMALL, failed=failed, raced=0.2, singles=singles)
    one, many = (analysis.load(tmp_path / str(singles)).trials for singles in (True, False))
    columns = sorted(map(str, one))
    pd.testing.assert_frame_equal(one[columns], many[columns], check_exact=True)


@pytest.mark.slow
def test_a_bucket_is_read_like_a_folder(tmp_path: Path) -> None:
    plan = SMALL | {"predictions": True, "histories": True}
    simulated(tmp_path / "here", **plan)
    simulated(storage.place(f"memory://{tmp_path.name}/there"), **plan)
    here, there = (analysis.load(root) for root in (tmp_path / "here", f"memory://{tmp_path.name}/there"))
    for name, frame in everything(here).items():
        if name != "studies":  # which name the place
            pd.testing.assert_frame_equal(frame, everything(there)[name])
    assert (here.remarks, there.remarks) == ((), ())


def test_studies_of_the_same_name_are_kept_apart_and_none_counts_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulated(tmp_path / name, arms=("cnn",), folds=2)
    both = analysis.load(tmp_path / "a", tmp_path / "b", tmp_path / "a")
    assert both.studies["study"].tolist() == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert both.arms.groupby("study").size().tolist() == [3, 3]
    assert len(both.trials) == 2 * len(analysis.load(tmp_path / "a").trials)


def test_no_argument_and_no_study_are_refused_in_words(tmp_path: Path) -> None:
    assert refusal(analysis.load) == told(
        "no study was named", "nothing", "the folder of a study", 'load("results/laptop")', where="analysis"
    )
    assert "is not the folder of a study" in refusal(lambda: analysis.load(tmp_path / "none"))


# --- folders that lack something


@pytest.mark.parametrize(
    ("records", "remark"),
    [
        ([], "no trial has ended"),
        ([failure(fold=0), failure(fold=1), failure("darts"), failure("darts", fold=1)], ""),
        ([record(fold=0)], "1 of 4 planned trials have ended"),
        ([record("cnn"), record("lstm"), record(fold=7)], "2 trials are beyond what study.yaml plans now"),
    ],
)
def test_a_nearly_empty_study_has_tables_and_a_remark(
    tmp_path: Path, records: list[Any], remark: str
) -> None:
    by_hand(tmp_path, assign(Config(), PLAN), *records)
    results = analysis.load(tmp_path)
    frames = everything(results)
    assert remark in " ".join(results.remarks)
    assert frames["arms"]["arm"].tolist() == ["darts", "cnn"] * 3
    assert frames["arms"]["ua"].isna().all()
    assert frames["arms"]["note"].str.startswith("no complete candidate").all()


def test_one_fold_has_a_score_and_no_deviation(tmp_path: Path) -> None:
    simulated(tmp_path, arms=("cnn",), folds=1)
    frames = everything(analysis.load(tmp_path))
    assert frames["arms"]["ua"].notna().all()
    assert frames["arms"][["ua_sd", "wa_sd", "f1_sd"]].isna().all(axis=None)


def test_trials_with_a_torn_or_missing_record_have_not_run(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE)
    (files.trials / "cnn-c000-f0-s0.parquet").write_bytes(b"PAR1 and no more")
    (files.trials / "cnn-c000-f1-s0.parquet").unlink()
    results = analysis.load(tmp_path)
    everything(results)
    assert results.remarks[0].startswith(
        f"{NAME}: {files.trials / 'cnn-c000-f0-s0.parquet'} cannot be read ("
    )
    assert results.remarks[1] == f"{NAME}: no trial has ended"


def test_the_latest_record_of_a_trial_counts_and_a_remark_says_so(tmp_path: Path) -> None:
    files = simulated(tmp_path, arms=("cnn",), folds=2, seeds=1)
    old = analysis.load(tmp_path).trials
    row = ledger.table(files).iloc[[0]].assign(parameters=7)
    ledger.write_table(files.trials / "cnn-c000-f0-s0.parquet", row)
    results = analysis.load(tmp_path)
    assert (len(results.trials), results.trials["parameters"].tolist()) == (
        len(old),
        [7, old["parameters"].iloc[1]],
    )
    assert (
        f"{NAME}: 1 trials stand in several files of the ledger; the latest record of each counts"
        in results.remarks
    )


def test_a_trial_with_two_rows_for_one_retrain_seed_has_not_run(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE)
    rewritten(
        files, "cnn-c000-f0-s0", lambda rows: pd.concat([rows, rows.assign(test_ua=0.9, test_confusion="")])
    )
    results = analysis.load(tmp_path)
    assert results.trials["trial"].tolist() == ["cnn-c000-f1-s0"]
    assert results.arms["ua"].isna().all()
    assert "cnn-c000-f0-s0 have several rows for one retrain seed and count as not run" in " ".join(
        results.remarks
    )


def test_an_older_schema_is_empty_where_it_recorded_nothing(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE)
    late = ["failure", "attempts", "latency_ms", "checks_s", "test_f1", "n_weights"]
    for name in ("cnn-c000-f0-s0", "cnn-c000-f1-s0"):
        rewritten(files, name, lambda rows: rows.drop(columns=late).assign(schema_version=SCHEMA_VERSION - 1))
    results = analysis.load(tmp_path)
    frames = everything(results)
    assert results.trials[["attempts", "latency_ms", "checks_s", "test_f1", "n_train"]].isna().all(axis=None)
    assert (results.trials["failure"] == "").all()
    assert frames["arms"]["ua"].notna().all()
    assert frames["arms"][["f1", "latency_ms"]].isna().all(axis=None)
    assert frames["folds"]["n_train"].isna().all()
    assert (
        frames["cost"].set_index("purpose").loc["checks", "note"]
        == "seconds of 2 of 2 trials are not recorded"
    )
    assert "2 trials were recorded by an older version; what it did not record is empty" in " ".join(
        results.remarks
    )


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE)
    rewritten(files, "cnn-c000-f0-s0", lambda rows: rows.assign(schema_version=SCHEMA_VERSION + 1))
    assert "is of a newer raysernas" in refusal(lambda: analysis.load(tmp_path))


# --- numbers that cannot be


@pytest.mark.parametrize(
    ("changed", "remark"),
    [
        ({"test_ua": np.nan}, "cnn-c000-f0-s0 finished without a test UA"),
        ({"valid_ua": np.nan, "valid_wa": np.nan}, "cnn-c000-f0-s0 finished without a valid UA"),
        ({"test_ua": 1.5}, "test scores of cnn-c000-f0-s0 lie outside 0..1 and count as unknown"),
        ({"test_wa": np.inf}, "test scores of cnn-c000-f0-s0 lie outside 0..1 and count as unknown"),
        (
            {"test_ua": 0.123},
            "test scores of cnn-c000-f0-s0 do not fit their confusion and count as unknown",
        ),
        ({"test_confusion": "[[1, 2], [3]]"}, "the test confusion of cnn-c000-f0-s0 cannot be read"),
        ({"test_confusion": "[[1.5]]"}, "the test confusion of cnn-c000-f0-s0 cannot be read"),
        ({"test_confusion": "not JSON"}, "the test confusion of cnn-c000-f0-s0 cannot be read"),
        ({"emotions": '["a", "b", "c", "d"]'}, "cnn-c000-f0-s0 have other emotions than the study"),
    ],
)
def test_values_that_contradict_each_other_are_unknown(
    tmp_path: Path, changed: dict[str, Any], remark: str
) -> None:
    """Neither the trial, nor its fold, nor its arm has what it touches; the other fold stays."""
    files = simulated(tmp_path, **ONE, takes=10)
    rewritten(files, "cnn-c000-f0-s0", lambda rows: rows.assign(**changed))
    results = analysis.load(tmp_path)
    arm = everything(results)["arms"].iloc[0]
    assert remark in " ".join(results.remarks)
    pooled, single = ["pooled_ua", "pooled_wa", "pooled_f1"], ["ua", "best_ua"]
    touched = pooled + single if "emotions" in changed else pooled if "test_confusion" in changed else single
    assert arm[touched].isna().all()
    left = results.folds[(results.folds["fold"] == 1) & (results.folds["selection"] == "oracle")]
    assert len(left) == 1
    assert left["ua"].notna().all()


def test_a_text_in_place_of_a_number_is_unknown(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE)
    for name in ("cnn-c000-f0-s0", "cnn-c000-f1-s0"):
        rewritten(files, name, lambda rows: rows.assign(parameters="many", latency_ms="2.5"))
    trials = analysis.load(tmp_path).trials
    assert trials["parameters"].isna().all()
    assert trials["latency_ms"].tolist() == [2.5, 2.5]


def test_predictions_of_another_attempt_score_no_speaker(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE, predictions=True)
    one, two = sorted((tmp_path / "predictions").iterdir())
    frame = pd.read_parquet(one)
    ledger.write_table(one, frame.assign(p_anger=1.0, p_fear=0.0, p_joy=0.0, p_sadness=0.0))
    two.write_bytes(b"torn")
    results = analysis.load(tmp_path)
    everything(results)
    assert results.speakers.empty
    assert [remark.split(": ")[1] for remark in results.remarks] == [
        "predictions of cnn-c000-f0-s0 do not add up to the confusions in the ledger; no speaker is "
        "scored on them",
        "predictions of cnn-c000-f1-s0 cannot be read; no speaker is scored on them",
    ]
    shutil.rmtree(files.root / "predictions")
    assert "are missing" in " ".join(analysis.load(tmp_path).remarks)


def test_names_of_any_script_pass_through(tmp_path: Path) -> None:
    simulated(tmp_path, **ONE, emotions=("怒り", "Ωmega", "a|b & c_%#"), speaker="Ñandú", predictions=True)
    results = analysis.load(tmp_path)
    assert results.confusion(NAME, "nested", "cnn").index.tolist() == ["怒り", "Ωmega", "a|b & c_%#"]
    assert results.speakers["speaker"].str.startswith("Ñandú-").all()
    assert results.remarks == ()


def test_a_torn_configuration_is_refused(tmp_path: Path) -> None:
    files = simulated(tmp_path, **ONE)
    storage.write_text(files.config, show(Config())[:-5] + "\n: [")
    assert "is not readable YAML" in refusal(lambda: analysis.load(tmp_path))


def test_the_lines_in_the_readme_answer_their_questions(tmp_path: Path) -> None:
    table = README.read_text(encoding="utf-8").split("| question | line |")[1].split("\n\n")[0]
    lines = re.findall(r"`(results\.[^`]+)`", table)
    assert len(lines) == 6
    results = analysis.load(simulated(tmp_path, arms=("darts", "random"), folds=3, seeds=2).root)
    for line in lines:
        found = eval(line, {"results": results})
        assert isinstance(found, pd.DataFrame), line
        assert len(found), line
    best = eval(lines[0], {"results": results})
    assert best["ua"].between(0, 1).all()
