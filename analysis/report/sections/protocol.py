"""The protocol card of each study, what the marks mean, and remarks on the files."""

from collections.abc import Iterator

from analysis.loading import Results
from analysis.report import grid
from analysis.report.markup import Child, tag
from analysis.report.pieces import definitions, paragraph, sentences


def contents(results: Results) -> Iterator[Child]:
    """Cards, marks, remarks."""
    for study in results.names:
        card = results.cards.get(study, {})
        yield tag("h3", None, study) if len(results.names) > 1 else None
        yield definitions(card.items()) if card else paragraph("No protocol card could be made.")
    marks = grid.marks_of(results, None)
    yield tag("h3", {"id": "marks"}, "What the marks mean")
    yield definitions(marks.items()) if marks else paragraph("These tables have no mark.")
    yield tag("h3", None, "Remarks on the files")
    yield sentences(remarks(results), empty="Nothing is missing or odd.")


def remarks(results: Results) -> tuple[str, ...]:
    """The remarks on the files, also on histories, and on frames that could not be computed."""
    results.rows("histories")
    histories = () if "histories" in results.unavailable else results.history_remarks
    return tuple(dict.fromkeys([*results.remarks, *histories, *results.unavailable.values()]))
