"""A picture as SVG text, for a page that defines the colours of `palette`, or as a file of its own.

All text is escaped. No ids are used, so two pictures on a page cannot clash.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from raysernas.drawing import palette
from raysernas.drawing.shapes import (
    Area,
    Box,
    Dot,
    Line,
    Picture,
    Point,
    Shape,
    Tiles,
    Words,
    baseline,
    corners,
    head,
    printed,
    strokes,
    turns,
)

LEVELS = 100  # of the opacity of tiles; finer ones nobody sees


def svg(picture: Picture, *, alone: bool = False) -> str:
    """The picture as an `<svg>` element.

    Args:
        alone: as a file, always light. Else for a page with `palette.style`, light or dark as the page is.
    """
    wide, high = _n(picture.width), _n(picture.height)
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    linked = any(getattr(shape, "href", "") for shape in picture.shapes)
    role = "group" if linked else "img"  # img would hide links from screen readers
    name = _escaped(picture.title)
    about = ""
    if picture.description:
        about = f"<title>{name}</title><desc>{_escaped(picture.description)}</desc>"
    rules = f"<style>{palette.style_alone()}</style>" if alone else ""
    paper = f'<rect width="{wide}" height="{high}" class="f-paper"/>' if alone else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" {size} role="{role}" aria-label="{name}">'
        f"{about}{rules}{paper}{''.join(map(_element, picture.shapes))}</svg>"
    )


def _element(shape: Shape) -> str:
    match shape:
        case Line():
            return _line(shape)
        case Area():
            place = f'points="{_points(shape.points)}" opacity="{_n(shape.opacity)}"'
            return f'<polygon class="f-{shape.role}" {place}/>'
        case Box():
            return _linked(shape, _box(shape))
        case Dot():
            return _linked(shape, _dot(shape))
        case Words():
            return _words(shape)
        case Tiles():
            return _tiles(shape)


def _line(line: Line) -> str:
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    look = f'class="d-{line.role}" fill="none" stroke-width="{_n(line.width)}"'
    if not line.corner:
        drawn = f'<polyline {look} points="{_points(line.points)}"{dash}/>'
    else:
        steps = [f"L{_p(begin)}Q{_p(corner)} {_p(end)}" for begin, corner, end in turns(line)]
        path = f"M{_p(line.points[0])}{''.join(steps)}L{_p(line.points[-1])}"
        drawn = f'<path {look} d="{path}"{dash}/>'
    return drawn + (f'<polyline {look} points="{_points(head(line))}"/>' if line.arrow else "")


def _box(box: Box) -> str:
    place = f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
    looks = [f"f-{box.role}"] * bool(box.role) + [f"d-{box.outline}"] * bool(box.outline)
    look = f'class="{" ".join(looks)}"' + ("" if box.role else ' fill="none"')
    edge = f' stroke-width="{_n(box.edge)}"' if box.outline else ""
    round_off = f' rx="{_n(box.radius)}"' if box.radius else ""
    dashes = ' stroke-dasharray="4 3"' if box.dashed else ""
    return f"<rect {look} {place}{round_off}{edge}{dashes}>{_title(box.title)}</rect>"


def _dot(dot: Dot) -> str:
    title = _title(dot.title)
    look = f'class="f-{"paper" if dot.hollow else dot.role} d-{dot.role}" stroke-width="1.5"'
    if dot.shape == "circle":
        return f'<circle {look} cx="{_n(dot.x)}" cy="{_n(dot.y)}" r="{_n(dot.size)}">{title}</circle>'
    if dot.shape in ("cross", "plus"):
        path = "".join(f"M{_p(begin)}L{_p(end)}" for begin, end in strokes(dot))
        return f'<path class="d-{dot.role}" d="{path}" fill="none" stroke-width="2">{title}</path>'
    return f'<polygon {look} points="{_points(corners(dot))}">{title}</polygon>'


def _words(words: Words) -> str:
    anchor = "" if words.anchor == "start" else f' text-anchor="{words.anchor}"'
    turn = f' transform="rotate(-90 {_n(words.x)} {_n(words.y)})"' if words.turned else ""
    looks = f"f-{words.role}" + " m" * words.mono + " b" * words.bold
    place = f'x="{_n(words.x)}" y="{_n(baseline(words))}" font-size="{_n(words.size)}"'
    return f'<text class="{looks}" {place}{anchor}{turn}>{_escaped(words.text)}</text>'


def _tiles(tiles: Tiles) -> str:
    """One path for all tiles of a level, or an element each where they have titles."""
    levels = np.round(palette.shade(tiles.values) * LEVELS).astype(int)
    across, down = _n(tiles.width), _n(tiles.height)

    def place(row: int, column: int) -> str:
        corner = tiles.x + column * tiles.width, tiles.y + row * tiles.height
        return f"M{_p(corner)}h{across}v{down}h-{across}z"

    found = []
    for row, titles in enumerate(tiles.titles):
        for column in np.flatnonzero(np.isfinite(tiles.values[row])).tolist():
            look = f'class="f-deep" fill-opacity="{_n(levels[row, column] / LEVELS)}"'
            found.append(f'<path {look} d="{place(row, column)}">{_title(titles[column])}</path>')
    if tiles.titles:
        return "".join(found)
    for level in np.unique(levels[levels > 0]):
        path = "".join(place(*at) for at in np.argwhere(levels == level))
        found.append(f'<path class="f-deep" fill-opacity="{_n(level / LEVELS)}" d="{path}"/>')
    return "".join(found)


def _linked(shape: Box | Dot, drawn: str) -> str:
    """A link for the pointer only: the same number stands in a table that the keyboard reaches."""
    return f'<a href="{_escaped(shape.href)}" tabindex="-1">{drawn}</a>' if shape.href else drawn


def _title(text: str) -> str:
    return f"<title>{_escaped(text)}</title>" if text else ""


def _escaped(text: str) -> str:
    return escape(printed(text))


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _p(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    """A number with two decimals at most."""
    return f"{number:.2f}".rstrip("0").rstrip(".") or "0"
