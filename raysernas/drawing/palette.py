"""The colours of all pictures: roles instead of colours, so that one picture serves a light page, a dark
page, print and PNG.

Series follow Okabe and Ito (colour-blind safe), two of them darker on white so that every mark stands out
from paper by 3:1; a series also has a shape and a dash of its own. Tiles run from paper to `deep`, and the
words on them change from ink to paper at DARK.
"""

import numpy as np
import numpy.typing as npt

SERIES = 7
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "down", "plus")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "4 2", "10 4", "1 3")
DARK = 0.5  # share from which on a tile is dark, and what is written on it is light

LIGHT = {
    "paper": "#ffffff",
    "ink": "#16191d",
    "soft": "#59616b",
    "rule": "#dfe3e8",
    "band": "#eef1f4",
    "deep": "#003b70",
    "s0": "#0072b2",
    "s1": "#d55e00",
    "s2": "#008a64",
    "s3": "#b65a8f",
    "s4": "#a87400",
    "s5": "#2f86b8",
    "s6": "#3d444d",
}
NIGHT = {
    "paper": "#13161a",
    "ink": "#f1f3f5",
    "soft": "#a3adb8",
    "rule": "#2c323a",
    "band": "#1d2228",
    "deep": "#9ad2ff",
    "s0": "#4aa8e0",
    "s1": "#f08a3c",
    "s2": "#1fc294",
    "s3": "#dd94bd",
    "s4": "#e6b422",
    "s5": "#8fd0f5",
    "s6": "#c3cad2",
}
TEXT = ".figure .m{font-family:ui-monospace,'DejaVu Sans Mono',monospace}.figure .b{font-weight:600}"
FACE = "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif}"


def series(number: int) -> tuple[str, str, str]:
    """(colour role, shape, dash) of the n-th series; shapes go on changing where colours are used up."""
    turn = number // SERIES
    return f"s{number % SERIES}", SHAPES[(number + turn) % len(SHAPES)], DASHES[(number + turn) % len(DASHES)]


def shade(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much of `deep` the tiles of some shares have, 0..1; NaN counts as 0.

    The step at DARK leaves out the shades on which neither dark nor light numbers can be read.
    """
    known = np.nan_to_num(np.clip(shares, 0, 1))
    return np.where(known > DARK, 0.68 + 0.32 * (known - DARK) / (1 - DARK), 0.48 * known / DARK)


def on_tile(share: float) -> str:
    """The role of what is written on the tile of a share."""
    return "paper" if share > DARK else "ink"


def style() -> str:
    """CSS of a page, once for all its pictures: a variable for each role, light and dark."""
    rows = "".join(f"--{role}:light-dark({colour},{NIGHT[role]});" for role, colour in LIGHT.items())
    rules = "".join(f".f-{role}{{fill:var(--{role})}}.d-{role}{{stroke:var(--{role})}}" for role in LIGHT)
    return f":root{{color-scheme:light dark;{rows}}}{rules}{TEXT}"


def style_alone() -> str:
    """CSS of a file that holds one picture, always light."""
    rules = "".join(
        f".f-{role}{{fill:{colour}}}.d-{role}{{stroke:{colour}}}" for role, colour in LIGHT.items()
    )
    return rules + FACE + TEXT
