"""The user's own corpus: a table with one row for each utterance.

In: a CSV or Parquet file, or a folder with one; or a corpus in audformat. Columns: `file`, `emotion`,
`speaker`; optional are `session`, `gender` (female, male), `split` (train, valid, test, or the names of MSP
and audformat), `scenario`, `text` (which sentence), `start` and `end` (seconds, or times as pandas writes
them; an empty end is the end of the file). Files lie in the folder of the table and are named relative to it,
or absolutely. Other columns are ignored. Out: the release. A mistake in one row is a remark on that row; a
mistake in the whole table is a fault.
"""

import math
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from raysernas.corpora import audio, tree
from raysernas.corpora.corpus import (
    NO_AGREEMENT,
    OTHER,
    UNKNOWN_SPEAKER,
    Gender,
    Label,
    OfficialPart,
    Release,
    Remark,
    Utterance,
    usual_emotions,
)
from raysernas.corpora.readers import audformat, spelling, table
from raysernas.corpora.readers.table import TableRow

REQUIRED = ("file", "emotion", "speaker")
OPTIONAL = ("session", "gender", "split", "scenario", "text", "start", "end")
UNKNOWN = "unknown"  # a speaker in a cell
NAMED = 3  # unlisted files that a remark names; it counts the rest
MOST_HELD_OUT = 12  # with more speakers, the usual folds test groups of them
TIME = re.compile(
    r"(?:(?P<days>\d+) days?,? ?)?(?:(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?))?"
)  # as pandas writes
SPLITS: dict[str, OfficialPart] = {
    "": "",
    "train": "train",
    "dev": "valid",
    "development": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "test1": "test",
    "test2": "test2",
    "test3": "test3",
}


def read(root: Path, label: Label = "usual") -> Release:
    """All utterances of a table, or of the tables of a corpus in audformat.

    Raises:
        Fault: for a table that does not exist, cannot be read, lacks a column or has no rows.
    """
    folder, name, rows, notes = _rows(root.absolute(), label)
    utterances, bad, listed = [], [], []
    for row in rows:
        cells = _cells(row, folder)
        listed.append(str(_on_disk(folder, cells["file"])))
        if mistake := _mistake(cells, listed[-1]):
            bad.append(Remark(kind="bad", subject=row.subject, what=mistake[0], fix=mistake[1]))
        else:
            utterances.append(_utterance(cells, listed[-1], row.cells["emotion"]))
    utterances, odd = _of_one_gender(name, utterances, [row.cells.get("gender", "") for row in rows])
    scheme, more = _folds(utterances)
    return Release(
        name="manifest",
        utterances=tuple(utterances),
        emotions=usual_emotions(utterances),
        folds=scheme,
        remarks=(*bad, *odd, *_spellings(name, utterances), *_unlisted(folder, name, listed)),
        notes=(*notes, *more, *_unknown_speakers(rows), *_no_classes(utterances)),
    )


def _rows(root: Path, label: Label) -> tuple[Path, str, Sequence[TableRow], tuple[str, ...]]:
    """The folder of the recordings, the name of the table, its rows, and notes."""
    if root.is_dir() and (root / audformat.HEADER).is_file():
        rows, notes = audformat.read(root, label)
        return root, audformat.HEADER, rows, notes
    if label != "usual":
        tree.which_label("a manifest", label)
    path = _only_table(root) if root.is_dir() else root
    if path.name == audformat.HEADER:
        return _rows(path.parent, label)
    found = table.read(path)
    table.need(found, REQUIRED, OPTIONAL)
    return path.parent, path.name, found.rows, ()


def _only_table(folder: Path) -> Path:
    tables = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in table.SUFFIXES and not path.name.startswith(".")
    )
    if not tables:
        raise tree.unlike(
            "a manifest",
            folder,
            got=tree.listing(folder),
            expected="one table, *.csv or *.parquet, or db.yaml",
        )
    if len(tables) > 1:
        raise table.fault(
            folder,
            "holds several tables",
            got=", ".join(path.name for path in tables),
            expected="one",
            fix=f"set corpus.root={tables[0]}, or another of them",
        )
    return tables[0]


def _cells(row: TableRow, folder: Path) -> dict[str, str]:
    """The known columns, without outer blanks; what says that it is empty is empty, an unknown speaker is
    UNKNOWN. Accents in the name of a file stay as they are on disk.
    """
    cells = {column: tree.plain(row.cells.get(column, "")) for column in (*REQUIRED, *OPTIONAL)}
    if spelling.is_unknown(cells["speaker"]):
        cells["speaker"] = UNKNOWN
    if spelling.is_empty(cells["emotion"]):
        cells["emotion"] = ""
    return cells | {"file": _inside(row.cells["file"].strip(), folder)}


def _inside(file: str, folder: Path) -> str:
    """The name of a file relative to the folder, if it is absolute or leads out of the folder and back."""
    if "\0" in file or not (os.path.isabs(file) or ".." in PurePosixPath(file).parts):
        return file
    for base in (folder, folder.resolve()):
        place = Path(os.path.normpath(base / file))
        if place.is_relative_to(base):
            return place.relative_to(base).as_posix()
    return file


def _mistake(cells: dict[str, str], path: str) -> tuple[str, str] | None:
    """What is wrong with a row, and what to do."""
    if empty := [column for column in REQUIRED if not cells[column]]:
        unknown = " (unknown, if nobody knows)" if empty[0] == "speaker" else ""
        return f"has no {empty[0]}", f"fill the cell{unknown}, or remove the row"
    file = PurePosixPath(cells["file"])
    if file.is_absolute() or ".." in file.parts or "\0" in cells["file"]:
        return (
            f"names {tree.printable(cells['file'])}, which lies outside the table's folder",
            "put the table into a folder that holds all recordings",
        )
    if "\\" in cells["file"] and not os.path.lexists(path):
        return (
            f"separates the folders of {cells['file']} by backslashes",
            "write wav/a.wav, with forward slashes",
        )
    if spelling.gender(cells["gender"]) is None:
        return (
            f"has the gender {cells['gender']!r}, not {spelling.GENDERS_TOLD}",
            "write one of them, or leave the cell empty",
        )
    if cells["split"].lower() not in SPLITS:
        return (
            f"has the split {cells['split']!r}, not {', '.join(filter(None, SPLITS))}",
            "write one of them, or leave the cell empty",
        )
    for column in ("start", "end"):
        if math.isnan(_seconds(cells[column])):
            return (
                f"has the {column} {cells[column]!r}, which is no time",
                "write seconds from the beginning of the file, or nothing",
            )
    start_s, end_s = _seconds(cells["start"]), _seconds(cells["end"])
    if end_s and end_s <= start_s:
        return f"ends at {end_s} s, which is not after its start at {start_s} s", "correct its start and end"
    return None


def _utterance(cells: dict[str, str], path: str, raw_label: str) -> Utterance:
    """The utterance of a row without mistakes."""
    start_s, end_s = _seconds(cells["start"]), _seconds(cells["end"])
    segment = f"#{start_s}-{end_s}" if start_s or end_s else ""
    return Utterance(
        key=f"{tree.plain(str(PurePosixPath(cells['file'])))}{segment}",
        path=path,
        emotion=cells["emotion"],
        speaker=UNKNOWN_SPEAKER if cells["speaker"] == UNKNOWN else cells["speaker"],
        raw_label=raw_label,
        gender=spelling.gender(cells["gender"]) or "unknown",
        session=cells["session"],
        scenario=cells["scenario"],
        text=cells["text"],
        start_s=start_s,
        end_s=end_s,
        split=SPLITS[cells["split"].lower()],
    )


def _seconds(text: str) -> float:
    """0 for an empty text, NaN for one that is no time."""
    if text in ("", "NaT"):
        return 0.0
    if fit := TIME.fullmatch(text):
        days, hours, minutes, seconds = (float(part or 0) for part in fit.groups())
        return 60 * (60 * (24 * days + hours) + minutes) + seconds
    try:
        seconds = float(text)
    except ValueError:
        return math.nan
    return seconds if math.isfinite(seconds) and seconds >= 0 else math.nan


def _on_disk(folder: Path, file: str) -> Path:
    """Where a file lies. macOS decomposes accented letters in the names of files, spreadsheets do not."""
    if file.isascii():
        return folder / file
    forms = (file, unicodedata.normalize("NFC", file), unicodedata.normalize("NFD", file))
    return next((folder / form for form in forms if os.path.lexists(folder / form)), folder / file)


def _of_one_gender(
    name: str, utterances: Sequence[Utterance], written: Iterable[str]
) -> tuple[list[Utterance], list[Remark]]:
    """The utterances, every speaker with one gender, and a remark on each with two, who then has none."""
    found: dict[str, Counter[Gender]] = defaultdict(Counter)
    for each in utterances:
        if each.speaker != UNKNOWN_SPEAKER and each.gender != "unknown":
            found[each.speaker][each.gender] += 1
    odd = {speaker: counts for speaker, counts in found.items() if len(counts) > 1}
    remarks = [
        Remark(
            "bad",
            name,
            f"gives speaker {speaker} two genders: "
            f"{', '.join(f'{gender} ({count})' for gender, count in sorted(counts.items()))}",
            "correct the gender, or the speaker",
        )
        for speaker, counts in sorted(odd.items())
    ]
    if spelling.ambiguous(written):
        what = "writes the genders h and m, where m may be a woman (mujer)"
        remarks.append(Remark("bad", name, what, "write female and male"))
    gender: dict[str, Gender] = {speaker: next(iter(counts)) for speaker, counts in found.items()}
    gender |= dict.fromkeys(odd, "unknown")
    return [replace(each, gender=gender.get(each.speaker, each.gender)) for each in utterances], remarks


def _spellings(name: str, utterances: Sequence[Utterance]) -> list[Remark]:
    """Warnings about words that differ only in capitals, blanks or zeros: they count as two."""
    one_person = "if it is one person, write the name in one way, so that nobody is trained on and tested"
    columns = {
        "emotion": "write it in one way, or join them by corpus.merge",
        "speaker": one_person,
        "session": "if it is one session, write it in one way",
    }
    return [
        Remark("warning", name, f"writes one {column} in several ways: {_ways(ways)}", fix)
        for column, fix in columns.items()
        for ways in spelling.variants(getattr(each, column) for each in utterances)
    ]


def _ways(ways: Mapping[str, int]) -> str:
    return ", ".join(f"{word} ({count})" for word, count in ways.items())


def _unknown_speakers(rows: Iterable[TableRow]) -> tuple[str, ...]:
    """A note on talkers that the table calls unknown."""
    words = Counter(
        word for row in rows if spelling.is_unknown(word := tree.plain(row.cells.get("speaker", "")))
    )
    told = f"The speakers of some utterances are unknown; these are in no fold by speaker: {_ways(words)}."
    return (told,) if words else ()


def _unlisted(folder: Path, name: str, listed: Iterable[str]) -> list[Remark]:
    """Recordings beside the listed ones that no row lists."""
    known = {os.path.normpath(path) for path in listed if "\0" not in path}
    remarks = []
    for place in sorted({os.path.dirname(path) for path in known}):
        if not (Path(place).is_relative_to(folder) and os.path.isdir(place)):
            continue
        beside = sorted(
            each
            for each in os.listdir(place)
            if each.lower().endswith(audio.SUFFIXES) and not each.startswith(".")
        )
        if unlisted := [tree.printable(each) for each in beside if os.path.join(place, each) not in known]:
            more = f" and {len(unlisted) - NAMED} more" if len(unlisted) > NAMED else ""
            what = f"holds recordings that {name} does not list: {', '.join(unlisted[:NAMED])}{more}"
            subject = tree.relative(Path(place), folder)
            remarks.append(Remark("left out", subject, what, "list them, if they belong to it"))
    return remarks


def _folds(utterances: Sequence[Utterance]) -> tuple[str, tuple[str, ...]]:
    """The usual scheme, and notes: the official split if every utterance has a part, else by speaker."""
    splits = Counter(utterance.split for utterance in utterances)
    speakers = len({utterance.speaker for utterance in utterances} - {UNKNOWN_SPEAKER})
    by_speaker = "speaker" if speakers <= MOST_HELD_OUT else "speaker_groups"
    if not splits[""] and splits["train"] and splits["test"]:
        return "official", ()
    if splits.keys() - {""}:
        found = ", ".join(f"{split or 'none'} {splits[split]}" for split in sorted(splits))
        return by_speaker, (
            f"The split is not used, because it does not divide all utterances into train and test: {found}.",
        )
    return by_speaker, ()


def _no_classes(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    counts = Counter(utterance.emotion for utterance in utterances)
    return tuple(
        f"{emotion} ({counts[emotion]} utterances) is no class unless corpus.emotions names it."
        for emotion in (NO_AGREEMENT, OTHER)
        if counts[emotion]
    )
