"""The colours of all figures: roles instead of colours, so that one figure serves a light page, a dark page,
print and PNG.

Series follow Okabe and Ito (colour-blind safe), two of them darker on white so that every mark stands out
from paper by 3:1; a series also has a shape and a dash of its own. Heat levels run from paper to deep blue,
and the words on them from ink to paper.
"""

SERIES = 7
LEVELS = 11  # of heat: 0 = nothing, 10 = all
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "down", "plus")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "4 2", "10 4", "1 3")

LIGHT = {
    "paper": "#ffffff",
    "ink": "#16191d",
    "soft": "#59616b",
    "rule": "#dfe3e8",
    "band": "#eef1f4",
    "s0": "#0072b2",
    "s1": "#d55e00",
    "s2": "#008a64",
    "s3": "#b65a8f",
    "s4": "#a87400",
    "s5": "#2f86b8",
    "s6": "#3d444d",
}
DARK = {
    "paper": "#13161a",
    "ink": "#f1f3f5",
    "soft": "#a3adb8",
    "rule": "#2c323a",
    "band": "#1d2228",
    "s0": "#4aa8e0",
    "s1": "#f08a3c",
    "s2": "#1fc294",
    "s3": "#dd94bd",
    "s4": "#e6b422",
    "s5": "#8fd0f5",
    "s6": "#c3cad2",
}
DEEP = {"light": "#003b70", "dark": "#9ad2ff"}
TURN = {"light": 7, "dark": 6}  # the first heat level on which words are those of the other side


def colours(theme: str = "light") -> dict[str, str]:
    """Role -> colour (#rrggbb) of a theme: the named ones, heat `h0` .. `h10` and the words on it, `t0` ..
    `t10`.
    """
    named = LIGHT if theme == "light" else DARK
    heat = {f"h{level}": _mixed(named["paper"], DEEP[theme], level / (LEVELS - 1)) for level in range(LEVELS)}
    near, far = ("#000000", "#ffffff") if theme == "light" else ("#ffffff", "#000000")
    words = {f"t{level}": near if level < TURN[theme] else far for level in range(LEVELS)}
    return {**named, **heat, **words}


def series(number: int) -> tuple[str, str, str]:
    """(colour role, shape, dash) of the n-th of some series; shapes go on changing where colours are used
    up.
    """
    turn = number // SERIES
    return f"s{number % SERIES}", SHAPES[(number + turn) % len(SHAPES)], DASHES[(number + turn) % len(DASHES)]


def level(share: float) -> int:
    """The heat level of a share in 0..1."""
    return min(LEVELS - 1, max(0, round(share * (LEVELS - 1))))


def style() -> str:
    """CSS: a variable for each role, light and dark."""
    light, dark = colours("light"), colours("dark")
    rows = [f"--{role}:light-dark({light[role]},{dark[role]});" for role in light]
    return ":root{color-scheme:light dark;" + "".join(rows) + "}" + classes()


def classes() -> str:
    """CSS: what is filled (`f-`) and what is drawn (`d-`) in each role."""
    return "".join(f".f-{role}{{fill:var(--{role})}}.d-{role}{{stroke:var(--{role})}}" for role in colours())


def _mixed(start: str, end: str, share: float) -> str:
    parts = [(int(start[i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)
