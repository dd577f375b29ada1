"""A picture as data: lines, boxes, words and shaded tiles, and how they become SVG text.

In: shapes in units of one CSS pixel, x to the right, y down. Out: SVG that stands alone or in a page, light
or dark: what is drawn in ink takes the colour of the text around it. Equal pictures give equal text. `raster`
makes the same picture of pixels.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from html import escape
from typing import Literal

import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
Look = Literal["ink", "faint", "paper"]
# 3:1 on white and on black alike
COLOURS = ("#0072b2", "#b85c00", "#00805f", "#a6559a", "#857200", "#5566c4", "#808080")
SHADE, SHADE_DARK = "#08519c", "#9ecae1"  # of a tile whose value is 1, on light and on dark ground
DARK = 0.5  # value from which on a tile is dark, and what is written on it is light
LEVELS = 100  # of shade; finer ones nobody sees
BROAD = "mwMW@%…—"  # letters about as wide as high
TURN = 6.0  # radius of the corners of lines
# what no XML may hold, and line ends
UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Line:
    """Straight pieces with rounded corners, perhaps with an arrow head."""

    points: tuple[Point, ...]
    colour: int | None = None  # number in COLOURS; none = faint ink
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rounded rectangle by its upper left corner; `dashed` is only outlined."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 4.0
    filled: bool = True
    dashed: bool = False
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text around its middle line; `turned` reads upwards, from `y`."""

    x: float
    y: float
    text: str
    size: float = 12.0
    anchor: Literal["start", "middle", "end"] = "middle"
    look: Look = "ink"  # paper: on a dark tile
    mono: bool = False
    bold: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Tiles:
    """A rectangle of shaded tiles."""

    x: float
    y: float
    width: float  # of one tile
    height: float
    values: npt.NDArray[np.float64]  # [row, column] in 0..1; NaN is left empty


Shape = Line | Box | Words | Tiles


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes from the back to the front, with a title and a description for who does not see them."""

    width: float
    height: float
    title: str
    description: str
    shapes: list[Shape] = field(default_factory=list)


def printed(text: str, most: int = 0) -> str:
    """Text as it can be printed, at most so many characters long (0 = all)."""
    shown = UNPRINTED.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown if not most or len(shown) <= most else shown[: most - 1] + "…"


def width(text: str, size: float, mono: bool = False) -> float:
    """Of a line of text, with something to spare: DejaVu is a wide face, and browsers may take a narrower
    one.
    """
    return size * sum(0.61 if mono and each.isascii() else _ems(each) for each in text)


def _ems(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    broad = letter in BROAD or unicodedata.east_asian_width(letter) in "WF"
    return 1.0 if broad else 0.8 if letter.isupper() or not letter.isascii() else 0.64


def shade(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How dark tiles are, 0..1: a step at DARK leaves out the shades on which neither dark nor light numbers
    can be read well.
    """
    known = np.nan_to_num(np.clip(values, 0, 1))
    return np.where(known > DARK, 0.8 + 0.2 * (known - DARK) / (1 - DARK), 0.45 * known / DARK)


def svg(picture: Picture, *, alone: bool = False) -> str:
    """The picture as an `<svg>` element.

    Args:
        alone: as a file: with a namespace, a size and white ground, always light. Else it is as wide as its
            place allows, and dark where the page is: by the reader's system, or by `data-theme` of the page.
    """
    wide, high = _n(picture.width), _n(picture.height)
    title, description = escape(printed(picture.title)), escape(printed(picture.description))
    place = (
        f'width="{wide}" height="{high}"' if alone else f'style="max-width:{wide}px;width:100%;height:auto"'
    )
    ground = f'<rect width="{wide}" height="{high}" fill="#fff"/>' if alone else ""
    name = title.replace("\n", " ")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rsn" viewBox="0 0 {wide} {high}" {place} role="img" '
        f'aria-label="{name}">'
        f"<title>{title}</title><desc>{description}</desc><style>{_style(dark=not alone)}</style>{ground}"
        + "".join(map(_element, picture.shapes))
        + "</svg>"
    )


def _style(*, dark: bool) -> str:
    light = (
        ".rsn text{fill:currentColor;font-family:system-ui,'DejaVu "
        "Sans',sans-serif;dominant-baseline:central}"
        ".rsn .m{font-family:ui-monospace,'DejaVu Sans Mono',monospace}.rsn .b{font-weight:600}.rsn "
        ".f{fill-opacity:.72}"
        ".rsn path,.rsn rect.o{fill:none;stroke:currentColor}.rsn .l{stroke-width:1.6}.rsn "
        ".l.g{stroke-opacity:.5}"
        ".rsn rect.o{stroke-opacity:.6}.rsn rect.o.p{fill:currentColor;fill-opacity:.07}"
        ".rsn rect.o.b{stroke-opacity:1;stroke-width:2}"
        + "".join(f".rsn .c{number}{{stroke:{colour}}}" for number, colour in enumerate(COLOURS))
        + f".rsn path.t{{fill:{SHADE};stroke:none}}.rsn text.w{{fill:#fff}}"
    )
    if not dark:
        return ".rsn{color:#111}" + light
    change = f"path.t{{fill:{SHADE_DARK}}}", "text.w{fill:#08192c}"
    by_system = "".join(f":root:not([data-theme=light]) .rsn {each}" for each in change)
    by_page = "".join(f":root[data-theme=dark] .rsn {each}" for each in change)
    return f"{light}@media (prefers-color-scheme:dark){{{by_system}}}{by_page}"


def _element(shape: Shape) -> str:
    if isinstance(shape, Line):
        colour = "g" if shape.colour is None else f"c{shape.colour % len(COLOURS)}"
        head = f'<path class="l {colour}" d="{_head(shape)}"/>' if shape.arrow else ""
        return f'<path class="l {colour}" d="{_way(shape.points)}"/>{head}'
    if isinstance(shape, Box):
        looks = "o" + " p" * shape.filled + " b" * shape.bold
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        size = (
            f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}" '
            f'rx="{_n(shape.radius)}"'
        )
        return f'<rect class="{looks}" {size}{dashes}/>'
    return _words(shape) if isinstance(shape, Words) else _tiles(shape)


def _words(shape: Words) -> str:
    looks = " ".join(
        "m" * shape.mono + "b" * shape.bold + {"ink": "", "faint": "f", "paper": "w"}[shape.look]
    )
    x, y = _n(shape.x), _n(shape.y)
    turn = f' transform="rotate(-90 {x} {y})"' if shape.turned else ""
    style = f' class="{looks}"' if looks else ""
    place = f'x="{x}" y="{y}" font-size="{_n(shape.size)}" text-anchor="{shape.anchor}"'
    return f"<text {place}{style}{turn}>{escape(printed(shape.text))}</text>"


def _tiles(shape: Tiles) -> str:
    """One path for all tiles of a level."""
    levels = np.round(shade(shape.values) * LEVELS).astype(int)
    across, down = _n(shape.width), _n(shape.height)
    found = []
    for level in np.unique(levels[levels > 0]):
        places = [
            f"M{_n(shape.x + c * shape.width)} {_n(shape.y + r * shape.height)}"
            for r, c in np.argwhere(levels == level)
        ]
        way = "".join(f"{place}h{across}v{down}h-{across}z" for place in places)
        found.append(f'<path class="t" fill-opacity="{_n(level / LEVELS)}" d="{way}"/>')
    return "".join(found)


def _way(points: tuple[Point, ...]) -> str:
    """Of a line: straight, and round at its corners."""
    steps = [f"M{_p(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        steps.append(f"L{_p(towards(corner, before))}Q{_p(corner)} {_p(towards(corner, after))}")
    return "".join(steps) + f"L{_p(points[-1])}"


def towards(corner: Point, other: Point) -> Point:
    """Where the rounding of a corner begins."""
    length = max(abs(other[0] - corner[0]), abs(other[1] - corner[1]), 1e-9)
    share = min(TURN, length / 2) / length
    return corner[0] + share * (other[0] - corner[0]), corner[1] + share * (other[1] - corner[1])


def head(line: Line) -> tuple[Point, Point, Point]:
    """The arrow head at the end of a line, drawn like a V."""
    (x0, y0), (x, y) = line.points[-2:]
    dx, dy = float(np.sign(x - x0)), float(np.sign(y - y0))
    return (x - 5 * dx - 4 * dy, y - 5 * dy - 4 * dx), (x, y), (x - 5 * dx + 4 * dy, y - 5 * dy + 4 * dx)


def _head(line: Line) -> str:
    first, tip, last = head(line)
    return f"M{_p(first)}L{_p(tip)}L{_p(last)}"


def _p(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    """A number with two decimals at most."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
