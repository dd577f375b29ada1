"""Curves over epochs: the mean of an arm's trials, and a band from the lowest to the highest.

In: histories of one study and one stage, one row for each trial and epoch. Out: pictures.
"""

import math
from collections.abc import Sequence

import pandas as pd

from analysis.figures.axes import Axis, below, beside, covering, cut
from raysernas.drawing import palette
from raysernas.drawing.shapes import SMALL, Area, Dot, Line, Picture, Shape, Words

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 480.0, 300.0, 44.0, 32.0, 146.0, 42.0
GAP = 15.0  # between two names at the ends of curves


def curves(
    histories: pd.DataFrame,
    column: str,
    arms: Sequence[str],
    title: str,
    label: str,
    *,
    percent: bool = False,
) -> Picture | None:
    """One column over epochs, by arm; None if no trial has it."""
    by = 100.0 if percent else 1.0
    found = {}
    for arm in arms:
        rows = histories[histories["arm"] == arm] if column in histories else histories.iloc[:0]
        if len(rows) and rows[column].notna().any():
            grouped = rows.groupby("epoch")[column]
            found[arm] = (
                pd.DataFrame({"mean": grouped.mean(), "low": grouped.min(), "high": grouped.max()}).dropna()
                * by
            )
    if not found:
        return None
    across = covering(
        [float(epoch) for each in found.values() for epoch in each.index], LEFT, WIDTH - RIGHT, room=0
    )
    up = covering(
        [float(v) for each in found.values() for v in each.to_numpy().ravel()], HEIGHT - BOTTOM, TOP
    )
    shapes = below(across, TOP, HEIGHT - BOTTOM, "epoch", grid=False) + beside(up, LEFT, WIDTH - RIGHT, label)
    ends = []
    for arm, each in found.items():
        look = palette.series(arms.index(arm))
        drawn, end = _curve(each, look, across, up)
        shapes += drawn
        ends.append((end, arm, look))
    return Picture(WIDTH, HEIGHT, title, [*shapes, *_names(ends)])


def profile(folds: pd.DataFrame, arms: Sequence[str]) -> Picture | None:
    """UA of each fold by arm, in percent; None for fewer than two folds. A fold that is hard for one arm is
    usually hard for all.
    """
    names = sorted(set(folds["fold"]))
    found = {arm: folds[folds["arm"] == arm].dropna(subset="ua").sort_values("fold") for arm in arms}
    found = {arm: rows for arm, rows in found.items() if len(rows)}
    if len(names) < 2 or not found:
        return None
    across = covering([float(fold) for fold in names], LEFT + 8, WIDTH - RIGHT - 8, room=0)
    up = covering([100 * float(ua) for rows in found.values() for ua in rows["ua"]], HEIGHT - BOTTOM, TOP)
    shapes = beside(up, LEFT, WIDTH - RIGHT, "UA, percent")
    for fold in names[:: -(-len(names) // 12)]:
        shapes.append(Words(across.at(fold), HEIGHT - BOTTOM + 12, str(fold), "soft", SMALL, "middle"))
    shapes.append(Words((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 29, "fold", "soft", SMALL, "middle"))
    ends = []
    for arm, rows in found.items():
        role, shape, dash = palette.series(arms.index(arm))
        points = [
            (across.at(fold), up.at(100 * ua)) for fold, ua in zip(rows["fold"], rows["ua"], strict=True)
        ]
        shapes += [Line(points, role, 1.5, dash), *(Dot(x, y, shape, role, 3.5) for x, y in points)]
        ends.append((points[-1][1], arm, (role, shape, dash)))
    return Picture(WIDTH, HEIGHT, "Test UA of every fold, arm by arm", [*shapes, *_names(ends)])


def _curve(
    each: pd.DataFrame, look: tuple[str, str, str], across: Axis, up: Axis
) -> tuple[list[Shape], float]:
    role, _, dash = look
    x = [across.at(float(epoch)) for epoch in each.index]
    low, middle, high = ([up.at(value) for value in each[name]] for name in ("low", "mean", "high"))
    shapes: list[Shape] = []
    if len(x) > 1 and any(a != b for a, b in zip(low, high, strict=True)):
        shapes.append(
            Area([*zip(x, low, strict=True), *reversed(list(zip(x, high, strict=True)))], role, 0.14)
        )
    shapes.append(Line(list(zip(x, middle, strict=True)), role, 2, dash))
    return shapes, middle[-1]


def _names(ends: list[tuple[float, str, tuple[str, str, str]]]) -> list[Shape]:
    """The arms' names at the ends of their curves, moved apart where they would overlap."""
    shapes: list[Shape] = []
    y = -math.inf
    wanted = sorted(ends)
    overflow = TOP + GAP * len(wanted) - (HEIGHT - BOTTOM)
    for i, (end, arm, (role, shape, _)) in enumerate(wanted):
        latest = HEIGHT - BOTTOM - GAP * (len(wanted) - 1 - i) + max(overflow, 0)
        y = max(min(end, latest), y + GAP)
        shapes += [
            Dot(WIDTH - RIGHT + 16, y, shape, role, 4),
            Words(WIDTH - RIGHT + 26, y, cut(arm, 20), "ink", SMALL),
        ]
    return shapes
