"""What the scores vary with, and which settings mattered."""

from collections.abc import Iterator

import pandas as pd

from analysis.figures import bars
from analysis.loading import Results
from analysis.report import grid, values
from analysis.report.grid import Column
from analysis.report.markup import Child
from analysis.report.pieces import Figure, figures, paragraph

HOW = "How much a score would move if only one source of chance were drawn again: a standard deviation each."


def contents(results: Results) -> Iterator[Child]:
    """Both figures, both tables."""
    levels = "levels of the source: the number of folds, candidates or seeds"
    sources = [
        Column("arm", "arm"),
        Column("component", "source"),
        Column("levels", "levels", values.count, note=levels),
        Column("sd", "deviation", values.percent, note="points of UA"),
        Column("share", "share of the variance", values.percent),
        Column("note", "note"),
    ]
    settings = [
        Column("arm", "arm"),
        Column("setting", "setting"),
        Column("importance", "importance", values.two_decimals),
        Column("candidates", "candidates", values.count),
        Column("note", "note"),
    ]
    found, mattered = results.rows("components"), results.rows("importance")
    empty = "several folds and seeds are needed to tell sources apart."
    yield paragraph(HOW)
    yield figures(results, deviations)
    yield grid.table(results, "Variance by source", found, sources, empty=empty)
    yield figures(results, importance)
    empty = "no arm has the 20 candidates that this takes."
    yield grid.table(results, "Importance of settings", mattered, settings, empty=empty)


def deviations(results: Results, study: str) -> Iterator[Figure]:
    """Standard deviation by source."""
    table, title = results.rows("components", study), "What UA varies with"
    groups = table.groupby("arm", sort=False) if len(table) else ()
    rows = {str(arm): _known(group, "component", "sd") for arm, group in groups}
    if (picture := bars.spread(title, "standard deviation, points of UA", rows, by=100)) is not None:
        yield Figure(title, picture)


def importance(results: Results, study: str) -> Iterator[Figure]:
    """Which settings mattered, arm by arm."""
    table, axis = results.rows("importance", study), "importance for being among the best candidates"
    for arm, group in table.groupby("arm", sort=False) if len(table) else ():
        title = f"Importance of settings, {arm}"
        if (picture := bars.simple(title, axis, _known(group, "setting", "importance"))) is not None:
            yield Figure(title, picture)


def _known(rows: pd.DataFrame, name: str, value: str) -> dict[str, float]:
    pairs = zip(rows[name], rows[value], strict=True)
    return {str(key): float(each) for key, each in pairs if values.known(each)}
