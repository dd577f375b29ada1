"""Rows of dots: the folds, speakers or differences behind each mean. A bar would hide them.

In: frames of one study and one selection, scores in 0..1. Out: pictures, in percent.
"""

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.figures.axes import Axis, below, covering, cut, mean
from raysernas.drawing import palette
from raysernas.drawing.shapes import PLAIN, SMALL, Area, Dot, Line, Picture, Shape, Words

Link = Callable[[Mapping[str, object]], str]  # the rows of the trials table that a mark stands for
Points = Sequence[tuple[str, float, Mapping[str, object]]]  # name, value, the rows behind it
WIDTH, LEFT, RIGHT, ROW = 480.0, 150.0, 56.0, 34.0


def nowhere(rows: Mapping[str, object]) -> str:
    """The links of a figure in a file of its own: none."""
    return ""


def folds(folds: pd.DataFrame, arms: Sequence[str], whole: Collection[str], link: Link = nowhere) -> Picture:
    """UA of each fold (hollow), with the mean of each arm (filled) and one standard deviation to each side.

    Args:
        whole: arms with a score on every fold; the means of the others cannot be compared.
    """
    points = {
        arm: [
            (f"fold {fold}", 100 * ua, {"arm": arm, "fold": fold}) for fold, ua in _scores(folds, arm, "fold")
        ]
        for arm in arms
    }
    return _strip("Test UA of every fold, by arm", "UA of a fold, percent", points, whole, link)


def speakers(
    speakers: pd.DataFrame, arms: Sequence[str], whole: Collection[str], link: Link = nowhere
) -> Picture:
    """UA of each test speaker, by arm, as `folds`."""
    points = {}
    for arm in arms:
        rows = speakers[speakers["arm"] == arm]
        pairs = zip(rows["speaker"], rows["ua"], strict=True)
        points[arm] = [(f"speaker {name}", 100 * ua, {"arm": arm}) for name, ua in pairs if math.isfinite(ua)]
    return _strip("Test UA of every speaker, by arm", "UA of a speaker, percent", points, whole, link)


def differences(pairs: pd.DataFrame, link: Link = nowhere) -> Picture:
    """Mean difference of each pair of arms, its corrected interval, and the band in which they count as
    equal.

    An interval that is much wider than the others is cut off and ends in an arrow.
    """
    rows = [row for row in pairs.to_dict("records") if math.isfinite(row["difference"])]
    top, bottom, wide = 26.0, 26.0 + ROW * max(len(rows), 1), WIDTH + 80
    rope = max([100 * row["rope"] for row in rows if math.isfinite(row["rope"])], default=0.0)
    axis = covering([*_limits(rows), -rope, rope], 2 * LEFT - 40, wide - RIGHT, room=0.02)
    left, right = axis.at(-rope), axis.at(rope)
    shapes: list[Shape] = (
        [Area([(left, top), (right, top), (right, bottom), (left, bottom)], "band")] if rope else []
    )
    if rope:
        shapes.append(
            Words((left + right) / 2, top - 12, f"equal within ±{rope:.3g}", "soft", SMALL, "middle")
        )
    shapes += below(axis, top, bottom, "difference of UA over the same folds, points")
    shapes.append(Line([(axis.at(0), top), (axis.at(0), bottom)], "soft", 1.5))
    for i, row in enumerate(rows):
        shapes += _difference(row, axis, top + ROW * (i + 0.5), wide - 4, link)
    return Picture(wide, bottom + 44, "Differences between arms on the same folds, with intervals", shapes)


def _limits(rows: Sequence[Mapping[Hashable, Any]]) -> tuple[float, float]:
    """A range of points of UA with every difference and most intervals."""
    halves = sorted(
        50 * (row["ci_high"] - row["ci_low"]) for row in rows if math.isfinite(row["ci_high"] - row["ci_low"])
    )
    most = max([abs(100 * row["difference"]) for row in rows], default=1.0)
    limit = max(1.3 * most, most + 2 * halves[len(halves) // 2] if halves else 0.0, 1.0)
    ends = [
        100 * row[name]
        for row in rows
        for name in ("difference", "ci_low", "ci_high")
        if math.isfinite(row[name])
    ]
    return max(-limit, min([0.0, *ends])), min(limit, max([0.0, *ends]))


def _difference(row: Mapping[Hashable, Any], axis: Axis, y: float, right: float, link: Link) -> list[Shape]:
    value, low, high = (100 * row[name] for name in ("difference", "ci_low", "ci_high"))
    shapes: list[Shape] = [
        Words(axis.start - 16, y, cut(f"{row['arm_a']} − {row['arm_b']}", 38), "ink", SMALL, "end")
    ]
    if math.isfinite(low) and math.isfinite(high):
        ends = [axis.at(min(max(end, axis.low), axis.high)) for end in (low, high)]
        shapes.append(Line([(ends[0], y), (ends[1], y)], "s0", 2))
        for end, beyond, back in ((ends[0], low < axis.low, 6), (ends[1], high > axis.high, -6)):
            shapes += [Line([(end + back, y - 5), (end, y), (end + back, y + 5)], "s0", 2)] if beyond else []
    title = (
        f"{value:+.1f} points, from {low:+.1f} to {high:+.1f}"
        if math.isfinite(low)
        else f"{value:+.1f} points"
    )
    shapes.append(
        Dot(
            axis.at(value),
            y,
            "diamond",
            "s0",
            5,
            title=title,
            href=link({"arm": [row["arm_a"], row["arm_b"]]}),
        )
    )
    return [*shapes, Words(right, y, f"{value:+.1f}".replace("-", "−"), "ink", PLAIN, "end")]


def _scores(frame: pd.DataFrame, arm: str, by: str) -> list[tuple[int, float]]:
    rows = frame[frame["arm"] == arm]
    return [
        (int(name), float(ua)) for name, ua in zip(rows[by], rows["ua"], strict=True) if math.isfinite(ua)
    ]


def _strip(
    title: str, label: str, points: Mapping[str, Points], whole: Collection[str], link: Link
) -> Picture:
    """One row for each arm that has a point; dots are shifted up and down a little, so that equal ones
    show.
    """
    shown = {arm: dots for arm, dots in points.items() if dots}
    top, bottom = 12.0, 12.0 + ROW * max(len(shown), 1)
    axis = covering([value for dots in shown.values() for _, value, _ in dots], LEFT, WIDTH - RIGHT)
    shapes = below(axis, top, bottom, label)
    for i, (arm, dots) in enumerate(shown.items()):
        role, y = palette.series(list(points).index(arm))[0], top + ROW * (i + 0.5)
        shapes += [
            Words(LEFT - 16, y, cut(arm, 20), "ink", PLAIN, "end"),
            *_dots(arm, role, dots, axis, y, link),
        ]
        shapes += (
            _mean(arm, role, dots, axis, y, link)
            if arm in whole
            else [Words(WIDTH - 4, y, "partly", "soft", SMALL, "end")]
        )
    return Picture(WIDTH, bottom + 44, title, shapes)


def _dots(arm: str, role: str, dots: Points, axis: Axis, y: float, link: Link) -> list[Shape]:
    size = 3.4 if len(dots) <= 30 else 2.2
    shifts = [((number * 5) % 7 - 3) * ROW / 16 for number in range(len(dots))]
    return [
        Dot(axis.at(value), y + shift, "circle", role, size, True, f"{arm}, {name}: {value:.1f}", link(rows))
        for shift, (name, value, rows) in zip(shifts, dots, strict=True)
    ]


def _mean(arm: str, role: str, dots: Points, axis: Axis, y: float, link: Link) -> list[Shape]:
    values = [value for _, value, _ in dots]
    middle, shapes = mean(values), []
    if len(values) > 1:
        spread = math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1))
        ends = [axis.at(min(max(middle + side * spread, axis.low), axis.high)) for side in (-1, 1)]
        shapes.append(Line([(ends[0], y), (ends[1], y)], role, 2.5))
    shapes.append(
        Dot(
            axis.at(middle),
            y,
            "diamond",
            role,
            5.5,
            title=f"{arm}: mean {middle:.1f}",
            href=link({"arm": arm}),
        )
    )
    return [*shapes, Words(WIDTH - 4, y, f"{middle:.1f}", "ink", PLAIN, "end")]
