"""How a value is written on the page: percent with one decimal, counts with thin spaces, times in one
unit.
"""

import math
from collections.abc import Callable
from typing import Any

from analysis.report.markup import Markup, join, tag

THIN = "\u202f"  # narrow, and no line breaks there
DASH = tag("span", {"aria-hidden": "true"}, "–")
MISSING = tag("span", {"class": "none"}, DASH, tag("span", {"class": "unseen"}, "unknown"))


def known(value: Any) -> bool:
    """Whether there is a value: not None, NaN, infinite or empty."""
    if value is None or value == "":
        return False
    return math.isfinite(value) if isinstance(value, int | float) else str(value) != "nan"


def percent(share: float) -> str:
    """0.7216 -> 72.2."""
    return f"{100 * share:.1f}".replace("-", "−")


def points(difference: float) -> str:
    """-0.0216 -> −2.2, with a sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def count(number: float) -> str:
    """74200 -> 74 200, with thin spaces."""
    return f"{number:,.0f}".replace(",", THIN)


def counted(number: int, noun: str) -> str:
    """1 fold, 5 folds."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}".replace("-", "−")


def two_decimals(value: float) -> str:
    """0.756 -> 0.76."""
    return f"{value:.2f}"


def chance(p: float) -> str:
    """A p value or a probability: three decimals, and never 0."""
    return "< .001" if 0 <= p < 0.001 else f"{p:.3f}"


def seconds_like(most: float) -> Callable[[float], str]:
    """How to write the times of a column whose largest is `most`: all in one unit, to be compared by eye."""
    unit, by = ("s", 1.0) if not most >= 300 else ("min", 60.0) if most < 3 * 3600 else ("h", 3600.0)

    def write(value: float) -> str:
        size = value / by
        return f"{size:,.1f} {unit}".replace(",", THIN) if size >= 0.05 or size == 0 else f"< 0.1 {unit}"

    return write


def spread(mean: float, deviation: float, write: Callable[[float], str] = percent) -> Markup:
    """Mean ± deviation, the deviation in a lighter colour; the mean alone if the deviation is unknown."""
    if not known(deviation):
        return join([write(mean)])
    return join([write(mean), tag("span", {"class": "spread"}, f" ± {write(deviation).lstrip('+')}")])
