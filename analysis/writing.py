"""Frames as files: CSV and Parquet for programs, Markdown and LaTeX (booktabs) for people.

In: named frames and the protocol cards of their studies. Out: a file for each frame and format, all with the
cards: as comment lines (`#` in CSV, `%` and the caption in LaTeX), as a footnote, or in the metadata of
Parquet. Programs get every digit, and an empty cell for an unknown value. People get percent with one
decimal, mean ± deviation in one column, and a dash.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.frames import columns
from analysis.protocol_card import Card
from raysernas.record import storage
from raysernas.record.metrics import METRICS

Format = Literal["csv", "parquet", "md", "tex"]
Cards = Mapping[str, Card]
METADATA = b"raysernas.cards"  # key of the cards in a Parquet file: JSON, study -> label -> text
MISSING = "-"
DASH = f"{MISSING} in a cell: unknown, or not a single number"
# endings of column names, 0..1
PERCENT = (
    *(name for name, metric in METRICS.items() if metric.is_share),
    *("recall", "precision", "share", "shared", "expected", "improvement", "beaten"),
)
# of UA, 0..1
POINTS = columns("difference gain sd ci_low ci_high boot_difference boot_low boot_high rope ua_seed_sd")
WHOLE = columns("parameters search_s retrain_s seconds device_s search_mb retrain_mb")
HEADINGS = {name: metric.label for name, metric in METRICS.items()}
HEADINGS |= {"sd": "sd", "ms": "ms", "mb": "MB", "s": "s"}
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # a bracket that begins a row would be an option of the line break before it
    "±": r"$\pm$",
    "[": "{[}",
    "]": "{]}",
}
FITTED = r"\resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{%"  # as wide as the text at most
MARKDOWN = "\\`*_{}[]<>#|~!$"
# line breaks and other control characters, those that turn the direction of writing among them
BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# what spreadsheets run as a formula, which may start a program: at the start of a cell, or behind a separator
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
FORMULA_CELL = re.compile(rf"(?<=[,;])(?={FORMULA.pattern})")
ALL: tuple[Format, ...] = ("csv", "parquet", "md", "tex")


def write(
    folder: Path, frames: Mapping[str, pd.DataFrame], cards: Cards, formats: Sequence[Format] = ALL
) -> list[Path]:
    """Write `NAME.csv`, `NAME.parquet`, `NAME.md` and `NAME.tex` of every frame, to a folder or a bucket.

    Args:
        cards: study -> card; every file has all of them.

    Raises:
        StorageFault: if the folder cannot be written.
    """
    made: dict[Format, Callable[[pd.DataFrame, str], bytes]] = {
        "csv": lambda frame, _: as_csv(frame, cards).encode(),
        "parquet": lambda frame, _: as_parquet(frame, cards),
        "md": lambda frame, name: as_markdown(frame, cards, name).encode(),
        "tex": lambda frame, name: as_latex(frame, cards, name).encode(),
    }
    paths = []
    for name, frame in frames.items():
        for kind in formats:
            paths.append(folder / f"{name}.{kind}")
            storage.put(paths[-1], made[kind](frame, name))
    return paths


def as_csv(frame: pd.DataFrame, cards: Cards) -> str:
    """A CSV that begins with the cards as `#` lines; `pandas.read_csv(path, comment="#")` skips them.

    Every text is quoted, so that none of its characters can begin a comment. A line break becomes a space. A
    text that a spreadsheet would run as a formula has an apostrophe in front.
    """
    text = io.StringIO()
    plain = frame.rename(columns=lambda name: _inert(str(name))).map(
        lambda cell: _inert(cell) if isinstance(cell, str) else cell
    )
    plain.to_csv(text, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    comments = [FORMULA_CELL.sub("'", line) for line in card_lines(cards)]
    return "".join(f"# {line}\n" for line in comments) + text.getvalue()


def as_parquet(frame: pd.DataFrame, cards: Cards) -> bytes:
    """A Parquet file with the cards under METADATA in its schema; `pandas.read_parquet` gives the frame."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    listed = json.dumps({name: dict(card) for name, card in cards.items()}).encode()
    metadata = {**(table.schema.metadata or {}), METADATA: listed}
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), content, write_page_checksum=True)
    return content.getvalue()


def as_markdown(frame: pd.DataFrame, cards: Cards, title: str) -> str:
    """A title, the table, and the cards below it."""
    cells = shown(frame)
    rows = [[heading(name, frame) for name in cells], *zip(*cells.values(), strict=True)]
    lines = [f"| {' | '.join(_markdown(cell) for cell in row)} |" for row in rows]
    lines.insert(1, f"| {' | '.join('---:' if _is_number(frame[name]) else '---' for name in cells)} |")
    notes = [f"- {_markdown(line)}" for line in (*card_lines(cards), DASH)]
    return "\n".join([f"**{_markdown(title)}**", "", *lines, "", *notes, ""])


def as_latex(frame: pd.DataFrame, cards: Cards, title: str) -> str:
    """A `table` for the package booktabs, with the cards as comment lines and in the caption. In UTF-8."""
    cells = shown(frame)
    rows = [" & ".join(escaped(cell) for cell in row) + r" \\" for row in zip(*cells.values(), strict=True)]
    heads = " & ".join(escaped(heading(name, frame)) for name in cells) + r" \\"
    kinds = "".join("r" if _is_number(frame[name]) else "l" for name in cells)
    caption = " ".join(f"{escaped(line)}." for line in (title, *card_lines(cards), DASH))
    needs = r"needs \usepackage{booktabs} and \usepackage{graphicx}"
    comments = [f"% {line}" for line in (needs, *card_lines(cards))]
    top = [r"\begin{table}", r"\centering", FITTED, rf"\begin{{tabular}}{{{kinds}}}", r"\toprule"]
    bottom = [r"\bottomrule", r"\end{tabular}}", rf"\caption{{{caption}}}", r"\end{table}", ""]
    return "\n".join([*comments, *top, heads, r"\midrule", *rows, *bottom])


def card_lines(cards: Cards) -> list[str]:
    """`label: text` for each line of the cards that is not empty, after the study if there are several."""
    several = len(cards) > 1
    return [
        _one_line(f"{f'{name}, ' if several else ''}{label}: {text}")
        for name, card in cards.items()
        for label, text in card.items()
        if text
    ]


def shown(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Column -> its cells as people read them; `X_sd` goes into `X` as mean ± deviation, if there is an
    `X`.
    """
    names = [str(name) for name in frame]
    cells = {}
    for name in names:
        if name.endswith("_sd") and name.removesuffix("_sd") in names:
            continue
        cells[name] = [_cell(name, value) for value in frame[name]]
        if f"{name}_sd" in names:
            spreads = [_cell(name, value) for value in frame[f"{name}_sd"]]
            pairs = zip(cells[name], spreads, strict=True)
            cells[name] = [
                mean if MISSING in (mean, spread) else f"{mean} ± {spread}" for mean, spread in pairs
            ]
    return cells


def heading(name: str, frame: pd.DataFrame) -> str:
    """The heading of a column: that of `pooled_ua` is `pooled UA %`."""
    words = " ".join(HEADINGS.get(word, word) for word in name.split("_"))
    unit = "points" if name in POINTS else "%" if _is_percent(name) else ""
    return f"{words} {unit}" if unit and _is_number(frame[name]) else words


def escaped(text: str) -> str:
    """Any text so that LaTeX prints it as it is."""
    return "".join(LATEX.get(letter, letter) for letter in _one_line(text))


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return _one_line(value) or MISSING
    if pd.isna(value):
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    number = float(value)
    if _is_percent(name) or name in POINTS:
        return f"{100 * number:.1f}"
    return f"{number:.0f}" if number.is_integer() or name in WHOLE else f"{number:.3g}"


def _is_percent(name: str) -> bool:
    return any(name == end or name.endswith((f"_{end}", f"_{end}_sd")) for end in PERCENT)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _markdown(text: str) -> str:
    return "".join(f"\\{letter}" if letter in MARKDOWN else letter for letter in text)


def _inert(text: str) -> str:
    """A cell of a CSV that no spreadsheet takes for a formula; the text of a number stays one."""
    text = BREAKS.sub(" ", text)
    if not FORMULA.match(text):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _one_line(text: str) -> str:
    """Without line breaks or other control characters."""
    return " ".join(BREAKS.sub(" ", text).split())
