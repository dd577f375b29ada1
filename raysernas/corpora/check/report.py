"""What the folder of a corpus holds: counts, comparisons with published numbers, and all that is wrong.

In: the name and root of a corpus. Out: a `CorpusReport`, plain data. Every audio file is decoded from end to
end; earlier inspections do not count.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue, comparison, confounding, inspection, selection, tree
from raysernas.corpora.check import audio_warnings, speaker_levels
from raysernas.corpora.comparison import PublishedTable
from raysernas.corpora.corpus import Corpus, Gender, Release, Remark, Utterance
from raysernas.corpora.folds import coverage, splits, texts
from raysernas.corpora.folds.fold_file import Fold
from raysernas.corpora.inspection import Sound
from raysernas.corpora.selection import Reason, stretch_s

STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)  # widths of the bars of a histogram
Counted = TypeVar("Counted", str, int)
BARS = 10  # and one for utterances that are far longer than the rest


@dataclass(frozen=True, kw_only=True, slots=True)
class EmotionCount:
    """The utterances of one emotion."""

    emotion: str
    raw_labels: Mapping[str, int]  # as the release writes it -> utterances
    counts_as: str  # its usual class; "" for none
    utterances: int
    by_speaker: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeakerCount:
    """The utterances of one speaker; "" stands for all unknown ones."""

    speaker: str
    gender: Gender
    utterances: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Utterances from one duration up to another (exclusive)."""

    from_s: float
    to_s: float
    utterances: int


MOST_FOLDS = 100  # by speaker and text, that a check tries


@dataclass(frozen=True, kw_only=True, slots=True)
class Durations:
    """Durations of the usable utterances."""

    hours: float
    shortest_s: float
    mean_s: float
    longest_s: float
    histogram: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """One value of `corpus.folds`, tried on the usable utterances of the usual classes."""

    name: str
    usual: bool
    speaker_dependent: bool  # possible only with corpus.speaker_dependent=true
    folds: tuple[str, ...]  # their names; empty if the scheme is not possible
    why_not: str
    balance: str = "genders"  # the corpus.balance with which fewer folds lack an emotion
    lacking: tuple[
        str, ...
    ] = ()  # with the default balance: a sentence on each part that lacks emotions in some folds


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusReport:
    """Everything that is known about a corpus on disk."""

    corpus: str
    root: str
    label: str
    channel: str
    utterances: int  # that are labelled
    usable: int
    files: int
    emotions: tuple[EmotionCount, ...]
    speakers: tuple[SpeakerCount, ...]
    sessions: Mapping[str, int]
    scenarios: Mapping[str, int]
    splits: Mapping[str, int]
    sample_rates_hz: Mapping[int, int]  # -> files that can be read
    channels: Mapping[int, int]
    levels_db: Mapping[str, float]  # speaker -> median level of the loud frames of an utterance, in dBFS
    durations: Durations
    published: tuple[PublishedTable, ...]
    remarks: tuple[Remark, ...]
    schemes: tuple[Scheme, ...]
    hindrance: str  # why no study of the usual classes is possible; "" if one is
    confounded: tuple[str, ...]  # a sentence on each property of the recordings that tells the emotion
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether nothing is bad, all published numbers fit, a study is possible, and it is about emotion."""
        published = not any(comparison.differing for comparison in self.published)
        possible = not self.hindrance and not self.confounded
        return published and possible and not any(remark.kind == "bad" for remark in self.remarks)


def check(config: CorpusConfig, report: Callable[[int, int], object] = lambda done, of: None) -> CorpusReport:
    """Check everything that a corpus holds.

    Args:
        report: called with the number of inspected files, and of all files.

    Raises:
        Fault: for a root that does not exist or does not hold the corpus.
    """
    release = catalogue.release(config)
    root = catalogue.root_of(config)
    folder = root if root.is_dir() else root.parent  # the root of a manifest may be its table
    rows = sorted(release.utterances, key=lambda utterance: (utterance.key, utterance.path))
    sounds = inspection.inspect([utterance.path for utterance in rows], None, report)
    flaws = selection.flaws(rows, sounds, config.channel)
    faults = selection.file_faults(sounds, config.channel)
    good = [utterance for at, utterance in enumerate(rows) if at not in flaws]
    whole = {path: sound for path, sound in sounds.items() if path not in faults}
    bad = _bad(rows, faults, flaws, folder)
    warnings = audio_warnings.about(good, whole, folder, config.channel)
    corpus = _corpus(release, config, sounds)
    return CorpusReport(
        corpus=release.name,
        root=str(root),
        label=config.label,
        channel=config.channel,
        utterances=len(rows),
        usable=len(good),
        files=len(sounds),
        emotions=_emotions(release),
        speakers=_speakers(rows),
        sessions=_counts(row.session for row in rows),
        scenarios=_counts(row.scenario for row in rows),
        splits=_counts(row.split for row in rows),
        sample_rates_hz=_counts(sound.rate_hz for sound in whole.values()),
        channels=_counts(sound.channels for sound in whole.values()),
        levels_db=speaker_levels.of(good, whole),
        durations=_durations(good, whole),
        published=(*comparison.of(release), *comparison.of_audio(release, good, sounds)),
        remarks=_in_order((*release.remarks, *bad, *warnings)),
        schemes=_schemes(corpus, config),
        hindrance=_hindrance(corpus),
        confounded=confounding.of(corpus.utterances),
        notes=(*release.notes, *texts.notes(corpus)),
    )


def _counts(values: Iterable[Counted]) -> dict[Counted, int]:
    """How often each value occurs, sorted, without empty values."""
    return {value: count for value, count in sorted(Counter(values).items()) if value}


def _in_order(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    order = ("bad", "left out", "warning")
    return tuple(sorted(dict.fromkeys(remarks), key=lambda remark: order.index(remark.kind)))


def _emotions(release: Release) -> tuple[EmotionCount, ...]:
    chosen = selection.select(release, CorpusConfig())
    found: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in release.utterances:
        found[utterance.emotion].append(utterance)
    return tuple(
        EmotionCount(
            emotion=emotion,
            utterances=len(rows),
            raw_labels=_counts(row.raw_label for row in rows),
            counts_as=name if (name := chosen.merge.get(emotion, emotion)) in chosen.emotions else "",
            by_speaker=dict(sorted(Counter(row.speaker for row in rows).items())),
        )
        for emotion, rows in sorted(found.items())
    )


def _speakers(rows: Sequence[Utterance]) -> tuple[SpeakerCount, ...]:
    genders: dict[str, Gender] = {row.speaker: row.gender for row in rows}
    counts = sorted(Counter(row.speaker for row in rows).items())
    return tuple(
        SpeakerCount(speaker=speaker, gender=genders[speaker], utterances=count) for speaker, count in counts
    )


def _durations(rows: Sequence[Utterance], sounds: Mapping[str, Sound]) -> Durations:
    lengths = sorted(end - start for start, end in (stretch_s(row, sounds[row.path]) for row in rows))
    if not lengths:
        return Durations(hours=0.0, shortest_s=0.0, mean_s=0.0, longest_s=0.0, histogram=())
    # one file of an hour must not squeeze all others into one bar
    most = lengths[floor(0.99 * (len(lengths) - 1))]
    step = next((step for step in STEPS_S if _bar(most, step) - _bar(lengths[0], step) < BARS), STEPS_S[-1])
    low, high = _bar(lengths[0], step), _bar(most, step) + 1
    places = Counter(min(_bar(length, step), high) for length in lengths)
    bars = [
        Bar(from_s=round(at * step, 1), to_s=round((at + 1) * step, 1), utterances=places[at])
        for at in range(low, high)
    ]
    if places[high]:
        bars.append(Bar(from_s=round(high * step, 1), to_s=floor(lengths[-1]) + 1.0, utterances=places[high]))
    return Durations(
        hours=sum(lengths) / 3600,
        shortest_s=lengths[0],
        mean_s=sum(lengths) / len(lengths),
        longest_s=lengths[-1],
        histogram=tuple(bars),
    )


def _bar(length_s: float, step_s: float) -> int:
    return floor(length_s / step_s + 1e-9)  # because 1.2 / 0.1 is below 12


def _bad(
    rows: Sequence[Utterance], faults: Mapping[str, Reason], flaws: Mapping[int, Reason], folder: Path
) -> Iterator[Remark]:
    """One remark on a bad file, however many utterances it holds, and one on each other bad row."""
    listed = Counter(row.path for row in rows)
    for path in (path for path in listed if path in faults):
        what, fix = faults[path]
        more = f" ({listed[path]} utterances)" if listed[path] > 1 else ""
        yield Remark("bad", tree.relative(Path(path), folder), what + more, fix)
    for at, (what, fix) in sorted(flaws.items()):
        if rows[at].path not in faults:
            yield Remark("bad", rows[at].key, what, fix)


def _corpus(release: Release, config: CorpusConfig, sounds: Mapping[str, Sound]) -> Corpus:
    """What a study of the usual classes would learn from."""
    plain = CorpusConfig(name=config.name, root=config.root, label=config.label)
    chosen = selection.select(release, plain)
    usable, _ = selection.usable(chosen.utterances, sounds, config.channel)
    return Corpus(
        name=release.name,
        emotions=chosen.emotions,
        utterances=usable,
        fingerprint="",
        merge=chosen.merge,
        folds=release.folds,
    )


def _hindrance(corpus: Corpus) -> str:
    """Why no study of the corpus is possible, or ""."""
    try:
        selection.check_emotions(corpus)
    except Fault as fault:
        return str(fault)
    return ""


def _schemes(corpus: Corpus, config: CorpusConfig) -> tuple[Scheme, ...]:
    """All fold schemes, possible or not."""
    plain = CorpusConfig(name=config.name, root=config.root, label=config.label)
    names = [
        name for name in get_args(get_type_hints(CorpusConfig)["folds"]) if name not in ("usual", "file")
    ]
    count, speakers = len({each.text for each in corpus.utterances}), max(len(corpus.speakers), 1)
    groups = max(2, MOST_FOLDS // speakers)  # each text by itself, unless that makes very many folds
    plain = replace(plain, text_groups=groups if groups < count else 0)
    return tuple(_scheme(corpus, replace(plain, folds=name)) for name in names)


def _scheme(corpus: Corpus, config: CorpusConfig) -> Scheme:
    """One scheme, speaker-independent if possible, else speaker-dependent."""
    usual, why_not = config.folds == corpus.folds, ""
    for dependent in (False, True):
        allowed = replace(config, speaker_dependent=dependent)
        try:
            found = splits.of(corpus, allowed)
            for number, fold in enumerate(found):
                splits.halved(corpus, allowed, fold, number, seed=0)
        except Fault as fault:
            why_not = fault.what
        else:
            names = tuple(fold.name for fold in found)
            return Scheme(
                name=config.folds,
                usual=usual,
                speaker_dependent=dependent,
                folds=names,
                why_not="",
                balance=_better_balance(corpus, allowed, found),
                lacking=tuple(coverage.sentences(corpus, dict(enumerate(found)))),
            )
    return Scheme(name=config.folds, usual=usual, speaker_dependent=False, folds=(), why_not=why_not)


def _better_balance(corpus: Corpus, config: CorpusConfig, found: Sequence[Fold]) -> str:
    """`emotions` if parts of these folds lack emotions, and fewer of them do if emotions are balanced."""
    plain = coverage.missing(corpus, found)
    if not plain:
        return config.balance
    try:
        other = replace(config, balance="emotions")
        balanced = splits.of(corpus, other)
        for number, fold in enumerate(balanced):
            splits.halved(corpus, other, fold, number, seed=0)
    except Fault:
        return config.balance
    return other.balance if coverage.missing(corpus, balanced) < plain else config.balance
