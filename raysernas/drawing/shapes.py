"""A picture as data: lines, areas, boxes, dots, words and shaded tiles.

Units are CSS pixels, x to the right, y down. Colours are roles of `palette`. `svg` and `raster` draw the same
picture; equal pictures give equal bytes.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
SMALL, PLAIN = 11.0, 13.0  # sizes of words
BROAD = "mwMW@%…—"  # letters about as wide as high
# what no XML may hold, and line ends
UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, perhaps with round corners and an arrow head."""

    points: Sequence[Point]
    role: str = "ink"
    width: float = 1.5
    dash: str = ""  # lengths of strokes and gaps
    corner: float = 0.0  # radius
    arrow: bool = False  # at the end of a piece that is parallel to an axis


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon, such as a band around a curve."""

    points: Sequence[Point]
    role: str = "s0"
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its upper left corner, filled or outlined or both.

    `title` is shown where the pointer rests, `href` is where a click leads.
    """

    x: float
    y: float
    width: float
    height: float
    role: str = "s0"  # of its inside; empty for none
    title: str = ""
    href: str = ""
    outline: str = ""  # role of its edge; empty for none
    edge: float = 1.0  # width of its edge
    radius: float = 0.0  # of its corners
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark of one of the palette's SHAPES around a point; hollow ones show what lies under them."""

    x: float
    y: float
    shape: str = "circle"
    role: str = "s0"
    size: float = 4.5  # half of its width
    hollow: bool = False
    title: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text around the middle line `y`; `turned` reads upwards, from `y`."""

    x: float
    y: float
    text: str
    role: str = "ink"
    size: float = PLAIN
    anchor: Literal["start", "middle", "end"] = "start"
    mono: bool = False
    bold: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Tiles:
    """A rectangle of tiles, shaded by shares."""

    x: float
    y: float
    width: float  # of one tile
    height: float
    values: npt.NDArray[np.float64]  # [row, column] in 0..1; NaN is left empty
    titles: Sequence[Sequence[str]] = ()  # of each tile, as that of a box


Shape = Line | Area | Box | Dot | Words | Tiles


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes from the back to the front; title and description are for those who do not see them."""

    width: float
    height: float
    title: str
    shapes: Sequence[Shape] = ()
    description: str = ""


def printed(text: str, most: int = 0) -> str:
    """Text as it can be printed, at most so many characters long (0 = all)."""
    shown = UNPRINTED.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown if not most or len(shown) <= most else shown[: most - 1] + "…"


def width(text: str, size: float, mono: bool = False) -> float:
    """An upper limit of the width of a line of text: DejaVu is a wide face, and browsers may take a narrower
    one.
    """
    return size * sum(0.61 if mono and each.isascii() else _ems(each) for each in text)


def _ems(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    broad = letter in BROAD or unicodedata.east_asian_width(letter) in "WF"
    return 1.0 if broad else 0.8 if letter.isupper() or not letter.isascii() else 0.64


def baseline(words: Words) -> float:
    """y of the line that its letters stand on, before it is turned."""
    return words.y + 0.36 * words.size


def turns(line: Line) -> Iterator[tuple[Point, Point, Point]]:
    """(where the rounding begins, corner, where it ends) at each inner point of a line."""
    for (before, corner), (_, after) in pairwise(pairwise(line.points)):
        yield _towards(corner, before, line.corner), corner, _towards(corner, after, line.corner)


def _towards(corner: Point, other: Point, radius: float) -> Point:
    length = max(abs(other[0] - corner[0]), abs(other[1] - corner[1]), 1e-9)
    share = min(radius, length / 2) / length
    return corner[0] + share * (other[0] - corner[0]), corner[1] + share * (other[1] - corner[1])


def head(line: Line) -> tuple[Point, Point, Point]:
    """The arrow head at the end of a line, drawn like a V."""
    (x0, y0), (x, y) = line.points[-2:]
    dx, dy = float(np.sign(x - x0)), float(np.sign(y - y0))
    return (x - 5 * dx - 4 * dy, y - 5 * dy - 4 * dx), (x, y), (x - 5 * dx + 4 * dy, y - 5 * dy + 4 * dx)


def corners(dot: Dot) -> list[Point]:
    """The polygon of a dot that is no circle, cross or plus."""
    x, y, size = dot.x, dot.y, dot.size
    if dot.shape == "square":
        half = size * 0.88
        return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    if dot.shape == "diamond":
        return [(x, y - size * 1.25), (x + size * 1.25, y), (x, y + size * 1.25), (x - size * 1.25, y)]
    up = -1.0 if dot.shape == "triangle" else 1.0
    low = y - up * size * 0.85
    return [(x, y + up * size * 1.15), (x + size * 1.1, low), (x - size * 1.1, low)]


def strokes(dot: Dot) -> list[tuple[Point, Point]]:
    """The two lines of a cross or a plus."""
    x, y, size = dot.x, dot.y, dot.size
    if dot.shape == "plus":
        return [((x - size * 1.1, y), (x + size * 1.1, y)), ((x, y - size * 1.1), (x, y + size * 1.1))]
    return [((x - size, y - size), (x + size, y + size)), ((x - size, y + size), (x + size, y - size))]
