"""Studies whose driver, trials and nodes are killed at random: every trial has one record, and the ledger
equals that of an undisturbed study.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from raysernas.record import ledger
from raysernas.record.files import StudyFiles
from tests.support.raylets import Raylets, kill

pytestmark = pytest.mark.chaos

Kind = Literal["driver", "trial", "node"]
STUDY = (
    "laptop",
    "study.name=chaos",
    "study.arms=[darts,cnn_lstm_attention]",
    "study.seeds=[0,1]",
    "study.candidates=4",
    "study.generation=2",
    "study.space={search.alphas_lr: {low: 3e-3, high: 3e-2, log: true}, retrain.lr: {low: 1e-3, high: 1e-2}}",
    "search.alphas_lr=0.01",
    "retrain.lr=0.002",
    "study.folds=[0,1]",
    "corpus.folds=speaker",
    "corpus.synthetic_speakers=5",
    "corpus.synthetic_takes=3",
    "features.window_s=0.6",
    "features.bands=16",
    "network.nodes=1",
    "network.channels=2",
    "network.hidden=4",
    "search.epochs=8",
    "search.batch=4",
    "network.designed_channels=2",
    "retrain.epochs=40",
    "retrain.batch=8",
    "compute.threads=1",
    "compute.device=cpu",
    "study.resources.checkpoint_s=0.1",
    "study.resources.max_failures=100",
)
TRIALS = 2 * 4 * 2 * 2
# columns in which a disturbed run may differ, besides those that end like MEASURED
UNLIKE = ("attempts", "host")
KEY = ["arm", "candidate", "fold", "seed"]
DEADLINE_S = 900


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: Ray puts sockets there."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as made:
        yield Path(made)


def launched(storage: Path, environment: dict[str, str], *settings: str) -> subprocess.Popen[str]:
    """The same command every time."""
    command = [sys.executable, "-m", "raysernas.launch", *STUDY, f"study.storage={storage}", *settings]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )


def state(files: StudyFiles) -> set[tuple[str, int]]:
    """Checkpoints and records, each with the time of its writing: what changes as a study makes progress."""
    found = set()
    for path in [*files.root.glob("checkpoints/*/*.pt"), *files.trials.glob("*.parquet")]:
        try:
            found.add((str(path), path.stat().st_mtime_ns))
        except FileNotFoundError:  # deleted in between: a trial has just ended
            continue
    return found


class Killer:
    """Kills, relaunches and counts."""

    def __init__(self, cluster: Raylets, storage: Path, settings: tuple[str, ...], seed: int) -> None:
        self.cluster, self.storage = cluster, storage
        self.settings = (f"study.resources.address={cluster.address}", *settings)
        self.files, self.rng = StudyFiles(storage / "chaos"), random.Random(seed)
        self.done: Counter[Kind] = Counter()
        self.driver = self.launched()

    def launched(self) -> subprocess.Popen[str]:
        return launched(self.storage, self.cluster.environment, *self.settings)

    def wait(self, moves: int) -> None:
        """Wait for so many changes of the study's files; it must not end by itself."""
        last = time.monotonic() + DEADLINE_S
        for _ in range(moves):
            before = state(self.files)
            while state(self.files) == before:
                assert self.driver.poll() is None, (
                    f"it ended after {self.done}: {self.driver.communicate()[1]}"
                )
                assert time.monotonic() < last, f"no progress after {self.done}"
                time.sleep(0.01)

    def strike(self, kind: Kind) -> None:
        """Kill one of a kind. A driver is launched again, a node is replaced."""
        self.wait(self.rng.randint(1, 8))
        time.sleep(0.2 * self.rng.random())
        if kind == "driver":
            kill(self.driver.pid)
            self.driver.communicate()
            self.driver = self.launched()
        elif kind == "node":
            self.cluster.replace(self.rng.randrange(len(self.cluster.nodes)))
        else:
            while not (running := self.cluster.trials()):
                self.wait(1)
            kill(self.rng.choice(running))
        self.done[kind] += 1

    def finish(self) -> None:
        """Let the study end."""
        _, message = self.driver.communicate(timeout=DEADLINE_S)
        assert self.driver.returncode == 0, message


def disrupted(
    folder: Path, storage: Path, kinds: dict[Kind, int], *settings: str, seed: int = 0
) -> Counter[Kind]:
    """Run a study on two nodes while so many of each kind are killed, in random order; how many were."""
    (folder / "ray-").mkdir()
    with Raylets(folder / "ray-", 2) as cluster:
        killer = Killer(cluster, storage, settings, seed)
        try:
            plan: list[Kind] = [kind for kind, count in kinds.items() for _ in range(count)]
            killer.rng.shuffle(plan)
            for kind in plan:
                killer.strike(kind)
            killer.finish()
        finally:
            kill(killer.driver.pid)
            killer.driver.communicate()
    return killer.done


def shared(storage: Path) -> pd.DataFrame:
    """The columns of the ledger that two runs of a study share."""
    rows = ledger.table(StudyFiles(storage / "chaos"))
    return rows[[name for name in rows.columns if name not in UNLIKE and not name.endswith(ledger.MEASURED)]]


def texts(storage: Path, pattern: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (storage / "chaos").glob(pattern)}


def test_after_twenty_one_kills_the_ledger_equals_the_undisturbed_one(folder: Path, tmp_path: Path) -> None:
    kinds: dict[Kind, int] = {"driver": 6, "trial": 9, "node": 6}
    done = disrupted(folder, tmp_path / "disrupted", kinds)
    print(f"killed: {dict(done)}")
    assert done == kinds
    quiet = launched(tmp_path / "quiet", {**os.environ, "TMPDIR": str(folder)})
    _, message = quiet.communicate(timeout=DEADLINE_S)
    assert (quiet.returncode, message) == (0, "")
    whole, found = shared(tmp_path / "quiet"), shared(tmp_path / "disrupted")
    assert len(found) == TRIALS == len(found.drop_duplicates(KEY))
    assert set(found["status"]) == {"finished"}
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    for pattern in ("candidates/*.json", "genotypes/*.json", "history/*.jsonl"):
        assert texts(tmp_path / "disrupted", pattern) == texts(tmp_path / "quiet", pattern) != {}
    assert ledger.table(StudyFiles(tmp_path / "disrupted" / "chaos"))["attempts"].max() > 1
    assert texts(tmp_path / "disrupted", "attempts/*.json") == {}
    assert not list((tmp_path / "disrupted" / "chaos").glob("checkpoints/*"))


def test_with_racing_every_trial_has_one_record_after_kills(folder: Path, tmp_path: Path) -> None:
    racing = (
        "study.racing.enabled=true",
        "study.racing.pairs=2",
        "study.racing.p=0.45",
        "study.racing.looks=none",
    )
    plan = (
        "study.folds=[0,1,2,3]",
        "study.seeds=[0]",
        "study.generation=0",
        "study.arms=[cnn_lstm_attention]",
    )
    done = disrupted(folder, tmp_path, {"driver": 2, "trial": 2, "node": 1}, *racing, *plan, seed=1)
    assert done.total() == 5
    rows = ledger.table(StudyFiles(tmp_path / "chaos"))
    assert len(rows) == 4 * 4 == len(rows.drop_duplicates(KEY))
    assert set(rows["status"]) <= {"finished", "raced"}
    written = texts(tmp_path, "candidates/*.json")
    raced = rows[rows["status"] == "raced"]
    assert len(written) == 4
    assert {f"cnn_lstm_attention-c{number:03d}.json" for number in raced["candidate"]} <= {
        name for name, text in written.items() if '"given_up": {' in text
    }
