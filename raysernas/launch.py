"""The door: one command runs a whole study, and the same command continues it.

    python -m raysernas.launch [CONFIG | --resume FOLDER] [key=value ...]
                               [--dry-run | --clear-cache | --compact]
    python -m raysernas.launch --settings [SECTION] | --version

In: a configuration (`laptop` if none is named) and overrides. Out: the study's folder and its result tables.
What a command needs is imported when it runs: `--help` and `--settings` answer at once, and a signal is
answered from the first moment.
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from raysernas.config.fault import Fault
from raysernas.runtime import interrupts
from raysernas.runtime.interrupts import Interrupts

if TYPE_CHECKING:
    from rich.console import Console

    from raysernas.config.schema import Config
    from raysernas.estimate import Estimate
    from raysernas.fleet.plan import StudyPlan
    from raysernas.record.files import StudyFiles
    from raysernas.record.lock import Hold

DEFAULT = "laptop"


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all has finished; 1: a trial failed; 2: a mistake of the user; 130, 143 or 129: stopped by SIGINT,
    SIGTERM or SIGHUP.
    """
    with Interrupts() as stops:
        try:
            return _run(_parse(arguments), stops)
        except (KeyboardInterrupt, OSError) as error:
            if isinstance(error, OSError) and not stops.number:
                raise  # else the signal came with the end of the terminal
            interrupts.say(interrupts.CONTINUES)
            return 128 + (stops.number or signal.SIGINT)


def _run(parsed: argparse.Namespace, stops: Interrupts) -> int:
    from raysernas.record.terminal import lenient_streams, print_error

    with lenient_streams("nobody reads the output any more; the study goes on without it"):
        try:
            if parsed.version:
                return _print_version()
            if parsed.settings is not None:
                return _print_settings(parsed.settings)
            return _study(parsed, stops)
        except Fault as fault:
            print_error(fault)
            return 2


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m raysernas.launch",
        description="Run a study; the same command continues it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="CONFIG | key=value",
        help=f"a YAML file or a shipped study (default {DEFAULT}), and settings",
    )
    resume = "continue the study in this folder or bucket, where it lies"
    parser.add_argument("--resume", metavar="FOLDER", help=resume)
    instead = parser.add_mutually_exclusive_group()
    flags = {
        "--dry-run": "print the plan and the expected time, and write nothing",
        "--clear-cache": "delete the features kept in study.storage, and run nothing",
        "--compact": "put the records of the study into one file, and run nothing",
        "--version": "print the version, and run nothing",
    }
    for flag, text in flags.items():
        instead.add_argument(flag, action="store_true", help=text)
    table = "print all settings, or those that begin with SECTION, such as search; run nothing"
    instead.add_argument("--settings", nargs="?", const="", metavar="SECTION", help=table)
    return parser.parse_intermixed_args(arguments)


def _print_version() -> int:
    from raysernas.record.provenance import package_version

    print(f"raysernas {package_version('raysernas') or 'not installed'}")
    return 0


def _print_settings(prefix: str) -> int:
    """A row for each setting: its key, default, allowed values and meaning."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from raysernas.config.identity import flatten
    from raysernas.config.schema import Config
    from raysernas.config.setting import declared
    from raysernas.record.terminal import console

    settings, defaults = declared(Config), flatten(Config())
    shown = {key: setting for key, setting in settings.items() if key.startswith(prefix)}
    if not shown:
        what, expected = f"no setting begins with {prefix!r}", "a section such as search, or a key"
        raise Fault("launch", what, got=prefix, expected=expected, fix="leave it out to see all settings")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("key", style="bold", no_wrap=True)
    for heading in ("default", "allowed", "meaning"):
        table.add_column(heading, overflow="fold")
    for key, setting in shown.items():
        condition = f"; only with {'='.join(setting.only_if)}" if setting.only_if else ""
        texts = (_yaml(defaults[key]), setting.allowed, f"{setting.meaning}{condition}")
        table.add_row(key, *map(Text, texts))
    console().print(table)
    return 0


def _yaml(value: object) -> str:
    """As it is written on the command line."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value) or "''"


def _study(parsed: argparse.Namespace, stops: Interrupts) -> int:
    from raysernas.record import ledger, leftovers, lock, storage
    from raysernas.record.files import configuration, continued, study_files

    names, overrides = _words(parsed.words)
    if parsed.resume and names:
        fix = "leave one of the two out"
        raise Fault("launch", "CONFIG and --resume", got=names[0], expected="one of them", fix=fix)
    if parsed.resume:
        config = continued(storage.place(parsed.resume), overrides)
    else:
        config = configuration(next(iter(names), DEFAULT), overrides)
    if parsed.clear_cache:
        return _clear(config)
    if parsed.compact:
        return _compact(config)
    if parsed.dry_run:
        return _launch(config, None, stops)
    if sys.flags.optimize > 1:
        what, fix = "Python was started without docstrings, and Ray needs them", "unset PYTHONOPTIMIZE"
        expected = "PYTHONOPTIMIZE=1 at most, and no -OO"
        raise Fault("launch", what, got=f"{sys.flags.optimize}", expected=expected, fix=fix)
    with lock.held(study_files(config)) as hold:
        ledger.compact_many(study_files(config))
        leftovers.clean(study_files(config))
        return _launch(config, hold, stops)


def _words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """At most one CONFIG, and the settings."""
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        got, fix = " ".join(names), "launch them one by one"
        raise Fault("launch", "more than one CONFIG", got=got, expected="one, and key=value", fix=fix)
    return names, [word for word in words if "=" in word]


def _clear(config: "Config") -> int:
    from raysernas.features import cache
    from raysernas.record.files import cache_folder

    folder = cache_folder(config)
    print(f"{cache.clear(folder) / 1e6:,.1f} MB freed in {folder}")
    return 0


def _compact(config: "Config") -> int:
    from raysernas.record import ledger, lock
    from raysernas.record.files import need_config, study_files
    from raysernas.record.terminal import printable

    files = study_files(config)
    need_config(files)
    with lock.held(files):
        print(f"{ledger.compact(files)} files of single trials merged into {files.trials}")
    for remark in ledger.remarks(files):
        print(printable(remark))
    return 0


def _launch(config: "Config", hold: "Hold | None", stops: Interrupts) -> int:
    """Run a study whose lock is held; without the lock only say what would run."""
    from raysernas.fleet import plan as planning
    from raysernas.fleet import runner
    from raysernas.fleet.progress import Display
    from raysernas.record.printing import print_tables
    from raysernas.record.progress_bar import progress_bar
    from raysernas.record.terminal import console as standard_output

    console = standard_output()
    with progress_bar("looking at the audio files") as report:
        plan = planning.resolve(config, dry=hold is None, report=report)
    _print_pairs(console, planning.header(plan))
    if hold is None:
        _print_estimate(plan, console)
        return 0
    runner.run(plan, Display(console, slots=plan.slots), hold.check, stops)
    root = plan.files.root
    failed = print_tables(root, console)
    commands = {
        "results": str(root),
        "curves": _curves(plan.files),
        # without -P and `raysernas`, Python would run a random.py or an analysis.py of the current folder
        "tables": f"python -P -m raysernas analysis {shlex.quote(str(root))}",
    }
    for label, text in commands.items():  # never wrapped, so that they can be copied
        console.print(f"{label:<9}  {text}", soft_wrap=True, markup=False, highlight=False)
    return 1 if failed else 0


def _curves(files: "StudyFiles") -> str:
    """The command that shows the curves: TensorBoard reads folders, so a bucket is fetched first."""
    from raysernas.record import storage

    place = shlex.quote(str(files.tensorboard))
    if storage.is_local(files.root):
        return f"tensorboard --logdir {place}"
    here = shlex.quote(f"tensorboard-{files.root.name}")
    fetch = "gcloud storage rsync -r" if place.startswith("g") else "aws s3 sync"
    return f"{fetch} {place} {here} && tensorboard --logdir {here}"


def _print_estimate(plan: "StudyPlan", console: "Console") -> None:
    """Time the steps of each arm, and say how long the whole study would take."""
    from raysernas.config.front_ends import layer_names
    from raysernas.config.identity import trial_config
    from raysernas.estimate import estimate
    from raysernas.features import loading
    from raysernas.fleet.progress import duration
    from raysernas.record.files import cache_folder

    study, seconds = plan.config.study, 0.0
    if layer_names(plan.config.features):  # frames of a map cost little
        frames = loading.expected(plan.corpus, plan.config.features, cache_folder(plan.config))
        size = f"{frames.size / 1e6:,.0f} MB of frames to compute, {duration(frames.seconds)}"
        _print_pairs(console, {"features": size if frames.size else "all frames are in the cache"})
        seconds = frames.seconds * max(1, plan.slots)
    for arm in study.arms:
        trial = trial_config(plan.config, arm=arm, fold=study.folds[0], seed=study.seeds[0])
        expected, left = estimate(trial, plan.corpus), plan.left(arm)
        seconds += expected.seconds * left
        trials = f"a trial {duration(expected.seconds)}, {left} trials to run"
        _print_pairs(console, {arm: ", ".join([*_steps(expected), trials])})
    whole = f"{duration(seconds / max(1, plan.slots))} for what is not finished; nothing was written"
    _print_pairs(console, {"expected": whole})


def _steps(expected: "Estimate") -> list[str]:
    steps = {
        "weight step": expected.search.weight_step_s,
        "alpha step": expected.search.alpha_step_s,
        "curvature": expected.search.curvature_s,
        "retrain step": expected.training.step_s,
    }
    return [f"{name} {1000 * seconds:.0f} ms" for name, seconds in steps.items() if seconds]


def _print_pairs(console: "Console", pairs: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from raysernas.record.terminal import printable

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", min_width=9, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in pairs.items():
        grid.add_row(label, Text(printable(text)))  # a path may contain what rich takes for markup
    console.print(grid, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
