"""The sections about where it all comes from: protocol cards, marks, remarks, failures, and every trial."""

import pandas as pd

from analysis.report import grid, trials, wording
from analysis.report.findings import Findings
from analysis.report.grid import Column
from analysis.report.markup import Markup, data, join, tag
from analysis.report.pieces import definitions, paragraph, section, sentences
from analysis.runs import planned

NO_REASON = "no reason was recorded"
FILTERS = ("study", "arm", "fold", "seed", "candidate", "status", "chosen", "failure")


def protocol(found: Findings) -> Markup:
    """The card of each study, what the marks mean, and what else was noticed."""
    cards = []
    for study in found.studies:
        title = tag("h3", None, study) if len(found.studies) > 1 else None
        card = list(found.cards.get(study, {}).items())
        cards += [title, definitions(card) if card else paragraph("No protocol card could be made.")]
    marks = list(
        {word: told for study in found.studies for word, told in found.marks.get(study, {}).items()}.items()
    )
    meanings = (
        definitions(marks)
        if marks
        else paragraph("There is nothing to beware of: no mark stands on these tables.")
    )
    return section(
        "protocol",
        "Protocol",
        *cards,
        tag("h3", {"id": "marks"}, "What the marks mean"),
        meanings,
        tag("h3", None, "What was noticed"),
        sentences(found.remarks, empty="Nothing odd was noticed about the files."),
    )


def failures(found: Findings) -> Markup:
    """The planned trials that failed, by their reason, with the number of trials that leads to them."""
    failed = planned(found.trials)
    failed = failed[failed["status"] == "failed"]
    lead = [Column("study", "study")] if len(found.studies) > 1 else []

    def own(row: grid.Row) -> dict[str, object]:
        reason = {} if row["reason"] == NO_REASON else {"reason": row["reason"]}
        return found.rows(row, arm=row["arm"], status="failed", **reason)

    columns = [
        *lead,
        Column("arm", "arm"),
        Column("failure", "kind"),
        Column("trials", "trials", wording.count, rows=own),
        Column("reason", "reason"),
    ]
    return section(
        "failures",
        "Failures",
        grid.table(
            "Failed trials by reason", _by_reason(failed), columns, found.source(), empty="no trial failed."
        ),
    )


def _by_reason(failed: pd.DataFrame) -> pd.DataFrame:
    if failed.empty:
        return failed
    rows = failed.assign(reason=failed["reason"].replace("", NO_REASON))
    counted = (
        rows.groupby(["study", "arm", "failure", "reason"], dropna=False)
        .size()
        .rename("trials")
        .reset_index()
    )
    return counted.sort_values("trials", ascending=False, kind="stable")


def every_trial(found: Findings, table: pd.DataFrame) -> Markup:
    """The table of all trials: data for the script, which shows them in pages."""
    if table.empty:
        return section("trials", "Trials", paragraph("No trial has ended yet."))
    columns, same = trials.columns(table)
    name = "trials-caption"
    caption = grid.headed(name, "Every retraining of every ended trial", found.source().marks)
    inner = tag(
        "div",
        {"class": "scroll", "tabindex": "0", "role": "region", "aria-labelledby": name},
        tag("table", None, caption),
    )
    pager = tag(
        "div",
        {"class": "pager"},
        tag("button", {"type": "button"}, "Previous"),
        tag("button", {"type": "button"}, "Next"),
        tag("output", {"aria-live": "polite"}, ""),
    )
    area = tag(
        "div",
        {"id": "trials-area", "hidden": True},
        tag("div", {"class": "filters"}),
        tag("div", {"class": "chips"}),
        pager,
        inner,
    )
    common = tag(
        "details",
        None,
        tag("summary", None, f"What is the same in all that have it ({len(same)})"),
        definitions(list(same.items())),
    )
    return section(
        "trials",
        "Trials",
        paragraph(
            "One row for each retrain seed of each trial; scores in percent. Test scores stand here to be "
            "looked up, never to "
            "choose by. ",
            tag("em", None, "chosen"),
            " says which selections took the row.",
        ),
        tag(
            "noscript",
            None,
            tag("p", None, "This table needs JavaScript; the same rows are in the files of --tables."),
        ),
        area,
        _source(found),
        common if same else None,
        join([data("trials-data", {"columns": columns, "filters": list(FILTERS)})]),
    )


def _source(found: Findings) -> Markup:
    return tag(
        "p",
        {"class": "source"},
        f"{found.source().protocol} · ",
        tag("a", {"href": "#protocol"}, "protocol card"),
    )
