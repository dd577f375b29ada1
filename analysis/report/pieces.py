"""What every section of the page is made of: figures under their captions, lists, definitions; and
`Section`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from analysis.loading import Results
from analysis.report.markup import Child, Markup, join, tag, trusted
from raysernas.drawing.shapes import Picture
from raysernas.drawing.svg import svg

WIDE = 520  # units; a wider figure scrolls on a narrow screen instead of becoming too small to read
HOLLOW = "Hollow: a {}. Diamond: the mean of an arm that has all folds. Line: ± one standard deviation."


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, its caption, and how to read it."""

    caption: str
    picture: Picture
    note: str = ""


Drawn = Callable[[Results, str], Iterator[Figure]]  # the figures of one study


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: its title, its contents in order, and the figures that are also files.

    Attributes:
        contents: what is under the title; None is left out.
        drawn: the figures in `contents`, for `--figures`.
    """

    title: str
    contents: Callable[[Results], Iterable[Child]]
    drawn: tuple[Drawn, ...] = ()


def figures(results: Results, *drawn: Drawn, small: bool = False) -> Markup | None:
    """Figures of every study, beside one another as far as there is room."""
    several = len(results.names) > 1
    shown = [
        figure(each, study if several else "")
        for part in drawn
        for study in results.names
        for each in part(results, study)
    ]
    return tag("div", {"class": "figures small" if small else "figures"}, *shown) if shown else None


def figure(shown: Figure, study: str = "") -> Markup:
    """A figure under its caption, which names the study if there are several."""
    caption = f"{shown.caption}, {study}" if study else shown.caption
    wide, inner = shown.picture.width, trusted(svg(shown.picture))
    if wide > WIDE:
        scrolls = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption}
        inner = tag("div", scrolls, inner)
    note = tag("span", {"class": "note"}, shown.note) if shown.note else None
    heading = tag("figcaption", None, caption, note)
    return tag("figure", {"class": "wide" if wide > WIDE + 60 else None}, heading, inner)


def sentences(texts: Sequence[str], *, empty: str) -> Markup:
    """A list of sentences; `empty` if there are none."""
    if not texts:
        return tag("p", {"class": "empty"}, empty)
    return tag("ul", {"class": "plain"}, *[tag("li", None, each) for each in texts])


def paragraph(*children: Child) -> Markup:
    """A paragraph."""
    return tag("p", None, *children)


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Labels and texts."""
    return tag("dl", None, *[join([tag("dt", None, label), tag("dd", None, text)]) for label, text in pairs])
