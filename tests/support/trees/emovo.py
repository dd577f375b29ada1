"""EMOVO's folder as released, without the sound."""

from collections.abc import Iterable
from pathlib import Path

CODES = ("dis", "gio", "pau", "rab", "sor", "tri", "neu")
ACTORS = ("f1", "f2", "f3", "m1", "m2", "m3")
SENTENCES = ("b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2")


def names() -> list[str]:
    """588 paths below the release."""
    return [
        f"{actor}/{code}-{actor}-{sentence}.wav"
        for actor in ACTORS
        for code in CODES
        for sentence in SENTENCES
    ]


def write(folder: Path, paths: Iterable[str]) -> Path:
    """Empty files and a bit of litter."""
    for name in (*paths, "documents/EMOVO.pdf", "f1/._dis-f1-b1.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder
