"""A figure as data: marks on a sheet of so many units, drawn as SVG here and as PNG by `raster`.

Marks name roles of `palette`, not colours. The same marks give the same text of SVG, byte for byte; whatever
stands in words is escaped. A unit is a CSS pixel at natural size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape as quoted

from analysis.figures import palette
from raysernas.drawing.shapes import printed

Point = tuple[float, float]
SMALL, PLAIN = 11.0, 13.0  # sizes of words


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: Sequence[Point]
    role: str = "ink"
    width: float = 1.5
    dash: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon, such as a band around a curve."""

    points: Sequence[Point]
    role: str = "s0"
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle; `title` is told where the pointer rests, `href` is where a click leads."""

    x: float
    y: float
    width: float
    height: float
    role: str = "s0"
    title: str = ""
    href: str = ""


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
    """One line of text; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    role: str = "ink"
    size: float = PLAIN
    anchor: str = "start"


Mark = Line | Area | Box | Dot | Words


@dataclass(frozen=True, slots=True)
class Scene:
    """A figure: its size, what it shows in a few words, and its marks, those underneath first."""

    width: float
    height: float
    title: str
    marks: Sequence[Mark] = field(default_factory=tuple)


def svg(scene: Scene, *, alone: bool = False) -> str:
    """The figure as SVG text: for a page that defines the classes of `palette`, or `alone` for a file of its
    own (light).
    """
    size = (
        f'viewBox="0 0 {_n(scene.width)} {_n(scene.height)}" width="{_n(scene.width)}" '
        f'height="{_n(scene.height)}"'
    )
    linked = any(getattr(mark, "href", "") for mark in scene.marks)  # role img would hide links from readers
    role = "group" if linked else "img"
    body = "".join(_drawn(mark) for mark in scene.marks)
    name = 'xmlns="http://www.w3.org/2000/svg" ' if alone else ""
    rules = f"<style>{_rules_alone()}</style>" if alone else ""
    paper = f'<rect width="{_n(scene.width)}" height="{_n(scene.height)}" class="f-paper"/>' if alone else ""
    return (
        f'<svg {name}class="figure" {size} role="{role}" '
        f'aria-label="{_escaped(scene.title)}">{rules}{paper}{body}</svg>'
    )


def corners(shape: str, x: float, y: float, size: float) -> list[Point]:
    """The polygon of a shape other than a circle, a cross or a plus."""
    if shape == "square":
        half = size * 0.88
        return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    if shape == "diamond":
        return [(x, y - size * 1.25), (x + size * 1.25, y), (x, y + size * 1.25), (x - size * 1.25, y)]
    up = -1.0 if shape == "triangle" else 1.0
    return [
        (x, y + up * size * 1.15),
        (x + size * 1.1, y - up * size * 0.85),
        (x - size * 1.1, y - up * size * 0.85),
    ]


def strokes(shape: str, x: float, y: float, size: float) -> list[list[Point]]:
    """The two lines of a cross or a plus."""
    if shape == "plus":
        return [[(x - size * 1.1, y), (x + size * 1.1, y)], [(x, y - size * 1.1), (x, y + size * 1.1)]]
    return [[(x - size, y - size), (x + size, y + size)], [(x - size, y + size), (x + size, y - size)]]


def _escaped(text: str) -> str:
    return quoted(printed(text))


def _n(number: float) -> str:
    """At most two decimals: what no eye sees is not written."""
    return f"{number:.2f}".rstrip("0").rstrip(".") or "0"


def _drawn(mark: Mark) -> str:
    match mark:
        case Line():
            dash = f' stroke-dasharray="{mark.dash}"' if mark.dash else ""
            look = f'fill="none" stroke-width="{_n(mark.width)}"{dash}'
            return f'<polyline class="d-{mark.role}" points="{_points(mark.points)}" {look}/>'
        case Area():
            return (
                f'<polygon class="f-{mark.role}" points="{_points(mark.points)}" '
                f'opacity="{_n(mark.opacity)}"/>'
            )
        case Box():
            place = f'x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.width)}" height="{_n(mark.height)}"'
            return _linked(mark, f'<rect class="f-{mark.role}" {place}>{_title(mark.title)}</rect>')
        case Dot():
            return _linked(mark, _dot(mark))
        case Words():
            return _words(mark)


def _dot(mark: Dot) -> str:
    inside, title = ("paper" if mark.hollow else mark.role), _title(mark.title)
    look = f'class="f-{inside} d-{mark.role}" stroke-width="1.5"'
    if mark.shape == "circle":
        return f'<circle {look} cx="{_n(mark.x)}" cy="{_n(mark.y)}" r="{_n(mark.size)}">{title}</circle>'
    if mark.shape in ("cross", "plus"):
        lines = strokes(mark.shape, mark.x, mark.y, mark.size)
        way = "".join(f"M{_n(a[0])} {_n(a[1])}L{_n(b[0])} {_n(b[1])}" for a, b in lines)
        return f'<path class="d-{mark.role}" d="{way}" fill="none" stroke-width="2">{title}</path>'
    return (
        f"<polygon {look} "
        f'points="{_points(corners(mark.shape, mark.x, mark.y, mark.size))}">{title}</polygon>'
    )


def _words(mark: Words) -> str:
    anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
    place = f'x="{_n(mark.x)}" y="{_n(mark.y)}" font-size="{_n(mark.size)}"'
    return f'<text class="f-{mark.role}" {place}{anchor}>{_escaped(mark.text)}</text>'


def _linked(mark: Box | Dot, drawn: str) -> str:
    """A link for the pointer only: the same number stands in a table, where the keyboard reaches it."""
    return f'<a href="{_escaped(mark.href)}" tabindex="-1">{drawn}</a>' if mark.href else drawn


def _title(text: str) -> str:
    return f"<title>{_escaped(text)}</title>" if text else ""


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _rules_alone() -> str:
    fixed = palette.colours()
    rules = "".join(
        f".f-{role}{{fill:{colour}}}.d-{role}{{stroke:{colour}}}" for role, colour in fixed.items()
    )
    return (
        rules
        + "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    )
