"""nEMO's folder as released, without the sound: names and the table, blanks before its speakers included."""

from collections.abc import Iterable
from pathlib import Path

GENDERS = {
    "EB0": "female",
    "IC0": "female",
    "KD0": "female",
    "KS0": "male",
    "MK0": "female",
    "MP0": "male",
    "SM0": "male",
    "TP0": "male",
    "WR0": "male",
}
BY_WORD = {"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprised": 669}
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
# than 90 sentences; MK0 is never surprised. Which of the others lack one is made up, the sums are not
FEWER = {
    "EB0": {"anger": 89},
    "MK0": {"surprised": 0},
    "MP0": {"anger": 30, "fear": 17, "happiness": 30, "neutral": 89, "sadness": 50, "surprised": 40},
    "SM0": {"fear": 89, "happiness": 89},
    "TP0": {"sadness": 89},
    "WR0": {"surprised": 89},
}
HEADER = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"


def names() -> list[str]:
    """4,481 names of files."""
    return [
        f"{speaker}_{word}_{sentence}.wav"
        for speaker in GENDERS
        for word in BY_WORD
        for sentence in range(1, FEWER.get(speaker, {}).get(word, 90) + 1)
    ]


def row(name: str) -> str:
    """The line of a file in the table."""
    speaker, word, _ = name.split("_")
    raw, text = "„Ród smoka” to serial, telewizyjny.", "„ród smoka” to serial telewizyjny"
    return f"{name}\t{word}\t{raw}\t{text}\t        {speaker}\t{GENDERS[speaker]}\t24"


def write(
    folder: Path, files: Iterable[str], rows: Iterable[str] | None = None, end: str = "\n", start: str = ""
) -> Path:
    """Empty files in `samples/`, a table unless `rows` is None, and a bit of litter."""
    for name in (*(f"samples/{file}" for file in files), "README.md", "samples/._EB0_anger_1.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    if rows is not None:
        (folder / "data.tsv").write_bytes((start + end.join((HEADER, *rows)) + end).encode())
    return folder
