"""nEMO: nine actors, 90 sentences in six emotions, 4,481 files, Polish.

In: the folder of the release, which has `samples` and `data.tsv` in it, or a folder of its recordings alone.
Out: utterances whose labels come from the names of the files, `EB0_anger_1.wav` = speaker, emotion, sentence.
The table, if there is one, gives the genders. It is compared with the names: a file is bad if the two differ.
Source: Christop, nEMO: dataset of emotional speech in Polish, LREC-COLING 2024.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.corpora import tree
from raysernas.corpora.corpus import Gender, Label, PublishedAudio, Release, Remark, Utterance, expected_by
from raysernas.corpora.readers.file_names import CORRECT_NAME

NAME = "nemo"
TABLE = "data.tsv"
EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
GENDERS: dict[str, Gender] = {"female": "female", "male": "male"}
FILE = re.compile(rf"(?P<speaker>[A-Z]{{2}}\d)_(?P<word>{'|'.join(EMOTIONS)})_(?P<sentence>\d+)")
SHAPE = f"speaker, emotion ({' '.join(EMOTIONS)}), sentence, as in samples/EB0_anger_1.wav"
COLUMNS = ("file_id", "emotion", "speaker_id", "gender")
NOTES = ("The emotion is the one that was acted.",)
NO_TABLE = f"There is no {TABLE}: labels come from the names of the files alone, and genders are unknown."
SOURCE = "counted in the release (github.com/amu-cai/nEMO)"
BY_EMOTION = {"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprise": 669}
BY_SPEAKER = {
    "EB0": 539,
    "IC0": 540,
    "KD0": 540,
    "KS0": 540,
    "MK0": 450,
    "MP0": 256,
    "SM0": 538,
    "TP0": 539,
    "WR0": 539,
}
EXPECTED = (
    expected_by("emotion", "emotions", SOURCE, BY_EMOTION),
    expected_by("speaker", "speakers", SOURCE, BY_SPEAKER),
)
COPY_TABLE = f"copy {TABLE} from the release again, or take it away: names alone suffice"


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings below `root`, and missing ones that the table lists.

    Raises:
        Fault: for a folder without a file of nEMO, a table that cannot be read, and perceived labels.
    """
    tree.which_label(NAME, label, "intended")
    tree.need_folder(NAME, root)
    files = tree.audio_files(root, ".wav")
    samples = next((file.parent for file in files if FILE.fullmatch(file.stem)), None)
    if samples is None:
        raise tree.unlike(NAME, root, got=tree.some(files, root), expected=SHAPE)
    table = next((file for file in (samples / TABLE, samples.parent / TABLE) if file.is_file()), None)
    rows, remarks = ({}, []) if table is None else _rows(table)
    missing = sorted(rows.keys() - {file.stem for file in files})
    paths = [*files, *(samples / f"{key}.wav" for key in missing)]
    found = [_utterance(path, root, None if table is None else rows) for path in paths]
    return Release(
        name=NAME,
        utterances=tuple(each for each in found if isinstance(each, Utterance)),
        emotions=tuple(sorted(EMOTIONS.values())),
        remarks=(*remarks, *(each for each in found if isinstance(each, Remark))),
        notes=(*NOTES, NO_TABLE) if table is None else NOTES,
        expected=EXPECTED,
        audio=PublishedAudio(source=SOURCE, rates_hz=(24_000,)),
    )


def _utterance(path: Path, root: Path, rows: Mapping[str, dict[str, str]] | None) -> Utterance | Remark:
    """The utterance that a name describes; with a table, only if the table agrees."""
    subject = tree.relative(path, root)
    fit = FILE.fullmatch(path.stem)
    if not fit:
        return Remark("bad", subject, f"is not a name of {NAME}: {SHAPE}", CORRECT_NAME)
    speaker, word, gender = fit["speaker"], fit["word"], "unknown"
    if rows is not None:
        row = rows.get(path.stem)
        if row is None:
            fix = f"copy {TABLE} from the release again, or take the file away"
            return Remark("bad", subject, f"is not listed in {TABLE}", fix)
        if (row["speaker_id"], row["emotion"]) != (speaker, word):
            what = f"is listed in {TABLE} as {row['emotion']} of {row['speaker_id']}"
            return Remark("bad", subject, what, "find out which is right, and correct the other")
        gender = row["gender"]
    return Utterance(
        key=path.stem,
        path=str(path),
        emotion=EMOTIONS[word],
        raw_label=word,
        speaker=speaker,
        gender=GENDERS.get(gender, "unknown"),
        text=fit["sentence"],
    )


def _rows(table: Path) -> tuple[dict[str, dict[str, str]], list[Remark]]:
    """The rows by the names of their files, and remarks on bad rows."""
    header, *lines = _lines(table)
    if lacking := [column for column in COLUMNS if column not in header]:
        raise Fault(
            "corpus",
            f"{table} has no column {lacking[0]!r}",
            got=", ".join(header),
            expected=", ".join(COLUMNS),
            fix=COPY_TABLE,
        )
    rows: dict[str, dict[str, str]] = {}
    remarks: list[Remark] = []
    for number, cells in enumerate(lines, start=2):
        row = dict(zip(header, cells, strict=False))
        key = row.get("file_id", "").removesuffix(".wav")
        if len(cells) != len(header) or not FILE.fullmatch(key):
            what = f"is no row of nEMO: {' '.join(cells)[:80]!r}"
        elif rows.setdefault(key, row) != row:
            what = f"lists {key} a second time, with other cells"
        else:
            continue
        place = f"{table.name}, line {number}"
        remarks.append(Remark("bad", place, what, f"copy {TABLE} from the release again"))
    return rows, remarks


def _lines(table: Path) -> list[list[str]]:
    """The cells of each line that is not empty, without outer blanks (speakers have eight before them)."""
    lines = tree.text(table, expected="UTF-8", fix=COPY_TABLE).split("\n")
    return [[tree.plain(cell) for cell in line.split("\t")] for line in lines if line.strip()] or [[]]
