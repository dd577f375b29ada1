"""Axes: from values to places in a picture, with round ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raysernas.drawing.shapes import SMALL, Line, Shape, Words


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values `low` .. `high` to places `start` .. `stop`, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high, value = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.stop - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values within the range, about as many as wanted."""
        if not self.log:
            step = _round_step((self.high - self.low) / max(wanted, 1))
            first = math.ceil(self.low / step - 1e-9)
            return [step * i for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for leads in ((1,), (1, 3), (1, 2, 5)):
            found = [lead * 10.0**decade for decade in decades for lead in leads]
            found = [value for value in found if self.low * 0.999 <= value <= self.high * 1.001]
            if len(found) >= 3:
                return found
        # less than a decade: round steps are easier to read
        return Axis(self.low, self.high, self.start, self.stop).ticks(3)


def covering(
    values: Iterable[float], start: float, stop: float, *, log: bool = False, room: float = 0.06
) -> Axis:
    """An axis that covers all finite (log: positive) values, with some room on both sides."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0]
    low, high = min(known), max(known)
    if log:
        ratio = max((high / low) ** room, 1.15)
        return Axis(low / ratio, high * ratio, start, stop, log=True)
    margin = (high - low) * room if high > low else abs(high) * 0.1 or 1.0
    return Axis(low - margin, high + margin, start, stop)


def below(
    axis: Axis, top: float, bottom: float, label: str, *, grid: bool = True, wanted: int = 5
) -> list[Shape]:
    """The horizontal axis below a panel: grid lines, numbers and a label."""
    shapes: list[Shape] = []
    for value in axis.ticks(wanted):
        x = axis.at(value)
        shapes += (
            [Line([(x, top), (x, bottom)], "rule", 1)]
            if grid
            else [Line([(x, bottom), (x, bottom + 4)], "soft", 1)]
        )
        shapes.append(Words(x, bottom + 12, short(value), "soft", SMALL, "middle"))
    shapes.append(Words((axis.start + axis.stop) / 2, bottom + 29, label, "soft", SMALL, "middle"))
    return shapes


def beside(axis: Axis, left: float, right: float, label: str, *, wanted: int = 5) -> list[Shape]:
    """The vertical axis on the left of a panel; its label stands above it, so that it need not be turned."""
    shapes: list[Shape] = []
    for value in axis.ticks(wanted):
        y = axis.at(value)
        shapes += [
            Line([(left, y), (right, y)], "rule", 1),
            Words(left - 6, y, short(value), "soft", SMALL, "end"),
        ]
    shapes.append(Words(left - 28, min(axis.start, axis.stop) - 14, label, "soft", SMALL))
    return shapes


def short(value: float) -> str:
    """A round number as a tick says it: 1.5, 20, 20k, 3M."""
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            by = 1e3 if unit == "k" else limit
            return f"{value / by:.4g}{unit}"
    return f"{value:.4g}".replace("-", "−")


def cut(text: str, letters: int) -> str:
    """A label of so many letters at most; a longer one ends in an ellipsis."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def mean(values: Sequence[float]) -> float:
    """The mean of the finite values; NaN if there are none."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _round_step(rough: float) -> float:
    power = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next((lead * power for lead in (1, 2, 2.5, 5, 10) if lead * power >= rough * 0.999), 10 * power)
