"""SAVEE's folders as released and as copied, without the sound."""

from collections.abc import Iterable
from pathlib import Path

SPEAKERS = ("DC", "JE", "JK", "KL")
SENTENCES = {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}


def names(pattern: str) -> list[str]:
    """480 paths: `AudioData/{speaker}/{sentence}.wav` in the release, `{speaker}_{sentence}.wav` in flat
    copies.
    """
    return [
        pattern.format(speaker=speaker, sentence=f"{code}{number:02d}")
        for speaker in SPEAKERS
        for code, count in SENTENCES.items()
        for number in range(1, count + 1)
    ]


def write(folder: Path, paths: Iterable[str]) -> Path:
    """Empty files and a bit of litter."""
    for name in (*paths, "Info.txt", "AudioData/DC/._a01.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder
