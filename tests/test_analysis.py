"""`python -m analysis`: the tables of a study folder, as they stand at the end of a launch."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from analysis.__main__ import main
from raysernas.config import Config
from raysernas.config_file import assign
from raysernas.record.printing import PLAIN_WIDTH, print_tables
from tests.records import confusion, failure, record, study

GOLDEN = Path(__file__).parent / "golden" / "tables.txt"
PLAN = {"study.arms": ["darts", "cnn", "lstm"], "study.folds": [0, 1], "study.candidates": 2, "study.name": "small"}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A small study: one arm with two candidates, one with one, one that failed."""
    darts = [record("darts", c, f, valid=(5 + c,) * 3, test=(6, 7 + f, 9 - c), search_entropy=0.95) for c in (0, 1) for f in (0, 1)]
    cnn = [record("cnn", 0, 0, test=(8, 8, 9)), replace(record("cnn", 0, 1), test=confusion((10, 11, 12), of=20))]
    lstm = [record("lstm", 0, 0), failure("lstm", 0, 1, reason="training: the loss is not finite\n  got: nan")]
    return study(tmp_path / "small", assign(Config(), PLAN), *darts, *cnn, *lstm).root


def test_the_tables_of_a_study(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results)]) == 0
    assert capsys.readouterr().out == GOLDEN.read_text(encoding="utf-8")


def test_they_are_those_that_a_launch_prints(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launched = Console(width=PLAIN_WIDTH, file=StringIO())
    print_tables(results, launched)
    main([str(results)])
    assert isinstance(launched.file, StringIO)
    assert capsys.readouterr().out == launched.file.getvalue()


def test_several_studies_are_told_apart_by_their_folders(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results), str(results)]) == 0
    assert capsys.readouterr().out.replace("\n", "").count(str(results.name)) == 2


def test_a_folder_that_is_no_study_ends_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"results: {tmp_path} is not the folder of a study\n  got: no study.yaml in it\n")


def test_a_study_without_trials_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(study(tmp_path, assign(Config(), PLAN)).root)]) == 0
    assert capsys.readouterr().out.count("no complete candidate") == 3
