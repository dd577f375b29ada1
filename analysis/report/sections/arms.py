"""The headline scores of each arm, flat ones beside them, what is behind them, and the forbidden oracle."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child, Markup, tag
from analysis.report.pieces import paragraph
from analysis.selection import FLAT, HEADLINE, ORACLE
from raysernas.record.metrics import METRICS

OVER_FOLDS = "mean ± standard deviation over folds, in percent; seeds are averaged inside a fold first."
CHOSEN = (
    "Nested selection: each outer fold uses the candidate that was best on that fold’s validation speakers. "
    "Flat "
    "selection: one candidate for all folds; what it gains over nested is usually optimism, not accuracy. "
    "Scores "
    f"are {OVER_FOLDS}"
)
AS_WRITTEN = f"Every arm ran as written; no candidate was chosen. Scores are {OVER_FOLDS}"
FORBIDDEN = (
    "No study may report these scores: each candidate was chosen by its test score. They show how much such "
    "a "
    "choice flatters. No other number on this page uses them."
)

TOGETHER = (
    "An ensemble averages the posteriors of the retrain seeds of each trial and is scored as one model, as "
    "large and as slow as its members together. It counts in no other number on this page, and no candidate "
    "was chosen by it."
)


def contents(results: Results) -> Iterator[Child]:
    """Scores, runs behind them, and the oracle where candidates were chosen."""
    runs = results.rows("arms", selection=HEADLINE)
    chose = len(runs) > 0 and bool((runs["candidates"] > 1).any())
    yield paragraph(CHOSEN if chose else AS_WRITTEN)
    yield grid.table(
        results,
        "Test scores of each arm",
        _beside_flat(results) if chose else _ranked(runs),
        _score_columns(results, "UA, nested" if chose else "UA"),
        head="arm",
        empty="no arm has a score yet.",
        selections=(HEADLINE, FLAT) if chose else (HEADLINE,),
    )
    yield grid.table(results, "Runs behind these scores", _runs(runs), _run_columns(results), head="arm")
    yield from _ensembles(results)
    yield _forbidden(results) if chose else None


def _beside_flat(results: Results) -> pd.DataFrame:
    table = results.rows("arms", selection=HEADLINE)
    flat = results.rows("arms", selection=FLAT)
    if table.empty or flat.empty:
        return table
    flat = flat[["study", "arm", "ua"]].rename(columns={"ua": "flat_ua"})
    both = table.merge(flat, on=["study", "arm"], how="left")
    return _ranked(both.assign(gain=both["flat_ua"] - both["ua"]))


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The best arm of each study first, those without a score last."""
    if table.empty:
        return table
    return table.sort_values(["study", "ua"], ascending=[True, False], na_position="last", kind="stable")


def _score_columns(results: Results, heading: str, selection: str = HEADLINE) -> list[Column]:
    own = links.like_row(results, "arm", chosen=selection)
    flat = links.like_row(results, "arm", chosen=FLAT)
    gain = "points of UA by which flat selection is above nested selection"
    beside = [
        Column("flat_ua", "UA, flat", values.percent, rows=flat),
        Column("gain", "flat − nested", values.points, note=gain),
    ]
    return [
        Column("arm", "arm", rows=links.like_row(results, "arm")),
        grid.score("ua", own, heading=heading),
        *(beside if selection == HEADLINE else []),
        *(grid.score(name, own) for name in METRICS if name != "ua"),
        *(grid.score(name, own, pooled=True) for name in METRICS),
    ]


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    """The same arms with their folds as one text."""
    if table.empty:
        return table
    folds = zip(table["folds"].fillna(0), table["planned_folds"], strict=True)
    return table.assign(of_folds=[f"{scored:.0f} of {planned:.0f}" for scored, planned in folds])


def _run_columns(results: Results) -> list[Column]:
    def in_fold(column: str) -> Any:
        def rows(row: links.FrameRow) -> dict[str, Any]:
            if not values.known(row.get(column)):
                return {}
            return links.conditions(results, row, arm=row["arm"], fold=int(row[column]), chosen=HEADLINE)

        return rows

    own, every = links.like_row(results, "arm", chosen=HEADLINE), links.like_row(results, "arm")
    failed, raced = (links.like_row(results, "arm", status=status) for status in ("failed", "raced"))
    undecided = "of the edges at the end of the search; 1 = nothing was chosen"
    return [
        Column("arm", "arm", rows=every),
        Column("of_folds", "folds", rows=own),
        Column("runs", "runs", values.count, rows=own, note="of each fold: search seeds × retrain seeds"),
        Column("valid_ua", "validation UA", values.percent, rows=own),
        Column("candidates", "candidates", values.count, rows=every),
        Column("failed", "failed", values.count, rows=failed),
        Column(
            "raced", "raced out", values.count, rows=raced, note="trials of candidates that were given up"
        ),
        Column("best_ua", "best fold", values.percent, rows=in_fold("best_fold")),
        Column("worst_ua", "worst fold", values.percent, rows=in_fold("worst_fold")),
        Column("parameters", "parameters", values.count, rows=own),
        Column("latency_ms", "latency, ms", values.number, rows=own),
        Column("search_s", "search, s", values.count, rows=own, note="mean seconds of a trial"),
        Column("retrain_s", "retrain, s", values.count, rows=own, note="mean seconds of a retraining"),
        Column("entropy", "entropy", values.two_decimals, rows=own, note=undecided),
        Column("note", "note"),
    ]


def _ensembles(results: Results) -> Iterator[Child]:
    """What averaging the posteriors of retrain seeds gains, where there are several."""
    table = _ranked(results.rows("ensembles", selection=HEADLINE))
    if table.empty:
        return
    own = links.like_row(results, chosen=HEADLINE)
    of_arm = lambda row: {**own(row), "arm": row["of"]}  # noqa: E731
    summed = "summed over the members"
    columns = [
        Column("arm", "arm", rows=of_arm),
        grid.score("ua", of_arm),
        Column("gain", "above its members", values.points, note="points of UA above the mean of its members"),
        *(grid.score(name, of_arm) for name in METRICS if name != "ua"),
        *(grid.score(name, of_arm, pooled=True) for name in METRICS),
        Column("valid_ua", "validation UA", values.percent, rows=of_arm),
        Column("parameters", "parameters", values.count, rows=of_arm, note=summed),
        Column("latency_ms", "latency, ms", values.number, rows=of_arm, note=summed),
        Column("retrain_s", "retrain, s", values.count, rows=of_arm, note=f"{summed}, mean of the trials"),
    ]
    yield paragraph(TOGETHER)
    yield grid.table(results, "Ensembles of retrain seeds", table, columns, head="arm")


def _forbidden(results: Results) -> Markup | None:
    oracle = results.rows("arms", selection=ORACLE)
    if oracle.empty:
        return None
    summary = tag("summary", None, "Forbidden: the oracle, which chooses by test scores")
    table = grid.table(
        results,
        "Oracle: chosen by test score",
        oracle,
        _score_columns(results, "UA, oracle", ORACLE),
        head="arm",
        selections=(ORACLE,),
        marks={"forbidden": FORBIDDEN},
    )
    return tag("details", {"class": "forbidden"}, summary, paragraph(FORBIDDEN), table)
