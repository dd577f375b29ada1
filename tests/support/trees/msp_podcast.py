"""MSP-Podcast's folder as released, without the sound: the table of labels, and what lies beside it."""

from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
TRAIN = {"N": 16518, "H": 8564, "A": 1839, "S": 1680}  # release 1.8
OTHER_PARTS = {"Validation": 4772, "Test1": 9304, "Test2": 3483}
REST = "XOUFDC"  # letters of no usual class, filled up as one likes


class Row(NamedTuple):
    """One segment as the table has it."""

    file: str
    emotion: str
    speaker: str = "127"
    gender: str = "Female"
    part: str = "Train"

    @property
    def line(self) -> str:
        return f"{self.file},{self.emotion},4.2,3.8,4.4,{self.speaker},{self.gender},{self.part}"


def release_1_8() -> Iterator[Row]:
    """Release 1.8: its four classes as published, and 300 segments of other classes in each part."""
    parts = {"Train": [letter for letter, count in TRAIN.items() for _ in range(count)]}
    parts |= {
        part: [letter for letter, _ in zip(cycle("NHAS"), range(count), strict=False)]
        for part, count in OTHER_PARTS.items()
    }
    people = cycle((("1", "Male"), ("02", "Female"), ("Unknown", "Unknown"), ("1273", "Female")))
    number = 0
    for part, letters in parts.items():
        for letter in [*letters, *REST * 50]:
            number += 1
            yield Row(f"MSP-PODCAST_{number // 100:04d}_{number % 100:04d}.wav", letter, *next(people), part)


def table(rows: Iterable[Row], end: str = "\n") -> str:
    """The text of the table of labels."""
    return "".join(line + end for line in (HEADER, *(row.line for row in rows)))


def write(
    root: Path,
    rows: Iterable[Row],
    *,
    file: str = "Labels/labels_consensus.csv",
    audio: str = "Audios",
    sound: bool = True,
) -> Path:
    """The release below `root`; without `sound` the folder of audio is empty."""
    rows = list(rows)
    for folder in (root / audio, root / "Labels", root / "Transcripts"):
        folder.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(table(rows))
    (root / "Labels" / "labels_detailed.csv").write_text(
        "FileName,Worker\n" + "".join(f"{row.file},1\n" for row in rows)
    )
    (root / audio / "._MSP-PODCAST_0001_0001.wav").write_bytes(b"\x00\x05\x16\x07")
    for row in rows if sound else ():
        (root / audio / row.file).touch()
    return root
