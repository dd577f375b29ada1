"""The tables of studies that have run: the same as `raysernas.launch` prints at their end.

    python -m analysis RESULTS [RESULTS ...]

Comes in: study folders, finished or not. Goes out: text. Reads configurations and ledgers only; knows neither torch nor Ray.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from raysernas.config import Fault
from raysernas.record import storage
from raysernas.record.printing import PLAIN_WIDTH, print_tables


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every table is printed; 2: a folder is not a study's, or a file of it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description="Print the result tables of studies.")
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="a study's folder or URI, such as results/laptop")
    roots: list[str] = parser.parse_args(arguments).results
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    try:
        for root in roots:
            if len(roots) > 1:
                console.rule(root, align="left")
            print_tables(storage.place(root), console)
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
