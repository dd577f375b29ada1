"""The results of studies, finished or still running: words and tables here, a report for the browser, files.

    python -m analysis RESULTS [RESULTS ...] [--out PATH] [--tables FOLDER] [--figures FOLDER]
                       [--mixed] [--watch]

In: folders or URIs of studies, finished or not. Out: text, and RESULTS/report.html (of several studies:
beside them). Reads configurations, ledgers and the files of trials; needs neither torch nor Ray.
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
from raysernas.record.printing import print_tables
from raysernas.record.terminal import console as standard_output
from raysernas.record.terminal import lenient_streams, print_error

REFRESH_S = 10  # between two reloads of a page that is being watched


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything is printed and written; 2: a folder holds no study, or a file cannot be read or
    written.
    """
    with lenient_streams():
        options = _options(arguments)
        console = standard_output()
        try:
            roots = [storage.place(root) for root in options.results]
            if options.watch:
                watching.watch(roots, lambda: _once(roots, options, console, REFRESH_S), print_error)
            _once(roots, options, console)  # after watching: a page that no longer reloads
        except Fault as fault:
            print_error(fault)
            return 2
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    what = "Print the results of studies and write their report."
    parser = argparse.ArgumentParser(prog="python -m analysis", description=what)
    add = parser.add_argument
    add("results", nargs="+", metavar="RESULTS", help="folder or URI of a study, such as results/laptop")
    add("--out", metavar="PATH", help="the report (default: report.html in RESULTS; of several: beside them)")
    add("--tables", metavar="FOLDER", help="write every table there as CSV, Parquet, Markdown and LaTeX")
    add("--figures", metavar="FOLDER", help="write every figure there as SVG and PNG")
    add("--mixed", action="store_true", help="accept studies of unlike protocols; every table is marked")
    add(
        "--watch", action="store_true", help="write the report again whenever a trial has ended, until Ctrl-C"
    )
    return parser.parse_args(arguments)


def _once(roots: Sequence[Path], options: argparse.Namespace, console: Console, refresh_s: int = 0) -> None:
    """Load, print, write."""
    from analysis.report import build, page  # pandas and the figures, which `--help` does not need
    from analysis.report.sections.protocol import remarks

    results = build.gathered(roots, mixed=options.mixed)
    if refresh_s and console.is_terminal:
        console.clear()
    build.print_answers(results, console)
    for root in roots:
        if len(roots) > 1:
            console.rule(Text(str(root)), align="left")
        print_tables(root, console)
    beside = roots[0] if len(roots) == 1 else roots[0].parent
    path = storage.place(options.out) if options.out else beside / "report.html"
    storage.write_text(path, page.page(results, refresh_s=refresh_s))
    count = len(remarks(results))
    more = f" ({wording.counted(count, 'remark')} on the files in it)" if count else ""
    console.print(f"Report: {path}{more}", markup=False, highlight=False, soft_wrap=True)
    if options.figures:
        build.write_figures(results, storage.place(options.figures))
    if options.tables:
        build.write_tables(results, storage.place(options.tables))


if __name__ == "__main__":
    sys.exit(main())
