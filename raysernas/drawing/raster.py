"""A picture of pixels: the same shapes as `svg.svg`, as PNG, always light.

Drawn with Pillow, which TensorBoard brings along, and the DejaVu fonts beside this file: every machine makes
the same letters. Slanted and round edges are antialiased; what is parallel to an axis lies on whole pixels.
Files have a palette, so that they are small.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raysernas.drawing.palette import LIGHT, shade
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

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

FONTS = {(False, False): "DejaVuSans", (False, True): "DejaVuSans-Bold", (True, False): "DejaVuSansMono"}
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
PACKED = np.array([1 << 16, 1 << 8, 1], dtype=np.int32)  # a colour as one number
# pixels for each CSS pixel; and in each direction, unless that is less than one for each
SCALE, MOST = 1.5, 1400
PRINT_SCALE = 200 / 96  # of files for papers: 200 dots an inch
FINER = 4  # of the masks that antialias, in each direction
# small files, quickly: every byte is checked in Python by whoever writes or reads an event
COLOURS, COMPRESSION = 128, 6


def png(picture: Picture, *, scale: float = SCALE, most: int = MOST) -> tuple[bytes, int, int]:
    """PNG, and its width and height in pixels."""
    from PIL import Image

    scale = max(1.0, min(scale, most / max(picture.width, picture.height)))
    size = round(picture.width * scale), round(picture.height * scale)
    sheet = _Sheet(Image.new("RGB", size, LIGHT["paper"]), scale)
    for shape in picture.shapes:
        sheet.draw(shape)
    found = BytesIO()
    _indexed(sheet.image).save(found, "png", compress_level=COMPRESSION)
    return found.getvalue(), *size


@dataclass(frozen=True, slots=True)
class _Sheet:
    image: "Image"
    scale: float

    def draw(self, shape: Shape) -> None:
        match shape:
            case Line():
                self._line(shape)
            case Area():
                fill = lambda draw, at: draw.polygon(at(shape.points), 255)  # noqa: E731
                self._paint(shape.points, shape.role, fill, opacity=shape.opacity)
            case Box():
                self._box(shape)
            case Dot():
                self._dot(shape)
            case Words():
                self._words(shape)
            case Tiles():
                self._tiles(shape)

    def _line(self, line: Line) -> None:
        for points in (_rounded(line), head(line)) if line.arrow else (_rounded(line),):
            for stroke in _dashes(points, line.dash) if line.dash else (points,):
                self._stroke(stroke, line.role, line.width)

    def _stroke(self, points: Sequence[Point], role: str, width: float) -> None:
        straight = len(points) == 2 and (points[0][0] == points[1][0] or points[0][1] == points[1][1])
        if straight:  # a rectangle of whole pixels
            thick = max(1, round(width * self.scale))
            (x0, y0), (x1, y1) = sorted((x * self.scale, y * self.scale) for x, y in points)
            left, top = (round(x0 - thick / 2), round(y0)) if x0 == x1 else (round(x0), round(y0 - thick / 2))
            right = left + thick if x0 == x1 else round(x1)
            bottom = round(y1) if x0 == x1 else top + thick
            self.image.paste(LIGHT[role], (left, top, max(right, left + 1), max(bottom, top + 1)))
        else:
            self._paint(points, role, lambda draw, at: self._polyline(draw, at(points), width), room=width)

    def _polyline(self, draw: Any, points: Sequence[Point], width: float, fill: int = 255) -> None:
        draw.line(points, fill=fill, width=round(width * self.scale * FINER), joint="curve")

    def _box(self, box: Box) -> None:
        left, top = round(box.x * self.scale), round(box.y * self.scale)
        right, bottom = (
            max(round((box.x + box.width) * self.scale), left + 1),
            max(round((box.y + box.height) * self.scale), top + 1),
        )
        if not box.radius and not box.outline:
            self.image.paste(LIGHT[box.role], (left, top, right, bottom))
            return
        whole = [(left / self.scale, top / self.scale), (right / self.scale, bottom / self.scale)]
        edge = max(1, round(box.edge * self.scale)) * FINER if box.outline else 0

        def rectangle(draw: Any, at: Callable[..., Any], shrink: int, fill: int) -> None:
            (x0, y0), (x1, y1) = at(whole)
            radius = max(0.0, box.radius * self.scale * FINER - shrink)
            inner = (x0 + shrink, y0 + shrink, x1 - shrink - 1, y1 - shrink - 1)
            draw.rounded_rectangle(inner, radius, fill=fill)

        if box.outline:

            def frame(draw: Any, at: Callable[..., Any]) -> None:
                rectangle(draw, at, 0, 255)
                rectangle(draw, at, edge, 0)
                if box.dashed:
                    self._gaps(draw, at(whole))

            self._paint(whole, box.outline, frame)
        if box.role:
            self._paint(whole, box.role, lambda draw, at: rectangle(draw, at, edge, 255))

    def _gaps(self, draw: Any, whole: Sequence[Point]) -> None:
        """Cut a frame into dashes of 4 with gaps of 3."""
        (x0, y0), (x1, y1) = whole
        unit = self.scale * FINER
        for x in np.arange(x0 + 4 * unit, x1, 7 * unit):
            draw.rectangle((x, y0, x + 3 * unit, y1), 0)
        for y in np.arange(y0 + 4 * unit, y1, 7 * unit):
            draw.rectangle((x0, y, x1, y + 3 * unit), 0)

    def _dot(self, dot: Dot) -> None:
        reach = 1.4 * dot.size + 2
        around = [(dot.x - reach, dot.y - reach), (dot.x + reach, dot.y + reach)]
        if dot.shape in ("cross", "plus"):

            def lines(draw: Any, at: Callable[..., Any]) -> None:
                for stroke in strokes(dot):
                    self._polyline(draw, at(stroke), 2)

            self._paint(around, dot.role, lines)
            return
        outline = _circle(dot) if dot.shape == "circle" else corners(dot)
        ring = [*outline, *outline[:2]]

        def body(draw: Any, at: Callable[..., Any]) -> None:
            draw.polygon(at(outline), 255)
            self._polyline(draw, at(ring), 1.5)

        def hole(draw: Any, at: Callable[..., Any]) -> None:
            draw.polygon(at(outline), 255)
            self._polyline(draw, at(ring), 1.5, fill=0)

        self._paint(around, dot.role, body)
        if dot.hollow:
            self._paint(around, "paper", hole)

    def _words(self, words: Words) -> None:
        from PIL import Image, ImageDraw

        font = _font(FONTS[words.mono, words.bold and not words.mono], round(words.size * self.scale, 1))
        text, x, y = printed(words.text), words.x * self.scale, words.y * self.scale
        anchor, lower = ANCHORS[words.anchor], (baseline(words) - words.y) * self.scale
        if not words.turned:
            ImageDraw.Draw(self.image).text((x, y + lower), text, LIGHT[words.role], font, anchor)
            return
        long, high = round(font.getlength(text)) + 4, round(1.5 * words.size * self.scale)
        mask = Image.new("L", (long, high))
        ImageDraw.Draw(mask).text((long / 2, high / 2 + lower), text, 255, font, "ms")
        top = {"start": y - long, "middle": y - long / 2, "end": y}[words.anchor]
        mask = mask.transpose(Image.Transpose.ROTATE_90)
        self.image.paste(LIGHT[words.role], (round(x - high / 2), round(top)), mask)

    def _tiles(self, tiles: Tiles) -> None:
        from PIL import Image

        colours = Image.fromarray(_between(LIGHT["paper"], LIGHT["deep"], shade(tiles.values)[..., None]))
        rows, columns = tiles.values.shape
        size = round(columns * tiles.width * self.scale), round(rows * tiles.height * self.scale)
        place = round(tiles.x * self.scale), round(tiles.y * self.scale)
        self.image.paste(colours.resize(size, Image.Resampling.NEAREST), place)

    def _paint(
        self,
        points: Sequence[Point],
        role: str,
        fill: Callable[[Any, Callable[[Sequence[Point]], list[Point]]], object],
        *,
        room: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """What `fill` draws around some points on a finer mask, in one colour, antialiased.

        Args:
            fill: is called with a drawing of the mask and a function from points to places on it.
            room: around the points.
        """
        from PIL import Image, ImageDraw

        x, y = ([each[axis] * self.scale for each in points] for axis in (0, 1))
        margin = 1 + room * self.scale
        left, top = math.floor(min(x) - margin), math.floor(min(y) - margin)
        size = math.ceil(max(x) + margin) - left, math.ceil(max(y) + margin) - top
        mask = Image.new("L", (size[0] * FINER, size[1] * FINER))

        def at(points: Sequence[Point]) -> list[Point]:
            return [((x * self.scale - left) * FINER, (y * self.scale - top) * FINER) for x, y in points]

        fill(ImageDraw.Draw(mask), at)
        smooth = mask.reduce(FINER)
        if opacity < 1:
            smooth = smooth.point([round(opacity * level) for level in range(256)])
        self.image.paste(LIGHT[role], (left, top), smooth)


def _rounded(line: Line) -> Sequence[Point]:
    if not line.corner:
        return line.points
    found = [line.points[0]]
    for begin, corner, end in turns(line):
        for share in np.linspace(0, 1, 6).tolist():  # a quadratic Bézier curve
            weights = (1 - share) ** 2, 2 * share * (1 - share), share**2
            x, y = ((np.array(weights) * each).sum() for each in zip(begin, corner, end, strict=True))
            found.append((float(x), float(y)))
    return [*found, line.points[-1]]


def _dashes(points: Sequence[Point], dash: str) -> Iterator[list[Point]]:
    """The strokes of a dashed line."""
    lengths = [float(each) for each in dash.split()]
    part, left, stroke = 0, lengths[0], [points[0]]
    for begin, end in pairwise(points):
        length, done = math.dist(begin, end), 0.0
        while done + left < length:
            done += left
            share = done / length
            place = begin[0] + share * (end[0] - begin[0]), begin[1] + share * (end[1] - begin[1])
            if part % 2 == 0:
                yield [*stroke, place]
            part, stroke = part + 1, [place]
            left = lengths[part % len(lengths)]
        left -= length - done
        stroke.append(end)
    if part % 2 == 0 and len(stroke) > 1:
        yield stroke


def _circle(dot: Dot) -> list[Point]:
    angles = np.linspace(0, 2 * np.pi, 33)[:-1]
    return [(dot.x + dot.size * math.cos(each), dot.y + dot.size * math.sin(each)) for each in angles]


def _between(one: str, other: str, share: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Colours between two."""
    begin, end = (np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) for colour in (one, other))
    return np.round(begin + share * (end - begin)).astype(np.uint8)


def _indexed(image: "Image") -> "Image":
    """The same with a palette of its most frequent colours: the others are steps between a letter and what
    lies behind it.
    """
    from PIL import Image

    found = sorted(image.getcolors(image.width * image.height) or [], key=lambda each: (-each[0], each[1]))
    colours = np.array([colour for _, colour in found], dtype=np.int32)
    kept = colours[:COLOURS]
    nearest = np.concatenate(
        [
            np.square(part[:, None] - kept).sum(axis=2).argmin(axis=1)
            for part in np.split(colours, range(256, len(colours), 256))
        ]
    )
    # of the kept colour for each colour; hardly any of its pages is ever touched
    numbers = np.zeros(1 << 24, np.uint8)
    numbers[colours @ PACKED] = nearest
    flat = Image.fromarray(numbers[np.asarray(image, dtype=np.int32) @ PACKED])
    flat.putpalette(kept.astype(np.uint8).tobytes())
    return flat


@lru_cache(maxsize=64)
def _font(name: str, size: float) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(__file__).parent / "fonts" / f"{name}.ttf"), size)
