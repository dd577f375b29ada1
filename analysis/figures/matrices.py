"""Tables of shares as shaded tiles with their numbers.

In: a frame. Out: a picture. Confusions and alphas are drawn in raysernas.drawing.pictures.
"""

import numpy as np
import pandas as pd

from analysis.figures.axes import cut
from raysernas.drawing.palette import on_tile
from raysernas.drawing.shapes import SMALL, Picture, Shape, Tiles, Words

CELL, HIGH, TOP = 62.0, 26.0, 34.0


def shares(table: pd.DataFrame, title: str) -> Picture:
    """A table of shares in 0..1 with the names of its rows and columns; NaN is left empty."""
    rows, columns = [*map(str, table.index)], [*map(str, table.columns)]
    values = table.to_numpy(dtype=np.float64)
    left = 16 + 6.4 * min(max(map(len, rows), default=1), 20)
    titles = [
        [f"{row}, {column}: {100 * share:.0f} %" for column, share in zip(columns, shown, strict=True)]
        for row, shown in zip(rows, values, strict=True)
    ]
    shapes: list[Shape] = [Tiles(left, TOP, CELL, HIGH, values, titles)]
    for j, name in enumerate(columns):
        shapes.append(Words(left + CELL * (j + 0.5), TOP - 12, cut(name, 9), "soft", SMALL, "middle"))
    for i, name in enumerate(rows):
        shapes.append(Words(left - 8, TOP + HIGH * (i + 0.5), cut(name, 20), "ink", SMALL, "end"))
    for i, j in np.argwhere(np.isfinite(values)):
        x, y, share = left + CELL * (j + 0.5), TOP + HIGH * (i + 0.5), float(values[i, j])
        shapes.append(Words(x, y, f"{100 * share:.0f}", on_tile(share), SMALL, "middle"))
    return Picture(max(left + CELL * len(columns) + 8, 320), TOP + HIGH * len(rows) + 12, title, shapes)
