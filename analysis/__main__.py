"""The results of studies that have run, or still run: tables here, one report for the browser, tables and
figures as files.

    python -m analysis RESULTS [RESULTS ...] [--out PATH] [--tables FOLDER] [--figures FOLDER] [--mixed]
    [--watch]

Comes in: study folders or places of a bucket, finished or not. Goes out: text, and RESULTS/report.html (of
several studies: beside them). Reads configurations, ledgers and what trials have left; knows neither torch
nor Ray.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from analysis import watching, wording
from raysernas.config.fault import Fault
from raysernas.record import storage
from raysernas.record.counting import counted
from raysernas.record.printing import print_tables
from raysernas.record.terminal import console as standard_output

REFRESH_S = 10  # so often a page that is written anew reads itself again


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything is printed and written; 2: a folder is not a study's, or something cannot be read or
    written.
    """
    asked = _asked(arguments)
    console = standard_output()
    try:
        roots = [storage.place(root) for root in asked.results]
        if not asked.watch:
            _once(roots, asked, console)
            return 0
        watching.watch(
            roots,
            lambda: _once(roots, asked, console, REFRESH_S),
            lambda fault: print(fault, file=sys.stderr),
        )
        _once(roots, asked, console)  # the last one does not refresh itself any more
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m analysis", description="Print the results of studies and write their report."
    )
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="a study's folder or URI, such as results/laptop"
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="the report; otherwise report.html in RESULTS, of several studies beside them",
    )
    parser.add_argument(
        "--tables", metavar="FOLDER", help="write every table there as CSV, Parquet, Markdown and LaTeX"
    )
    parser.add_argument("--figures", metavar="FOLDER", help="write every figure there as SVG and PNG")
    parser.add_argument(
        "--mixed",
        action="store_true",
        help="take studies of unlike protocols into one table; they are marked",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="write the report again whenever a trial has ended; Ctrl-C ends it",
    )
    return parser.parse_args(arguments)


def _once(roots: Sequence[Path], asked: argparse.Namespace, console: Console, refresh_s: int = 0) -> None:
    """Load, print, write."""
    from analysis.report import build  # pandas and the figures, which `--help` does not need

    with counted("Computing tables") as report:
        found = build.findings(roots, report, mixed=asked.mixed)
    if refresh_s and console.is_terminal:
        console.clear()
    build.print_answers(found, console)
    for root in roots:
        if len(roots) > 1:
            console.rule(Text(str(root)), align="left")
        print_tables(root, console)
    page = storage.place(asked.out) if asked.out else _beside(roots) / "report.html"
    storage.write_text(page, build.page(found, refresh_s=refresh_s))
    remarks = (
        f" ({wording.counted(len(found.remarks), 'remark')} on the files in it)" if found.remarks else ""
    )
    console.print(f"Report: {page}{remarks}", markup=False, highlight=False, soft_wrap=True)
    if asked.figures:
        build.write_figures(found, storage.place(asked.figures))
    if asked.tables:
        build.write_tables(found, storage.place(asked.tables))


def _beside(roots: Sequence[Path]) -> Path:
    return roots[0] if len(roots) == 1 else roots[0].parent


if __name__ == "__main__":
    sys.exit(main())
