"""Time by purpose, and accuracy against size, latency and time."""

from collections.abc import Iterator

import pandas as pd

from analysis.figures import bars, fronts
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child
from analysis.report.pieces import Figure, figures
from analysis.selection import HEADLINE

MOST_POINTS = 500  # that a figure can show legibly
AXES = {"parameters": "parameters", "seconds": "seconds of a trial", "latency_ms": "latency, ms an utterance"}


def contents(results: Results) -> Iterator[Child]:
    """The figures and the table."""

    def of_purpose(row: links.FrameRow) -> dict[str, object]:
        arm, purpose = row["arm"], row["purpose"]
        if purpose == "other candidates":  # no column says what was not chosen
            return {}
        if purpose in ("failed", "raced"):
            return links.conditions(results, row, arm=arm, status=purpose, planned=None)
        if purpose == "beyond the plan":
            return links.conditions(results, row, arm=arm, status="finished", planned=False)
        return links.conditions(results, row, arm=arm, chosen=HEADLINE)

    found = results.rows("cost")
    time = values.seconds_like(found["seconds"].max() if len(found) else 0)
    columns = [
        Column("arm", "arm"),
        Column("purpose", "purpose"),
        Column("device", "device"),
        Column("trials", "trials", values.count, rows=of_purpose),
        Column("seconds", "time", time, rows=of_purpose, note="wall-clock time"),
        Column("device_s", "device time", time, note="times the threads, or the share of a GPU"),
        Column("share", "share of the arm", values.percent),
        Column("note", "note"),
    ]
    yield figures(results, drawings)
    empty = "no trial has recorded its seconds."
    yield grid.table(results, "Time by purpose", found, columns, empty=empty)


def drawings(results: Results, study: str) -> Iterator[Figure]:
    """All of them, in order."""
    for drawn in (hours, arms, candidates):
        yield from drawn(results, study)


def hours(results: Results, study: str) -> Iterator[Figure]:
    """Hours of each arm by purpose."""
    table = results.rows("cost", study)
    if table.empty:
        return
    seconds = {arm: _seconds(table[table["arm"] == arm]) for arm in results.ranked(study)}
    unknown = sorted({str(purpose) for purpose in table.loc[table["seconds"].isna(), "purpose"]})
    picture = bars.stacked("Hours by purpose", "hours", seconds, by=1 / 3600)
    if picture is not None:
        note = f"Not drawn, because unknown: {', '.join(unknown)}." if unknown else ""
        yield Figure("Hours by purpose", picture, note)


def arms(results: Results, study: str) -> Iterator[Figure]:
    """Test UA of arms against each price."""
    points, order = results.rows("pareto", study), results.ranked(study)
    chosen = points[points["chosen"].astype(bool)] if len(points) else points
    for column, label in AXES.items() if len(points) else ():
        picture = fronts.front(chosen, column, label, order, links.of_marks(results, study))
        if picture is not None:
            note = "Each mark is an arm. Dashed: the Pareto front."
            yield Figure(f"Test UA against {label}", picture, note)


def candidates(results: Results, study: str) -> Iterator[Figure]:
    """Validation UA of candidates against each price."""
    points, order = results.rows("pareto", study), results.ranked(study)
    if points.empty:
        return
    tried = points[~points["chosen"].astype(bool)]
    tried = tried.assign(ua=tried["valid_ua"]).nlargest(MOST_POINTS, "ua")
    # in a nested study each fold has a score of its own, and some folds are easier: no common front
    nested = "fold" in tried and bool(tried["fold"].notna().any())
    each = "candidate on a fold." if nested else "candidate. Dashed: the Pareto front."
    for column, label in AXES.items() if len(tried) > len(order) else ():
        picture = fronts.front(tried, column, label, order, joined=not nested)
        if picture is not None:
            yield Figure(f"Validation UA against {label}", picture, f"Each mark is a {each}")


def _seconds(rows: pd.DataFrame) -> dict[str, float]:
    """Purpose -> seconds; without purposes of which some are unknown."""
    groups = rows.groupby("purpose", sort=False)["seconds"]
    sums = groups.sum().where(groups.count() == groups.size())
    return {str(purpose): float(each) for purpose, each in sums.items() if values.known(each)}
