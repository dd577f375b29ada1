"""Histories as frames: what each epoch recorded, by trial, stage and retrain seed; torn and missing files are
named.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis.histories import ALPHA_COLUMNS, COLUMNS
from tests.support.ledgers import EPOCHS, NAME, simulated

PLAN: dict[str, Any] = {
    "arms": ("darts", "cnn"),
    "folds": 2,
    "seeds": 1,
    "retrain_seeds": 2,
    "histories": True,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return simulated(tmp_path, **PLAN).root


def lines(root: Path, trial: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (root / "history" / f"{trial}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_every_number_of_every_epoch_is_a_cell(root: Path) -> None:
    results = analysis.load(root)
    frame, remarks = results.histories, results.history_remarks
    assert remarks == ()
    assert list(frame)[: len(COLUMNS)] == list(COLUMNS)
    for trial, rows in frame.groupby("trial"):
        for (_, row), line in zip(rows.iterrows(), lines(root, str(trial)), strict=True):
            assert (row["stage"], row["epoch"], row["loss"]) == (line["stage"], line["epoch"], line["loss"])
            assert row.get("valid_ua") == pytest.approx(line.get("valid_ua", np.nan), nan_ok=True)
            assert row.get("entropies.normal") == pytest.approx(
                line.get("entropies", {}).get("normal", np.nan), nan_ok=True
            )
    assert {"genotype", "mixing"} & {*frame} == set()


def test_every_retraining_has_its_seed(root: Path) -> None:
    frame = analysis.load(root).histories
    trained = frame[frame["stage"] == "retrain"]
    assert trained.groupby(["trial", "retrain_seed"]).size().tolist() == [EPOCHS] * 4 * 2
    assert frame.loc[frame["stage"] == "search", "retrain_seed"].isna().all()
    path = root / "history" / "cnn-c000-f0-s0.jsonl"
    old = [
        {name: value for name, value in line.items() if name != "retrain_seed"}
        for line in lines(root, path.stem)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in old), encoding="utf-8")
    frame = analysis.load(root).histories  # an older version did not record the seed
    assert frame.loc[frame["trial"] == path.stem, "retrain_seed"].isna().all()


def test_alphas_name_edges_and_operations(root: Path) -> None:
    frame = analysis.load(root).alphas_of(analysis.load(root).trials)[0]
    assert list(frame) == list(ALPHA_COLUMNS)
    assert {*frame["arm"]} == {"darts"}
    sums = frame.groupby(["trial", "epoch", "part", "edge"])["weight"].sum()
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)))
    first = lines(root, "darts-c000-f1-s0")[2]["mixing"]["reduction"]
    rows = frame[
        (frame["trial"] == "darts-c000-f1-s0") & (frame["epoch"] == 3) & (frame["part"] == "reduction")
    ]
    assert rows["weight"].tolist() == pytest.approx(np.ravel(first).tolist())
    assert rows.iloc[8 * 2][["edge", "node", "source", "operation"]].tolist() == [2, 1, 0, "none"]


def test_torn_and_missing_histories_are_named_and_the_rest_is_kept(root: Path) -> None:
    folder = root / "history"
    torn = folder / "darts-c000-f0-s0.jsonl"
    torn.write_bytes(torn.read_bytes()[:-20] + b"\xff\n[1]\n{}\n")
    (folder / "cnn-c000-f0-s0.jsonl").unlink()
    (folder / "cnn-c000-f1-s0.jsonl").write_bytes(b"")
    results = analysis.load(root)
    frame, remarks = results.histories, results.history_remarks
    assert remarks == (
        f"{NAME}: cnn-c000-f0-s0 left no history",
        f"{NAME}: darts-c000-f0-s0 left a torn history",
    )
    counts = frame.groupby("trial").size().to_dict()
    assert counts == {"darts-c000-f0-s0": 3 * EPOCHS - 1, "darts-c000-f1-s0": 3 * EPOCHS}
    none = results.trials[results.trials["arm"] == "none"]
    assert (list(results.histories_of(none)[0]), list(results.alphas_of(none)[0])) == (
        list(COLUMNS),
        list(ALPHA_COLUMNS),
    )


def test_only_the_given_trials_are_read(root: Path) -> None:
    results = analysis.load(root)
    frame, _ = results.histories_of(results.trials[results.trials["trial"] == "cnn-c000-f1-s0"])
    assert {*frame["trial"]} == {"cnn-c000-f1-s0"}
