"""A page of the report as its reader has it: elements, texts, links and data, parsed by the standard
library.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

VOID = {"meta", "input", "br", "hr", "link", "img"}


@dataclass
class Element:
    """One element; `text` is that of all it holds."""

    name: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All elements of a page in order."""

    elements: list[Element] = field(default_factory=list)

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.opened, self.odd = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        element = Element(
            tag, {name: value or "" for name, value in attrs}, tuple(each.name for each in self.opened)
        )
        self.elements.append(element)
        if tag not in VOID:
            self.opened.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG begins and ends."""
        self.elements.append(
            Element(
                tag, {name: value or "" for name, value in attrs}, tuple(each.name for each in self.opened)
            )
        )

    def handle_endtag(self, tag: str) -> None:
        """It ends; one that ends another than the last one opened is odd."""
        if not self.opened or self.opened[-1].name != tag:
            self.odd.append(tag)
        else:
            self.opened.pop()

    def handle_data(self, data: str) -> None:
        """Text belongs to every element around it."""
        for element in self.opened:
            element.text += data

    def named(self, name: str) -> list[Element]:
        """All elements of a name."""
        return [element for element in self.elements if element.name == name]

    @property
    def identities(self) -> list[str]:
        """Every id."""
        return [element.attributes["id"] for element in self.elements if "id" in element.attributes]

    @property
    def links(self) -> list[str]:
        """Where links lead."""
        return [element.attributes["href"] for element in self.elements if "href" in element.attributes]

    @cached_property
    def trials(self) -> dict[str, Any]:
        """The data of the trials table."""
        found = [each.text for each in self.named("script") if each.attributes.get("id") == "trials-data"]
        return json.loads(found[0])

    def rows(self, link: str) -> list[int]:
        """The rows of the trials table that a link asks for: as the page's script filters, said once more."""
        columns = {column["name"]: column for column in self.trials["columns"]}
        asked: dict[str, list[str]] = {}
        for name, value in parse_qsl(link.partition("?")[2], keep_blank_values=True, strict_parsing=True):
            asked.setdefault(name, []).append(value)
        assert set(asked) <= set(columns), f"{link} asks for columns that are not there"
        count = len(next(iter(columns.values()))["values"])
        return [
            i for i in range(count) if all(_fits(columns[name], i, values) for name, values in asked.items())
        ]


def _fits(column: dict[str, Any], row: int, wanted: list[str]) -> bool:
    value = column["values"][row]
    if "levels" in column:
        text = "" if value < 0 else column["levels"][value]
        return bool(set(text.split(" ")) & set(wanted)) if column["kind"] == "words" else text in wanted
    return value is not None and any(float(each) == value for each in wanted)
