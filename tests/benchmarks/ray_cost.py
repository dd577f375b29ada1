"""What Ray and the harness cost: 300 trials that train nothing, and small ones that do. To be run on a quiet
machine.

    python -m tests.benchmarks.ray_cost [noop] [overhead] [pair]

`noop`: 300 trials through the real runner on real Ray with a trainable that writes a made-up record: wall
time, driver's CPU time and driver's memory for each, fifty by fifty. `overhead`: the time from one record to
the next, one trial at once, minus the seconds that a trial itself has recorded: starting, data, reporting
(the first one also loads torch). `pair`: trials of one thread, one at once and two at once. The aims:
constant time and at most 20 KB a trial, under 5 s + 2 % a trial, 1.8 times the throughput.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from raysernas.config.files import load
from raysernas.fleet import plan, runner
from raysernas.fleet.progress import Display
from raysernas.record import ledger
from tests.benchmarks.driver import resident_kb
from tests.support import noop

SHOWN = 50
SYNTHETIC = (
    "corpus.name=synthetic",
    "corpus.folds=speaker",
    "corpus.synthetic_speakers=4",
    "compute.device=cpu",
)
NOOP = (
    "study.arms=[cnn]",
    "study.candidates=15",
    "study.folds=[0,1,2,3]",
    "study.seeds=[0,1,2,3,4]",
    "study.space={retrain.lr: {low: 1e-3, high: 1e-2}}",
    "study.sampler=random",
    "corpus.synthetic_takes=2",
)
SMALL = (
    "study.arms=[darts]",
    "study.folds=[0,1]",
    "study.seeds=[0,1]",
    "corpus.synthetic_takes=4",
    "compute.threads=1",
    "search.epochs=8",
    "retrain.epochs=20",
)
# seconds that a record has of its trial
SPENT = ("features_s", "search_s", "checks_s", "retrain_s", "test_s")


class Meter(Display):
    """A display that shows nothing and notes wall time, CPU time and memory of this process whenever a trial
    starts or ends.
    """

    def __init__(self) -> None:
        with open(os.devnull, "w") as nowhere:
            super().__init__(Console(file=nowhere), slots=1)
        self.starts: list[float] = []
        self.ends: list[tuple[float, float, int]] = []

    def start(self, name: str, arm: str) -> None:
        """A trial runs."""
        self.starts.append(time.perf_counter())

    def end(self, name: str, arm: str, *, valid_ua: float, reason: str = "") -> None:
        """A trial has ended."""
        assert not reason, reason
        self.ends.append((time.perf_counter(), time.process_time(), resident_kb()))


def ran(folder: str, *settings: str) -> tuple[Meter, plan.StudyPlan]:
    """A study."""
    resolved = plan.resolve(load(None, [*SYNTHETIC, *settings, f"study.storage={folder}"]))
    meter = Meter()
    runner.run(resolved, meter)
    return meter, resolved


def cost_of_nothing(folder: str) -> None:
    """300 trials that train nothing."""
    kept, runner.trainable = runner.trainable, noop.trainable
    try:
        meter, _ = ran(folder, "study.name=noop", "study.resources.cpus=2", *NOOP)
    finally:
        runner.trainable = kept
    print("trials  wall ms a trial  driver CPU ms a trial  driver MB")
    table = np.array(meter.ends)
    for last in range(SHOWN, len(table) + 1, SHOWN):
        first, end = table[max(0, last - SHOWN - 1)], table[last - 1]
        each = 1000 / (SHOWN if last > SHOWN else SHOWN - 1)
        print(
            f"{last:6}  {(end[0] - first[0]) * each:15.0f}  {(end[1] - first[1]) * each:21.1f}  "
            f"{end[2] / 1024:9.1f}"
        )
    later = table[SHOWN:]
    print(
        f"memory: {np.polyfit(np.arange(len(later)), later[:, 2], 1)[0]:.1f} KB a trial, by a line through "
        f"the last {len(later)}"
    )


def overhead(folder: str) -> None:
    """What a trial costs besides its own seconds."""
    meter, resolved = ran(folder, "study.name=overhead", "study.resources.cpus=1", *SMALL)
    rows = ledger.table(resolved.files)
    spent = float(rows[list(SPENT)].to_numpy().sum()) / len(rows)
    gaps = np.diff([end[0] for end in meter.ends])
    first = meter.ends[0][0] - meter.starts[0]
    print(
        f"a trial spends {spent:.1f} s; from record to record {gaps.mean():.1f} s; the first one takes "
        f"{first:.1f} s from its start"
    )
    print(f"overhead: {gaps.mean() - spent:.2f} s a trial; aim: under {5 + 0.02 * spent:.2f} s")


def pair(folder: str) -> None:
    """One at once, and two."""
    rates = []
    for cpus in (1, 2):
        meter, _ = ran(
            folder,
            f"study.name=at-once-{cpus}",
            f"study.resources.cpus={cpus}",
            *SMALL,
            "study.seeds=[0,1,2,3]",
        )
        # after the first of each process, which loads torch
        seconds = meter.ends[-1][0] - meter.ends[cpus - 1][0]
        rates.append((len(meter.ends) - cpus) / seconds)
        print(f"{cpus} at once: {len(meter.ends) - cpus} trials in {seconds:.1f} s")
    print(f"two at once do {rates[1] / rates[0]:.2f} times as much as one; aim: 1.8")


def main(parts: list[str]) -> None:
    """Run the named parts, or all of them."""
    with tempfile.TemporaryDirectory(prefix="cost-") as folder:
        for name, part in (("noop", cost_of_nothing), ("overhead", overhead), ("pair", pair)):
            if name in parts or not parts:
                print(f"--- {name}", flush=True)
                part(str(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
