"""A checksum inside a file, by which damage is found whatever the format of the file is.

The seal is `raysernas-sha256:` and 64 hexadecimal digits: the SHA-256 of the whole file with zeros in the
place of these digits. It stands where the format leaves room: behind the end of a PyTorch file, in the
metadata of a Parquet or Arrow file, in a value of JSON. If a file has several, the last one counts. A file
without a seal was written by an earlier version and counts as sound; a flipped bit inside the seal itself
harms nothing else.
"""

import hashlib
import mmap
from pathlib import Path
from typing import BinaryIO

from raysernas.config.fault import Fault

PREFIX = b"raysernas-sha256:"
BLANK = PREFIX + b"0" * 64

Content = bytes | mmap.mmap


class DamagedFault(Fault):
    """A file that is not as it was written."""

    def __init__(self, path: Path, fix: str = "put back a sound copy, or delete it and run the trial again"):
        super().__init__(
            "seal",
            f"{path} is damaged",
            got="another checksum than the file was sealed with",
            expected="the file as it was written",
            fix=fix,
        )


def seal(content: bytes) -> bytes:
    """The same content with its BLANK filled in.

    Raises:
        ValueError: for content without a BLANK.
    """
    start = _blank(content)
    return content[:start] + _digest(content, start) + content[start + 64 :]


def seal_file(path: Path) -> None:
    """Fill in the BLANK of a local file.

    Raises:
        ValueError: for a file without a BLANK.
    """
    with path.open("r+b") as file:
        with _mapped(file) as content:
            start = _blank(content)
            digest = _digest(content, start)
        file.seek(start)
        file.write(digest)


def is_sound(content: Content) -> bool:
    """Whether content is as it was when it was sealed, or has no seal."""
    at = content.rfind(PREFIX)
    if at < 0:
        return True
    start = at + len(PREFIX)
    return content[start : start + 64] == _digest(content, start)


def is_sound_file(path: Path) -> bool:
    """`is_sound` of a local file, without reading it into memory.

    Raises:
        OSError: for a file that cannot be read.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            return True  # an empty file cannot be mapped
        with _mapped(file) as content:
            return is_sound(content)


def checksum(content: bytes) -> str:
    """The SHA-256 of content, for a file that is vouched for elsewhere."""
    return hashlib.sha256(content).hexdigest()


def _mapped(file: BinaryIO) -> mmap.mmap:
    """Read-only and private: not every file system can share pages."""
    return mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)


def _blank(content: Content) -> int:
    """Where the digits of a blank seal begin."""
    if (at := content.rfind(BLANK)) < 0:
        raise ValueError("content without a blank seal")
    return at + len(PREFIX)


def _digest(content: Content, start: int) -> bytes:
    """Of the content, with zeros for the 64 digits at `start`."""
    found = hashlib.sha256()
    with memoryview(content) as view:
        found.update(view[:start])
        found.update(b"0" * 64)
        found.update(view[start + 64 :])
    return found.hexdigest().encode()
