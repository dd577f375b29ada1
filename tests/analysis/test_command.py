"""`python -m analysis`: the answer, the tables of a launch, and one report; bad input is refused in words."""

import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from analysis.__main__ import main
from analysis.loading import load
from analysis.report import page as pages
from raysernas.config.files import assign
from raysernas.config.schema import Config
from raysernas.record import ledger, storage
from raysernas.record.printing import print_tables
from raysernas.record.terminal import PLAIN_WIDTH
from tests.support.ledgers import simulated
from tests.support.pages import Page
from tests.support.recipes import ROOT, apply, copied, recipes
from tests.support.records import confusion, failure, record, study

GOLDEN = Path(__file__).parents[1] / "golden" / "tables.txt"
PLAN = {
    "study.arms": ["darts", "cnn", "lstm"],
    "study.folds": [0, 1],
    "study.candidates": 2,
    "study.name": "small",
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A small study: one arm with two candidates, one with one, one that failed."""
    darts = [
        record("darts", c, f, valid=(5 + c,) * 3, test=(6, 7 + f, 9 - c), search_entropy=0.95)
        for c in (0, 1)
        for f in (0, 1)
    ]
    cnn = [
        record("cnn", 0, 0, test=(8, 8, 9)),
        replace(record("cnn", 0, 1), test=confusion((10, 11, 12), of=20)),
    ]
    lstm = [
        record("lstm", 0, 0),
        failure("lstm", 0, 1, reason="training: the loss is not finite\n  got: nan"),
    ]
    return study(tmp_path / "small", assign(Config(), PLAN), *darts, *cnn, *lstm).root


def said(page: Page) -> str:
    """The answer that a page begins with."""
    return next(each.text for each in page.named("p") if each.attributes.get("class") == "lead")


# --- on the terminal


def test_the_tables_of_a_study(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results)]) == 0
    before, _, after = capsys.readouterr().out.partition(GOLDEN.read_text(encoding="utf-8"))
    assert "darts has the highest UA" in before
    assert after.splitlines()[0].startswith(f"Report: {results / 'report.html'}")


def test_the_tables_are_those_that_a_launch_prints(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launched = Console(width=PLAIN_WIDTH, file=StringIO())
    print_tables(results, launched)
    main([str(results)])
    assert isinstance(launched.file, StringIO)
    assert launched.file.getvalue() in capsys.readouterr().out


def test_a_folder_without_a_study_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(
        f"results: {tmp_path} is not the folder of a study\n  got: no study.yaml in it\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_study_without_trials_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = study(tmp_path, assign(Config(), PLAN)).root
    assert main([str(root)]) == 0
    assert capsys.readouterr().out.count("no complete candidate") >= 3
    assert "Nothing can be" in said(Page((root / "report.html").read_text(encoding="utf-8")))


# --- what is written


@pytest.mark.slow
def test_the_report_goes_to_the_given_path(results: Path, tmp_path: Path) -> None:
    assert main([str(results), "--out", str(tmp_path / "elsewhere" / "page.html")]) == 0
    assert not (results / "report.html").exists()
    assert (tmp_path / "elsewhere" / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_report_is_the_same_every_time(results: Path) -> None:
    pages = [main([str(results)]) == 0 and (results / "report.html").read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]


def test_the_report_of_a_bucket_is_written_there(tmp_path: Path) -> None:
    root = storage.place(f"memory://analysis-{tmp_path.name}/study")
    simulated(root, arms=("random", "cnn"), folds=2)
    assert main([str(root)]) == 0
    assert said(Page(storage.read(root / "report.html").decode()))


def test_several_studies_share_a_report_that_keeps_them_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roots = [
        simulated(tmp_path / name, arms=("cnn", "lstm"), folds=2, seed=i).root
        for i, name in enumerate(("one", "two"))
    ]
    assert main([str(root) for root in roots]) == 0
    told = capsys.readouterr().out.replace("\n", "")
    assert all(str(root) in told for root in roots)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert sum(each.attributes.get("class") == "lead" for each in page.named("p")) == 2
    assert all(page.rows(link) for link in page.links if "chosen=" in link)


def test_every_table_and_figure_is_a_file_on_request(tmp_path: Path) -> None:
    root = simulated(
        tmp_path / "study", arms=("darts", "cnn"), folds=3, predictions=True, histories=True
    ).root
    assert (
        main([str(root), "--tables", str(tmp_path / "tables"), "--figures", str(tmp_path / "figures")]) == 0
    )
    names = {path.stem for path in (tmp_path / "tables").glob("*.csv")}
    assert {
        "trials",
        "arms",
        "folds",
        "pairs",
        "classes",
        "speakers",
        "cost",
        "components",
        "genes",
        "histories",
    } <= names
    read = pd.read_csv(tmp_path / "tables" / "arms.csv", comment="#")
    assert read["ua"].tolist() == pytest.approx(load(root).arms["ua"].tolist())
    papers = pd.read_csv(tmp_path / "tables" / "headline.csv", comment="#")
    nested = load(root).arms.query("selection == 'nested'").set_index("arm")
    assert papers["ua"].tolist() == pytest.approx(sorted(nested["ua"], reverse=True))
    forbidden = b"chosen by test scores"
    assert forbidden not in (tmp_path / "tables" / "headline.md").read_bytes(), "it is in no table of a paper"
    assert forbidden in (tmp_path / "tables" / "arms.md").read_bytes()
    assert papers["pooled_wa"].tolist() == pytest.approx(nested.loc[papers["arm"], "pooled_wa"].tolist())
    figures = {
        kind: {path.stem for path in (tmp_path / "figures").glob(f"*.{kind}")} for kind in ("svg", "png")
    }
    assert figures["svg"] == figures["png"]
    assert len(figures["svg"]) > 15


# --- bad input

ODD: dict[str, dict[str, Any]] = {
    "one fold": {"folds": 1},
    "one arm": {"arms": ("darts",), "folds": 2},
    "all failed": {"failed": 1.0, "singles": True},
    "raced": {"candidates": 3, "raced": 0.5, "failed": 0.1, "arms": ("darts", "random")},
    "one speaker": {"speakers": 1, "folds": 2},
    "nested": {"candidates": 2, "protocol": "nested", "folds": 3, "arms": ("random", "cnn")},
    "200 classes": {
        "emotions": [f"クラス{i}<b>&'" for i in range(200)],
        "takes": 1,
        "predictions": True,
        "folds": 2,
    },
    "every space": {
        "arms": ("darts_joint", "darts_ordered", "all_skip", "majority"),
        "folds": 2,
        "histories": True,
    },
    "two retrain seeds": {"retrain_seeds": 2, "folds": 2, "histories": True, "predictions": True},
}


# every kind of page at once; the others, one by one, are slow
QUICK = ("all failed", "nested", "two retrain seeds")


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(plan, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, plan in ODD.items()
    ],
)
def test_odd_studies_have_a_report_without_broken_links(tmp_path: Path, plan: dict[str, Any]) -> None:
    root = simulated(tmp_path / "study", seeds=1, **plan).root
    assert main([str(root)]) == 0
    page = Page((root / "report.html").read_text(encoding="utf-8"))
    assert (page.odd, page.opened) == ([], [])
    lost = [link for link in page.links if "?" in link and not page.rows(link)]
    assert all(each.text.split()[0] == "0" for each in page.elements if each.attributes.get("href") in lost)
    cells = [each.text.strip() for each in page.elements if each.name in ("td", "th", "a", "dd", "text")]
    assert not set(cells) & {"nan", "NaN", "None", "inf", "nan %"}


def test_scores_that_are_not_numbers_are_unknown(tmp_path: Path) -> None:
    files = simulated(tmp_path / "study", arms=("cnn", "lstm"), folds=2, seeds=1)
    *_, path = storage.listed(files.trials, ".parquet")  # after its copy
    rows = pd.read_parquet(path)
    lost = (rows["arm"] == "cnn") & (rows["fold"] == 0)
    rows.loc[lost, ["test_ua", "test_wa", "test_f1"]] = float("nan")
    rows.loc[lost, "test_confusion"] = ""
    ledger.write_table(path, rows)
    assert main([str(files.root)]) == 0
    found = load(files.root)
    assert found.rows("arms", selection="nested").set_index("arm")["ua"].isna().to_dict() == {
        "cnn": True,
        "lstm": False,
    }
    assert "lstm" in said(Page((files.root / "report.html").read_text(encoding="utf-8")))


def test_without_histories_and_predictions_the_report_says_so(tmp_path: Path) -> None:
    root = simulated(tmp_path / "study", arms=("darts",), folds=2).root
    main([str(root)])
    page = Page((root / "report.html").read_text(encoding="utf-8"))
    parts = {part.attributes["id"]: part.text for part in page.named("section")}
    assert "No history of a trial was found" in parts["learning"]
    assert "nothing is known about single speakers" in parts["speakers"]
    assert "are missing" in parts["protocol"]


@pytest.mark.slow
def test_studies_of_unlike_protocols_need_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roots = [
        str(simulated(tmp_path / name, arms=("cnn",), folds=folds).root)
        for name, folds in (("one", 2), ("two", 3))
    ]
    assert main(roots) == 2
    assert "unlike protocols" in capsys.readouterr().err
    assert main([*roots, "--mixed"]) == 0
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert all("mixed protocols" in caption.text for caption in page.named("caption"))


@pytest.mark.slow
def test_figures_of_similarly_named_studies_do_not_overwrite_each_other(tmp_path: Path) -> None:
    roots = [
        simulated(tmp_path / name, arms=("darts",), folds=2, histories=True).root
        for name in ("emo_db", "emo-db")
    ]
    assert main([*map(str, roots), "--mixed", "--figures", str(tmp_path / "both")]) == 0
    assert main([str(roots[0]), "--figures", str(tmp_path / "one")]) == 0
    one, both = (len(list((tmp_path / name).glob("*.svg"))) for name in ("one", "both"))
    assert both == 2 * one
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(set(page.identities)) == len(page.identities)


def test_every_figure_of_the_page_is_a_file(tmp_path: Path) -> None:
    found = load(simulated(tmp_path, arms=("darts", "cnn"), folds=3, predictions=True, histories=True).root)
    page = Page(pages.page(found))
    assert len(pages.figures(found)) == len(list(page.named("figure")))


@pytest.mark.slow
def test_costs_link_to_their_trials(tmp_path: Path) -> None:
    """Also to those that study.yaml no longer plans."""
    files = simulated(tmp_path, arms=("darts", "cnn"), folds=2, candidates=3, failed=0.2, seed=4)
    storage.write_text(
        files.config, (storage.text(files.config) or "").replace("candidates: 3", "candidates: 2")
    )
    found = load(files.root)
    page, parts = Page(pages.page(found)), lambda link: set(link.partition("?")[2].split("&"))
    cost = found.rows("cost")
    for arm, purpose, asked in (
        *((arm, "beyond the plan", "planned=False") for arm in ("darts", "cnn")),
        *((arm, "failed", "status=failed") for arm in ("darts", "cnn")),
        *((arm, "retrain", "chosen=nested") for arm in ("darts", "cnn")),
    ):
        count = cost.loc[(cost["arm"] == arm) & (cost["purpose"] == purpose), "trials"].sum()
        link = next(
            link
            for link in page.links
            if parts(link) in ({f"arm={arm}", asked}, {f"arm={arm}", asked, "status=finished"})
        )
        assert len({found.trials["trial"].iloc[i] for i in page.rows(link)}) == count > 0


def test_an_unreadable_history_does_not_stop_the_report(tmp_path: Path) -> None:
    root = simulated(tmp_path, arms=("darts",), folds=2, histories=True).root
    for path in list((root / "history").iterdir()):
        path.unlink()
        path.mkdir()
    assert main([str(root)]) == 0
    assert "cannot read" in (root / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_names_of_folders_are_not_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roots = [simulated(tmp_path / "a[/x]" / name, arms=("cnn",), folds=2).root for name in ("s", "t")]
    assert main([*map(str, roots), "--mixed", "--out", str(tmp_path / "report.html")]) == 0
    assert "a[/x]" in capsys.readouterr().out


def test_the_readme_adds_a_figure_in_one_file_and_one_line(tmp_path: Path) -> None:
    (recipe,) = recipes((ROOT / "analysis" / "README.md").read_text(encoding="utf-8"))
    root = copied(tmp_path / "copy")
    for edit in recipe.edits:
        apply(edit, root)
    study = simulated(tmp_path / "study", arms=("darts", "cnn"), folds=2, seeds=1).root
    command = [sys.executable, "-m", "analysis", str(study), "--figures", str(tmp_path / "figures")]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    page = Page((study / "report.html").read_text(encoding="utf-8"))
    assert "sizes" in page.identities
    assert (tmp_path / "figures" / "simulated-parameters-by-arm.svg").is_file()
