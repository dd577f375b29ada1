"""The sections about training and searching: curves over epochs, alphas, the cells that were derived, what
they agree on.
"""

import pandas as pd

from analysis.report import gallery, grid, wording
from analysis.report.findings import Findings
from analysis.report.grid import Column
from analysis.report.markup import Markup
from analysis.report.pieces import figures, paragraph, section


def learning(found: Findings) -> Markup:
    """Curves of both stages, by arm."""
    shown = figures(found, gallery.learning)
    told = (
        "Line: the mean of an arm’s trials at that epoch. Band: from the lowest to the highest of them. "
        "Validation speakers only."
    )
    return section(
        "learning",
        "Learning and search",
        paragraph(told if shown else "No history of a trial was found, so there are no curves."),
        shown,
    )


def architectures(found: Findings) -> Markup:
    """Cells and alphas as drawn by the record, and how often each operation was chosen."""
    columns = [
        *([Column("study", "study")] if len(found.studies) > 1 else []),
        Column("arm", "arm"),
        Column("part", "part"),
        Column("node", "node", wording.count),
        Column("source", "from state", wording.count),
        Column("operation", "operation"),
        Column(
            "count",
            "genotypes",
            wording.count,
            rows=lambda row: found.rows(row, arm=row["arm"], status="finished"),
        ),
        Column("share", "share", wording.percent),
    ]
    agreement = found.of("agreement")
    return section(
        "architectures",
        "Architectures",
        figures(found, gallery.cells, small=True) or paragraph("No searched or drawn genotype was found."),
        figures(found, gallery.alphas),
        figures(found, gallery.operations, small=True),
        _agreement(found, agreement),
        grid.table(
            "How often each gene was chosen",
            found.of("genes"),
            columns,
            found.source(),
            empty="no arm chose an architecture.",
        ),
    )


def _agreement(found: Findings, table: pd.DataFrame) -> Markup | None:
    """Whatever columns it has: numbers in 0..1 as they are."""
    if table.empty:
        return None
    columns = [
        Column(
            name,
            name.replace("_", " "),
            wording.number if pd.api.types.is_numeric_dtype(table[name]) else None,
        )
        for name in map(str, table)
        if name != "study" or len(found.studies) > 1
    ]
    return grid.table("Agreement between folds and seeds", table, columns, found.source())
