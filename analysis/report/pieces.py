"""The pieces that every section is made of: headings, figures with their captions, lists of sentences."""

import re
from collections.abc import Callable, Iterable, Sequence

from analysis.figures.scene import Scene, svg
from analysis.report.findings import Drawn, Findings
from analysis.report.markup import Child, Markup, join, tag, trusted
from raysernas.drawing import pictures
from raysernas.drawing.shapes import Picture

# in the first tag of a picture; text has no quotes
STYLED = re.compile(r'<style>.*?</style>|(?<=") style="[^"]*"')
WIDE = 520  # units; a wider figure scrolls on a narrow screen instead of becoming too small to read


def section(identity: str, title: str, *children: Child) -> Markup:
    """A part of the page that the contents list."""
    heading = tag("h2", {"id": f"{identity}-title", "tabindex": "-1"}, title)
    return tag("section", {"id": identity, "aria-labelledby": f"{identity}-title"}, heading, *children)


def figure(drawn: Drawn, study: str = "") -> Markup:
    """A figure under its caption; of several studies with the name of its own."""
    caption = f"{drawn.caption}, {study}" if study else drawn.caption
    inner = trusted(inline(drawn.scene))
    if drawn.scene.width > WIDE:
        inner = tag(
            "div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption}, inner
        )
    told = tag(
        "figcaption", None, caption, tag("span", {"class": "note"}, drawn.note) if drawn.note else None
    )
    return tag("figure", {"class": "wide" if drawn.scene.width > WIDE + 60 else None}, told, inner)


def inline(drawn: Scene | Picture) -> str:
    """A figure as SVG of the page, without styles of its own, which the page forbids: they are STYLES."""
    if isinstance(drawn, Scene):
        return svg(drawn)
    return STYLED.sub("", pictures.svg(drawn)).replace(
        " viewBox", f' width="{drawn.width:.0f}" height="{drawn.height:.0f}" viewBox', 1
    )


def styles() -> str:
    """CSS of the pictures of the record, once for the page."""
    return "".join(re.findall(r"<style>(.*?)</style>", pictures.svg(Picture(1, 1, "", ""))))


def figures(
    found: Findings, *parts: Callable[[Findings, str], Iterable[Drawn]], small: bool = False
) -> Markup | None:
    """The figures of some parts of the gallery, of every study, beside one another as far as there is
    room.
    """
    several = len(found.studies) > 1
    shown = [
        figure(drawn, study if several else "")
        for part in parts
        for study in found.studies
        for drawn in part(found, study)
    ]
    return tag("div", {"class": "figures small" if small else "figures"}, *shown) if shown else None


def sentences(told: Sequence[str], *, empty: str) -> Markup:
    """A list of sentences."""
    return (
        tag("ul", {"class": "plain"}, *[tag("li", None, each) for each in told])
        if told
        else tag("p", {"class": "empty"}, empty)
    )


def paragraph(*children: Child) -> Markup:
    """A paragraph."""
    return tag("p", None, *children)


def definitions(pairs: Sequence[tuple[str, str]]) -> Markup:
    """Labels and texts."""
    return tag("dl", None, *[join([tag("dt", None, label), tag("dd", None, text)]) for label, text in pairs])
