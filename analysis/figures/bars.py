"""Bars for seconds and variance by parts, and for the importance of settings.

In: rows of (name, parts). Out: pictures.
"""

import math
from collections import Counter
from collections.abc import Mapping

from analysis.figures.axes import below, covering, cut
from raysernas.drawing import palette
from raysernas.drawing.shapes import PLAIN, SMALL, Box, Dot, Line, Picture, Shape, Words

WIDTH, LEFT, RIGHT, ROW = 480.0, 150.0, 64.0, 30.0
OTHERS = "all others"


def stacked(
    title: str, label: str, rows: Mapping[str, Mapping[str, float]], *, by: float = 1.0
) -> Picture | None:
    """One bar for each row, stacked from its known parts above 0, with a legend above.

    If there are more parts than colours, the smallest become OTHERS.
    """
    known = _few(
        {name: {part: by * size for part, size in parts.items() if size > 0} for name, parts in rows.items()}
    )
    known = {name: parts for name, parts in known.items() if parts}
    if not known:
        return None
    parts = list(dict.fromkeys(part for row in known.values() for part in row))
    legend, top = _legend(parts)
    bottom = top + ROW * len(known)
    axis = covering([0.0, *(sum(row.values()) for row in known.values())], LEFT, WIDTH - RIGHT, room=0)
    shapes = legend + below(axis, top, bottom, label)
    for i, (name, row) in enumerate(known.items()):
        y, x = top + ROW * i, axis.start
        shapes.append(Words(LEFT - 10, y + ROW / 2, cut(name, 20), "ink", PLAIN, "end"))
        for part, size in row.items():
            width = axis.at(size) - axis.start
            role = palette.series(parts.index(part))[0]
            shapes.append(Box(x, y + 5, max(width - 1, 0.5), ROW - 10, role, f"{name}, {part}: {size:,.4g}"))
            x += width
    return Picture(WIDTH, bottom + 44, title, shapes)


def _few(rows: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    totals: Counter[str] = Counter()
    for parts in rows.values():
        totals.update(parts)
    if len(totals) <= palette.SERIES:
        return {name: dict(parts) for name, parts in rows.items()}
    kept = {part for part, _ in totals.most_common(palette.SERIES - 1)}
    found = {
        name: {part: size for part, size in parts.items() if part in kept} for name, parts in rows.items()
    }
    rest = {
        name: sum(size for part, size in parts.items() if part not in kept) for name, parts in rows.items()
    }
    return {name: parts | ({OTHERS: rest[name]} if rest[name] else {}) for name, parts in found.items()}


def spread(
    title: str, label: str, rows: Mapping[str, Mapping[str, float]], *, by: float = 1.0
) -> Picture | None:
    """One row for each name with a mark at the size of each part, for sizes that are not a sum."""
    known = {
        name: {part: by * size for part, size in parts.items() if math.isfinite(size)}
        for name, parts in rows.items()
    }
    known = {name: parts for name, parts in known.items() if parts}
    if not known:
        return None
    parts = list(dict.fromkeys(part for row in known.values() for part in row))
    legend, top = _legend(parts, by_shape=True)
    bottom = top + ROW * len(known)
    axis = covering(
        [0.0, *(size for row in known.values() for size in row.values())], LEFT, WIDTH - 16, room=0
    )
    shapes = legend + below(axis, top, bottom, label)
    for i, (name, row) in enumerate(known.items()):
        y = top + ROW * (i + 0.5)
        shapes += [
            Words(LEFT - 10, y, cut(name, 20), "ink", PLAIN, "end"),
            Line([(LEFT, y), (WIDTH - 16, y)], "rule", 1),
        ]
        for part, size in row.items():
            role, shape, _ = palette.series(parts.index(part))
            shapes.append(Dot(axis.at(size), y, shape, role, 5, title=f"{name}, {part}: {size:,.3g}"))
    return Picture(WIDTH, bottom + 44, title, shapes)


def simple(title: str, label: str, rows: Mapping[str, float]) -> Picture | None:
    """One bar for each known number, the largest first, with the number at its end."""
    known = sorted(
        ((name, size) for name, size in rows.items() if math.isfinite(size)),
        key=lambda row: (-row[1], row[0]),
    )
    if not known:
        return None
    left, bottom = LEFT + 50, 8 + ROW * len(known)
    axis = covering([0.0, *(size for _, size in known)], left, WIDTH - RIGHT, room=0)
    shapes = below(axis, 8, bottom, label)
    for i, (name, size) in enumerate(known):
        y = 8 + ROW * i
        shapes.append(Words(left - 10, y + ROW / 2, cut(name, 28), "ink", SMALL, "end"))
        shapes.append(
            Box(
                axis.start,
                y + 7,
                max(axis.at(size) - axis.start, 1),
                ROW - 14,
                "s0",
                f"{name}: {size:.3g}",
            )
        )
        shapes.append(Words(WIDTH - 4, y + ROW / 2, f"{size:.2f}", "ink", PLAIN, "end"))
    return Picture(WIDTH, bottom + 44, title, shapes)


def _legend(parts: list[str], *, by_shape: bool = False) -> tuple[list[Shape], float]:
    """The parts' names beside their shapes, in as many lines as they take; where it ends."""
    shapes: list[Shape] = []
    x, y = 8.0, 12.0
    for i, part in enumerate(parts):
        width = 30 + 6.6 * len(part)
        if x + width > WIDTH and x > 8:
            x, y = 8.0, y + 20
        role, shape, _ = palette.series(i)
        shapes += [
            Dot(x + 5, y, shape if by_shape else "square", role, 5),
            Words(x + 16, y, part, "ink", SMALL),
        ]
        x += width
    return shapes, y + 18
