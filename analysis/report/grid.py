"""Tables of the page: a caption with the marks of its scores, headings that sort, numbers that lead to their
rows.

Comes in: a frame and what to say of its columns. Goes out: HTML.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.report import wording
from analysis.report.markup import Child, Markup, join, tag
from raysernas.record.metrics import METRICS

Row = Mapping[Hashable, Any]
LONG_TEXT = 60  # letters, from which a cell of words asks for some width
TALL = 14  # rows, beyond which a table scrolls inside its own region
MOST_ROWS = 400  # in a table of the page; the others stand in the files of `--tables`


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, how a value is said, what it is spread by, and which trials it comes
    from.
    """

    name: str
    heading: str
    told: Callable[[Any], str] | None = None  # None: text, aligned left
    spread: str = ""  # the column of its deviation
    rows: Callable[[Row], Mapping[str, Any]] | None = None  # of the trials table
    note: str = ""  # what the heading means, where it does not say so itself


@dataclass(frozen=True, slots=True)
class Source:
    """What stands on every table: marks (word -> meaning), the protocol in a line, where the whole card
    is.
    """

    marks: Mapping[str, str]
    protocol: str
    card: str  # the id of the card on this page


def table(
    title: str,
    frame: pd.DataFrame,
    columns: Sequence[Column],
    source: Source,
    *,
    empty: str = "",
    head: str = "",
) -> Markup:
    """A table with its caption; in words when there is nothing to show. `head` is the column whose cells name
    their rows.
    """
    if frame.empty:
        return tag(
            "p", {"class": "empty"}, tag("strong", None, f"{title}: "), empty or "nothing is known yet."
        )
    shown = [column for column in columns if column.name in frame]
    rows = frame.head(MOST_ROWS).to_dict("records")
    heads = [
        tag("th", {"scope": "col", "class": None if each.told is None else "number"}, _sorter(each))
        for each in shown
    ]
    body = [tag("tr", None, *[_cell(column, row, column.name == head) for column in shown]) for row in rows]
    name = identity(title)
    caption = headed(name, title, source.marks)
    inner = tag(
        "table",
        {"class": "sortable"},
        caption,
        tag("thead", None, tag("tr", None, *heads)),
        tag("tbody", None, *body),
    )
    region = tag(
        "div",
        {
            "class": "scroll tall" if len(rows) > TALL else "scroll",
            "tabindex": "0",
            "role": "region",
            "aria-labelledby": name,
        },
        inner,
    )
    return tag("div", {"class": "table"}, region, _under(source, len(frame)))


def score(
    name: str, rows: Callable[[Row], Mapping[str, Any]], *, heading: str = "", pooled: bool = False
) -> Column:
    """The column of one of METRICS, with its deviation where the frame has one; `pooled` over all folds."""
    metric, prefix = METRICS[name], "pooled_" if pooled else ""
    return Column(
        f"{prefix}{name}",
        heading or f"{'pooled ' if pooled else ''}{metric.label}",
        wording.percent if metric.is_share else wording.number,
        f"{prefix}{name}_sd",
        rows,
        "of all test utterances as one set" if pooled else metric.meaning,
    )


def headed(identity: str, title: str, marks: Mapping[str, str]) -> Markup:
    """The caption of a table; it stays in sight while a wide table scrolls under it."""
    inner = tag("span", {"class": "heading"}, tag("span", {"class": "title"}, title), badges(marks))
    return tag("caption", {"id": identity}, inner)


def badges(marks: Mapping[str, str]) -> Markup:
    """The marks as words that are seen; their meanings stand once, in the section about the protocol."""
    told = [
        tag("a", {"class": "mark", "href": "#marks", "title": meaning}, word)
        for word, meaning in marks.items()
    ]
    return tag("span", {"class": "marks"}, *told) if told else join([])


def identity(title: str) -> str:
    """A title as an id; another title has another one."""
    return "t-" + "".join(
        letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_" for letter in title
    )


def _under(source: Source, rows: int) -> Markup:
    more = (
        f"The first {MOST_ROWS} of {wording.count(rows)} rows; all are in the files of --tables. "
        if rows > MOST_ROWS
        else None
    )
    return tag(
        "p",
        {"class": "source"},
        more,
        f"{source.protocol} · ",
        tag("a", {"href": f"#{source.card}"}, "protocol card"),
    )


def _sorter(column: Column) -> Markup:
    attributes = {"type": "button", "title": column.note or None}
    return tag("button", attributes, column.heading)


def _cell(column: Column, row: Row, heads: bool) -> Markup:
    value = row[column.name]
    kind = {"scope": "row"} if heads else {}
    if not wording.known(value):
        missing: Child = wording.MISSING if column.told is not None else ""
        return tag(
            "th" if heads else "td", {"class": None if column.told is None else "number", **kind}, missing
        )
    if column.told is None:
        told: Child = str(value)
    elif column.spread:
        told = wording.spread(value, row.get(column.spread, float("nan")), column.told)
    else:
        told = column.told(value)
    if column.rows is not None and (rows := column.rows(row)):
        told = tag("a", {"href": wording.address(dict(rows))}, told)
    kinds = (
        "number"
        if column.told is not None
        else "words"
        if not heads and len(str(value)) > LONG_TEXT
        else None
    )
    attributes = {"class": kinds, "data-v": value if column.told is not None else None, **kind}
    return tag("th" if heads else "td", attributes, told)
