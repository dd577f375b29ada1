"""Shares by row and column, each in a shaded cell with its number.

Comes in: a table of shares. Goes out: a scene. Confusions and alphas are drawn in raysernas.drawing.pictures.
"""

import numpy as np
import pandas as pd

from analysis.figures import palette
from analysis.figures.axes import cut
from analysis.figures.scene import SMALL, Box, Mark, Scene, Words

CELL, HIGH, TOP = 62.0, 26.0, 34.0


def shares(table: pd.DataFrame, title: str) -> Scene:
    """A table of shares in 0..1 with the names of its rows and columns; NaN is left empty."""
    rows, columns, values = (
        [*map(str, table.index)],
        [*map(str, table.columns)],
        table.to_numpy(dtype=np.float64),
    )
    left = 16 + 6.4 * min(max(map(len, rows), default=1), 20)
    marks: list[Mark] = [
        Words(left + CELL * (j + 0.5), TOP - 8, cut(name, 9), "soft", SMALL, "middle")
        for j, name in enumerate(columns)
    ]
    for i, row in enumerate(values):
        y = TOP + HIGH * i
        marks.append(Words(left - 8, y + 17, cut(rows[i], 20), "ink", SMALL, "end"))
        for j in np.flatnonzero(np.isfinite(row)):
            level, said = palette.level(float(row[j])), f"{100 * row[j]:.0f}"
            marks.append(
                Box(left + CELL * j, y, CELL - 1, HIGH - 1, f"h{level}", f"{rows[i]}, {columns[j]}: {said} %")
            )
            marks.append(Words(left + CELL * (j + 0.5), y + 17, said, f"t{level}", SMALL, "middle"))
    return Scene(max(left + CELL * len(columns) + 8, 320), TOP + HIGH * len(rows) + 12, title, marks)
