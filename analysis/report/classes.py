"""The sections about who and what is recognised: confusions, emotions, speakers."""

import pandas as pd

from analysis.report import gallery, grid, wording
from analysis.report.findings import NESTED, Findings
from analysis.report.grid import Column
from analysis.report.markup import Markup
from analysis.report.pieces import figures, paragraph, section
from raysernas.record.metrics import METRICS


def classes(found: Findings) -> Markup:
    """Confusions of each arm, recall of each emotion by arm."""
    table = _with_folds(found, found.of("classes", selection=NESTED))
    lead = [Column("study", "study")] if len(found.studies) > 1 else []

    def own(row: grid.Row) -> dict[str, object]:
        return found.rows(row, arm=row["arm"], chosen=NESTED)

    columns = [
        *lead,
        Column("arm", "arm"),
        Column("emotion", "emotion"),
        Column("of_folds", "folds", wording.count, rows=own),
        Column("n", "utterances", wording.count, rows=own, note="of all folds"),
        Column("runs", "runs", wording.count, rows=own, note="networks that heard each utterance"),
        Column("recall", "recall", wording.percent, rows=own),
        Column("precision", "precision", wording.percent, rows=own),
        Column("f1", "F1", wording.percent, rows=own),
    ]
    return section(
        "classes",
        "Emotions",
        paragraph("All test utterances as one set: the sum of the confusions of all folds and runs."),
        figures(found, gallery.confusions),
        figures(found, gallery.recalls),
        grid.table("Each emotion", table, columns, found.source(), empty="no utterance has been tested yet."),
    )


def speakers(found: Findings) -> Markup:
    """UA of each speaker, drawn and as a table."""
    table = found.of("speakers", selection=NESTED)

    def own(row: grid.Row) -> dict[str, object]:
        folds = [int(each) for each in str(row["folds"]).split(", ") if each.isdigit()]
        return found.rows(row, arm=row["arm"], fold=folds, chosen=NESTED)

    columns = [
        *([Column("study", "study")] if len(found.studies) > 1 else []),
        Column("speaker", "speaker"),
        Column("arm", "arm"),
        Column("folds", "fold"),
        Column("n", "utterances", wording.count, rows=own),
        Column("runs", "runs", wording.count, rows=own, note="networks that heard each utterance"),
        *(grid.score(name, own) for name in METRICS),
    ]
    told = "no predictions of the chosen trials were found, so nothing is known about single speakers."
    return section(
        "speakers",
        "Speakers",
        figures(found, gallery.speakers),
        grid.table("Each speaker", table, columns, found.source(), empty=told),
    )


def _with_folds(found: Findings, table: pd.DataFrame) -> pd.DataFrame:
    """The same with the number of folds behind each arm: one that has not ended cannot be compared with the
    others.
    """
    folds = found.of("folds", selection=NESTED)
    if table.empty or folds.empty:
        return table
    return table.merge(
        folds.groupby(["study", "arm"])["fold"].nunique().rename("of_folds").reset_index(),
        on=["study", "arm"],
    )
