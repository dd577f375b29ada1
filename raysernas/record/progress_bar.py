"""A progress bar for work on many files: on stderr, only on a terminal, and removed when the work is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(title: str, console: Console | None = None) -> Iterator[Callable[[int, int], object]]:
    """A function to call with (files done, files in all); its first call shows the bar."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, visible=False)
        yield lambda done, of: bar.update(task, completed=done, total=of, visible=of > 0)
