"""How numbers are said: percent with one decimal, counts with thin spaces, seconds in a readable unit, what
is missing in words.
"""

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from analysis.report.markup import Markup, join, tag

THIN = "\u202f"  # narrow, and no line ends there
MISSING = tag(
    "span",
    {"class": "none"},
    tag("span", {"aria-hidden": "true"}, "–"),
    tag("span", {"class": "unseen"}, "not known"),
)


def known(value: Any) -> bool:
    """Whether there is a value: not None, not NaN, not infinite, not empty."""
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


def points_of(deviation: float) -> str:
    """0.0216 -> 2.2, without a sign."""
    return f"{100 * deviation:.1f}"


def counted(number: int, noun: str) -> str:
    """1 fold, 5 folds."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}".replace("-", "−")


def chance(p: float) -> str:
    """A p value or probability: never 0, and no more than three decimals."""
    return "< .001" if 0 <= p < 0.001 else f"{p:.3f}"


def seconds_like(most: float) -> Callable[[float], str]:
    """How all times of a column are said whose largest is `most`: in one unit, so that they can be compared
    by eye.
    """
    unit, by = ("s", 1.0) if not most >= 300 else ("min", 60.0) if most < 3 * 3600 else ("h", 3600.0)

    def told(value: float) -> str:
        size = value / by
        return f"{size:,.1f} {unit}".replace(",", THIN) if size >= 0.05 or size == 0 else f"< 0.1 {unit}"

    return told


def spread(mean: float, deviation: float, told: Any = percent) -> Markup:
    """mean ± deviation; the deviation, if it is known, in a quieter voice."""
    if not known(deviation):
        return join([told(mean)])
    return join([told(mean), tag("span", {"class": "spread"}, f" ± {told(deviation).lstrip('+')}")])


def address(rows: dict[str, Any]) -> str:
    """The link that shows these rows of the trials table: column -> value, or several values of which each
    will do.
    """
    pairs = [
        (key, each)
        for key, value in rows.items()
        for each in (value if isinstance(value, list | tuple) else [value])
    ]
    return "#trials?" + "&".join(
        f"{quote(str(key), safe='.')}={quote(str(value), safe='')}" for key, value in pairs
    )
