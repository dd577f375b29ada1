"""A small good corpus, and what may be wrong or unusual about one recording, one row or the whole table of
it.

WAV files are put together here, byte by byte, so that they do not depend on the library that reads them.
"""

import csv
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE_HZ = 16_000
TABLE, FILE = "labels.csv", "wav/x.wav"
COLUMNS = ("file", "emotion", "speaker", "gender", "split", "start", "end")
Samples = npt.NDArray[np.float64]
Rows = list[dict[str, str]]
# exact in every format from 8 bits on
TONE: Samples = np.round(64 * np.sin(2 * np.pi * 440 * np.arange(4_000) / RATE_HZ)) / 128


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to spoil or vary the corpus."""

    name: str
    # changes the corpus; of unusual sound it returns the samples that were written, mono
    make: Callable[[Path], object]
    what: str = ""  # is told about it
    fix: str = ""  # is advised
    subjects: tuple[str, ...] = (FILE,)  # are named, or found
    kept: bool = False  # whether the recording that is spoilt stays in the corpus nevertheless
    rate_hz: int = RATE_HZ
    tolerance: float = 1e-6
    root: str = TABLE


def wav(samples: Samples, *, form: str = "<i2", rate_hz: int = RATE_HZ, claimed: int | None = None) -> bytes:
    """A RIFF WAVE file: samples of -1..1 [frame] or [frame channel] in the number format `form`; `claimed`
    bytes in its header.
    """
    width = int(form[-1]) if form != "<i3" else 3
    if form == "u1":
        data = np.round(samples * 128 + 128).astype("u1").tobytes()
    elif form[1] == "f":
        data = samples.astype(form).tobytes()
    else:
        whole = np.round(samples * 2.0 ** (8 * width - 1)).astype("<i4").tobytes()
        data = b"".join(whole[at : at + width] for at in range(0, len(whole), 4))
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    kind = 3 if form[1] == "f" else 1
    head = struct.pack(
        "<HHIIHH", kind, channels, rate_hz, rate_hz * width * channels, width * channels, 8 * width
    )
    size = len(data) if claimed is None else claimed
    riff = size if claimed == 0xFFFFFFFF else 36 + size
    return (
        b"RIFF"
        + struct.pack("<I", riff)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def rows() -> Rows:
    """The good part: four speakers, two emotions, two takes."""
    return [
        row(f"wav/{speaker}{emotion}{take}.wav", emotion, speaker)
        for speaker in ("s0", "s1", "s2", "s3")
        for emotion in ("anger", "calm")
        for take in (0, 1)
    ]


def row(file: str = FILE, emotion: str = "anger", speaker: str = "s0", **cells: str) -> dict[str, str]:
    """A row of the table."""
    return dict.fromkeys(COLUMNS, "") | {"file": file, "emotion": emotion, "speaker": speaker} | cells


GOOD = tuple(each["file"] for each in rows())


def manifest(folder: Path) -> Path:
    """The good corpus, and one recording more, which is good too."""
    (folder / "wav").mkdir(parents=True)
    for number, name in enumerate(GOOD):
        (folder / name).write_bytes(wav(TONE[: 1_600 + number]))
    (folder / FILE).write_bytes(wav(TONE))
    return write(folder, [*rows(), row()])


def write(folder: Path, table: Rows) -> Path:
    """The table of the corpus."""
    with open(folder / TABLE, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([COLUMNS, *([each[column] for column in COLUMNS] for each in table)])
    return folder


# one recording


def content(data: bytes) -> Callable[[Path], object]:
    """Other bytes in the place of the recording."""
    return lambda folder: (folder / FILE).write_bytes(data)


def sounding(
    samples: Samples, mono: Samples, form: str = "<i2", rate_hz: int = RATE_HZ
) -> Callable[[Path], Samples]:
    """Another form of WAV."""

    def make(folder: Path) -> Samples:
        content(wav(samples, form=form, rate_hz=rate_hz))(folder)
        return mono

    return make


def streamed(folder: Path) -> Samples:
    """As a program writes into a pipe: its size is not known when the header is written."""
    content(wav(TONE, claimed=0xFFFFFFFF))(folder)
    return TONE


def encoded(suffix: str, subtype: str | None = None) -> Callable[[Path], Samples]:
    """A recording in another format than plain WAV."""

    def make(folder: Path) -> Samples:
        (folder / FILE).unlink()
        soundfile.write(folder / f"wav/x{suffix}", TONE, RATE_HZ, subtype=subtype)
        write(folder, [*rows(), row(f"wav/x{suffix}")])
        return TONE

    return make


def named(name: str, listed: str = "") -> Callable[[Path], Samples]:
    """A recording with another name, `listed` under another one still."""

    def make(folder: Path) -> Samples:
        (folder / FILE).rename(folder / "wav" / name)
        write(folder, [*rows(), row(f"wav/{listed or name}")])
        return TONE

    return make


def instead(put: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else in the place of the recording."""

    def make(folder: Path) -> None:
        (folder / FILE).unlink()
        put(folder / FILE)

    return make


def linked(folder: Path) -> Samples:
    """A link to a recording elsewhere."""
    (folder.parent / "store").mkdir()
    (folder / FILE).rename(folder.parent / "store" / "elsewhere")
    (folder / FILE).symlink_to("../../store/elsewhere")
    return TONE


def forbidden(folder: Path) -> None:
    """A recording that nobody may read."""
    (folder / FILE).chmod(0)


# one row


def listed(*more: dict[str, str]) -> Callable[[Path], object]:
    """Other rows about the recording."""
    return lambda folder: write(folder, [*rows(), *more])


def two_genders(folder: Path) -> None:
    """A woman in one row, a man in the others."""
    write(folder, [*({**each, "gender": "male"} for each in rows()), row(gender="f")])


def same_sound(folder: Path) -> None:
    """One recording under two names and two speakers."""
    (folder / "wav/y.wav").write_bytes((folder / FILE).read_bytes())
    write(folder, [*rows(), row(), row("wav/y.wav", speaker="s1")])


# the whole table


def text(
    change: Callable[[str], str], encoding: str = "utf-8", newline: str = "\n"
) -> Callable[[Path], Samples]:
    """Another way to write the same table down."""

    def make(folder: Path) -> Samples:
        lines = change((folder / TABLE).read_text(encoding="utf-8"))
        (folder / TABLE).write_bytes(lines.replace("\n", newline).encode(encoding))
        return TONE

    return make


def parquet(folder: Path) -> Samples:
    """The table in Parquet, as pandas writes it: speakers are numbers."""
    import pandas as pd

    table = pd.DataFrame([each | {"speaker": int(each["speaker"][1])} for each in [*rows(), row()]])
    table.replace("", None).to_parquet(folder / "labels.parquet")
    (folder / TABLE).unlink()
    return TONE


def torn(folder: Path) -> None:
    """A Parquet file that was not written to its end."""
    parquet(folder)
    path = folder / "labels.parquet"
    path.write_bytes(path.read_bytes()[:-100])


# EmoDB


def emodb(folder: Path) -> Path:
    """A few recordings under names of EmoDB."""
    folder.mkdir(parents=True)
    for number, name in enumerate(
        f"{speaker}a0{take}{letter}a" for speaker in ("03", "08") for letter in "WN" for take in "12"
    ):
        (folder / f"{name}.wav").write_bytes(wav(TONE[: 1_600 + number]))
    return folder


def nameless(name: bytes) -> Callable[[Path], object]:
    """A recording with a name that says nothing; its bytes need not be text."""

    def make(folder: Path) -> None:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(wav(TONE))

    return make
