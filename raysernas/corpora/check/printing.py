"""Prints a report on a corpus for people, or as JSON for programs.

In: a `CorpusReport`. Out: a verdict, what was found, what is wrong with it and what helps, and the command of
a first study. Names come from disks and tables, so everything that cannot be printed becomes an escape.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from raysernas.corpora.check import first_study, speaker_levels
from raysernas.corpora.check.report import CorpusReport, EmotionCount, Scheme, SpeakerCount
from raysernas.corpora.comparison import PublishedTable
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Remark
from raysernas.record.terminal import printable

NOTHING = "-"
NAMED = 10  # problems of one kind that are listed; --json lists all
LISTED = 12  # sessions, scenarios and parts that are counted one by one
UNBOUND = 10_000  # columns; wider than any table
BAR = 40  # columns of the longest bar
MEANING = {
    "bad": ("cannot be used", "bold red"),
    "left out": ("by a rule of the release", "bold"),
    "warning": ("used, but worth a look", "bold yellow"),
}


def as_json(report: CorpusReport) -> str:
    """Everything as one JSON document, in ASCII."""
    return json.dumps(
        {"fits": report.fits, **asdict(report), "first_study": first_study.command(report)},
        indent=2,
        allow_nan=False,
    )


def print_report(report: CorpusReport, console: Console) -> None:
    """The whole report, a screen or two."""
    console.print(Text(_verdict(report), style="bold green" if report.fits else "bold red"))
    console.print(_emotions(console, report))
    _print_pairs(console, _found(report))
    _print_durations(console, report)
    _print_published(console, report.published)
    for kind in MEANING:
        _print_problems(console, kind, [remark for remark in report.remarks if remark.kind == kind])
    if report.confounded:
        console.print(Text("\nconfounded (a score may not be about emotion)", style="bold red"))
    for sentence in report.confounded:
        _print_line(console, sentence, indent=2)
    if told := speaker_levels.sentence(report.levels_db):
        console.print(Text("\nlevels", style="bold yellow"))
        _print_line(console, clean(told), indent=2)
    if report.notes:
        console.print(Text("\nnotes", style="bold"))
    for note in report.notes:
        _print_line(console, clean(note), indent=2)
    console.print(_schemes(report.schemes))
    _print_first_study(console, report)


def clean(text: str) -> str:
    """Text for one line of a terminal: everything that cannot be printed becomes an escape."""
    return printable(text, keep="")


def _verdict(report: CorpusReport) -> str:
    speakers = len([speaker for speaker in report.speakers if speaker.speaker != UNKNOWN_SPEAKER])
    emotions = len({emotion.counts_as for emotion in report.emotions} - {""})
    within = sum(emotion.utterances for emotion in report.emotions if emotion.counts_as)
    apart = f"{_number(within)} of them in " if within < report.utterances else ""
    size = (
        f"{report.durations.hours:.2f} h, {_many(speakers, 'speaker')}, "
        f"{apart}{_many(emotions, 'class', 'classes')}"
    )
    tables = len(report.published)
    if report.fits:
        published = ", all as published" if tables else ""
        return (
            f"{report.corpus} is fine: {_many(report.utterances, 'utterance')}, {size}; nothing "
            f"bad{published}"
        )
    bad = sum(remark.kind == "bad" for remark in report.remarks)
    differing = sum(bool(comparison.differing) for comparison in report.published)
    wrong = [f"{_many(bad, 'file or row', 'files or rows')} cannot be used"] * bool(bad)
    wrong += [
        f"{differing} of {_many(tables, 'published table')} {'do' if differing > 1 else 'does'} not fit"
    ] * bool(differing)
    wrong += ["no study of the usual classes is possible"] * bool(report.hindrance)
    wrong += ["emotions can be told without hearing them"] * bool(report.confounded)
    usable = f"{_number(report.usable)} of {_many(report.utterances, 'utterance')} can be used"
    return f"{report.corpus} is not fine: {', '.join(wrong)}; {usable}: {size}"


def _emotions(console: Console, report: CorpusReport) -> Table:
    """One row for each emotion and, if they fit, one column for each speaker."""
    wide = _by_emotion(report, report.speakers)
    natural = console.measure(wide, options=console.options.update(width=UNBOUND)).maximum
    return wide if natural <= console.width else _by_emotion(report, ())


def _by_emotion(report: CorpusReport, speakers: Sequence[SpeakerCount]) -> Table:
    labels = any(map(_raw_labels, report.emotions))
    classes = any(count.counts_as != count.emotion for count in report.emotions)
    headings = ["emotion", *["label"] * labels, *["counts as"] * classes]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=bool(speakers))
    for heading in ("utterances", *map(_speaker, speakers)):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for count in report.emotions:
        texts = [
            clean(count.emotion),
            *[_raw_labels(count)] * labels,
            *[clean(count.counts_as) or NOTHING] * classes,
        ]
        by_speaker = (_number(count.by_speaker.get(speaker.speaker, 0)) for speaker in speakers)
        table.add_row(*map(Text, texts), _number(count.utterances), *by_speaker)
    if len(report.emotions) > 1:
        table.add_section()
        totals = (_number(speaker.utterances) for speaker in speakers)
        table.add_row("all", *[""] * (len(headings) - 1), _number(report.utterances), *totals)
    return table


def _raw_labels(count: EmotionCount) -> str:
    labels = [label for label in count.raw_labels if label != count.emotion]
    return ", ".join(map(clean, labels[:3])) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")


def _speaker(speaker: SpeakerCount) -> str:
    name = "unknown" if speaker.speaker == UNKNOWN_SPEAKER else clean(speaker.speaker)
    return name if speaker.gender == "unknown" else f"{name} {speaker.gender[0]}"


def _found(report: CorpusReport) -> Iterator[tuple[str, str]]:
    yield "root", clean(report.root)
    known = [speaker for speaker in report.speakers if speaker.speaker != UNKNOWN_SPEAKER]
    genders = ", ".join(
        f"{count} {gender}" for gender, count in sorted(Counter(speaker.gender for speaker in known).items())
    )
    each = sorted(speaker.utterances for speaker in known)
    fewest = f"{_number(each[0])} to " if each and each[0] < each[-1] else ""
    some = f"; {fewest}{_many(each[-1], 'utterance')} each" if each else ""
    unknown = sum(speaker.utterances for speaker in report.speakers if speaker.speaker == UNKNOWN_SPEAKER)
    yield (
        "speakers",
        f"{len(known)} ({genders}){some}" + (f"; {_number(unknown)} of unknown speakers" if unknown else ""),
    )
    for label, counts in (
        ("sessions", report.sessions),
        ("scenarios", report.scenarios),
        ("parts", report.splits),
    ):
        if counts:
            yield label, _listing(counts)
    unusable = report.files - sum(report.channels.values())
    yield (
        "files",
        "; ".join(
            [
                _number(report.files),
                *_formats(report),
                *[f"{_number(unusable)} cannot be used"] * bool(unusable),
            ]
        ),
    )


def _formats(report: CorpusReport) -> Iterator[str]:
    """Rates and channels, each with its number of files unless all files are alike."""
    averaged = ", averaged" if any(number > 1 for number in report.channels) else ""
    rates = {f"{_number(rate)} Hz": count for rate, count in report.sample_rates_hz.items()}
    channels = {_many(number, "channel"): count for number, count in report.channels.items()}
    for counts, more in ((rates, ""), (channels, averaged)):
        if counts:
            alike = list(counts.values()) == [report.files]
            yield (
                ", ".join(
                    name if alike else f"{_number(count)} with {name}" for name, count in counts.items()
                )
                + more
            )


def _listing(counts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{clean(name)}: {_number(count)}" for name, count in list(counts.items())[:LISTED])
    return listed + (f" and {len(counts) - LISTED} more" if len(counts) > LISTED else "")


def _print_pairs(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", min_width=9, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in pairs:
        grid.add_row(label, Text(text))
    console.print(grid, highlight=False)


def _print_durations(console: Console, report: CorpusReport) -> None:
    durations = report.durations
    if not durations.histogram:
        return
    text = f"{durations.shortest_s:.2f} to {durations.longest_s:.2f} s, mean {durations.mean_s:.2f} s"
    _print_pairs(console, [("durations", text)])
    block = "#" if console.options.ascii_only else "█"
    most = max(bar.utterances for bar in durations.histogram)
    digits = (
        0
        if all(end_s == round(end_s) for bar in durations.histogram for end_s in (bar.from_s, bar.to_s))
        else 1
    )
    labels = [f"{bar.from_s:.{digits}f} to {bar.to_s:.{digits}f} s" for bar in durations.histogram]
    for label, bar in zip(labels, durations.histogram, strict=True):
        length = max(round(BAR * bar.utterances / most), bool(bar.utterances))
        text = f"{label:>{max(map(len, labels))}}  {block * length} {_number(bar.utterances)}"
        _print_line(console, text, indent=11)


def _print_published(console: Console, comparisons: Sequence[PublishedTable]) -> None:
    """One line for each table that fits, and all differing numbers of the others."""
    fitting = [each for each in comparisons if not each.differing]
    lines = [
        f"{each.title}: {_many(len(each.cells), 'number')}, all found ({each.source})" for each in fitting
    ]
    _print_pairs(console, zip(["published", *[""] * len(lines)], map(clean, lines), strict=False))
    for each in comparisons:
        if differing := each.differing:
            numbers = f"{len(differing)} of {_many(len(each.cells), 'number')} differ"
            console.print(
                Text(clean(f"published  {each.title}: {numbers} ({each.source})"), style="bold red")
            )
            for cell in differing[:NAMED]:
                name = clean(", ".join(value or "none" for value in cell.values)) or "all"
                numbers = f"{_number(cell.published)} published, {_number(cell.found)} found"
                _print_line(console, f"{name}: {numbers} ({cell.found - cell.published:+d})", indent=11)
            _print_rest(console, len(differing), indent=11)


def _print_problems(console: Console, kind: str, remarks: Sequence[Remark]) -> None:
    """Groups of problems with the same fix."""
    if not remarks:
        return
    meaning, style = MEANING[kind]
    console.print(Text(f"\n{kind}: {_number(len(remarks))} ({meaning})", style=style))
    groups: dict[str, list[Remark]] = {}
    for remark in remarks:
        groups.setdefault(remark.fix, []).append(remark)
    for fix, group in groups.items():
        for remark in group[:NAMED]:
            _print_line(
                console,
                f"{clean(remark.subject)} {clean(remark.what)}",
                indent=2,
                bold=len(clean(remark.subject)),
            )
        _print_rest(console, len(group), indent=2)
        _print_line(console, f"fix: {clean(fix)}", indent=4)


def _print_rest(console: Console, count: int, *, indent: int) -> None:
    if count > NAMED:
        _print_line(console, f"and {_number(count - NAMED)} more; --json lists all", indent=indent)


def _print_line(console: Console, text: str, *, indent: int, bold: int = 0) -> None:
    line = Text(text)
    line.stylize("bold", 0, bold)
    console.print(Padding(line, (0, 0, 0, indent), expand=False))


def _schemes(schemes: Sequence[Scheme]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("corpus.folds", no_wrap=True)
    table.add_column("folds", justify="right")
    table.add_column("")
    for scheme in sorted(schemes, key=lambda scheme: (not scheme.folds, not scheme.usual)):
        dependent = "speaker-dependent: with corpus.speaker_dependent=true only"
        remarks = (
            ["usual"] * scheme.usual
            + [dependent] * scheme.speaker_dependent
            + [scheme.why_not] * bool(scheme.why_not)
            + list(scheme.lacking)
            + ["fewer lack emotions with corpus.balance=emotions"] * (scheme.balance == "emotions")
        )
        style = "" if scheme.folds else "dim"
        table.add_row(
            scheme.name, str(len(scheme.folds) or NOTHING), Text(clean("; ".join(remarks))), style=style
        )
    return table


def _print_first_study(console: Console, report: CorpusReport) -> None:
    if report.hindrance:
        console.print(Text(report.hindrance, style="bold red"))
    command = first_study.command(report)
    if command:  # not wrapped, so that it can be copied
        console.print(Text("a first study", style="bold"))
        console.print(Text(clean(f"  {command}")), soft_wrap=True)
    elif not report.hindrance:
        leaks = any(scheme.folds for scheme in report.schemes)
        why = first_study.LEAKS if leaks else "no folds can be made"
        console.print(Text(f"no study is possible: {why}", style="bold red"))


def _many(count: int, one: str, more: str = "") -> str:
    return f"{_number(count)} {one if count == 1 else more or one + 's'}"


def _number(number: int) -> str:
    return f"{number:,}"
