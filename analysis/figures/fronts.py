"""Scatter plots: accuracy against cost with the Pareto front, and validation against test.

In: frames of one study. Out: pictures, scores in percent.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.figures.axes import Axis, below, beside, covering, cut
from analysis.figures.dots import Link, nowhere
from raysernas.drawing import palette
from raysernas.drawing.shapes import SMALL, Dot, Line, Picture, Shape, Words

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 480.0, 320.0, 44.0, 32.0, 146.0, 42.0


def front(
    points: pd.DataFrame,
    column: str,
    label: str,
    arms: Sequence[str],
    link: Link = nowhere,
    *,
    joined: bool = True,
) -> Picture | None:
    """UA of arms or candidates (column `ua`) against a cost; if `joined`, with a line along the Pareto
    front.
    """
    rows = points[points["ua"].notna() & (points[column] > 0)] if column in points else points.iloc[:0]
    if rows.empty:
        return None
    across = covering([float(cost) for cost in rows[column]], LEFT, WIDTH - RIGHT, log=True, room=0.08)
    up = covering([100 * float(ua) for ua in rows["ua"]], HEIGHT - BOTTOM, TOP)
    shapes = below(across, TOP, HEIGHT - BOTTOM, f"{label} (logarithmic)", wanted=3) + beside(
        up, LEFT, WIDTH - RIGHT, "UA, percent"
    )
    if joined:
        best = unbeaten([(float(cost), float(ua)) for cost, ua in zip(rows[column], rows["ua"], strict=True)])
        shapes.append(Line([(across.at(cost), up.at(100 * ua)) for cost, ua in best], "soft", 1.5, "4 3"))
    for row in rows.to_dict("records"):
        shapes.append(_point(row, column, arms, across, up, link))
    return Picture(
        WIDTH,
        HEIGHT,
        f"UA against {label}",
        [*shapes, *legend([arm for arm in arms if arm in set(rows["arm"])], arms)],
    )


def validation(points: pd.DataFrame, arms: Sequence[str], link: Link = nowhere) -> Picture | None:
    """Test UA (`ua`) against validation UA (`valid_ua`) of the chosen candidate on each fold; they are equal
    on the line.
    """
    rows = points[points["ua"].notna() & points["valid_ua"].notna()]
    if rows.empty:
        return None
    values = [100 * float(value) for name in ("ua", "valid_ua") for value in rows[name]]
    across, up = covering(values, LEFT, WIDTH - RIGHT), covering(values, HEIGHT - BOTTOM, TOP)
    shapes = below(across, TOP, HEIGHT - BOTTOM, "validation UA, percent") + beside(
        up, LEFT, WIDTH - RIGHT, "test UA, percent"
    )
    shapes.append(Line([(across.start, up.start), (across.stop, up.stop)], "soft", 1.5, "4 3"))
    for row in rows.to_dict("records"):
        role, shape, _ = palette.series(arms.index(row["arm"]))
        title = (
            f"{row['arm']}, fold {row['fold']}: validation {100 * row['valid_ua']:.1f}, test "
            f"{100 * row['ua']:.1f}"
        )
        place = across.at(100 * row["valid_ua"]), up.at(100 * row["ua"])
        shapes.append(
            Dot(*place, shape, role, 4, title=title, href=link({"arm": row["arm"], "fold": row["fold"]}))
        )
    return Picture(
        WIDTH,
        HEIGHT,
        "Test UA against validation UA of each fold",
        [*shapes, *legend([arm for arm in arms if arm in set(rows["arm"])], arms)],
    )


def unbeaten(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The Pareto front of (cost, gain), the cheapest first."""
    kept, best = [], -math.inf
    for cost, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if gain > best:
            kept.append((cost, gain))
            best = gain
    return kept


def legend(shown: Sequence[str], arms: Sequence[str]) -> list[Shape]:
    """Shapes and names on the right of a panel."""
    shapes: list[Shape] = []
    for i, arm in enumerate(shown):
        role, shape, _ = palette.series(arms.index(arm))
        y = TOP + 6 + 18 * i
        shapes += [
            Dot(WIDTH - RIGHT + 16, y, shape, role, 4),
            Words(WIDTH - RIGHT + 26, y, cut(arm, 20), "ink", SMALL),
        ]
    return shapes


def _point(
    row: Mapping[Hashable, Any], column: str, arms: Sequence[str], across: Axis, up: Axis, link: Link
) -> Dot:
    arm, ua, cost = str(row["arm"]), 100 * float(row["ua"]), float(row[column])
    role, shape, _ = palette.series(arms.index(arm))
    return Dot(
        across.at(cost),
        up.at(ua),
        shape,
        role,
        5,
        title=f"{arm}: UA {ua:.1f}, {cost:,.0f}",
        href=link({"arm": arm}),
    )
