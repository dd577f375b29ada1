"""A picture of pixels: the same shapes as `shapes.svg`, as PNG, always on white.

Drawn with Pillow, which TensorBoard brings along, and the fonts that come with matplotlib, which is not
imported: a trial has no second to spare for it. Files have a palette, so that they are small.
"""

from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raysernas.drawing.shapes import (
    COLOURS,
    LEVELS,
    SHADE,
    Box,
    Line,
    Picture,
    Shape,
    Tiles,
    Words,
    head,
    printed,
    shade,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

INK, FAINT, WIRE, FILL, PAPER = "#111111", "#4d4d4d", "#888888", "#eeeeee", "#ffffff"
FONTS = {(False, False): "DejaVuSans", (False, True): "DejaVuSans-Bold", (True, False): "DejaVuSansMono"}
PACKED = np.array([1 << 16, 1 << 8, 1], dtype=np.int32)  # a colour as one number
ANCHORS = {"start": "lm", "middle": "mm", "end": "rm"}
# pixels for each CSS pixel; and in each direction, unless that is less than one for each
SCALE, MOST = 1.5, 1400
# small files, quickly: every byte is checked in Python by whoever writes or reads an event
PALETTE, COMPRESSION = 128, 6


def png(picture: Picture) -> tuple[bytes, int, int]:
    """PNG, and its width and height in pixels."""
    from PIL import Image, ImageDraw

    scale = max(1.0, min(SCALE, MOST / max(picture.width, picture.height)))
    size = round(picture.width * scale), round(picture.height * scale)
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for shape in picture.shapes:
        _draw(image, draw, shape, scale)
    found = BytesIO()
    _flat(image).save(found, "png", compress_level=COMPRESSION)
    return found.getvalue(), *size


def _draw(image: Any, draw: Any, shape: Shape, scale: float) -> None:
    if isinstance(shape, Line):
        colour = WIRE if shape.colour is None else COLOURS[shape.colour % len(COLOURS)]
        for points in (shape.points, head(shape)) if shape.arrow else (shape.points,):
            draw.line(
                [(x * scale, y * scale) for x, y in points],
                fill=colour,
                width=round(1.6 * scale),
                joint="curve",
            )
    elif isinstance(shape, Box):
        _box(draw, shape, scale)
    elif isinstance(shape, Words):
        _words(image, draw, shape, scale)
    else:
        _tiles(image, shape, scale)


def _box(draw: Any, shape: Box, scale: float) -> None:
    corners = [value * scale for value in (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)]
    outline = INK if shape.bold else WIRE
    fill = FILL if shape.filled else None
    draw.rounded_rectangle(
        corners,
        shape.radius * scale,
        fill=fill,
        outline=outline,
        width=round((2 if shape.bold else 1) * scale),
    )


def _words(image: Any, draw: Any, shape: Words, scale: float) -> None:
    font = _font(FONTS[shape.mono, shape.bold and not shape.mono], round(shape.size * scale))
    colour = {"ink": INK, "faint": FAINT, "paper": PAPER}[shape.look]
    text, at = printed(shape.text), (shape.x * scale, shape.y * scale)
    if not shape.turned:
        draw.text(at, text, fill=colour, font=font, anchor=ANCHORS[shape.anchor])
        return
    from PIL import Image, ImageDraw

    long, high = round(font.getlength(text)) + 4, round(1.5 * shape.size * scale)
    mask = Image.new("L", (long, high))
    ImageDraw.Draw(mask).text((long / 2, high / 2), text, fill=255, font=font, anchor="mm")
    mask = mask.transpose(Image.Transpose.ROTATE_90)
    top = {"start": at[1] - long, "middle": at[1] - long / 2, "end": at[1]}[shape.anchor]
    image.paste(colour, (round(at[0] - high / 2), round(top)), mask)


def _tiles(image: Any, shape: Tiles, scale: float) -> None:
    from PIL import Image

    levels = np.round(shade(shape.values) * LEVELS) / LEVELS
    tiles = Image.fromarray(_mixed(PAPER, SHADE, levels[..., None]))
    rows, columns = shape.values.shape
    size = round(columns * shape.width * scale), round(rows * shape.height * scale)
    image.paste(
        tiles.resize(size, Image.Resampling.NEAREST), (round(shape.x * scale), round(shape.y * scale))
    )


def _mixed(one: str, other: str, share: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Colours between two."""
    begin, end = (np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) for colour in (one, other))
    return np.round(begin + share * (end - begin)).astype(np.uint8)


def _flat(image: "Image") -> "Image":
    """The same with a palette of its most frequent colours: the others are steps between a letter and what
    lies behind it.
    """
    from PIL import Image

    found = sorted(image.getcolors(image.width * image.height) or [], key=lambda each: (-each[0], each[1]))
    colours = np.array([colour for _, colour in found], dtype=np.int32)
    kept = colours[:PALETTE]
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
def _font(name: str, size: int) -> "FreeTypeFont":
    from PIL import ImageFont

    found = find_spec("matplotlib")
    assert found is not None
    assert found.submodule_search_locations is not None
    return ImageFont.truetype(
        str(Path(found.submodule_search_locations[0], "mpl-data", "fonts", "ttf", f"{name}.ttf")), size
    )
