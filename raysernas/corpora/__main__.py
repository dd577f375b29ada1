"""The command line of the corpora: what a folder holds, and whether a study of it is possible.

    python -m raysernas.corpora check NAME ROOT [--json] [--label intended|perceived]

In: the name of a corpus and where it lies. Out: a report. Nothing is written.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import get_args, get_type_hints

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.check.printing import as_json, print_report
from raysernas.corpora.check.report import check
from raysernas.record.progress_bar import progress_bar
from raysernas.record.terminal import console, lenient_streams, print_error

NAMES = [name for name in get_args(get_type_hints(CorpusConfig)["name"]) if name != "synthetic"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: nothing is wrong; 1: something is; 2: no such corpus; 130: interrupted."""
    with lenient_streams():
        parsed = _parse(arguments)
        config = CorpusConfig(name=parsed.name, root=parsed.root, label=parsed.label)
        try:
            return _check(config, json=parsed.json)
        except Fault as fault:
            print_error(fault)
            return 2
        except KeyboardInterrupt:
            print_error("\nstopped")
            return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m raysernas.corpora", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="check")
    look = commands.add_parser(
        "check", help="what the folder of a corpus holds, and whether it is as it should be"
    )
    look.add_argument("name", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
    look.add_argument("root", metavar="ROOT", help="its folder, or the table of a manifest")
    look.add_argument("--json", action="store_true", help="print everything as one JSON document")
    look.add_argument(
        "--label", choices=["usual", "intended", "perceived"], default="usual", help="which label to read"
    )
    return parser.parse_args(arguments)


def _check(config: CorpusConfig, *, json: bool) -> int:
    with progress_bar("looking at the audio files") as progress:
        report = check(config, progress)
    if json:
        print(as_json(report), flush=True)
    else:
        print_report(report, console())
    return 0 if report.fits else 1


if __name__ == "__main__":
    sys.exit(main())
