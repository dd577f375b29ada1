"""Test UA of each speaker, drawn and as a table."""

from collections.abc import Iterator

from analysis.figures import dots
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child
from analysis.report.pieces import HOLLOW, Figure, figures
from analysis.selection import HEADLINE
from raysernas.record.metrics import METRICS


def contents(results: Results) -> Iterator[Child]:
    """The figure and the table."""

    def own(row: links.FrameRow) -> dict[str, object]:
        folds = [int(each) for each in str(row["folds"]).split(", ") if each.isdigit()]
        return links.conditions(results, row, arm=row["arm"], fold=folds, chosen=HEADLINE)

    columns = [
        Column("speaker", "speaker"),
        Column("arm", "arm"),
        Column("folds", "fold"),
        Column("n", "utterances", values.count, rows=own),
        Column("runs", "runs", values.count, rows=own, note="networks tested on each utterance"),
        *(grid.score(name, own) for name in METRICS),
    ]
    found = results.rows("speakers", selection=HEADLINE)
    empty = "no predictions of the chosen trials were found, so nothing is known about single speakers."
    yield figures(results, by_arm)
    yield grid.table(results, "Each speaker", found, columns, empty=empty)


def by_arm(results: Results, study: str) -> Iterator[Figure]:
    """Arms by UA, with the speakers behind each mean."""
    rows = results.rows("speakers", study, HEADLINE)
    if len(rows) and rows["ua"].notna().any():
        # an arm may have scores and lack predictions
        tested = rows[rows["ua"].notna()].groupby("arm")["speaker"].nunique()
        whole = [arm for arm in results.complete(study) if tested.get(arm) == tested.max()]
        picture = dots.speakers(rows, results.ranked(study), whole, links.of_marks(results, study))
        yield Figure("Test UA of every speaker", picture, HOLLOW.format("speaker"))
