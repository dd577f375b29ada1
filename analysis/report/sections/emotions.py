"""Confusions of each arm, and the recall of each emotion."""

from collections.abc import Iterator

from analysis.figures import matrices
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child
from analysis.report.pieces import Figure, figures, paragraph
from analysis.selection import HEADLINE
from raysernas.drawing import pictures

MOST_EMOTIONS = 30  # that a figure can show legibly


def contents(results: Results) -> Iterator[Child]:
    """The figures and the table."""
    found, folds = results.rows("classes", selection=HEADLINE), results.rows("folds", selection=HEADLINE)
    if len(found) and len(folds):  # an arm that has not ended cannot be compared with the others
        counts = folds.groupby(["study", "arm"])["fold"].nunique().rename("of_folds").reset_index()
        found = found.merge(counts, on=["study", "arm"])
    own = links.like_row(results, "arm", chosen=HEADLINE)
    columns = [
        Column("arm", "arm"),
        Column("emotion", "emotion"),
        Column("of_folds", "folds", values.count, rows=own),
        Column("n", "utterances", values.count, rows=own, note="of all folds"),
        Column("runs", "runs", values.count, rows=own, note="networks tested on each utterance"),
        Column("recall", "recall", values.percent, rows=own),
        Column("precision", "precision", values.percent, rows=own),
        Column("f1", "F1", values.percent, rows=own),
    ]
    yield paragraph("All test utterances as one set: the sum of the confusions of all folds and runs.")
    yield figures(results, confusions)
    yield figures(results, recalls)
    yield grid.table(results, "Each emotion", found, columns, empty="no utterance has been tested yet.")


def confusions(results: Results, study: str) -> Iterator[Figure]:
    """One matrix for each arm."""
    for arm in results.ranked(study) if len(results.rows("chosen", study)) else ():
        counts = results.confusion(study, HEADLINE, arm)
        partly = "" if arm in results.complete(study) else " This arm does not have all of its folds."
        if len(counts):
            picture = pictures.confusion(counts.to_numpy(), [*map(str, counts.index)])
            note = f"Number of utterances × runs, and percent of the row.{partly}"
            yield Figure(f"Confusions of {arm}", picture, note)


def recalls(results: Results, study: str) -> Iterator[Figure]:
    """Recall by emotion and arm as a matrix of numbers."""
    rows = results.rows("classes", study, HEADLINE)
    if rows.empty or rows["emotion"].nunique() > MOST_EMOTIONS or rows["recall"].isna().all():
        return
    wide = rows.pivot_table(index="arm", columns="emotion", values="recall", sort=False, dropna=False)
    wide = wide.reindex([arm for arm in results.complete(study) if arm in wide.index])
    if len(wide):
        title = "Recall of each emotion by arm"
        yield Figure(title, matrices.shares(wide, title), "Percent of the emotion’s utterances.")
