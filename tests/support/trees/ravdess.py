"""RAVDESS's folders as released and as copied, without the sound."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path


def names(modality: str = "03", channel: str = "01") -> list[str]:
    """The paths of the speech of 24 actors below the release; there is no strong neutral."""
    takes = [
        (emotion, intensity, statement, repetition)
        for emotion, intensity, statement, repetition in product(range(1, 9), (1, 2), (1, 2), (1, 2))
        if (emotion, intensity) != (1, 2)
    ]
    return [
        f"Actor_{actor:02d}/{modality}-{channel}-"
        + "-".join(f"{number:02d}" for number in (*take, actor))
        + ".wav"
        for actor in range(1, 25)
        for take in takes
    ]


def write(folder: Path, paths: Iterable[str]) -> Path:
    """Empty files and a bit of litter."""
    for name in (*paths, "Actor_01/._03-01-01-01-01-01-01.wav", "__MACOSX/Actor_01/03-01-01-01-01-01-01.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder
