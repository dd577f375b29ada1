"""EmoDB's folder as released, without the sound: 535 names, with the real number of files for each speaker
and emotion.
"""

from collections.abc import Iterable
from itertools import islice, product
from pathlib import Path

TEXTS = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
BY_LETTER = {"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79}
BY_SPEAKER = {
    "03": 49,
    "08": 58,
    "09": 43,
    "10": 38,
    "11": 55,
    "12": 35,
    "13": 61,
    "14": 69,
    "15": 56,
    "16": 71,
}
CELLS = {  # in the order of BY_LETTER
    "03": (14, 5, 1, 4, 7, 7, 11),
    "08": (12, 10, 0, 6, 11, 9, 10),
    "09": (13, 4, 8, 1, 4, 4, 9),
    "10": (10, 8, 1, 8, 4, 3, 4),
    "11": (11, 8, 2, 10, 8, 7, 9),
    "12": (12, 5, 2, 6, 2, 4, 4),
    "13": (12, 10, 8, 7, 10, 5, 9),
    "14": (16, 8, 8, 12, 8, 10, 7),
    "15": (13, 9, 5, 8, 6, 4, 11),
    "16": (14, 14, 11, 7, 11, 9, 5),
}


def names() -> list[str]:
    """The stems of 535 files."""
    return [
        f"{speaker}{text}{letter}{version}"
        for speaker, row in CELLS.items()
        for letter, count in zip(BY_LETTER, row, strict=True)
        for version, text in islice(product("abcdef", TEXTS), count)
    ]


def write(folder: Path, stems: Iterable[str]) -> Path:
    """Files in `wav/`, and what else is in the release and on a disk."""
    extra = (
        "wav/._03a01Fa.wav",
        "wav/.DS_Store",
        "lablaut/03a01Fa.lablaut",
        "silb/03a01Fa.silb",
        "erkennung.txt",
    )
    for name in (*(f"wav/{stem}.wav" for stem in stems), *extra):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder
