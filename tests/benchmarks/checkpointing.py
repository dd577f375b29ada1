"""What checkpoints cost a training: the ratio of one with a checkpoint every second to one without.

    python -m tests.benchmarks.checkpointing [THREADS]

A search and a retraining with the default network on the synthetic corpus, the two variants in turn, best of
ROUNDS; seconds of the clock and of the process (which has the writer's). Quote the ratios.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch

from raysernas.arms.members import MEMBERS
from raysernas.config.files import assign
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config
from raysernas.corpora import catalogue
from raysernas.record.files import TrialFiles, TrialKey
from raysernas.record.history import ignore
from raysernas.runtime.checkpointing import NoCheckpoint, OpenCheckpoint, TrialCheckpoints
from raysernas.runtime.determinism import pin
from raysernas.training.data import prepare
from raysernas.trial import resolve

ROUNDS = 3
SETTINGS = {
    "search.epochs": 10,
    "retrain.epochs": 40,
    "corpus.synthetic_speakers": 6,
    "corpus.synthetic_takes": 4,
}


def main() -> None:
    """Print the ratios, and the size of a checkpoint."""
    config = assign(Config(), SETTINGS | {"compute.threads": int(sys.argv[1]) if sys.argv[1:] else 1})
    trial = trial_config(resolve(config, catalogue.read(config.corpus, None)), arm="darts", fold=0, seed=0)
    pin(trial.compute)
    data = prepare(trial, None)
    arm = MEMBERS[trial.arm]
    found = arm.architecture(trial, data, ignore, NoCheckpoint)  # warm
    stages = {
        "search": lambda open_checkpoint: arm.architecture(trial, data, ignore, open_checkpoint),
        "retrain": lambda open_checkpoint: arm.fit(
            trial, data, found.genotype, "0", ignore, open_checkpoint("retrain")
        ),
    }
    for stage, work in stages.items():
        sizes: list[int] = []
        best = {name: (float("inf"), float("inf")) for name in ("without", "every second")}
        for _ in range(ROUNDS):
            for name, (clock, process) in best.items():
                with tempfile.TemporaryDirectory() as folder:
                    files = TrialFiles(Path(folder), TrialKey(arm="darts", candidate=0, fold=0, seed=0))
                    kept = TrialCheckpoints(
                        files, "", torch.device(trial.compute.device), 1.0, lambda: "", lambda: None, print
                    )
                    open_checkpoint: OpenCheckpoint = kept.stage if name == "every second" else NoCheckpoint
                    start = time.perf_counter(), time.process_time()
                    work(open_checkpoint)
                    took = time.perf_counter() - start[0], time.process_time() - start[1]
                    best[name] = min(clock, took[0]), min(process, took[1])
                    kept.close()
                    sizes = [path.stat().st_size for path in files.checkpoints.glob("*.pt")]
        (clock, process), (plain_clock, plain_process) = best["every second"], best["without"]
        print(
            f"{stage}: clock {clock / plain_clock:.3f}, process {process / plain_process:.3f} times of "
            f"{plain_clock:.1f} s without;"
            f" a checkpoint has {sum(sizes) / 1e6:.2f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
