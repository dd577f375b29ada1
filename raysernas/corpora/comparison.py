"""Compares a release with the numbers that its authors and others have published.

In: a `Release` with its published tables. Out: each table, number by number, with what was found. Every
labelled key counts once, with or without its audio.
"""

from collections import Counter
from dataclasses import dataclass

from raysernas.corpora import selection
from raysernas.corpora.corpus import Release


@dataclass(frozen=True, slots=True)
class PublishedCount:
    """One published number and what was found instead."""

    values: tuple[str, ...]
    published: int
    found: int


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A published table with what was found."""

    title: str
    source: str
    by: tuple[str, ...]
    cells: tuple[PublishedCount, ...]

    @property
    def differing(self) -> tuple[PublishedCount, ...]:
        """The numbers that differ."""
        return tuple(cell for cell in self.cells if cell.published != cell.found)


def of(release: Release) -> tuple[PublishedTable, ...]:
    """All published tables of a release. Utterances that a table does not list differ from a published 0,
    unless the table is partial.
    """
    once = {row.key: row for row in release.utterances}.values()
    found = []
    for expected in release.expected:
        kept = [
            row
            for row in selection.merged_as(once, expected.merge)
            if not expected.emotions or row.emotion in expected.emotions
        ]
        counts = Counter(tuple(str(getattr(row, name)) for name in expected.by) for row in kept)
        values = sorted({*expected.counts} if expected.partial else {*expected.counts, *counts})
        cells = tuple(PublishedCount(each, expected.counts.get(each, 0), counts[each]) for each in values)
        found.append(
            PublishedTable(title=expected.title, source=expected.source, by=expected.by, cells=cells)
        )
    return tuple(found)


def unlike(release: Release) -> tuple[str, ...]:
    """A sentence on each published table that does not fit."""
    return tuple(
        f"{each.title}: {len(each.differing)} of {len(each.cells)} numbers differ"
        for each in of(release)
        if each.differing
    )
