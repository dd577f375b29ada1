"""Real TensorBoard runs of every fate on the synthetic corpus: finished, stopped and resumed, failed, raced,
killed for good.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from raysernas import trial as trial_room
from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config, TrialConfig
from raysernas.corpora import catalogue
from raysernas.fleet import journal
from raysernas.fleet.queue import Queue
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey
from raysernas.tensorboard import finalize

SETTINGS = (
    "study.name=small",
    "corpus.synthetic_speakers=5",
    "corpus.synthetic_takes=3",
    "corpus.folds=speaker",
    "study.folds=[0]",
    "features.window_s=0.6",
    "features.bands=16",
    "network.nodes=2",
    "network.channels=2",
    "network.hidden=4",
    "search.epochs=6",
    "search.batch=4",
    "search.alphas_lr=0.05",
    "retrain.epochs=6",
    "retrain.batch=8",
    "retrain.seeds=[0,1]",
    "study.resources.pictures_every=2",
    "study.resources.max_failures=0",
    "study.resources.checkpoint_s=0.02",
    "study.candidates=2",
    "study.space={search.alphas_lr: {low: 0.01, high: 0.1, log: true}, network.channels: {choices: [2, 4]}}",
)
FATES: dict[str, tuple[str, int]] = {  # fate -> arm and candidate of the trial that meets it
    "finished": ("darts_joint", 0),
    "resumed": ("darts", 0),
    "failed": ("darts_ordered", 1),
    "raced": ("darts", 1),
    "unbegun": ("cnn", 1),
    "killed": ("random", 0),
}
DEADLINE_S = 240


def config_of(storage: Path, arm: str) -> Config:
    return load("laptop", [*SETTINGS, f"study.arms=[{arm}]", f"study.storage={storage}"])


def files_of(storage: Path, fate: str) -> TrialFiles:
    """Where a single trial writes."""
    arm, candidate = FATES[fate]
    return StudyFiles(storage / "small" / "single").trial(
        TrialKey(arm=arm, candidate=candidate, fold=0, seed=0)
    )


def all_fates(storage: Path) -> None:
    """Let one trial meet each of them."""
    cache = storage / ".cache"
    for fate in ("finished", "resumed", "failed", "raced", "unbegun"):
        arm, _ = FATES[fate]
        config, files = config_of(storage, arm), files_of(storage, fate)
        trial = trial_config(
            trial_room.resolve(config, catalogue.read(config.corpus, cache)), arm=arm, fold=0, seed=0
        )
        if fate == "failed":
            trial = replace(trial, retrain=replace(trial.retrain, lr=1e30))
        if fate in ("resumed", "raced"):
            _interrupted(trial, config, files, cache)
        if fate in ("raced", "unbegun"):  # as the driver does it
            finalize.finalize(
                files,
                trial,
                config.study,
                [ledger.raced(trial, "small", files.key, "raced out: 9.0 points below candidate 0")],
            )
        else:
            trial_room.run(trial, study=config.study, files=files, cache=cache)
    _killed(storage)


def _interrupted(trial: TrialConfig, config: Config, files: TrialFiles, cache: Path) -> None:
    """Stopped in its retraining, or late in its search."""
    left = itertools.count(40, -1)
    try:
        trial_room.run(
            trial,
            study=config.study,
            files=files,
            cache=cache,
            should_stop=lambda: "" if next(left) > 0 else "enough",
        )
    except trial_room.Interrupted:
        return
    raise AssertionError("it ended before it was stopped")


def _killed(storage: Path) -> None:
    """By SIGKILL, in a process of its own and in its retraining; the driver then gives it up."""
    arm, _ = FATES["killed"]
    files = files_of(storage, "killed")
    endless = [f"study.storage={storage}", "retrain.epochs=100000"]
    command = [sys.executable, "-m", "raysernas.trial", "laptop", f"arm={arm}", *SETTINGS, *endless]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=one_thread
    )
    end = time.monotonic() + DEADLINE_S
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("retrain    4/"):
                break
            assert time.monotonic() < end
    finally:
        process.kill()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    with journal.opened(storage / "killed.journal") as held:
        queue = Queue(config_of(storage, arm), StudyFiles(storage / "small" / "single"), held)
        key = queue.next()
        assert key is not None
        assert key == files.key
        assert queue.died(key, "its process was lost: killed by signal 9", "lost") == "failed"
