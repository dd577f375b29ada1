"""Rows of dots: the folds, speakers or differences behind each mean, so that nobody sees a bar where there are five numbers.

Comes in: frames of one study and one selection, scores in 0..1. Goes out: scenes, in percent.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from analysis.figures import palette
from analysis.figures.axes import Scale, below, covering, cut, mean
from analysis.figures.scene import PLAIN, SMALL, Area, Dot, Line, Mark, Scene, Words

Link = Callable[[Mapping[str, object]], str]  # the rows of the trials table that a mark stands for
WIDTH, LEFT, RIGHT, ROW = 480.0, 150.0, 56.0, 34.0


def nowhere(rows: Mapping[str, object]) -> str:
    """Marks of a file lead nowhere."""
    return ""


def folds(folds: pd.DataFrame, arms: Sequence[str], link: Link = nowhere) -> Scene:
    """UA of each fold (hollow), the mean of an arm (filled) and one standard deviation over folds to each side."""
    points = {
        arm: [(f"fold {fold}", 100 * ua, {"arm": arm, "fold": fold}) for fold, ua in _scores(folds, arm, "fold")] for arm in arms
    }
    return _strip("Test UA of every fold, by arm", "UA of a fold, percent", points, link)


def speakers(speakers: pd.DataFrame, arms: Sequence[str], link: Link = nowhere) -> Scene:
    """UA of each test speaker, by arm, as `folds`."""
    points = {}
    for arm in arms:
        rows = speakers[speakers["arm"] == arm]
        told = zip(rows["speaker"], rows["ua"], strict=True)
        points[arm] = [(f"speaker {name}", 100 * ua, {"arm": arm}) for name, ua in told if math.isfinite(ua)]
    return _strip("Test UA of every speaker, by arm", "UA of a speaker, percent", points, link)


def differences(pairs: pd.DataFrame, link: Link = nowhere) -> Scene:
    """Mean difference of each pair of arms, its corrected interval, and the band in which they count as equal."""
    rows = [row for row in pairs.to_dict("records") if math.isfinite(row["difference"])]
    top, bottom = 26.0, 26.0 + ROW * max(len(rows), 1)
    ropes = [100 * row["rope"] for row in rows if math.isfinite(row["rope"])]
    ends = [100 * row[name] for row in rows for name in ("difference", "ci_low", "ci_high")]
    scale = covering([0.0, *ends, *(-each for each in ropes), *ropes], 2 * LEFT - 40, WIDTH + 80 - RIGHT)
    marks: list[Mark] = []
    if ropes:
        left, right = scale.at(-max(ropes)), scale.at(max(ropes))
        marks.append(Area([(left, top), (right, top), (right, bottom), (left, bottom)], "band"))
        marks.append(Words((left + right) / 2, top - 8, f"equal within ±{max(ropes):.3g}", "soft", SMALL, "middle"))
    marks += below(scale, top, bottom, "difference of UA over the same folds, points")
    marks.append(Line([(scale.at(0), top), (scale.at(0), bottom)], "soft", 1.5))
    for i, row in enumerate(rows):
        y, value = top + ROW * (i + 0.5), 100 * row["difference"]
        marks.append(Words(scale.start - 16, y + 4, cut(f"{row['arm_a']} − {row['arm_b']}", 38), "ink", SMALL, "end"))
        if math.isfinite(row["ci_low"]) and math.isfinite(row["ci_high"]):
            marks.append(Line([(scale.at(100 * row["ci_low"]), y), (scale.at(100 * row["ci_high"]), y)], "s0", 2))
        told = {"arm": [row["arm_a"], row["arm_b"]]}
        marks.append(Dot(scale.at(value), y, "diamond", "s0", 5, title=f"{value:+.1f} points", href=link(told)))
        marks.append(Words(WIDTH + 80 - 4, y + 4, f"{value:+.1f}".replace("-", "−"), "ink", PLAIN, "end"))
    return Scene(WIDTH + 80, bottom + 44, "Differences between arms on the same folds, with intervals", marks)


def _scores(frame: pd.DataFrame, arm: str, by: str) -> list[tuple[int, float]]:
    rows = frame[frame["arm"] == arm]
    return [(int(name), float(ua)) for name, ua in zip(rows[by], rows["ua"], strict=True) if math.isfinite(ua)]


def _strip(title: str, label: str, points: Mapping[str, Sequence[tuple[str, float, Mapping[str, object]]]], link: Link) -> Scene:
    """One row for each arm that has a point; dots stand a little above and below the row, in order, so that equal ones show."""
    shown = {arm: told for arm, told in points.items() if told}
    top, bottom = 12.0, 12.0 + ROW * max(len(shown), 1)
    scale = covering([value for told in shown.values() for _, value, _ in told], LEFT, WIDTH - RIGHT)
    marks = below(scale, top, bottom, label)
    for i, (arm, told) in enumerate(shown.items()):
        marks += _row(arm, palette.series(list(points).index(arm)), told, scale, top + ROW * (i + 0.5), link)
    return Scene(WIDTH, bottom + 44, title, marks)


def _row(
    arm: str,
    look: tuple[str, str, str],
    told: Sequence[tuple[str, float, Mapping[str, object]]],
    scale: Scale,
    y: float,
    link: Link,
) -> list[Mark]:
    role, values = look[0], [value for _, value, _ in told]
    middle = mean(values)
    marks: list[Mark] = [Words(LEFT - 16, y + 4, cut(arm, 20), "ink", PLAIN, "end")]
    if len(values) > 1:
        spread = math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1))
        ends = [scale.at(min(max(middle + side * spread, scale.low), scale.high)) for side in (-1, 1)]
        marks.append(Line([(ends[0], y), (ends[1], y)], role, 2.5))
    small = 3.4 if len(told) <= 30 else 2.2
    for number, (name, value, rows) in enumerate(told):
        shift = ((number * 5) % 7 - 3) * ROW / 16
        marks.append(Dot(scale.at(value), y + shift, "circle", role, small, True, f"{arm}, {name}: {value:.1f}", link(rows)))
    marks.append(Dot(scale.at(middle), y, "diamond", role, 5.5, title=f"{arm}: mean {middle:.1f}", href=link({"arm": arm})))
    marks.append(Words(WIDTH - 4, y + 4, f"{middle:.1f}", "ink", PLAIN, "end"))
    return marks
