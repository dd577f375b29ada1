"""A figure as a PNG file: the marks of a scene once more, drawn by matplotlib.

Comes in: a scene. Goes out: bytes, the same for the same marks and versions of the libraries.
"""

from io import BytesIO
from typing import Any

from analysis.figures import palette, scene
from analysis.figures.scene import Area, Box, Dot, Line, Mark, Scene, Words

DPI = 200
UNITS = 96.0  # an inch
POINT = 72 / UNITS  # points a unit


def png(figure: Scene) -> bytes:
    """The light figure on white paper, at DPI dots an inch."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.family": ["DejaVu Sans"]}):
        sheet = Figure(figsize=(figure.width / UNITS, figure.height / UNITS), dpi=DPI, facecolor="white")
        axes = sheet.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for layer, mark in enumerate(figure.marks):
            _draw(axes, mark, palette.colours(), {"zorder": layer, "clip_on": False})
        axes.set_xlim(0, figure.width)
        axes.set_ylim(figure.height, 0)
        axes.set_aspect("auto")
        out = BytesIO()
        FigureCanvasAgg(sheet).print_png(out, metadata={"Software": None})
    return out.getvalue()


def _draw(axes: Any, mark: Mark, colours: dict[str, str], where: dict[str, Any]) -> None:
    match mark:
        case Line():
            dash = tuple(float(each) * POINT for each in mark.dash.split())
            style: Any = (0, dash) if dash else "solid"
            x, y = zip(*mark.points, strict=True)
            axes.plot(x, y, color=colours[mark.role], linewidth=mark.width * POINT, linestyle=style, **where)
        case Area():
            axes.fill(
                *zip(*mark.points, strict=True),
                color=colours[mark.role],
                alpha=mark.opacity,
                linewidth=0,
                **where,
            )
        case Box():
            right, low = mark.x + mark.width, mark.y + mark.height
            axes.fill(
                (mark.x, right, right, mark.x),
                (mark.y, mark.y, low, low),
                color=colours[mark.role],
                linewidth=0,
                **where,
            )
        case Dot():
            _dot(axes, mark, colours, where)
        case Words():
            _words(axes, mark, colours, where)


def _dot(axes: Any, mark: Dot, colours: dict[str, str], where: dict[str, Any]) -> None:
    from matplotlib.patches import Circle, Polygon

    look = {
        "facecolor": colours["paper" if mark.hollow else mark.role],
        "edgecolor": colours[mark.role],
        "linewidth": 1.5 * POINT,
    }
    if mark.shape in ("cross", "plus"):
        for points in scene.strokes(mark.shape, mark.x, mark.y, mark.size):
            axes.plot(*zip(*points, strict=True), color=colours[mark.role], linewidth=2 * POINT, **where)
    elif mark.shape == "circle":
        axes.add_patch(Circle((mark.x, mark.y), mark.size, **look, **where))
    else:
        axes.add_patch(
            Polygon(scene.corners(mark.shape, mark.x, mark.y, mark.size), closed=True, **look, **where)
        )


def _words(axes: Any, mark: Words, colours: dict[str, str], where: dict[str, Any]) -> None:
    sides = {"start": "left", "middle": "center", "end": "right"}
    look = {"color": colours[mark.role], "fontsize": mark.size * POINT}
    axes.text(
        mark.x, mark.y, mark.text, ha=sides[mark.anchor], va="baseline", parse_math=False, **look, **where
    )
