"""The console that results are printed to: the width of the terminal, or a fixed one for pipes and files."""

import sys

from rich.console import Console

PLAIN_WIDTH = 100  # columns where the output is no terminal


def console() -> Console:
    """On the standard output."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
