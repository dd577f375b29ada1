"""Keeps a C library from writing to the terminal: libmpg123 prints dozens of lines about a damaged MP3 file.

In: a file that is about to be decoded. Out: nothing; what the library has to say is in the fault of the file.
While MP3 files are decoded, in any number of threads, the process's standard error leads to nowhere.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STDERR = 2  # its file descriptor
LOUD = (".mp3",)  # suffixes of files whose decoder writes to it


class _Silence:
    """Standard error is turned off by the first user and on again by the last.

    Raises:
        OSError: for a process without a standard error.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._kept = -1

    def begin(self) -> None:
        with self._lock:
            if not self._users:
                self._kept = os.dup(STDERR)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, STDERR)
                os.close(nowhere)
            self._users += 1

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                os.dup2(self._kept, STDERR)
                os.close(self._kept)


_silence = _Silence()


@contextmanager
def quiet(path: str | Path) -> Iterator[None]:
    """No C library writes to standard error while this file is decoded."""
    if not str(path).lower().endswith(LOUD):
        yield
        return
    try:
        _silence.begin()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        _silence.end()
