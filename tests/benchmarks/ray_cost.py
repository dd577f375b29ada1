"""What Ray and the harness cost: the driver per trial, a real trial's overhead, and two trials at once against one.

    python -m tests.benchmarks.ray_cost [TRIALS]

1. TRIALS (300) no-op trials through the real queue, proposer and Ray: seconds and resident MB of the driver for each hundred.
2. A study of a few real trials of one thread, one at a time and two at a time: their throughput, and how much longer a trial takes
   than its stages say (start of the process, imports, reading the corpus, reporting, writing).
Quote the slopes and the ratios; the seconds are of this machine.
"""

import sys
import tempfile
import time
from io import StringIO
from typing import Any

from rich.console import Console

from raysernas.config_file import load
from raysernas.fleet import plan as planning
from raysernas.fleet import runner
from raysernas.fleet.progress import Display
from raysernas.record import ledger
from tests.benchmarks.driver import resident_kb

SHOWN = 100
STAGES = ["features_s", "search_s", "checks_s", "retrain_s", "test_s"]
TINY = (
    "laptop", "study.arms=[cnn]", "corpus.synthetic_speakers=4", "corpus.synthetic_takes=2", "corpus.folds=speaker",
    "study.space={retrain.lr: {low: 1e-3, high: 1e-2}}", "study.folds=[0,1]", "retrain.lr=0.002", "compute.threads=1",
)  # fmt: skip


def no_op(config: dict[str, Any]) -> None:
    """In the place of a trial: the record of one that has failed at once."""
    from ray import tune

    from raysernas.config_file import trial_from
    from raysernas.record.files import TrialKey, seen

    trial = trial_from(config)
    key = TrialKey(arm=trial.arm, candidate=config["candidate"], fold=trial.fold, seed=trial.seed)
    ledger.write(seen(config["root"]).trial(key), [ledger.failure(trial, config["study"], key, "it does nothing", "error")])
    tune.report({"status": "failed", "reason": "it does nothing", "valid_ua": float("nan")})


class Counted(Display):
    """Notes when each trial has ended, and how much memory the driver has then."""

    def __init__(self) -> None:
        super().__init__(Console(file=StringIO()), slots=2)
        self.ends: list[tuple[float, int]] = []

    def end(self, name: str, arm: str, *, valid_ua: float, reason: str = "") -> None:
        super().end(name, arm, valid_ua=valid_ua, reason=reason)
        self.ends.append((time.perf_counter(), resident_kb()))


def driver(trials: int) -> None:
    """Print what each hundred no-op trials cost."""
    with tempfile.TemporaryDirectory() as folder:
        plan = planning.resolve(load(TINY[0], [*TINY[1:], f"study.storage={folder}", f"study.candidates={-(-trials // 2)}"]))
        display, real = Counted(), runner.trainable
        runner.trainable = no_op
        try:
            runner.run(plan, display)
        finally:
            runner.trainable = real
    print("trials  ms a trial  resident MB  KB a trial")
    for at in range(SHOWN, len(display.ends), SHOWN):
        (before_s, before_kb), (now_s, now_kb) = display.ends[at - SHOWN], display.ends[at]
        each = 1000 / SHOWN
        print(f"{at:6}  {(now_s - before_s) * each:10.1f}  {now_kb / 1024:11.0f}  {(now_kb - before_kb) / SHOWN:10.1f}", flush=True)


def real(at_once: int) -> float:
    """Seconds between the first end and the last one, a trial, of real trials; prints their overhead."""
    with tempfile.TemporaryDirectory() as folder:
        more = ("study.candidates=6", f"study.resources.cpus={at_once}", "retrain.epochs=60", "corpus.synthetic_takes=8")
        plan = planning.resolve(load(TINY[0], [*TINY[1:], *more, f"study.storage={folder}"]))
        display = Counted()
        start = time.perf_counter()
        runner.run(plan, display)
        whole = time.perf_counter() - start
        rows = ledger.table(plan.files)
    stages = rows[STAGES].sum(axis=1)
    ends = [at for at, _ in display.ends]
    each = (ends[-1] - ends[at_once - 1]) / (len(ends) - at_once)
    print(
        f"{at_once} at once: {len(rows)} trials in {whole:.1f} s, {each:.2f} s a trial between ends, stages {stages.mean():.2f} s; "
        f"overhead of a later trial {at_once * each - stages.mean():.2f} s, of the first {ends[0] - start - stages.max():.1f} s"
    )
    return each


def main(trials: int) -> None:
    """Print all of it."""
    driver(trials)
    print(f"throughput of two at once: {real(1) / real(2):.2f} times that of one")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 300)
