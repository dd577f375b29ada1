"""A simulation of 64 GPUs that fail, in discrete events: how busy they are and how many seconds they waste,
with the real queue.

    python -m tests.benchmarks.fleet [failures a GPU-hour] [trials]

Simulated: GPUs, their failures (exponential), their replacement, and how long a trial takes (log-normal, mean
20 min). Real: the queue, its candidates and its ledger. A trial whose GPU fails is run again from its last
checkpoint, or from its beginning without checkpoints. Utilisation: seconds of work that end in a record, of
all GPU-seconds until the last trial ends. Fed: until a GPU first finds no trial, which only the end of a
study makes it. Wasted: seconds of work done twice, and of starting.
"""

import dataclasses
import heapq
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from raysernas.config.files import load
from raysernas.config.identity import digest, settings
from raysernas.fleet import journal
from raysernas.fleet.queue import Queue
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey
from tests.support import records

GPUS, FOLDS, SEEDS = 64, 10, 2
MEAN_S, START_S, REPLACE_S, CHECKPOINT_S = 1200.0, 20.0, 180.0, 60.0


@dataclass(slots=True)
class Simulation:
    """GPUs that work on the trials of a queue."""

    queue: Queue
    files: StudyFiles
    per_hour: float
    checkpoint_s: float  # infinite: none
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    # when, GPU, what, trial, began
    events: list[tuple[float, int, str, TrialKey | None, float]] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    work: dict[TrialKey, float] = field(default_factory=dict)  # seconds that a trial takes
    kept: dict[TrialKey, float] = field(default_factory=dict)  # of these, what its last checkpoint has
    useful: float = 0.0
    wasted: float = 0.0
    failures: int = 0
    ended: int = 0
    fed_until: float = 0.0  # when a GPU first found no trial

    def run(self) -> float:
        """Until nothing is left; the time of the last event."""
        now, self.idle = 0.0, list(range(GPUS))
        self._feed(now)
        while self.events and not self.queue.over():
            now, gpu, what, key, began = heapq.heappop(self.events)
            if what == "up":
                self.idle.append(gpu)
            elif key is not None:
                self._leave(now, gpu, what, key, began)
            self._feed(now)
        return now

    def _feed(self, now: float) -> None:
        while self.idle and (key := self.queue.next()) is not None:
            gpu = self.idle.pop()
            sigma = 0.5
            takes = self.work.setdefault(key, float(self.rng.lognormal(np.log(MEAN_S) - sigma**2 / 2, sigma)))
            end = now + START_S + takes - self.kept.get(key, 0.0)
            fails = now + float(self.rng.exponential(3600 / self.per_hour)) if self.per_hour else np.inf
            heapq.heappush(self.events, (min(end, fails), gpu, "ends" if end <= fails else "fails", key, now))
        if self.idle and not self.fed_until:
            self.fed_until = now

    def _leave(self, now: float, gpu: int, what: str, key: TrialKey, began: float) -> None:
        if what == "ends":
            self._record(key)
            self.useful, self.wasted, self.ended = (
                self.useful + self.work[key],
                self.wasted + START_S,
                self.ended + 1,
            )
            self.idle.append(gpu)
            return
        self.failures += 1
        before = self.kept.get(key, 0.0)
        done = max(0.0, now - began - START_S)
        self.kept[key] = (
            before + done // self.checkpoint_s * self.checkpoint_s if np.isfinite(self.checkpoint_s) else 0.0
        )
        self.wasted += now - began - (self.kept[key] - before)
        self.queue.died(key, "its GPU failed", "lost")
        heapq.heappush(self.events, (now + REPLACE_S, gpu, "up", None, now))

    def _record(self, key: TrialKey) -> None:
        trial = self.queue.trial(key)
        base = records.record(key.arm, key.candidate, key.fold, key.seed)
        ledger.write(
            self.files.trial(key), [dataclasses.replace(base, digest=digest(trial), settings=settings(trial))]
        )
        self.queue.ended(key, "finished")


def main(per_hour: float, trials: int) -> None:
    """Print the table."""
    space = "{retrain.lr: {low: 1e-4, high: 1e-2, log: true}}"
    plan = (
        f"study.candidates={trials // (FOLDS * SEEDS)}",
        f"study.folds={[*range(FOLDS)]}",
        f"study.seeds={[*range(SEEDS)]}",
    )
    wanted = (*plan, f"study.space={space}", "study.sampler=random", "study.resources.max_failures=1000")
    print(
        f"{GPUS} GPUs, {trials} trials of {MEAN_S / 60:.0f} min, replacement {REPLACE_S:.0f} s, start "
        f"{START_S:.0f} s (simulated)"
    )
    print(
        "failures/GPU-h  checkpoints  failures  ended  hours  utilisation  fed share of time  wasted s a "
        "trial  wasted share"
    )
    for rate in (0.0, per_hour):
        for checkpoint_s in (CHECKPOINT_S, np.inf):
            with tempfile.TemporaryDirectory() as folder:
                files, config = StudyFiles(Path(folder)), load(None, ["study.arms=[cnn]", *wanted])
                with journal.opened(files.journal) as held:
                    fleet = Simulation(Queue(config, files, held), files, rate, checkpoint_s)
                    hours = fleet.run() / 3600
            told = "none" if np.isinf(checkpoint_s) else f"{checkpoint_s:.0f} s"
            spent = fleet.useful + fleet.wasted
            print(
                f"{rate:14.2f}  {told:>11}  {fleet.failures:8}  {fleet.ended:5}  {hours:5.1f}  "
                f"{fleet.useful / (GPUS * hours * 3600):11.3f}  "
                f"{min(1.0, fleet.fed_until / (hours * 3600)):17.3f}  "
                f"{fleet.wasted / fleet.ended:16.0f}  {fleet.wasted / spent:12.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.5, int(sys.argv[2]) if len(sys.argv) > 2 else 2000)
