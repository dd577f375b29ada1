"""What 10,000 trials cost the driver: queue, candidates, journal and ledger, with a fake fleet (no Ray, no
training).

    python -m tests.benchmarks.driver [sampler] [trials]

Prints for each thousand trials the CPU time of the queue and of the record that a trial would write, and the
resident memory; then the time that a relaunch takes to plan. The aims: at most 20 KB a trial, a constant time
a trial, a relaunch in under 5 s.
"""

import dataclasses
import sys
import tempfile
import time
from pathlib import Path

from raysernas.config.files import load
from raysernas.config.identity import digest, settings
from raysernas.config.schema import Config
from raysernas.fleet import journal
from raysernas.fleet.queue import Queue
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey
from tests.support import records

FOLDS, SEEDS, SHOWN = 10, 2, 1000
SPACE = "{retrain.lr: {low: 1e-4, high: 1e-2, log: true}, retrain.batch: {low: 8, high: 64}}"


def study(sampler: str, trials: int) -> Config:
    """One arm, 10 folds, 2 seeds."""
    plan = (
        f"study.candidates={trials // (FOLDS * SEEDS)}",
        f"study.folds={[*range(FOLDS)]}",
        f"study.seeds={[*range(SEEDS)]}",
    )
    return load(None, ["study.arms=[cnn]", f"study.sampler={sampler}", f"study.space={SPACE}", *plan])


def resident_kb() -> int:
    """Of this process."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1])


def fake(files: StudyFiles, queue: Queue, key: TrialKey) -> None:
    """A fleet that needs no time: the record of a trial with a score that its settings decide."""
    trial = queue.trial(key)
    hits = (int(1e4 * trial.retrain.lr) + key.fold + key.seed) % 11
    base = records.record(key.arm, key.candidate, key.fold, key.seed, valid=(hits, 5, 5))
    ledger.write(
        files.trial(key), [dataclasses.replace(base, digest=digest(trial), settings=settings(trial))]
    )


def main(sampler: str, trials: int) -> None:
    """Print the table."""
    config = study(sampler, trials)
    with tempfile.TemporaryDirectory() as folder:
        files = StudyFiles(Path(folder))
        with journal.opened(files.journal) as held:
            queue, began = Queue(config, files, held), resident_kb()
            print(
                f"sampler {sampler}\ntrials  queue ms a trial  record ms a trial  resident MB  KB a trial so "
                "far"
            )
            asked = written = 0.0
            for number in range(1, trials + 1):
                start = time.process_time()
                key = queue.next()
                assert key is not None
                middle = time.process_time()
                fake(files, queue, key)
                end = time.process_time()
                queue.ended(key, "finished")
                queue.left()
                asked, written = asked + middle - start + time.process_time() - end, written + end - middle
                if number % SHOWN == 0:
                    now, each = resident_kb(), 1000 / SHOWN
                    told = f"{number:6}  {asked * each:16.2f}  {written * each:17.2f}"
                    print(f"{told}  {now / 1024:11.0f}  {(now - began) / number:17.1f}", flush=True)
                    asked = written = 0.0
            assert queue.over()
        start = time.perf_counter()
        with journal.opened(files.journal) as held:
            queue = Queue(config, files, held)
        seconds, left = time.perf_counter() - start, sum(queue.left().values())
        print(f"a relaunch knows {queue.done()} ended trials after {seconds:.1f} s; {left} are left")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "random", int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
