"""The command line of the corpora: what a folder holds, and a first study of it.

    python -m raysernas.corpora check NAME ROOT [--json] [--label LABEL] [--channel CHANNEL]
    python -m raysernas.corpora study NAME ROOT > my.yaml

In: the name of a corpus and where it lies. Out: a report, or the YAML of a study. Nothing is written.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args, get_type_hints

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.check import first_study
from raysernas.corpora.check.printing import as_json, print_report
from raysernas.corpora.check.report import CorpusReport, check
from raysernas.record.progress_bar import progress_bar
from raysernas.record.terminal import console, lenient_streams, print_error

NAMES = [name for name in get_args(get_type_hints(CorpusConfig)["name"]) if name != "synthetic"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: nothing is wrong; 1: something is; 2: no such corpus; 130: interrupted."""
    with lenient_streams():
        parsed = _parse(arguments)
        try:
            config = CorpusConfig(
                name=parsed.name, root=parsed.root, label=parsed.label, channel=parsed.channel
            )
            return parsed.run(config, parsed)
        except Fault as fault:
            print_error(fault)
            return 2
        except KeyboardInterrupt:
            print_error("\nstopped")
            return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m raysernas.corpora", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="check|study")
    look = commands.add_parser(
        "check", help="what the folder of a corpus holds, and whether it is as it should be"
    )
    look.add_argument("--json", action="store_true", help="print everything as one JSON document")
    look.set_defaults(run=_check)
    study = commands.add_parser("study", help="a first study of the corpus, as a commented YAML file")
    study.set_defaults(run=_study)
    for command in (look, study):
        command.add_argument("name", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
        command.add_argument("root", metavar="ROOT", help="its folder, or the table of a manifest")
        for key, told in {"label": "which label to read", "channel": "which channel to use"}.items():
            words = get_args(get_type_hints(CorpusConfig)[key])
            command.add_argument(f"--{key}", choices=words, default=words[0], help=told)
    return parser.parse_args(arguments)


def _report(config: CorpusConfig) -> CorpusReport:
    with progress_bar("looking at the audio files") as progress:
        return check(config, progress)


def _study(config: CorpusConfig, parsed: argparse.Namespace) -> int:
    root = os.path.abspath(config.root) if "://" not in config.root else config.root
    print(first_study.as_yaml(_report(replace(config, root=root))), end="", flush=True)
    return 0


def _check(config: CorpusConfig, parsed: argparse.Namespace) -> int:
    report = _report(config)
    if parsed.json:
        print(as_json(report), flush=True)
    else:
        print_report(report, console())
    return 0 if report.fits else 1


if __name__ == "__main__":
    sys.exit(main())
