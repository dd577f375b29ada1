"""The result tables on a terminal, as `summary` computes them.

In: a study's folder. Out: text on a rich console, the same after a launch, a relaunch and in the analysis.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from raysernas.record import ledger, soundness, summary
from raysernas.record.files import StudyFiles, TrialKey, need_config
from raysernas.record.metrics import METRICS, Metric

NOTHING = "-"
ArmRow = dict[Hashable, Any]  # column -> value


def print_tables(study_root: Path, console: Console) -> dict[str, str]:
    """Arms, their folds, the settings that were chosen, and what failed.

    Returns:
        Name -> reason of each failed trial.

    Raises:
        Fault: when the folder is not a study's.
    """
    study = StudyFiles(study_root)
    rows, remarks = ledger.table_and_remarks(study)
    rows, odd = soundness.believed(rows, need_config(study).corpus.emotions)
    tables = summary.summary(study, rows)
    arms = [each for arm in _rows(tables.arms) for each in (arm, *_ensembles(tables, arm["arm"]))]
    shown = {
        "Test scores in percent, mean ± deviation over folds": _scores(arms),
        "What these are the scores of": _runs(arms),
    }
    if len(tables.folds):
        shown["Test UA of each fold"] = _folds(tables.folds, tables.arms["arm"].tolist())
    if len(tables.pareto):
        shown["Candidates that no other one beats, by validation"] = _pareto(tables.pareto)
    mark = f" ({', '.join(tables.marks)})" if tables.marks else ""
    # not as the title of the table, which would wrap at the width of the table
    for title, table in shown.items():
        console.print(Text(f"{title}{mark}", style="italic"))
        console.print(table)
    for word, meaning in tables.marks.items():
        console.print(Padding(Text(f"{word}: {meaning}", style="bold yellow"), (0, 1)))
    if len(tables.ensembles):
        what = "an ensemble is the mean posterior of a trial's retrain seeds, scored as one model"
        console.print(Padding(f"{what}; it counts in no score of its arm", (0, 1)))
    for row in tables.arms.to_dict("records"):
        if row["note"]:
            console.print(Padding(Text(f"{row['arm']}: {row['note']}", style="yellow"), (0, 1)))
    for remark in (*remarks, *odd):
        console.print(Padding(Text(remark, style="yellow"), (0, 1)))
    failed = failures(study, rows)
    for name, reason in failed.items():
        console.print(Padding(Text(f"{name} failed: {reason.splitlines()[0]}", style="red"), (0, 1)))
    return failed


def failures(study: StudyFiles, rows: pd.DataFrame) -> dict[str, str]:
    """Name -> reason of each failed trial that study.yaml plans."""
    plan = need_config(study).study
    planned = rows["arm"].isin(plan.arms) & rows["fold"].isin(plan.folds) & rows["seed"].isin(plan.seeds)
    failed = rows[planned & (rows["candidate"] < plan.candidates) & (rows["status"] == "failed")].to_dict(
        "records"
    )
    return {_key(row).name: str(row["reason"]) or "no reason was recorded" for row in failed}


def _rows(table: pd.DataFrame) -> list[ArmRow]:
    return table.to_dict("records")


def _ensembles(tables: summary.Tables, arm: str) -> list[ArmRow]:
    """The row of an arm's ensembles, if it has them."""
    return _rows(tables.ensembles[tables.ensembles["of"] == arm])


def _scores(arms: Sequence[ArmRow]) -> Table:
    table = _table()
    for metric in METRICS.values():
        table.add_column(metric.label, justify="right", no_wrap=True)
    for metric in METRICS.values():
        table.add_column(f"pooled {metric.label}", justify="right")
    for row in arms:
        spread = [_spread(metric, row[name], row[f"{name}_sd"]) for name, metric in METRICS.items()]
        pooled = [_score(metric, row[f"pooled_{name}"]) for name, metric in METRICS.items()]
        table.add_row(row["arm"], *spread, *pooled)
    return table


def _runs(arms: Sequence[ArmRow]) -> Table:
    table = _table()
    for heading in ("folds", "runs", "candidate", "valid UA", "parameters", "search s", "retrain s"):
        table.add_column(heading, justify="right")
    for row in arms:
        folds = NOTHING if pd.isna(row["folds"]) else f"{row['folds']:.0f}/{row['planned_folds']}"
        chosen = (
            f"each fold's, of {row['candidates']}"
            if pd.isna(row["candidate"])
            else f"c{row['candidate']:03.0f} of {row['candidates']}"
        )
        chosen = NOTHING if pd.isna(row["valid_ua"]) else chosen
        table.add_row(
            row["arm"],
            folds,
            _count(row["runs"]),
            chosen,
            _ua(row["valid_ua"]),
            *(_count(row[name]) for name in ("parameters", "search_s", "retrain_s")),
        )
    return table


def _folds(folds: pd.DataFrame, arms: list[str]) -> Table:
    """One row for each fold and one column for each arm: there are more folds than arms."""
    table = _table("fold")
    table.add_column("utterances", justify="right")
    for arm in arms:
        table.add_column(arm, justify="right")
    wide = folds.pivot(index="fold", columns="arm", values="ua")
    of_fold = folds.groupby("fold")[["n_test", "lacks"]].first()
    lacking = bool(of_fold["lacks"].any())
    if lacking:
        table.add_column("emotions without utterances")
    for fold, scores in zip(wide.index, wide.to_dict("records"), strict=True):
        size, lacks = of_fold.loc[fold]
        told = [str(lacks)] * lacking
        table.add_row(str(fold), str(size), *[_ua(scores.get(arm, float("nan"))) for arm in arms], *told)
    return table


def _pareto(found: pd.DataFrame) -> Table:
    """One row for each candidate, the best validation UA first."""
    table, nested = _table(), (found["fold"] != summary.ALL_FOLDS).any()
    headings = {"valid_ua": "valid UA", "parameters": "parameters", "latency_ms": "latency ms"}
    names = [name for name in headings if name in found]
    for heading in (*(["fold"] if nested else []), "candidate", *(headings[name] for name in names)):
        table.add_column(heading, justify="right")
    for row in found.sort_values(["arm", "fold", "valid_ua"], ascending=[True, True, False]).to_dict(
        "records"
    ):
        texts = {"valid_ua": _ua, "parameters": _count, "latency_ms": lambda ms: f"{ms:.2f}"}
        numbers = [texts[name](row[name]) for name in names]
        table.add_row(
            row["arm"], *([str(row["fold"])] if nested else []), f"c{row['candidate']:03d}", *numbers
        )
    return table


def _table(first: str = "arm") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    return table


def _key(row: Mapping[Hashable, Any]) -> TrialKey:
    return TrialKey(arm=row["arm"], candidate=row["candidate"], fold=row["fold"], seed=row["seed"])


def _score(metric: Metric, score: float) -> str:
    return NOTHING if pd.isna(score) else metric.text(score)


def _ua(score: float) -> str:
    return _score(METRICS["ua"], score)


def _spread(metric: Metric, mean: float, deviation: float) -> str:
    shown = _score(metric, mean)
    return shown if pd.isna(deviation) else f"{shown} ± {metric.text(deviation)}"


def _count(number: float) -> str:
    return NOTHING if pd.isna(number) else f"{number:,.0f}".replace(",", " ")
