"""Studies on several nodes that are real raylets: trials spread, a node leaves with notice, a node is
lost; and several trials share one simulated GPU.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raysernas.record import ledger
from raysernas.record.files import StudyFiles
from tests.support.noop import MEETING
from tests.support.raylets import NOT_TRIALS, WORKING, Raylets, descendants, kill, title

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STUDY = (
    "laptop",
    "study.name=nodes",
    "study.arms=[cnn]",
    "study.seeds=[0,1]",
    "study.folds=[0,1,2,3]",
    "corpus.name=synthetic",
    "corpus.folds=speaker",
    "corpus.synthetic_speakers=4",
    "corpus.synthetic_takes=2",
    "network.designed_channels=2",
    "compute.device=cpu",
    "compute.threads=1",
    "study.resources.checkpoint_s=0.5",
)
TRIALS, WAIT_S = 8, 240.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: Ray puts sockets there."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as made:
        yield Path(made)


def wait(condition: Callable[[], object], launch: subprocess.Popen[str]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert launch.poll() is None, launch.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def busy(raylet: int) -> bool:
    """Whether a trial runs on a node."""
    titles = [title(pid) for pid in descendants(raylet)]
    return any(each.startswith(WORKING) and not each.startswith(NOT_TRIALS) for each in titles)


def node_id(raylet: int) -> str:
    """As Ray calls it."""
    words = Path(f"/proc/{raylet}/cmdline").read_text().split("\0")
    return next(word.partition("=")[2] for word in words if word.startswith("--node_id="))


@pytest.mark.chaos
def test_a_study_on_three_nodes_finishes_though_one_leaves_and_one_is_lost(
    folder: Path, tmp_path: Path
) -> None:
    with Raylets(folder, 3) as cluster:
        environment = {**cluster.environment, "PYTHONPATH": str(ROOT)}
        settings = ("study.resources.address=auto", "retrain.epochs=400", f"study.storage={tmp_path}")
        launch = subprocess.Popen(
            [sys.executable, "-m", "raysernas.launch", *STUDY, *settings],
            text=True,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        agent = None
        try:
            wait(lambda: all(map(busy, cluster.nodes)), launch)
            wait(lambda: len([*tmp_path.glob("nodes/checkpoints/*/*.pt")]) >= 3, launch)
            leaving, lost = cluster.nodes[0], cluster.nodes[1]
            name = node_id(leaving)
            agent = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "raysernas.fleet.notice",
                    "--node-id",
                    name,
                    "--address",
                    cluster.address,
                ],
                text=True,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            heeds = f"{1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1):016x}"
            wait(lambda: f"SigCgt:\t{heeds}" in Path(f"/proc/{agent.pid}/status").read_text(), launch)
            agent.send_signal(signal.SIGTERM)
            said = agent.communicate(timeout=WAIT_S)
            for pid in descendants(lost):  # the whole node at once
                kill(pid)
            out, err = launch.communicate(timeout=WAIT_S)
        finally:
            for each in (launch, *([agent] if agent else [])):
                kill(each.pid)
                each.communicate()
    assert said == ("SIGTERM for this node; draining\n", "")
    assert (launch.returncode, err) == (0, "")
    assert "stopped: SIGTERM for this node" in out
    assert "; it will be retried" in out
    rows = ledger.table(StudyFiles(tmp_path / "nodes"))
    assert len(rows) == TRIALS == len(rows.drop_duplicates(["fold", "seed"]))
    assert set(rows["status"]) == {"finished"}


ON_ONE_GPU = """
import os, sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from raysernas.config.files import load
from raysernas.fleet import cluster, plan, runner
from raysernas.fleet.progress import Display
from tests.support import noop

config = load(sys.argv[1], sys.argv[2:])
resolved = replace(plan.resolve(config), gpus_per_trial=0.25, cpus_per_trial=1, slots=8)
folder = resolved.files.root / noop.MEETING
folder.mkdir()
(folder / "wanted").write_text("4")
runner.trainable = noop.meeting
with cluster.environment(cluster.QUIET | cluster.LOCAL, cluster.HIDDEN_HERE):
    import ray
    start = ray.init
    ray.init = lambda **given: start(**given | {"num_gpus": 1})  # a made-up GPU
    runner.run(resolved, Display(Console(), slots=4))
"""


@pytest.mark.parametrize("token", [{"RAY_AUTH_TOKEN": "b" * 64}, {"RAY_AUTH_TOKEN_PATH": "/nowhere"}])
def test_a_cluster_whose_token_is_not_known_is_refused_within_seconds(
    folder: Path, tmp_path: Path, token: dict[str, str]
) -> None:
    with Raylets(folder, 0) as cluster:
        environment = {**cluster.environment, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        del environment["RAY_AUTH_TOKEN"]
        settings = (f"study.resources.address={cluster.address}", f"study.storage={tmp_path}")
        launch = subprocess.run(
            [sys.executable, "-m", "raysernas.launch", *STUDY, *settings],
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
            env=environment | token,
        )
    assert launch.returncode == 2
    assert f"cluster: Ray at {cluster.address} does not take this token\n  got: " in launch.stderr
    assert "Traceback" not in launch.stderr


def test_four_trials_with_a_quarter_of_a_gpu_share_one_and_a_fifth_waits(
    folder: Path, tmp_path: Path
) -> None:
    settings = ("study.resources.cpus=8", f"study.storage={tmp_path}")
    run = subprocess.run(
        [sys.executable, "-c", ON_ONE_GPU, *STUDY, *settings],
        text=True,
        capture_output=True,
        check=False,
        timeout=WAIT_S,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    counts = [path.read_text() for path in (tmp_path / "nodes" / MEETING).glob("*.count")]
    assert counts == ["4"] * TRIALS
