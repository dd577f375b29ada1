"""Laws of the lock of a study: there are never two holders, whichever launch is killed, asleep or slow,
and no lock outlives its owner.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raysernas.record import lock, storage
from raysernas.record.files import StudyFiles
from raysernas.record.lock import LEASE_S, Lease
from raysernas.record.storage import StorageFault
from tests.support.faults import refusal

HOLDER = """
import sys, time
from raysernas.record import lock
from raysernas.record.files import StudyFiles
from pathlib import Path
with lock.held(StudyFiles(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""
SILENT = str  # a listener that says nothing
ROOT = Path(__file__).parents[2]


# --- a local folder


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds the study in this folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_is_held_by_one_process_and_free_as_soon_as_it_is_killed(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    files = StudyFiles(tmp_path)
    text = refusal(lambda: lock.held(files).__enter__())
    assert text.startswith(
        f"study: {tmp_path} is being run by another process\n  got: process {other.pid} on "
    )
    assert text.endswith("  expected: one launch at a time\n  fix: wait for the other launch, or stop it")
    other.send_signal(signal.SIGKILL)
    other.wait()
    with lock.held(files):
        assert json.loads(files.lock.read_text())["pid"] == os.getpid()
    with lock.held(files):
        pass


def test_one_process_does_not_hold_a_folder_twice(tmp_path: Path) -> None:
    with lock.held(StudyFiles(tmp_path)):
        assert "is being run by another process" in refusal(
            lambda: lock.held(StudyFiles(tmp_path)).__enter__()
        )


@pytest.mark.parametrize("replaced", [False, True])
def test_a_launch_whose_lock_file_is_removed_or_replaced_ends(tmp_path: Path, replaced: bool) -> None:
    files = StudyFiles(tmp_path)

    def runs() -> None:
        with lock.held(files) as hold:
            hold.check()
            files.lock.unlink()
            if replaced:
                files.lock.touch()
            hold.check()
            raise AssertionError("it would write now")

    assert f"{files.lock} was removed while this launch ran" in refusal(runs)


def test_it_ends_although_it_has_nothing_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    files = StudyFiles(tmp_path)

    def waits() -> None:
        with lock.held(files):
            files.lock.unlink()
            end = time.monotonic() + 30
            while time.monotonic() < end:
                time.sleep(0.01)
            raise AssertionError("it still runs")

    assert "was removed while this launch ran" in refusal(waits)


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = refusal(lambda: lock.held(StudyFiles(tmp_path / "file" / "study")).__enter__())
    assert text.startswith(f"storage: cannot write {tmp_path}/file/study/launch.lock")


@pytest.mark.parametrize("left", [b"", b"{", b"\xff\xfe", b"[]", b"7"])
def test_the_content_of_a_lock_file_does_not_matter(tmp_path: Path, left: bytes) -> None:
    files = StudyFiles(tmp_path)
    files.lock.write_bytes(left)
    with lock.held(files):
        os.truncate(files.lock, 0)
        assert "process ? on ?" in refusal(lambda: lock.held(files).__enter__())


# --- a bucket


@pytest.fixture
def files(tmp_path: Path) -> StudyFiles:
    """A study in an object store, in memory."""
    return StudyFiles(storage.place(f"memory://locks/{tmp_path.name}-{os.getpid()}"))


class Clock:
    """Time that only waiting makes pass; whatever else happens meanwhile is done in `meanwhile`."""

    def __init__(self, *meanwhile: Any) -> None:
        self.now_s, self.meanwhile = 0.0, list(meanwhile)

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


def taken(files: StudyFiles, clock: Clock | None = None) -> Lease:
    lease = new(files, clock or Clock())
    lease.take(SILENT)
    return lease


def new(files: StudyFiles, clock: Clock) -> Lease:
    return Lease(files, clock, clock.wait)


def leases(files: StudyFiles) -> list[str]:
    return [path.name for path in storage.listed(files.leases)]


def test_an_ended_lease_is_followed_at_once(files: StudyFiles) -> None:
    taken(files).give_back()
    clock = Clock()
    taken(files, clock)
    assert clock.now_s == 0
    assert leases(files) == ["000002.json"]


def test_a_lease_that_is_renewed_is_not_followed(files: StudyFiles) -> None:
    first = taken(files)
    clock = Clock(first.renew)
    assert "is being run by another process" in refusal(lambda: taken(files, clock))
    assert clock.now_s < LEASE_S
    first.check()


def test_the_lease_of_a_dead_launch_is_followed_when_it_expires_by_the_watchers_clock(
    files: StudyFiles,
) -> None:
    taken(files)
    clock, heard = Clock(), []
    new(files, clock).take(heard.append)
    assert LEASE_S <= clock.now_s <= LEASE_S + lock.RENEW_S
    assert heard[0].startswith(f"{files.root} is held by process {os.getpid()} on ")
    assert heard[0].endswith("); waiting 30 s to see whether it still runs")


def test_a_lease_that_ends_while_it_is_watched_is_followed_at_once(files: StudyFiles) -> None:
    clock = Clock(taken(files).give_back)
    taken(files, clock)
    assert clock.now_s < LEASE_S


def test_a_launch_that_slept_finds_its_successor_and_does_not_disturb_it(files: StudyFiles) -> None:
    sleeper = taken(files)
    second = taken(files)
    sleeper.renew()
    text = refusal(sleeper.check)
    assert text.startswith(f"study: {files.root} has been taken over by another launch")
    sleeper.give_back()
    second.renew()
    second.check()
    assert leases(files) == ["000002.json"]


def test_a_launch_that_wakes_during_a_takeover_keeps_or_loses_the_study_but_two_never_hold_it(
    files: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewal falls between the successor's last look and its lease."""
    sleeper, create = taken(files), storage.create

    def late(path: Path, content: bytes) -> bool:
        sleeper.renew()
        return create(path, content)

    monkeypatch.setattr(storage, "create", late)
    assert "is being run by another process" in refusal(lambda: taken(files))
    monkeypatch.undo()
    sleeper.renew()
    sleeper.check()
    assert leases(files) == ["000001.json"]


@pytest.mark.parametrize("left", ["", "{", "[]", "7"])
def test_a_torn_lease_is_watched_like_any_other(files: StudyFiles, left: str) -> None:
    storage.write_text(files.leases / "000007.json", left)
    storage.write_text(files.leases / "notes.json", "x")
    clock = Clock()
    taken(files, clock)
    assert clock.now_s >= LEASE_S
    assert "000008.json" in leases(files)


def test_a_store_that_does_not_answer_is_a_fault_and_no_lease(
    files: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = taken(files)

    def silent(*_: object) -> None:
        raise storage.unwritable(files.leases, OSError("no route"))

    monkeypatch.setattr(storage, "put", silent)
    with pytest.raises(StorageFault):
        lease.renew()
    lease.give_back()


def test_a_holder_that_has_not_renewed_for_long_renews_before_it_writes(
    files: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    lease = taken(files, clock)
    clock.now_s += LEASE_S
    taken(files)
    assert "has been taken over" in refusal(lease.check)


@pytest.mark.usefixtures("interruptible")
def test_a_launch_that_loses_its_study_is_interrupted_and_says_why(
    files: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    end = time.monotonic() + 60

    def lose() -> None:
        with lock.held(files) as hold:
            hold.check()
            storage.put(files.leases / "000002.json", b"{}")
            while time.monotonic() < end:
                time.sleep(0.02)

    assert "has been taken over by another launch" in refusal(lose)
    assert time.monotonic() < end
    assert "lease" not in [thread.name for thread in threading.enumerate()]


def test_a_launch_renews_its_lease_and_gives_it_back(
    files: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    path, end = files.leases / "000001.json", time.monotonic() + 60
    with lock.held(files) as hold:
        while json.loads(storage.read(path))["beat"] < 3 and time.monotonic() < end:
            time.sleep(0.02)
        hold.check()
    lease = json.loads(storage.read(path))
    assert lease["beat"] >= 3
    assert lease["ended"]
