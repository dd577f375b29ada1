"""Test UA on every fold, drawn and as a table; validation against test."""

from collections.abc import Iterator

from analysis.figures import curves, fronts
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child, Markup
from analysis.report.pieces import Figure, figures, paragraph
from analysis.selection import HEADLINE

MOST_FOLDS = 40  # that a figure can show legibly


def contents(results: Results) -> Iterator[Child]:
    """The figures, and a table for each study."""
    scored = [study for study in results.names if len(results.rows("folds", study, HEADLINE))]
    yield figures(results, profiles)
    yield from [_table(results, study) for study in scored] or [paragraph("No fold has a score yet.")]


def profiles(results: Results, study: str) -> Iterator[Figure]:
    """UA along the folds; test against validation."""
    rows, arms = results.rows("folds", study, HEADLINE), results.ranked(study)
    if rows.empty:
        return
    if len(set(rows["fold"])) <= MOST_FOLDS and (picture := curves.profile(rows, arms)):
        yield Figure("Test UA of every fold", picture)
    chosen = results.rows("chosen", study, HEADLINE)
    if chosen.empty:
        return
    points = rows.merge(chosen[["arm", "fold", "valid_ua"]], on=["arm", "fold"])
    if picture := fronts.validation(points, arms, links.of_marks(results, study)):
        note = "Each mark is a fold; on the dashed line both are equal."
        yield Figure("Test against validation", picture, note)


def _table(results: Results, study: str) -> Markup:
    """One row a fold, one column an arm: there are many folds and few arms."""
    rows = results.rows("folds", study, HEADLINE)
    wide = rows.pivot_table(index="fold", columns="arm", values="ua", aggfunc="mean", dropna=False)
    sizes = rows.groupby("fold")[["n_test", "lacks"]].first().reset_index()
    wide = sizes.merge(wide.reset_index(), on="fold").assign(study=study)

    def of_arm(arm: str) -> Column:
        def rows(row: links.FrameRow) -> dict[str, object]:
            return links.conditions(results, row, arm=arm, fold=row["fold"], chosen=HEADLINE)

        return Column(arm, arm, values.percent, rows=rows)

    columns = [
        Column("fold", "fold", values.count, rows=links.like_row(results, "fold", chosen=HEADLINE)),
        Column("n_test", "utterances", values.count),
        *map(of_arm, results.ranked(study)),
        *[Column("lacks", "emotions without utterances")] * bool(sizes["lacks"].any()),
    ]
    name = f", {study}" if len(results.names) > 1 else ""
    return grid.table(results, f"Test UA of each fold{name}", wide, columns, head="fold", study=study)
