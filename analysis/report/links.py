"""Links from a number to the rows of the trials table that it comes from.

In: a row of a frame. Out: conditions (column -> value, or values of which one must match), and their address.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any
from urllib.parse import quote

from analysis.figures.dots import Link
from analysis.loading import Results
from analysis.selection import HEADLINE

FrameRow = Mapping[Hashable, Any]


def conditions(results: Results, row: FrameRow, **fixed: Any) -> dict[str, Any]:
    """The trials behind a number: those of its study, if there are several, that meet `fixed`.

    They are planned trials, unless `planned` is given (None: planned or not).
    """
    study = {"study": row["study"]} if len(results.names) > 1 else {}
    planned = {} if results.all_planned or "chosen" in fixed else {"planned": True}
    return {name: value for name, value in {**study, **planned, **fixed}.items() if value is not None}


def like_row(results: Results, *columns: str, **fixed: Any) -> Callable[[FrameRow], dict[str, Any]]:
    """The conditions of any row of a table: `columns` as in the row, and `fixed` values."""
    return lambda row: conditions(results, row, **{name: row[name] for name in columns}, **fixed)


def of_marks(results: Results, study: str) -> Link:
    """Where the marks of a figure lead: to the rows of its headline scores."""
    return lambda rows: address({**conditions(results, {"study": study}, chosen=HEADLINE), **rows})


def address(rows: Mapping[str, Any]) -> str:
    """The link that shows the trials which meet some conditions."""
    pairs = [
        (key, each)
        for key, value in rows.items()
        for each in (value if isinstance(value, list | tuple) else [value])
    ]
    return "#trials?" + "&".join(
        f"{quote(str(key), safe='.')}={quote(str(value), safe='')}" for key, value in pairs
    )
