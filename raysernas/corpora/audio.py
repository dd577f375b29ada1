"""Reads sound: a stretch of a file as mono samples at a given rate.

In: the path of a WAV, FLAC, OGG or MP3 file. Out: float32 samples in -1..1. Files are decoded by libsndfile
and resampled by soxr. A damaged file is refused by name and never repaired.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from raysernas.config.fault import Fault
from raysernas.corpora.channels import Channel
from raysernas.corpora.quiet import quiet

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")  # of files that can be read
FULL_SCALE = np.float32(2**-15)  # one step of 16 bits
Samples = npt.NDArray[np.float32]
END_SLACK_S = 0.01  # lists of segments round their ends
# TypeError: soundfile reads *.raw as samples without a header
UNREADABLE = (soundfile.LibsndfileError, OSError, TypeError)
# bytes; programs write such a size when they do not know it yet: it means up to the end of the file
STREAMED = 0x7FFFF000
NO_FORMAT = "File does not exist or is not a regular file"  # how libsndfile calls text in an MP3 file
CORRECT_STRETCH = "correct start and end of this utterance"
OGG_PAGE = 27 + 255 + 255 * 255  # bytes of the longest


def read(
    path: str | Path,
    *,
    sample_rate_hz: int,
    start_s: float = 0.0,
    end_s: float = 0.0,
    channel: Channel = "mean",
) -> Samples:
    """Samples of a file from `start_s` to `end_s` (0 = its end), float32 [samples]: one of its channels, or
    their average.

    Raises:
        Fault: for a file that is missing, empty, no audio, cut off or without usable samples, and a stretch
            outside the file.
    """
    _check_file(path)
    try:
        with quiet(path), opened(path) as file:
            rate_hz = file.samplerate
            first, last = _stretch(path, file.frames, rate_hz, start_s, end_s)
            file.seek(first)
            whole = file.subtype == "PCM_16"  # half the bytes to move; the samples are the same bit for bit
            samples = file.read(last - first, dtype="int16" if whole else "float32", always_2d=True)
    except UNREADABLE as error:
        raise _fault(
            path, "is no audio that can be read", got=reason(error), expected="a WAV, FLAC, OGG or MP3 file"
        ) from error
    if len(samples) != last - first:
        raise _fault(
            path,
            "is cut off",
            got=f"{len(samples)} frames",
            expected=f"{last - first} frames from {start_s} s on",
        )
    if not whole and not np.isfinite(samples).all():
        count = int((~np.isfinite(samples)).sum())
        raise _fault(
            path,
            "has samples that are no numbers",
            got=f"{count} of {samples.size}",
            expected="finite samples",
        )
    if whole:
        samples = samples.astype(np.float32) * FULL_SCALE
    wave = resampled(_mono(np.asarray(samples, np.float32), channel), rate_hz, sample_rate_hz)
    if not len(wave):
        raise _fault(
            path,
            "is too short",
            got=f"{len(samples)} samples at {rate_hz} Hz",
            expected=f"a sample at {sample_rate_hz} Hz",
        )
    return wave


def opened(path: str | Path) -> soundfile.SoundFile:
    """An open audio file.

    Raises:
        UNREADABLE: one of these, for a file that is no audio or cannot be read.
    """
    return soundfile.SoundFile(os.fsencode(path))  # pyright: ignore[reportArgumentType]


def resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate (soxr, high quality); at the same rate the samples themselves."""
    return (
        samples if from_hz == to_hz else soxr.resample(samples, from_hz, to_hz).astype(np.float32, copy=False)
    )


def content_hash(path: str | Path) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cut_off(path: str | Path) -> str:
    """What is missing at the end of a WAV or OGG file, or "". libsndfile reads such files without an error.

    Raises:
        OSError: for a file that cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            claimed, present = _wave_data_bytes(file)
            return f"{present} bytes of sound, {claimed} in its header" if claimed > present else ""
        if head[:4] == b"OggS":
            return "" if _ogg_ends(file) else "its last page is missing"
    return ""


def frames_of(start_s: float, end_s: float, *, frames: int, rate_hz: int) -> tuple[int, int] | None:
    """First and last frame (exclusive) of a stretch; None if it is not in the file. `end_s` 0: its end."""
    length_s = frames / rate_hz
    if not (0 <= start_s < length_s) or not (end_s == 0 or start_s < end_s <= length_s + END_SLACK_S):
        return None
    return round(start_s * rate_hz), min(round(end_s * rate_hz), frames) if end_s else frames


def reason(error: Exception) -> str:
    """The error message of libsndfile or of the system."""
    text = str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error)
    if text.startswith(NO_FORMAT):
        return "its format is not recognised"
    return text.removeprefix("Error : ").rstrip(".")


def _mono(samples: Samples, channel: Channel) -> Samples:
    """[frame, channel] to [frame]; a file with one channel has that one only."""
    count = samples.shape[1]
    if count > 1 and channel == "mean":
        return samples.mean(axis=1, dtype=np.float32)
    return np.asarray(samples[:, 1 if count > 1 and channel == "right" else 0], np.float32)


def _check_file(path: str | Path) -> None:
    if not os.path.isfile(path):
        raise _fault(path, "does not exist", got="no such file", expected="an audio file")
    if os.path.getsize(path) == 0:
        raise _fault(path, "is empty", got="0 bytes", expected="an audio file")
    try:
        missing = cut_off(path)
    except OSError as error:
        raise _fault(path, "cannot be read", got=reason(error), expected="a readable file") from error
    if missing:
        raise _fault(path, "is cut off", got=missing, expected="a whole file")


def _stretch(path: str | Path, frames: int, rate_hz: int, start_s: float, end_s: float) -> tuple[int, int]:
    """First and last frame (exclusive) of a stretch that must lie inside the file."""
    if frames == 0:
        raise _fault(path, "has no samples", got="0 frames", expected="at least one")
    found = frames_of(start_s, end_s, frames=frames, rate_hz=rate_hz)
    if found is None:
        raise _fault(
            path,
            "does not contain the stretch",
            got=f"start {start_s} s, end {end_s} s",
            fix=CORRECT_STRETCH,
            expected=f"0 <= start < end <= {frames / rate_hz:.3f} s (end 0: up to the end)",
        )
    if found[0] >= found[1]:
        raise _fault(
            path,
            "has no samples there",
            got=f"start {start_s} s, end {end_s} s",
            expected="at least one frame",
        )
    return found


def _wave_data_bytes(file: BinaryIO) -> tuple[int, int]:
    """Bytes that the `data` chunk of a RIFF WAVE file claims, and bytes that follow; the file is read from
    behind its head.
    """
    size = os.fstat(file.fileno()).st_size
    while len(chunk := file.read(8)) == 8:
        claimed = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"data":
            return (0 if claimed >= STREAMED else claimed), size - file.tell()
        file.seek(claimed + claimed % 2, os.SEEK_CUR)  # chunks are padded to even length
    return 0, 0


def _ogg_ends(file: BinaryIO) -> bool:
    """Whether the last page is whole and says that it is the last (RFC 3533, section 6)."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - OGG_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])


def _fault(
    path: str | Path,
    what: str,
    *,
    got: str,
    expected: str,
    fix: str = "replace the file, or take it out of the corpus",
) -> Fault:
    return Fault("audio", f"{path} {what}", got=got, expected=expected, fix=fix)
