"""Inspects audio files: hashes their bytes, decodes them from end to end, and says what is wrong with them.

In: paths. Out: a `Sound` for each. A bad file raises nothing: `fault` says what is wrong, `fix` what to do.
Decoding gigabytes takes minutes, so good files are remembered by absolute path, size and time of change, in
one Parquet file. A bad file is inspected anew every time, because it may have been repaired.
"""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from raysernas.corpora import audio, loudness, tree
from raysernas.corpora.channels import ChannelLevels, LevelMeter
from raysernas.corpora.quiet import quiet
from raysernas.record import storage

MEMORY = "sounds.parquet"
VERSION = b"3"  # of the inspection; a memory of another version counts as empty
PART = 16  # files per task of a thread
BLOCK = 1 << 20  # samples decoded at once, so that a file of hours fits into memory
FULL_SCALE = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128}  # the highest sample of a format; of all others:
FULL_SCALE_16_BIT = 32_767 / 32_768
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LEVELS = pa.struct(
    [(each.name, pa.int64() if each.name == "channels" else pa.float64()) for each in fields(ChannelLevels)]
)
SCHEMA = pa.schema(
    [
        ("path", pa.binary()),
        ("size", pa.int64()),
        ("changed_ns", pa.int64()),
        ("hash", pa.string()),
        ("rate_hz", pa.int64()),
        ("channels", pa.int64()),
        ("frames", pa.int64()),
        ("peak", pa.float64()),
        ("clipped", pa.float64()),
        ("loud_db", pa.float64()),
        ("levels", LEVELS),
    ],
    metadata={"version": VERSION},
)


@dataclass(frozen=True, slots=True)
class Sound:
    """What one audio file holds, as far as it could be found out."""

    hash: str  # SHA-256 of its bytes
    rate_hz: int
    channels: int
    frames: int
    peak: float  # highest absolute sample; 1 is full scale
    clipped: float  # share of samples at full scale or above
    fault: str = ""  # continues the name of the file: "is empty: 0 bytes"
    fix: str = ""
    levels: ChannelLevels | None = None  # of a file with several channels
    loud_db: float | None = None  # level of the loud frames in dBFS, by the mean energy of channels


# absolute path -> size in bytes, time of change in ns, what it holds
Remembered = dict[bytes, tuple[int, int, Sound]]
NOTHING = Sound(hash="", rate_hz=0, channels=0, frames=0, peak=0.0, clipped=0.0)
COPY, PLACE = "replace it by a whole copy", "put the recording in its place"
CONVERT = "convert it, or correct the name in the table"


def inspect(
    paths: Iterable[str], memory: Path | None, report: Callable[[int, int], object] = lambda done, of: None
) -> dict[str, Sound]:
    """What each file holds, by path.

    Args:
        memory: folder of the memory; None = no memory.
        report: called in this thread with the number of inspected files, and of all files.

    Raises:
        Fault: when the memory cannot be written; never for an audio file.
    """
    wanted = list(dict.fromkeys(paths))
    old = _recall(memory)
    new: Remembered = {}
    found: dict[str, Sound] = {}

    def look(part: Sequence[str]) -> list[tuple[str, Sound]]:
        return [(path, _look(path, old, new)) for path in part]

    # decoding and hashing release Python's lock
    with ThreadPoolExecutor() as pool:
        try:
            for part in pool.map(look, [wanted[at : at + PART] for at in range(0, len(wanted), PART)]):
                found.update(part)
                report(len(found), len(wanted))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        finally:  # an interrupted inspection keeps what it has found
            if memory is not None and new:
                storage.write(memory / MEMORY, lambda part: _save(part, _recall(memory) | new))
    return found


def _look(path: str, old: Remembered, new: Remembered) -> Sound:
    """What is remembered or found of a file; a good new finding is put into `new`."""
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        return _unreachable(path, error)
    if not stat.S_ISREG(state.st_mode):
        return replace(
            NOTHING, fault="is a folder" if stat.S_ISDIR(state.st_mode) else "is no file", fix=PLACE
        )
    place = os.fsencode(os.path.abspath(path))
    size, changed_ns, sound = old.get(place, (0, 0, NOTHING))
    if (size, changed_ns) != (state.st_size, state.st_mtime_ns) or not size:
        sound = _examined(path, state.st_size)
        if not sound.fault:
            new[place] = (state.st_size, state.st_mtime_ns, sound)
    return sound


def _unreachable(path: str, error: OSError | ValueError) -> Sound:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if os.path.islink(path):
            return replace(NOTHING, fault=f"is a link to {os.readlink(path)}, which is missing", fix=PLACE)
        if other := _in_another_format(path):
            return replace(NOTHING, fault=f"is missing, but {other} is there", fix=CONVERT)
        return replace(NOTHING, fault="is missing", fix=PLACE)
    if isinstance(error, PermissionError):
        return replace(NOTHING, fault="may not be read", fix="allow it with chmod")
    return replace(NOTHING, fault=f"cannot be read: {audio.reason(error)}", fix="check the disk and the name")


def _in_another_format(path: str) -> str:
    """The name of the same recording in another format, or ""."""
    with suppress(ValueError, OSError):
        stem, own = os.path.splitext(path)
        for suffix in audio.SUFFIXES:
            if suffix != own.lower() and os.path.isfile(stem + suffix):
                return tree.printable(os.path.basename(stem + suffix))
    return ""


def _examined(path: str, size: int) -> Sound:
    if not size:
        return replace(NOTHING, fault="is empty: 0 bytes", fix="fetch it again")
    try:
        with open(path, "rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                return replace(
                    NOTHING, fault="is a Git-LFS pointer, not the audio", fix="run git lfs pull in its folder"
                )
        sound = replace(NOTHING, hash=audio.content_hash(path))
        missing = audio.cut_off(path)
    except OSError as error:
        return _unreachable(path, error)
    if missing:
        return replace(sound, fault=f"is cut off: {missing}", fix=COPY)
    try:
        with quiet(path), audio.opened(path) as file:
            return _decoded(file, sound.hash)
    except audio.UNREADABLE as error:
        return replace(
            sound,
            fault=f"is no audio that can be read: {audio.reason(error)}",
            fix=COPY if path.lower().endswith(audio.SUFFIXES) else "convert it to WAV, FLAC, OGG or MP3",
        )


def _decoded(file: soundfile.SoundFile, content: str) -> Sound:
    full = FULL_SCALE.get(file.subtype, FULL_SCALE_16_BIT)
    frames = clipped = no_numbers = 0
    peak = 0.0
    energies: list[loudness.Energies] = []
    meter = LevelMeter(file.channels, file.samplerate) if file.channels > 1 else None
    frame = loudness.frame_samples(file.samplerate)  # blocks hold whole frames, whatever BLOCK is
    length = max(1, BLOCK // file.channels // frame) * frame
    while len(block := file.read(length, dtype="float32", always_2d=True)):
        frames += len(block)
        height = max(float(block.max()), -float(block.min()))
        if not np.isfinite(height):
            no_numbers += int((~np.isfinite(block)).sum())
        elif height >= full:
            clipped += int((np.abs(block) >= full).sum())
        peak = max(peak, height)
        energies.append(loudness.energies(np.asarray(block, np.float32), file.samplerate))
        if meter is not None and not no_numbers:
            meter.add(np.asarray(block, np.float32))
    samples = frames * file.channels
    sound = Sound(content, file.samplerate, file.channels, frames, peak, clipped / max(samples, 1))
    if frames < file.frames:
        return replace(sound, fault=f"is cut off: {frames} of {file.frames} frames can be decoded", fix=COPY)
    if no_numbers:
        return replace(
            sound, peak=0.0, fault=f"has samples that are no numbers: {no_numbers} of {samples}", fix=COPY
        )
    if not frames:
        return replace(sound, fault="has no samples", fix=COPY)
    if not peak:
        return replace(
            sound,
            fault=f"is silent: all {samples} samples are 0",
            fix="replace it, or take it out of the corpus",
        )
    sound = replace(sound, loud_db=loudness.loud_db(np.concatenate(energies)))
    return sound if meter is None else replace(sound, levels=meter.levels())


def _recall(memory: Path | None) -> Remembered:
    """What is remembered. A memory that cannot be read counts as empty; it can always be rebuilt."""
    if memory is None:
        return {}
    try:
        table = pq.ParquetFile(memory / MEMORY, page_checksum_verification=True).read()
    except (OSError, ValueError, pa.ArrowException):
        return {}
    if (
        not table.schema.equals(SCHEMA, check_metadata=False)
        or (table.schema.metadata or {}).get(b"version") != VERSION
    ):
        return {}
    path, size, changed_ns, *measures, loud_db, levels = (column.to_pylist() for column in table.columns)
    sounds = (
        replace(sound, loud_db=loud, levels=each and ChannelLevels(**each))
        for sound, loud, each in zip(map(Sound, *measures), loud_db, levels, strict=True)
    )
    return dict(zip(path, zip(size, changed_ns, sounds, strict=True), strict=True))


def _save(file: Path, remembered: Remembered) -> None:
    kept = [name for name in SCHEMA.names[3:] if name != "levels"]
    rows = [
        (
            path,
            size,
            changed_ns,
            *(getattr(sound, name) for name in kept),
            sound.levels and asdict(sound.levels),
        )
        for path, (size, changed_ns, sound) in sorted(remembered.items())
    ]
    columns = [
        pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
    ]
    pq.write_table(pa.table(columns, schema=SCHEMA), file, write_page_checksum=True)
