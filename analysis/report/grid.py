"""Tables of the page: a caption with the marks of the scores, headings that sort, numbers that link to
trials.

In: a frame, and a `Column` for each column to show. Out: HTML.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.loading import Results
from analysis.report import values
from analysis.report.links import FrameRow, address
from analysis.report.markup import Child, Markup, join, tag
from analysis.selection import HEADLINE
from raysernas.config.schema import Config
from raysernas.record.metrics import METRICS

LONG_TEXT = 60  # letters; a cell with more asks for some width
TALL = 14  # rows; a table with more scrolls inside its own region
MOST_ROWS = 400  # in a table of the page; the others are in the files of `--tables`


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: the column of the frame, its heading, how a value is written, and more.

    Attributes:
        write: None for text, which is aligned left.
        spread: the column with the deviation.
        rows: the trials behind a cell (`links.like_row`); without conditions there is no link.
        note: what the heading means, if it does not say so itself.
    """

    name: str
    heading: str
    write: Callable[[Any], str] | None = None
    spread: str = ""
    rows: Callable[[FrameRow], Mapping[str, Any]] | None = None
    note: str = ""


def table(
    results: Results,
    title: str,
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    head: str = "",
    empty: str = "",
    study: str | None = None,
    selections: Sequence[str] = (HEADLINE,),
    marks: Mapping[str, str] | None = None,
) -> Markup:
    """A table with its caption; without rows, words instead.

    Args:
        head: the column whose cells name their rows.
        empty: what to say if the frame is empty.
        study: whose table it is; None for all studies, which get a column if there are several.
        selections: whose marks the table has.
        marks: more marks, before those.
    """
    if frame.empty:
        heading = tag("strong", None, f"{title}: ")
        return tag("p", {"class": "empty"}, heading, empty or "nothing is known yet.")
    lead = [Column("study", "study")] if study is None and len(results.names) > 1 else []
    shown = [column for column in (*lead, *columns) if column.name in frame]
    rows = frame.head(MOST_ROWS).to_dict("records")
    body = [tag("tr", None, *[_cell(column, row, column.name == head) for column in shown]) for row in rows]
    own = {**(marks or {}), **marks_of(results, study, *selections)}
    name = identity(title)
    inner = tag(
        "table",
        {"class": "sortable"},
        headed(name, title, own),
        tag("thead", None, tag("tr", None, *[_heading(column) for column in shown])),
        tag("tbody", None, *body),
    )
    more = f"The first {MOST_ROWS} of {values.count(len(frame))} rows; all are in the files of --tables. "
    under = below(results, study, more if len(frame) > MOST_ROWS else None)
    return tag("div", {"class": "table"}, region(name, inner, tall=len(rows) > TALL), under)


def score(
    name: str, rows: Callable[[FrameRow], Mapping[str, Any]], *, heading: str = "", pooled: bool = False
) -> Column:
    """The column of one of METRICS, with its deviation if the frame has one; `pooled` over all folds."""
    metric, prefix = METRICS[name], "pooled_" if pooled else ""
    return Column(
        f"{prefix}{name}",
        heading or f"{'pooled ' if pooled else ''}{metric.label}",
        values.percent if metric.is_share else values.number,
        f"{prefix}{name}_sd",
        rows,
        "of all test utterances as one set" if pooled else metric.meaning,
    )


def marks_of(results: Results, study: str | None, *selections: str) -> dict[str, str]:
    """Mark -> meaning in the tables of one study, or of all."""
    names = results.names if study is None else [study]
    return {word: meaning for name in names for word, meaning in results.marks(name, *selections).items()}


def headed(identity: str, title: str, marks: Mapping[str, str]) -> Markup:
    """The caption of a table, with its marks; it stays in sight while a wide table scrolls."""
    inner = tag("span", {"class": "heading"}, tag("span", {"class": "title"}, title), _badges(marks))
    return tag("caption", {"id": identity}, inner)


def region(label: str, inner: Markup, *, tall: bool = False) -> Markup:
    """A part of the page that scrolls on its own; `label` is the id of its caption."""
    kind = "scroll tall" if tall else "scroll"
    return tag("div", {"class": kind, "tabindex": "0", "role": "region", "aria-labelledby": label}, inner)


def below(results: Results, study: str | None = None, more: str | None = None) -> Markup:
    """The line below a table: the protocol in short, and the link to the card."""
    names = results.names if study is None else [study]
    lines = [_protocol(name, results.configs[name], len(names) > 1) for name in names[:3]]
    rest = [f"and {len(names) - 3} more studies"] if len(names) > 3 else []
    card = tag("a", {"href": "#protocol"}, "protocol card")
    return tag("p", {"class": "source"}, more, f"{'; '.join([*lines, *rest])} · ", card)


def identity(title: str) -> str:
    """A title as an id; no two titles have the same one."""
    return "t-" + "".join(
        letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_" for letter in title
    )


def _badges(marks: Mapping[str, str]) -> Markup:
    """The marks as words; their meanings are once on the page, in the section on the protocol."""
    each = {"class": "mark", "href": "#marks"}
    words = [tag("a", {**each, "title": meaning}, word) for word, meaning in marks.items()]
    return tag("span", {"class": "marks"}, *words) if words else join([])


def _protocol(name: str, config: Config, several: bool) -> str:
    corpus, study = config.corpus, config.study
    retrained = len(config.retrain.seeds)
    each = f" × {retrained} retrain seeds" if retrained > 1 else ""
    parts = [
        f"{corpus.name}, {len(corpus.emotions)} classes" if corpus.emotions else corpus.name,
        f"folds: {corpus.folds}",
        f"validation: {corpus.valid}",
        f"normalisation: {config.features.normalisation}",
        f"{values.counted(len(study.seeds), 'seed')}{each}",
        f"{config.search.epochs} search and {config.retrain.epochs} retrain epochs",
    ]
    return (f"{name}: " if several else "") + " · ".join(parts)


def _heading(column: Column) -> Markup:
    sorter = tag("button", {"type": "button", "title": column.note or None}, column.heading)
    return tag("th", {"scope": "col", "class": "number" if column.write else None}, sorter)


def _cell(column: Column, row: FrameRow, heads: bool) -> Markup:
    value, name = row[column.name], "th" if heads else "td"
    scope = {"scope": "row"} if heads else {}
    if not values.known(value):
        missing: Child = values.MISSING if column.write else ""
        return tag(name, {"class": "number" if column.write else None, **scope}, missing)
    if column.write is None:
        shown: Child = str(value)
    elif column.spread:
        shown = values.spread(value, row.get(column.spread, float("nan")), column.write)
    else:
        shown = column.write(value)
    if column.rows is not None and (rows := column.rows(row)):
        shown = tag("a", {"href": address(rows)}, shown)
    if column.write is not None:
        return tag(name, {"class": "number", "data-v": value, **scope}, shown)
    return tag(
        name, {"class": "words" if not heads and len(str(value)) > LONG_TEXT else None, **scope}, shown
    )
