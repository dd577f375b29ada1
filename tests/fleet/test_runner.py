"""Whole studies on real Ray, each launch in its own process: every trial runs once, nothing is lost, nothing
is open to the network.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raysernas.fleet import cluster, runner
from raysernas.fleet.joining import located
from raysernas.record import ledger
from raysernas.record.files import StudyFiles
from raysernas.runtime.interrupts import Interrupts
from tests.support.faults import refusal
from tests.support.raylets import NOT_TRIALS, WORKING, descendants, kill, title

ROOT = Path(__file__).parents[2]
TRIALS = 4
STUDY = (
    "laptop",
    "study.name=tiny",
    "study.arms=[cnn]",
    "study.candidates=2",
    "study.folds=[0,1]",
    "study.resources.cpus=2",
    "study.space={retrain.lr: {low: 0.001, high: 0.01, log: true}}",
    "corpus.name=synthetic",
    "corpus.folds=speaker",
    "corpus.synthetic_speakers=4",
    "corpus.synthetic_takes=2",
    "network.designed_channels=2",
    "retrain.epochs=2",
)
LISTENING = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short path for what a killed launch leaves behind."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


def launched(root: Path, *overrides: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "raysernas.launch", *STUDY, f"study.storage={root}", *overrides]
    return subprocess.Popen(
        command,
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": str(root / "home"), "PYTHONPATH": str(ROOT), **environment},
    )


def ended(launch: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = launch.communicate(timeout=240)
    return launch.returncode, out, err


def records(root: Path) -> dict[str, int]:
    """Name -> time of writing, of every record."""
    return {path.name: path.stat().st_mtime_ns for path in (root / "tiny" / "trials").glob("*.parquet")}


def wait_for_records(launch: subprocess.Popen[str], root: Path, count: int) -> None:
    end = time.monotonic() + 240
    while len(records(root)) < count and launch.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    assert launch.poll() is None, launch.communicate()


def table(out: str) -> str:
    return out[out.index("Test scores in percent") :]


def listening(pids: set[int]) -> list[str]:
    """Addresses, in hexadecimal, on which these processes listen."""
    inodes = set()
    for pid in pids:
        try:
            inodes |= {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            continue
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return [
        line[1].split(":")[0] for line in lines if line[3] == LISTENING and f"socket:[{line[9]}]" in inodes
    ]


@pytest.mark.slow
def test_a_study_runs_on_loopback_alone_and_its_relaunch_runs_nothing(tmp_path: Path) -> None:
    launch = launched(tmp_path)
    wait_for_records(launch, tmp_path, 1)
    addresses = listening(descendants(launch.pid))
    assert "there is no Ray cluster on this machine" in refusal(lambda: located("auto"))  # it is private
    status, out, err = ended(launch)
    assert (status, err) == (0, "")
    assert len(addresses) > 3  # Ray's own are among them
    assert set(addresses) <= set(LOOPBACK)
    assert not (tmp_path / "home").exists()  # no token and no settings of Ray are left behind
    lines = [line for line in out.splitlines() if line.startswith("[")]
    assert [line.split("]")[0] for line in lines] == [f"[{n}/{TRIALS}" for n in range(1, TRIALS + 1)]
    before = records(tmp_path)
    assert len(before) == TRIALS

    check = (
        'import sys; from raysernas.launch import main; status = main(); print(f\'{status} {"ray" in '
        "sys.modules}')"
    )
    command = [sys.executable, "-c", check, *STUDY, f"study.storage={tmp_path}"]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout.splitlines()[-1] == "0 False"
    assert table(out).strip() == table(again.stdout).rpartition("\n0 False")[0].strip()
    assert records(tmp_path) == before


def gone(pids: Iterable[int], within_s: float) -> list[int]:
    """The processes that are still alive after `within_s`."""
    end = time.monotonic() + within_s
    while (alive := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < end:
        time.sleep(0.5)
    return alive


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix does")
def test_a_killed_launch_is_continued_by_the_same_command_and_leaves_nothing_behind(tmp_path: Path) -> None:
    launch = launched(tmp_path)
    wait_for_records(launch, tmp_path, 1)
    everyone = descendants(launch.pid)
    launch.kill()
    launch.communicate()
    kept = records(tmp_path)
    # the killed launch's Ray may still run, and must not be joined
    status, out, err = ended(launched(tmp_path, RAY_ADDRESS="127.0.0.1:1"))
    assert (status, err) == (0, "")
    found = records(tmp_path)
    assert len(found) == TRIALS
    assert found.items() >= kept.items()
    # a trial of the killed launch may record itself before its own Ray notices, so that the next runs fewer
    ran = [int(line[1:].split("/")[0]) for line in out.splitlines() if line.startswith("[")]
    assert ran == list(range(TRIALS - len(ran) + 1, TRIALS + 1))
    assert len(ran) <= TRIALS - len(kept)
    assert len(ledger.table(StudyFiles(tmp_path / "tiny"))) == TRIALS
    # the folder of the killed launch went with the next one
    assert not list(Path(os.environ["TMPDIR"]).glob("rsn-*"))
    assert gone(everyone, within_s=180) == []  # Ray's agents look for their dead cluster for a minute


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize(
    ("number", "code", "to"),
    [
        (signal.SIGINT, 130, "launch"),
        (signal.SIGTERM, 143, "launch"),
        (signal.SIGHUP, 129, "launch"),
        (signal.SIGTERM, 143, "every process"),  # as Slurm and systemd do
    ],
)
def test_a_launch_that_is_stopped_ends_with_one_line_and_without_a_record(
    tmp_path: Path, interruptible: None, number: int, code: int, to: str
) -> None:
    launch = launched(tmp_path, "retrain.epochs=100000")  # so that it cannot end by itself
    end = time.monotonic() + 240
    while len(list(tmp_path.glob("tiny/tensorboard/**/events.*"))) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    began, everyone = time.monotonic(), descendants(launch.pid)
    for pid in everyone if to == "every process" else [launch.pid]:
        os.kill(pid, number)
    try:
        status, out, err = ended(launch)
        left = gone(everyone, within_s=5)
    finally:
        for pid in everyone:
            kill(pid)
    assert left == []
    assert (status, err.strip()) == (code, "stopped; the same command continues this study")
    assert time.monotonic() - began < 20  # 10 where nothing else runs
    assert not [line for line in out.splitlines() if line.startswith("[")]
    assert records(tmp_path) == {}
    kept = {path.parent.name for path in tmp_path.glob("tiny/checkpoints/*/*.pt")}
    assert kept == {path.stem for path in tmp_path.glob("tiny/attempts/*.json")}, (
        "every trial that had begun can continue from a checkpoint"
    )
    assert len(kept) == 2


@pytest.mark.slow
@pytest.mark.chaos
def test_a_study_whose_trials_hang_ends_with_a_fault(tmp_path: Path) -> None:
    """Ray takes a stopped process for alive."""
    endless = ("retrain.epochs=100000", "study.resources.cpus=1", "study.resources.no_progress_s=10")
    launch = launched(tmp_path, *endless)
    end = time.monotonic() + 240
    while not list(tmp_path.glob("tiny/tensorboard/**/events.*")) and time.monotonic() < end:
        time.sleep(0.1)
    everyone = descendants(launch.pid)
    trials = [
        pid for pid in everyone if title(pid).startswith(WORKING) and not title(pid).startswith(NOT_TRIALS)
    ]
    assert trials
    try:
        for pid in trials:
            os.kill(pid, signal.SIGSTOP)
        status, _, err = ended(launch)
    finally:
        for pid in everyone:
            kill(pid)
    assert status == 2
    assert err.startswith("fleet: no trial has made progress for ")
    assert "the same command again: it continues" in err


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize("moment", ["imports", "the start of Ray"])
def test_a_launch_that_is_stopped_while_it_starts_ends_at_once_and_leaves_nothing(
    tmp_path: Path, interruptible: None, moment: str
) -> None:
    launch = launched(tmp_path)
    end = time.monotonic() + 240
    if moment == "imports":
        time.sleep(0.3)
    while moment != "imports" and time.monotonic() < end:
        if any("gcs_server" in title(pid) for pid in descendants(launch.pid)):
            break
    began, everyone = time.monotonic(), descendants(launch.pid)
    launch.send_signal(signal.SIGINT)
    status, _, err = ended(launch)
    assert (status, err.strip()) == (130, "stopped; the same command continues this study")
    assert time.monotonic() - began < 10
    assert gone(everyone, within_s=5) == []
    assert not list(Path(os.environ["TMPDIR"]).glob("rsn-*"))


@pytest.fixture
def nobody() -> int:
    """The id of a user with no rights."""
    if os.getuid():
        pytest.skip("only root can act as another user")
    return 65534


@pytest.mark.slow
def test_no_other_user_can_list_read_or_make_anything_in_the_folder_of_ray(
    tmp_path: Path, nobody: int
) -> None:
    os.chmod(os.environ["TMPDIR"], 0o777)  # as /tmp is
    launch = launched(tmp_path)
    try:
        wait_for_records(launch, tmp_path, 1)
        (folder,) = Path(os.environ["TMPDIR"]).glob("rsn-*")
        log, socket = (
            next(folder.glob(f"ray/session_latest/{name}")) for name in ("logs/*.out", "sockets/*")
        )
        attempts = {
            "list": ["ls", folder],
            "read": ["cat", log],
            "make a file": ["touch", folder / "ray" / "stranger"],
            "replace the sockets": ["mv", socket, f"{socket}.away"],
        }
        for what, command in attempts.items():
            tried = subprocess.run(command, user=nobody, group=nobody, extra_groups=[], capture_output=True)
            assert tried.returncode, what
            assert b"Permission denied" in tried.stderr, what
    finally:
        status, _, err = ended(launch)
    assert (status, err) == (0, "")


def launch_state(**more: Any) -> Any:
    """The part of a LaunchState that the driver's watchdog uses."""
    says = {"no_progress": lambda for_s: f"no trial has made progress for {for_s:.1f} s"}
    return SimpleNamespace(stepped_s=time.monotonic(), in_ray=False, **says, **more)


def watched(state: Any, limit_s: float, watch_s: float) -> list[int]:
    """The exit codes of a driver that makes no step, watched for so long at most."""
    left: list[int] = []
    with runner._driver_watched(state, limit_s, Interrupts(leave=left.append)):
        end = time.monotonic() + watch_s
        while not left and time.monotonic() < end:
            time.sleep(0.01)
    return left


def test_a_driver_that_hangs_ends_itself(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "CHECK_S", 0.02)
    assert watched(launch_state(), 0.1, 30) == [2]
    assert capfd.readouterr().err.startswith("no trial has made progress for 0.1 s\n")


def test_a_driver_that_waits_for_ray_ends_itself_sooner(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "CHECK_S", 0.02)
    monkeypatch.setattr(cluster, "START_S", 0.1)
    state = launch_state()
    state.in_ray = True
    assert watched(state, 3600.0, 30) == [2]
    assert capfd.readouterr().err.startswith("cluster: Ray here does not answer\n")


def test_a_driver_that_makes_steps_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECK_S", 0.01)
    assert watched(launch_state(), 3600.0, 0.1) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.slow
@pytest.mark.chaos
def test_a_full_disk_ends_the_study_and_loses_nothing(small_disk: Path) -> None:
    launch = launched(small_disk)
    wait_for_records(launch, small_disk, 1)
    launch.kill()
    launch.communicate()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))
    kept = records(small_disk)
    status, _, err = ended(launched(small_disk))
    assert status == 2
    assert err.startswith("storage: cannot write ")
    assert "No space left on device" in err
    assert "Traceback" not in err
    filler.unlink()
    status, _, err = ended(launched(small_disk))
    assert (status, err) == (0, "")
    assert records(small_disk).items() >= kept.items()
    assert len(records(small_disk)) == TRIALS
