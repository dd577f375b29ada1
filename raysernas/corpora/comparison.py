"""Compares a release with the numbers that its authors and others have published.

In: a `Release` with its published tables. Out: each table, number by number, with what was found. Every
labelled key counts once, with or without its audio. Rates and durations are those of the usable files.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysernas.corpora import selection
from raysernas.corpora.corpus import Release, Utterance
from raysernas.corpora.inspection import Sound

FEW = 0.01  # share of the utterances, or of their length, by which a whole copy may differ
SLACK_MS = 100.0  # of the shortest and longest utterance: encoders pad


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


def of_audio(
    release: Release, utterances: Sequence[Utterance], sounds: Mapping[str, Sound]
) -> tuple[PublishedTable, ...]:
    """The published rates and durations beside those of the usable utterances; none without published ones.

    Durations are compared if there are as many utterances of the usual classes as published; of fewer, only
    whether they are within the published range.
    """
    published = release.audio
    usual = {release.merge.get(emotion, emotion) for emotion in release.emotions}
    rows = [row for row in utterances if release.merge.get(row.emotion, row.emotion) in usual or not usual]
    if published is None or not rows:
        return ()
    at_rate = sum(sounds[row.path].rate_hz in published.rates_hz for row in rows)
    rates = " or ".join(f"{rate:,}" for rate in published.rates_hz)
    cells = [PublishedCount((f"utterances with {rates} Hz",), len(rows), at_rate)]
    if published.utterances:
        spans = [selection.stretch_s(row, sounds[row.path]) for row in rows]
        lengths_s = [end_s - start_s for start_s, end_s in spans]
        whole = abs(len(rows) - published.utterances) <= FEW * published.utterances
        shortest_s, longest_s = min(lengths_s), max(lengths_s)
        if not whole:
            shortest_s = min(shortest_s, published.shortest_s)
            longest_s = max(longest_s, published.longest_s)
        else:
            length_s = 3600 * published.hours
            cells.append(_measure("seconds in all", length_s, sum(lengths_s), FEW * length_s))
        for word, known_s, found_s in (
            ("shortest", published.shortest_s, shortest_s),
            ("longest", published.longest_s, longest_s),
        ):
            cells.append(_measure(f"ms of the {word}", 1000 * known_s, 1000 * found_s, SLACK_MS))
    return (PublishedTable(title="sound", source=published.source, by=(), cells=tuple(cells)),)


def _measure(name: str, published: float, found: float, slack: float) -> PublishedCount:
    """A measured number, equal to the published one if it is as close as that."""
    known = round(published)
    return PublishedCount((name,), known, known if abs(found - published) <= slack else round(found))


def unlike(
    release: Release, utterances: Sequence[Utterance] = (), sounds: Mapping[str, Sound] | None = None
) -> tuple[str, ...]:
    """A sentence on each published table that does not fit; on the sound, if there are usable utterances."""
    return tuple(
        f"{each.title}: {len(each.differing)} of {len(each.cells)} numbers differ"
        for each in (*of(release), *of_audio(release, utterances, sounds or {}))
        if each.differing
    )
