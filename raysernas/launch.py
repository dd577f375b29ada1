"""The door: one command runs a whole study, and the same command continues it.

    python -m raysernas.launch [CONFIG] [key=value ...] [--dry-run | --clear-cache | --compact]

Comes in: a configuration (`laptop` if none is named) and overrides. Goes out: the study's folder and its
result table.
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysernas.config.fault import Fault
from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config
from raysernas.fleet import lock, runner
from raysernas.fleet import plan as planning
from raysernas.fleet.plan import Plan
from raysernas.fleet.progress import Display, duration
from raysernas.record import ledger, storage
from raysernas.record.counting import counted
from raysernas.record.files import StudyFiles, cache_folder, need_config, study_files
from raysernas.record.printing import PLAIN_WIDTH, print_tables

if TYPE_CHECKING:
    from raysernas.estimate import Rehearsal

DEFAULT = "laptop"


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything asked for has finished; 1: a trial failed; 2: a mistake to mend; 130 or 143: stopped by a
    signal.
    """
    try:
        parsed = _parse(arguments)
        config = load(_name(parsed.words), [word for word in parsed.words if "=" in word])
        if parsed.clear_cache:
            return _clear(config)
        if parsed.compact:
            return _compact(config)
        if parsed.dry_run:
            return _launch(config, None)
        with lock.held(study_files(config)) as hold:
            ledger.compact_many(study_files(config))
            return _launch(config, hold)
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("\nstopped; the same command continues this study", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, runner.Stopped) else signal.SIGINT)


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
        help=f"a YAML file or a shipped study (default {DEFAULT})",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--dry-run", action="store_true", help="print the plan and the expected time; write nothing"
    )
    instead.add_argument(
        "--clear-cache",
        action="store_true",
        help="delete the features kept in study.storage, and run nothing",
    )
    instead.add_argument(
        "--compact", action="store_true", help="put the records of the study into one file, and run nothing"
    )
    return parser.parse_intermixed_args(arguments)


def _name(words: Sequence[str]) -> str:
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise Fault(
            "launch",
            "more than one CONFIG",
            got=" ".join(names),
            expected="one, and key=value",
            fix="launch them one by one",
        )
    return next(iter(names), DEFAULT)


def _clear(config: Config) -> int:
    from raysernas.features import cache

    folder = cache_folder(config)
    print(f"{cache.clear(folder) / 1e6:,.1f} MB freed in {folder}")
    return 0


def _compact(config: Config) -> int:
    files = study_files(config)
    need_config(files)
    with lock.held(files):
        print(f"{ledger.compact(files)} files of single trials put together in {files.trials}")
    for remark in ledger.remarks(files):
        print(remark)
    return 0


def _launch(config: Config, hold: lock.Hold | None) -> int:
    """Run a study that is held; without a hold only say what would run."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    with counted("looking at the audio files") as report:
        plan = planning.resolve(config, dry=hold is None, report=report)
    _print_pairs(console, planning.header(plan))
    if hold is None:
        _rehearse(plan, console)
        return 0
    runner.run(plan, Display(console, slots=plan.slots), hold.check)
    root = plan.files.root
    failed = print_tables(root, console)
    commands = {
        "results": str(root),
        "curves": _curves(plan.files),
        "tables": f"python -m analysis {shlex.quote(str(root))}",
    }
    for label, text in commands.items():  # never wrapped, so that they can be copied
        console.print(f"{label:<9}  {text}", soft_wrap=True, markup=False, highlight=False)
    return 1 if failed else 0


def _curves(files: StudyFiles) -> str:
    """The command that shows the curves: TensorBoard reads folders, so a bucket is fetched first."""
    if storage.is_local(files.root):
        return f"tensorboard --logdir {shlex.quote(str(files.tensorboard))}"
    here, place = shlex.quote(f"tensorboard-{files.root.name}"), shlex.quote(str(files.tensorboard))
    fetch = (
        f"gcloud storage rsync -r {place} {here}" if place.startswith("g") else f"aws s3 sync {place} {here}"
    )
    return f"{fetch} && tensorboard --logdir {here}"


def _rehearse(plan: Plan, console: Console) -> None:
    """Time the steps of each arm, and say how long the whole study would take."""
    from raysernas.estimate import rehearse

    study, seconds = plan.config.study, 0.0
    for arm in study.arms:
        fold = study.folds[0]
        told = rehearse(trial_config(plan.config, arm=arm, fold=fold, seed=study.seeds[0]), plan.corpus)
        seconds += told.seconds * plan.left(arm)
        _print_pairs(console, {arm: _told(told, plan.left(arm))})
    slots = max(1, plan.slots)
    _print_pairs(
        console, {"expected": f"{duration(seconds / slots)} for what is not finished; nothing was written"}
    )


def _told(told: "Rehearsal", left: int) -> str:
    steps = {
        "weight step": told.weight_step_s,
        "alpha step": told.alpha_step_s,
        "curvature": told.curvature_s,
    }
    each = [f"{name} {1000 * seconds:.0f} ms" for name, seconds in steps.items() if seconds]
    each += [
        f"retrain step {1000 * told.retrain_step_s:.0f} ms",
        f"a trial {duration(told.seconds)}",
        f"{left} trials to run",
    ]
    return ", ".join(each)


def _print_pairs(console: Console, pairs: dict[str, str]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", min_width=9, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in pairs.items():
        grid.add_row(label, Text(text))  # a path may hold what rich takes for markup
    console.print(grid, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
