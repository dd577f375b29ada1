"""A trial whose process is killed, stopped by a signal or hangs: the same command ends bit for bit as if
nothing had happened.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from raysernas.record import attempts
from raysernas.record.files import TrialFiles, TrialKey
from tests.support.trials import assert_equal

pytestmark = pytest.mark.chaos

KEY = TrialKey(arm="darts", candidate=0, fold=0, seed=0)
SETTINGS = (
    "study.name=small",
    "study.space={}",
    "corpus.synthetic_speakers=5",
    "corpus.synthetic_takes=3",
    "corpus.folds=speaker",
    "features.window_s=0.6",
    "features.bands=16",
    "network.nodes=1",
    "network.channels=2",
    "network.hidden=4",
    "search.epochs=12",
    "search.batch=4",
    "search.warmup_epochs=1",
    "retrain.epochs=30",
    "retrain.batch=8",
    "retrain.seeds=[0,1]",
    "retrain.mixup=0.5",
    "retrain.average=0.9",
    "study.resources.checkpoint_s=0.02",
)
DEADLINE_S = 300


def begun(storage: Path, *settings: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "raysernas.trial",
        "laptop",
        "arm=darts",
        f"study.storage={storage}",
        *SETTINGS,
        *settings,
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )


def ended(process: subprocess.Popen[str], within_s: float = DEADLINE_S) -> tuple[int, str]:
    """Its exit code and its messages."""
    try:
        _, message = process.communicate(timeout=within_s)
    finally:
        process.kill()
    return process.returncode, message


def files_in(storage: Path) -> TrialFiles:
    return TrialFiles(storage / "small" / "single", KEY)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until it holds, or the process has ended."""
    last = time.monotonic() + DEADLINE_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < last, "it did not happen in time"
        time.sleep(0.002)


def written(files: TrialFiles) -> list[tuple[str, int]]:
    """The checkpoints with the times of their writing."""
    found = []
    for path in sorted(files.checkpoints.glob("*.pt")):
        try:
            found.append((path.name, path.stat().st_mtime_ns))
        except FileNotFoundError:  # deleted in between: the trial has just ended
            continue
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> TrialFiles:
    storage = tmp_path_factory.mktemp("whole")
    code, message = ended(begun(storage))
    assert code == 0, message
    return files_in(storage)


def test_a_trial_killed_at_random_moments_equals_the_undisturbed_one(whole, tmp_path):
    """Each attempt is killed a random time after a random number of its checkpoints; now and then one while
    it starts.
    """
    rng, files, kills = random.Random(0), files_in(tmp_path), 0
    while True:
        process = begun(tmp_path)
        try:
            if rng.random() < 0.15:
                time.sleep(3 * rng.random())  # while it starts
            for _ in range(rng.randint(1, 15)):
                before = written(files)
                wait_for(lambda before=before: written(files) != before, process)
            time.sleep(0.3 * rng.random())
        finally:
            process.kill()
        code, message = ended(process)
        if code == 0:
            break
        assert code == -signal.SIGKILL, message
        kills += 1
    print(f"{kills} kills", file=sys.stderr)
    assert kills >= 5
    assert_equal(files, whole)
    assert pd.read_parquet(files.record)["attempts"].iloc[0] <= kills + 1


def test_signals_end_a_trial_in_time_and_the_same_command_continues(whole, tmp_path):
    files = files_in(tmp_path)
    for starts, (number, code) in enumerate(((signal.SIGTERM, 143), (signal.SIGINT, 130)), 1):
        process = begun(tmp_path, "study.resources.checkpoint_s=3600")
        wait_for(lambda starts=starts: len(attempts.read(files)) == starts, process)
        time.sleep(0.3)  # so that it is in its steps, most of the time
        process.send_signal(number)
        found, message = ended(process, within_s=10)
        assert found == code, message
        assert message.endswith(f"stopped by {number.name}; the same command continues from here\n")
        assert not files.record.exists()
    code, message = ended(begun(tmp_path))
    assert code == 0, message
    assert_equal(files, whole)
    assert (pd.read_parquet(files.record)["attempts"] == 3).all()


HANGING = """
import itertools, sys, threading
from raysernas import trial
run, polls = trial.run, itertools.count()
def should_stop():
    if next(polls) == 20:
        threading.Event().wait()
    return ""
trial.run = lambda *given, **named: run(*given, **named | {"should_stop": should_stop})
sys.exit(trial.main(sys.argv[1:]))
"""


def test_a_trial_that_hangs_ends_itself_and_continues_from_its_checkpoint(whole, tmp_path):
    """The 20th step hangs."""
    settings = ["laptop", "arm=darts", f"study.storage={tmp_path}", *SETTINGS]
    hanging = [sys.executable, "-c", HANGING, *settings, "study.resources.no_progress_s=3"]
    process = subprocess.Popen(hanging, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    code, message = ended(process)
    assert code == 70, message
    assert "in should_stop" in message
    assert written(files_in(tmp_path))
    code, message = ended(begun(tmp_path))
    assert code == 0, message
    assert_equal(files_in(tmp_path), whole)
