"""How numbers are said: percent with one decimal, counts with thin spaces, seconds in a readable unit, what is missing in words."""

import math
from typing import Any
from urllib.parse import quote

from analysis.report.markup import Markup, join, tag

THIN = "\u202f"  # narrow, and no line ends there
MISSING = tag("span", {"class": "none"}, tag("span", {"aria-hidden": "true"}, "–"), tag("span", {"class": "unseen"}, "not known"))


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


def seconds(value: float) -> str:
    """Seconds, from 100 of them on in minutes, from 100 of those on in hours."""
    if value < 100:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 6000 else f"{count(value / 3600) if value > 360000 else f'{value / 3600:.1f}'} h"


def plain(value: object) -> str:
    """As it is."""
    return str(value)


def spread(mean: float, deviation: float, told: Any = percent) -> Markup:
    """mean ± deviation; the deviation, if it is known, in a quieter voice."""
    if not known(deviation):
        return join([told(mean)])
    return join([told(mean), tag("span", {"class": "spread"}, f" ± {told(deviation)}")])


def address(rows: dict[str, Any]) -> str:
    """The link that shows these rows of the trials table: column -> value, or several values of which each will do."""
    pairs = [(key, each) for key, value in rows.items() for each in (value if isinstance(value, list | tuple) else [value])]
    return "#trials?" + "&".join(f"{quote(str(key), safe='.')}={quote(str(value), safe='')}" for key, value in pairs)
