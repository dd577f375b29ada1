"""Writing that cannot tear: a file appears whole under its name, or not at all."""

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from raysernas.config import Fault


class StorageFault(Fault):
    """A folder that cannot be written: nobody's result is wrong, there is only no room for it."""


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write a temporary file beside `path`, make it durable, then give it its name.

    Raises:
        Fault: when the folder cannot be written or the disk is full; nothing is left under either name.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(part)
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    except OSError as error:
        raise StorageFault(
            "storage", f"cannot write {path}", got=error.strerror or str(error), expected="a writable folder with free space",
            do="make room there or set study.storage to another folder, then run the same command again",
        ) from error  # fmt: skip
    finally:
        with suppress(OSError):  # a folder that refuses the file refuses its removal too; the fault above says why
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write(path, lambda part: part.write_text(text, encoding="utf-8"))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
