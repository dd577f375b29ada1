"""A bar for work on many files: on a terminal, on stderr, gone when the work is done; anywhere else
nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int], object]  # files done, files in all


@contextmanager
def counted(what: str, console: Console | None = None) -> Iterator[Report]:
    """A function to be called with how much is done, and of how much; the bar appears with its first call."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, of: bar.update(task, completed=done, total=of, visible=of > 0)
