"""Matrices: confusions with counts and recall, and how often an operation was chosen.

Comes in: frames of counts or shares. Goes out: scenes; those of many classes are images without numbers.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.figures import palette
from analysis.figures.axes import cut
from analysis.figures.scene import SMALL, Box, Mark, Raster, Scene, Words

WRITTEN = 14  # classes, so many of which can carry numbers that are read
LETTERS = 14


def confusion(counts: pd.DataFrame, title: str) -> Scene:
    """Rows are truth, columns what was heard; each cell has its share of the row in percent and, below, its count."""
    names = [str(name) for name in counts.index]
    values = counts.to_numpy(dtype=np.float64)
    totals = values.sum(axis=1, keepdims=True)
    shares = np.divide(values, totals, out=np.full_like(values, np.nan), where=totals > 0)
    if len(names) > WRITTEN:
        return _image(shares, names, title)
    cell, left = 54.0, 16 + 6.4 * min(max(map(len, names), default=1), LETTERS)
    marks = _heads(names, cell, left, 34)
    for i, row in enumerate(shares):
        marks.append(Words(left - 8, 34 + cell * (i + 0.5) + 4, cut(names[i], LETTERS), "ink", SMALL, "end"))
        for j, share in enumerate(row):
            told = f"{names[i]} heard as {names[j]}: {values[i, j]:.0f} of {totals[i, 0]:.0f}"
            marks += _cell(left + cell * j, 34 + cell * i, cell, float(share), f"{values[i, j]:.0f}", told)
    size = cell * len(names)
    marks.append(Words(left, 34 + size + 18, "rows: truth · columns: heard · percent of the row, count below", "soft", SMALL))
    return Scene(max(left + size + 8, 400), 34 + size + 26, title, marks)


def shares(table: pd.DataFrame, title: str, *, digits: bool = True) -> Scene:
    """A table of shares in 0..1 with the names of its rows and columns; NaN is left empty."""
    rows, columns, values = [*map(str, table.index)], [*map(str, table.columns)], table.to_numpy(dtype=np.float64)
    left, cell = 16 + 6.4 * min(max(map(len, rows), default=1), 20), 56.0
    marks: list[Mark] = []
    for j, name in enumerate(columns):
        marks.append(Words(left + cell * (j + 0.5), 26, cut(name, 8), "soft", SMALL, "middle"))
    for i, row in enumerate(values):
        marks.append(Words(left - 8, 34 + 26 * i + 17, cut(rows[i], 20), "ink", SMALL, "end"))
        for j, share in enumerate(row):
            if np.isfinite(share):
                level = palette.level(share)
                marks.append(
                    Box(left + cell * j, 34 + 26 * i, cell - 1, 25, f"h{level}", f"{rows[i]}, {columns[j]}: {100 * share:.0f} %")
                )
                if digits:
                    marks.append(
                        Words(left + cell * (j + 0.5), 34 + 26 * i + 17, f"{100 * share:.0f}", f"t{level}", SMALL, "middle")
                    )
    return Scene(max(left + cell * len(columns) + 8, 320), 34 + 26 * len(rows) + 12, title, marks)


def _image(shares: npt.NDArray[np.float64], names: Sequence[str], title: str) -> Scene:
    """Too many classes for numbers: an image, and every so many a name."""
    left, size, every = 16 + 6.4 * min(max(map(len, names)), LETTERS), 420.0, -(-len(names) // 24)
    marks: list[Mark] = [Raster(left, 12, size, size, shares)]
    for i in range(0, len(names), every):
        marks.append(Words(left - 6, 12 + size * (i + 0.5) / len(names) + 4, cut(names[i], LETTERS), "ink", SMALL, "end"))
    told = f"rows: truth · columns: heard, in the same order · {len(names)} classes; dark: large share of the row"
    marks.append(Words(left, size + 32, told, "soft", SMALL))
    return Scene(left + size + 60, size + 42, title, marks)


def _heads(names: Sequence[str], cell: float, left: float, top: float) -> list[Mark]:
    return [Words(left + cell * (j + 0.5), top - 8, cut(name, 8), "ink", SMALL, "middle") for j, name in enumerate(names)]


def _cell(x: float, y: float, cell: float, share: float, count: str, told: str) -> list[Mark]:
    if not np.isfinite(share):
        return [Words(x + cell / 2, y + cell / 2 + 4, "–", "soft", SMALL, "middle")]
    level = palette.level(share)
    return [
        Box(x, y, cell - 1, cell - 1, f"h{level}", told),
        Words(x + cell / 2, y + cell / 2 + 1, f"{100 * share:.0f}", f"t{level}", SMALL + 3, "middle"),
        Words(x + cell / 2, y + cell / 2 + 15, count, f"t{level}", SMALL - 1, "middle"),
    ]
