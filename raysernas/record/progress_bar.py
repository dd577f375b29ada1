"""A progress bar for work on many files: on stderr, only on a terminal, and removed when the work is done.

It writes to a copy of the file descriptor, because decoders are kept from writing to the original.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(title: str, console: Console | None = None) -> Iterator[Callable[[int, int], object]]:
    """A function to call with (files done, files in all); its first call shows the bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as held:
        if console is None:
            console = Console(file=held.enter_context(_copy()) if sys.stderr.isatty() else None, stderr=True)
        bar = held.enter_context(
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        )
        task = bar.add_task(title, total=None, visible=False)
        yield lambda done, of: bar.update(task, completed=done, total=of, visible=of > 0)


def _copy() -> TextIO:
    return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding)
