"""The pieces that every section is made of: headings, figures with their captions, lists of sentences."""

from collections.abc import Callable, Iterable, Sequence

from analysis.report.findings import Drawn, Findings
from analysis.report.markup import Child, Markup, join, tag, trusted
from raysernas.drawing.svg import svg

WIDE = 520  # units; a wider figure scrolls on a narrow screen instead of becoming too small to read


def section(identity: str, title: str, *children: Child) -> Markup:
    """A part of the page that the contents list."""
    heading = tag("h2", {"id": f"{identity}-title", "tabindex": "-1"}, title)
    return tag("section", {"id": identity, "aria-labelledby": f"{identity}-title"}, heading, *children)


def figure(drawn: Drawn, study: str = "") -> Markup:
    """A figure under its caption; of several studies with the name of its own."""
    caption = f"{drawn.caption}, {study}" if study else drawn.caption
    inner = trusted(svg(drawn.picture))
    if drawn.picture.width > WIDE:
        inner = tag(
            "div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption}, inner
        )
    told = tag(
        "figcaption", None, caption, tag("span", {"class": "note"}, drawn.note) if drawn.note else None
    )
    return tag("figure", {"class": "wide" if drawn.picture.width > WIDE + 60 else None}, told, inner)


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
