"""MSP-Podcast: speech from podcasts, hundreds of speakers, English; perceived labels and official parts.

In: the folder of a release, or the one above it. Out: every labelled segment with the majority of the
listeners' votes and its official part, from `Labels/labels_consensus.csv` (`labels_concensus.csv` in old
releases). Development (Validation in old releases) is `valid` here. Test3 has no public labels and is left
out.
Source: Lotfian and Busso, Building naturalistic emotionally balanced speech corpus by retrieving emotional
speech from existing podcast recordings, IEEE Transactions on Affective Computing 2019.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.corpora import tree
from raysernas.corpora.corpus import (
    NO_AGREEMENT,
    OTHER,
    UNKNOWN_SPEAKER,
    Expected,
    Gender,
    Label,
    OfficialPart,
    PublishedAudio,
    Release,
    Remark,
    Utterance,
)

NAME = "msp_podcast"
OLD_FILE = "labels_concensus.csv"  # as release 1.8 spells it
INSIDE = ("Labels/labels_consensus.csv", f"Labels/{OLD_FILE}", "labels_consensus.csv", OLD_FILE)
COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")
LETTERS = {
    "A": "anger",
    "C": "contempt",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "U": "surprise",
    "O": OTHER,
    "X": NO_AGREEMENT,
}
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
PARTS: dict[str, OfficialPart] = {
    "Train": "train",
    "Development": "valid",
    "Validation": "valid",
    "Test1": "test",
    "Test2": "test2",
    "Test3": "test3",
}
GENDERS: dict[str, Gender] = {"female": "female", "male": "male"}
NOTES = (
    "An emotion is the majority of the listeners' votes; segments without one are no_agreement.",
    "The official parts Validation and Development are valid, Test1 is test; Test2 was gathered in another "
    "way and is test2.",
    "Segments of speakers called Unknown have no speaker, and are on no side of folds by speaker.",
)
OLD_NOTE = f"The release is taken for 1.8, because its table is called {OLD_FILE}."
# Published: utterances of four classes in release 1.8
TRAIN = {"anger": 1839, "happiness": 8564, "neutral": 16518, "sadness": 1680}
BY_PART = {"train": 28_601, "valid": 4772, "test": 9304, "test2": 3483}
COPY_TABLE = "copy the table from the release again"
SOURCE = "nkululeko (github.com/felixbur/nkululeko), its tables of MSP-Podcast 1.8"


def read(root: Path, label: Label = "usual") -> Release:
    """All labelled segments that the table lists.

    Raises:
        Fault: for a folder without table or audio, several releases in it, a table that cannot be read or
            lacks a column, and intended labels, which natural speech does not have.
    """
    tree.which_label(NAME, label, "perceived")
    table, *others = _tables(root)
    release = table.parent.parent if table.parent.name == "Labels" else table.parent
    audio = tree.need_folder(NAME, release, "Audios", "Audio")
    rows = list(_rows(root, table))
    found = [_segment(audio, *row) for row in rows]
    utterances = tuple(each for each in found if isinstance(each, Utterance))
    if not utterances:
        raise tree.unlike(
            NAME,
            root,
            got=f"{tree.relative(table, root)} without a labelled segment",
            expected="a row for each file",
        )
    listed = {cells.get("FileName", "") for _, cells in rows}
    unlisted = [file for file in tree.audio_files(audio, ".wav") if file.name not in listed]
    unlabelled = {each.name for each in found if isinstance(each, Path)} | {
        file.name for file in unlisted if _is_test3(file)
    }
    remarks = [
        *(_second(root, other, table) for other in others),
        *_left_out(root, audio, len(unlabelled)),
        *(each for each in found if isinstance(each, Remark)),
        *(_unlisted(root, file, table) for file in unlisted if not _is_test3(file)),
    ]
    old = table.name == OLD_FILE
    return Release(
        name=NAME,
        utterances=utterances,
        emotions=EMOTIONS,
        folds="official",
        remarks=tuple(remarks),
        notes=(*NOTES, *(OLD_NOTE,) * old),
        expected=expected() if old else (),
        audio=PublishedAudio(source=SOURCE, rates_hz=(16_000, 44_100)),
    )


def expected() -> tuple[Expected, ...]:
    """The published numbers of release 1.8, four classes."""
    train = {("train", emotion): count for emotion, count in TRAIN.items()}
    parts = {(part,): count for part, count in BY_PART.items()}
    return (
        Expected(
            title="release 1.8, four classes by part",
            source=SOURCE,
            by=("split",),
            counts=parts,
            emotions=EMOTIONS,
        ),
        Expected(
            title="release 1.8, training part",
            source=SOURCE,
            by=("split", "emotion"),
            counts=train,
            emotions=EMOTIONS,
            partial=True,
        ),
    )


def _tables(root: Path) -> list[Path]:
    """The tables of the release in `root`, or of the one release below it; the first is read."""
    if own := _tables_in(root):
        return own
    below = sorted(folder for folder in root.iterdir() if folder.is_dir()) if root.is_dir() else []
    releases = [found for folder in below if (found := _tables_in(folder))]
    if len(releases) > 1:
        names = ", ".join(tree.relative(found[0], root) for found in releases)
        raise tree.unlike(NAME, root, got=f"several releases: {names}", expected="the folder of one release")
    return releases[0] if releases else [tree.need_file(NAME, root, *INSIDE)]


def _tables_in(release: Path) -> list[Path]:
    return [release / inside for inside in INSIDE if (release / inside).is_file()]


def _rows(root: Path, table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Place and cells of every row, as text without outer blanks; no cells if their number is wrong."""
    reader = csv.reader(
        io.StringIO(tree.text(table, expected="CSV (UTF-8, commas)"), newline=""), strict=True
    )
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if missing := [column for column in COLUMNS if column not in header]:
            raise _fault(
                table, f"has no column {missing[0]!r}", f"the columns {', '.join(header)}", ", ".join(COLUMNS)
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                whole = cells if len(cells) == len(header) else ()
                place = f"{tree.relative(table, root)}, line {reader.line_num}"
                yield place, {name: cell.strip() for name, cell in zip(header, whole, strict=False)}
    except csv.Error as error:
        raise _fault(
            table, f"cannot be read from line {reader.line_num} on", str(error), "CSV (UTF-8, commas)"
        ) from error


def _segment(audio: Path, place: str, cells: dict[str, str]) -> Utterance | Remark | Path:
    """The segment of a row, what is wrong with the row, or the file of a segment without a public label."""
    if not cells:
        return Remark("bad", place, "has too few or too many cells", COPY_TABLE)
    name, letter, part = cells["FileName"], cells["EmoClass"], PARTS.get(cells["Split_Set"])
    if not name.lower().endswith(".wav") or "/" in name or "\\" in name:
        fix = "correct FileName; it is like MSP-PODCAST_0001_0008.wav"
        return Remark("bad", place, f"names no audio file: {name!r}", fix)
    if part is None:
        what = f"{name} is in no official part: {cells['Split_Set']!r}"
        return Remark("bad", place, what, f"correct Split_Set; known are {' '.join(PARTS)}")
    if letter not in LETTERS:
        if part == "test3":
            return audio / name
        what = f"{name} has no emotion of MSP-Podcast: {letter!r}"
        return Remark("bad", place, what, f"correct EmoClass; known are {' '.join(LETTERS)}")
    speaker = UNKNOWN_SPEAKER if cells["SpkrID"].lower() == "unknown" else cells["SpkrID"]
    return Utterance(
        key=name[: -len(".wav")],
        path=str(audio / name),
        emotion=LETTERS[letter],
        raw_label=letter,
        speaker=speaker,
        gender=GENDERS.get(cells["Gender"].lower(), "unknown"),
        split=part,
    )


def _is_test3(file: Path) -> bool:
    """Whether the name is like MSP-PODCAST_test3_0001.wav."""
    return "_test3_" in file.name.lower()


def _second(root: Path, other: Path, table: Path) -> Remark:
    what = f"is a second table of labels: {tree.relative(table, root)} is read"
    return Remark("left out", tree.relative(other, root), what, "take one of the two away")


def _left_out(root: Path, audio: Path, count: int) -> Iterator[Remark]:
    if count:
        what = f"holds {count} segments of Test3, which has no public labels"
        fix = "nothing: they can be neither learned nor tested"
        yield Remark("left out", tree.relative(audio, root), what, fix)


def _unlisted(root: Path, file: Path, table: Path) -> Remark:
    fix = "take the file away, or copy the table of its release"
    return Remark("bad", tree.relative(file, root), f"has no label in {table.name}", fix)


def _fault(table: Path, what: str, got: str, expected: str) -> Fault:
    return Fault("corpus", f"{table} {what}", got=got, expected=expected, fix=COPY_TABLE)
