"""The terminal: what is printed arrives, whatever is in it, whatever it is encoded in, and if nobody listens.

Names of files, labels and messages come from others: a control character in them would move the cursor, set
the title of the window or hide a line, so it is shown as an escape. What the encoding of the output lacks has
a plain form. A reader that is gone (`| head`, a pager that was quit, a full disk) never ends a run.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

PLAIN_WIDTH = 100  # columns where the output is no terminal
PLAIN = str.maketrans({"±": "+-", "²": "^2", "█": "#", "…": "...", "−": "-", "–": "-", "’": "'", "×": "x"})


def printable(text: str, *, keep: str = "\n") -> str:
    """Text of others for a terminal: everything that cannot be printed becomes an escape, such as \\x1b."""
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def console() -> Console:
    """On the standard output."""
    return _SafeConsole(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def print_error(text: object) -> None:
    """On the standard error."""
    print(printable(str(text)), file=sys.stderr, flush=True)


@contextmanager
def lenient_streams(message: str = "") -> Iterator[None]:
    """Inside, no print to the standard output or error raises; `message` is told when the output is lost."""
    before = sys.stdout, sys.stderr
    sys.stderr = cast(TextIO, _LenientStream(sys.stderr))
    sys.stdout = cast(TextIO, _LenientStream(sys.stdout, message))
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class _SafeConsole(Console):
    """Prints control characters of rich and of nobody else."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class _LenientStream:
    """A stream of text that never raises: what cannot be encoded is written plainly, and once it cannot be
    written at all, it goes nowhere, which is told once.
    """

    def __init__(self, stream: TextIO | None, message: str = "") -> None:
        self._stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self.write(text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding))
        except OSError:
            self._lose()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._lose()

    def _lose(self) -> None:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if message := self._message:
            self._message = ""
            print_error(message)
