"""The result tables on a terminal."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from raysernas.config.files import load
from raysernas.config.schema import Config
from raysernas.record import ledger
from raysernas.record.ledger import TrialRecord
from raysernas.record.metrics import Evaluation
from raysernas.record.printing import failures, print_tables
from tests.support import records
from tests.support.faults import refusal


def printed(root: Path, config: Config, *rows: TrialRecord, width: int = 100) -> str:
    records.study(root, config, *rows)
    out = StringIO()
    print_tables(root, Console(file=out, width=width, color_system=None))
    return out.getvalue()


def two_folds(*overrides: str) -> Config:
    return load(None, ["study.arms=[cnn,lstm]", "study.folds=[0,1]", *overrides])


def test_scores_are_percent_with_their_spread_over_folds(tmp_path: Path) -> None:
    rows = [
        records.record("cnn", fold=fold, test=(5 + 2 * fold, 5 + 2 * fold, 5 + 2 * fold)) for fold in (0, 1)
    ]
    lines = printed(tmp_path, two_folds(), *rows).splitlines()
    cnn = [line.split() for line in lines if line.strip().startswith("cnn")]
    assert cnn[0] == ["cnn", *["60.0", "±", "14.1"] * 3, *["60.0"] * 3]
    assert cnn[1] == ["cnn", "2/2", "1", "c000", "of", "1", "50.0", "1", "000", "8", "2"]
    assert [line.split() for line in lines if line.split()[:2] in (["0", "30"], ["1", "30"])] == [
        ["0", "30", "50.0", "-"],
        ["1", "30", "70.0", "-"],
    ]


def test_a_fold_without_an_emotion_says_so_beside_its_ua(tmp_path: Path) -> None:
    whole, part = records.record("cnn", fold=0), records.record("cnn", fold=1)
    counts = records.confusion((5, 5, 5)).confusion.copy()
    counts[1] = 0
    lacking = replace(part, test=Evaluation(counts), valid=Evaluation(counts))
    text = printed(tmp_path / "lacking", two_folds(), whole, lacking)
    (row,) = [line for line in text.splitlines() if line.split()[:2] == ["1", "20"]]
    assert row.strip().endswith("test: fear; validation: fear")
    assert "emotions without utterances" not in printed(tmp_path / "whole", two_folds(), whole, part)


def test_an_arm_without_a_result_is_told_and_why(tmp_path: Path) -> None:
    text = printed(tmp_path, two_folds(), records.failure("lstm", fold=1, reason="it diverged\nat epoch 3"))
    assert "lstm-c000-f1-s0 failed: it diverged" in text
    assert "lstm: no complete candidate: it diverged" in text
    assert "epoch 3" not in text


def test_nothing_at_all_is_a_table_too(tmp_path: Path) -> None:
    text = printed(tmp_path, two_folds())
    first = [line.split()[0] for line in text.splitlines() if line.strip().startswith(("cnn", "lstm"))]
    assert first == ["cnn", "lstm", "cnn", "lstm", "cnn:", "lstm:"]


@pytest.mark.parametrize("width", [40, 80])
def test_narrow_terminals_lose_no_row(tmp_path: Path, width: int) -> None:
    text = printed(
        tmp_path, two_folds(), records.record("cnn", fold=0), records.record("cnn", fold=1), width=width
    )
    assert "cnn" in text
    assert all(len(line) <= width for line in text.splitlines())


def test_failures_are_those_of_the_present_plan(tmp_path: Path) -> None:
    files = records.study(
        tmp_path, two_folds(), records.failure("cnn", fold=0), records.failure("cnn", fold=5)
    )
    assert failures(files, ledger.table(files)) == {"cnn-c000-f0-s0": "it diverged"}


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    assert "is not the folder of a study" in refusal(lambda: print_tables(tmp_path, Console(file=StringIO())))
