"""The sections about what it costs and what the differences come from: seconds, Pareto fronts, variance,
settings.
"""

from analysis.report import gallery, grid, wording
from analysis.report.findings import NESTED, Findings
from analysis.report.grid import Column
from analysis.report.markup import Markup
from analysis.report.pieces import figures, paragraph, section


def cost(found: Findings) -> Markup:
    """Seconds by purpose, and accuracy against what it takes."""
    return section("cost", "Cost", figures(found, gallery.cost), _cost_table(found))


def components(found: Findings) -> Markup:
    """Where scores vary, and which settings matter."""
    lead = _lead(found)
    columns = [
        *lead,
        Column("arm", "arm"),
        Column("component", "source"),
        Column(
            "levels", "drawn", wording.count, note="levels of the source: so many folds, candidates, seeds"
        ),
        Column("sd", "deviation", wording.points_of, note="points of UA"),
        Column("share", "share of the variance", wording.percent),
        Column("note", "beware"),
    ]
    return section(
        "components",
        "What scores vary with",
        paragraph(
            "One deviation for each source of luck, in points of UA: how much a score would move if only "
            "that were drawn anew."
        ),
        figures(found, gallery.components),
        grid.table(
            "Variance by source",
            found.of("components"),
            columns,
            found.source(),
            empty="several folds and seeds are needed to tell sources apart.",
        ),
        *_importance(found),
    )


def _importance(found: Findings) -> list[Markup | None]:
    columns = [
        *_lead(found),
        Column("arm", "arm"),
        Column("setting", "setting"),
        Column("importance", "importance", lambda share: f"{share:.2f}"),
        Column("candidates", "candidates", wording.count),
        Column("note", "beware"),
    ]
    table = grid.table(
        "Importance of settings",
        found.of("importance"),
        columns,
        found.source(),
        empty="no arm has the 20 candidates that it takes.",
    )
    return [figures(found, gallery.importance), table]


def _cost_table(found: Findings) -> Markup:
    def of_purpose(row: grid.Row) -> dict[str, object]:
        arm, purpose = row["arm"], row["purpose"]
        if purpose in ("failed", "raced"):
            return found.rows(row, arm=arm, status=purpose, planned=None)
        if purpose == "beyond the plan":
            return found.rows(row, arm=arm, status="finished", planned=False)
        # what was not chosen has no word
        return {} if purpose == "other candidates" else found.rows(row, arm=arm, chosen=NESTED)

    table = found.of("cost")
    told = wording.seconds_like(table["seconds"].max() if len(table) else 0)
    columns = [
        *_lead(found),
        Column("arm", "arm"),
        Column("purpose", "purpose"),
        Column("device", "device"),
        Column("trials", "trials", wording.count, rows=of_purpose),
        Column("seconds", "time", told, rows=of_purpose, note="of the clock"),
        Column("device_s", "device time", told, note="times the threads, or the share of a GPU"),
        Column("share", "share of the arm", wording.percent),
        Column("note", "beware"),
    ]
    return grid.table(
        "Time by purpose", table, columns, found.source(), empty="no trial has recorded its seconds."
    )


def _lead(found: Findings) -> list[Column]:
    return [Column("study", "study")] if len(found.studies) > 1 else []
