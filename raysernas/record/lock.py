"""One launch of a study at a time (or one process of a single trial), and no lock that outlives its owner.

In: a study. Out: a `Hold`; while it is open, no other launch runs the study. A local folder is held by a
locked file, and the lock ends with the process; if the file is removed, the launch ends. A bucket has no
locks. There each launch creates the next lease exclusively (000001.json, 000002.json ...) and renews it; the
highest number holds the study. A lease that is not renewed for LEASE_S, by the clock of whoever watches it,
may be followed by the next one. So only one of two followers succeeds, clocks need not agree, and a launch
that was asleep finds a higher number than its own when it wakes, and ends.
"""

import _thread
import fcntl
import json
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from raysernas.config.fault import Fault
from raysernas.record import storage
from raysernas.record.storage import StorageFault

LEASE_S = 30.0  # without renewal: then the launch counts as dead
RENEW_S = 5.0


class Lockable(Protocol):
    """What one process at a time may write: the files of a study, or of a single trial."""

    @property
    def root(self) -> Path:
        """The folder or bucket."""
        ...

    @property
    def lock(self) -> Path:
        """The file that is locked in a local folder."""
        ...

    @property
    def leases(self) -> Path:
        """The folder of the leases in a bucket."""
        ...


@dataclass(frozen=True, slots=True)
class Hold:
    """A held study."""

    check: Callable[[], object] = lambda: None
    """Raises a Fault when the study is no longer held. Call it before writing what another launch writes."""


@contextmanager
def held(
    files: Lockable, say: Callable[[str], object] = lambda text: print(text, file=sys.stderr)
) -> Iterator[Hold]:
    """Hold the study for this launch alone.

    Args:
        say: called with a message when another launch may be running, and its lease is watched.

    Raises:
        Fault: when another launch runs it, or takes it over meanwhile; when the folder cannot be written.
    """
    descriptor = _locked(files) if storage.is_local(files.root) else None
    if descriptor is not None:
        holder = LockedFile(descriptor, files)
    else:
        holder = Lease(files)
        holder.take(say)
    try:
        yield from _renewed(holder)
    finally:
        holder.give_back()


def _locked(files: Lockable) -> int | None:
    """Lock the study's file; None on a file system without locks."""
    try:
        files.lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage.unwritable(files.lock, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(_me()).encode())
    except BlockingIOError as error:
        holder = os.pread(descriptor, 4096, 0)
        os.close(descriptor)
        raise _refused(files, holder) from error
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _renewed(lease: "Lease | LockedFile") -> Iterator[Hold]:
    """Renew a lease, or look after a file, in a thread. When it is lost, the main thread is interrupted."""
    done, main = threading.Event(), threading.current_thread() is threading.main_thread()

    def renew() -> None:
        while not done.wait(RENEW_S):
            with suppress(StorageFault):  # no answer; if others get one, the lease grows too old
                lease.renew()
            if lease.lost:
                if main and not done.is_set():
                    _thread.interrupt_main()
                return

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield Hold(lease.check)
    except BaseException as error:
        if lease.lost:
            raise lease.fault() from error
        raise
    finally:
        done.set()
        thread.join()
    if lease.lost:
        raise lease.fault()


class LockedFile:
    """One launch's locked file. If it is removed, the lock stands, but the next launch locks another file."""

    def __init__(self, descriptor: int, files: Lockable):
        self.files, self.lost = files, False
        self._descriptor = descriptor

    def renew(self) -> None:
        """Look whether the file is still the one that another launch would lock."""
        try:
            self.lost = self.lost or not os.path.samestat(os.fstat(self._descriptor), self.files.lock.stat())
        except FileNotFoundError:
            self.lost = True
        except OSError:  # a file server that does not answer now
            return

    def check(self) -> None:
        """Check that the study is still held.

        Raises:
            Fault: when it is not.
        """
        self.renew()
        if self.lost:
            raise self.fault()

    def give_back(self) -> None:
        """End the lock."""
        os.close(self._descriptor)

    def fault(self) -> Fault:
        """The error of a launch whose file is gone."""
        return Fault(
            "study",
            f"{self.files.lock} was removed while this launch ran",
            got="another launch may run the study",
            expected="that file left alone: it ends with its launch",
            fix="stop the other launch, if there is one, then run the same command again: it continues",
        )


class Lease:
    """One launch's lease of a study. `clock` counts seconds, also while the machine sleeps."""

    def __init__(
        self,
        files: Lockable,
        clock: Callable[[], float] | None = None,
        wait: Callable[[float], object] = time.sleep,
    ):
        self.files, self.owner, self.lost = files, uuid.uuid4().hex, False
        self._clock, self._wait = clock or _clock, wait
        self._number, self._heartbeat, self._confirmed = 0, 0, 0.0
        self._alone = threading.Lock()  # for the renewing thread and whoever checks

    def take(self, say: Callable[[str], object]) -> None:
        """Become the holder.

        Raises:
            Fault: when another launch renews its lease, or was faster.
        """
        last = self._last()
        before = storage.text(last) if last else None
        running = last is not None and before is not None and not _parsed(before).get("ended")
        if last is not None and running:
            holder = f"{self.files.root} is held by {_who(_parsed(before))}"
            say(f"{holder}; waiting {LEASE_S:.0f} s to see whether it still runs")
            self._watch(last, before)
        self._number, begun = 1 + (_number(last) if last else 0), self._clock()
        if not storage.create(self._path(), self._text()):
            raise _refused(self.files, storage.text(self._path()))
        # The holder writes its heartbeat and then looks for a successor; this launch does the reverse. So one
        # of them sees the other.
        revived = last is not None and running and not _same(storage.text(last), before)
        if revived or self._superseded():
            storage.delete(self._path())
            raise _refused(self.files, storage.text(self._last() or self._path()))
        self._confirmed = begun
        for path in storage.listed(self.files.leases, ".json"):
            if 0 < _number(path) < self._number:  # 0 is the name of no lease
                storage.delete(path)

    def renew(self) -> None:
        """Show that this launch is alive, and check that it still holds the study.

        Raises:
            StorageFault: when the store does not answer.
        """
        with self._alone:
            if self._superseded():
                self.lost = True
                return
            self._heartbeat, begun = self._heartbeat + 1, self._clock()
            storage.put(self._path(), self._text())
            self.lost = self._superseded()  # by a launch that looked before this heartbeat
            self._confirmed = begun

    def check(self) -> None:
        """Check that the study is still held.

        Raises:
            Fault: when it is not, or the store does not answer.
        """
        if not self.lost and self._clock() - self._confirmed > LEASE_S / 2:
            self.renew()
        if self.lost:
            raise self.fault()

    def give_back(self) -> None:
        """End the lease, so that the next launch need not wait."""
        if not self.lost:
            with suppress(StorageFault):  # then the next launch waits until it is too old
                storage.put(self._path(), self._text(ended=True))

    def fault(self) -> Fault:
        """The error of a launch that has lost its study."""
        return Fault(
            "study",
            f"{self.files.root} has been taken over by another launch",
            got=f"this one did not renew its lease for {LEASE_S:.0f} s",
            expected="a process that is not put to sleep",
            fix="nothing if the other launch should go on; else stop it and run the same command again",
        )

    def _watch(self, last: Path, before: str | None) -> None:
        """Wait until a lease is too old, or its launch ends.

        Raises:
            Fault: when it is renewed in the meantime.
        """
        begun = self._clock()
        while self._clock() - begun < LEASE_S:
            self._wait(RENEW_S / 2)
            now = storage.text(last)
            if _parsed(now).get("ended"):
                return
            if now != before:
                raise _refused(self.files, now)

    def _superseded(self) -> bool:
        last = self._last()
        return last is not None and _number(last) > self._number

    def _last(self) -> Path | None:
        return max(storage.listed(self.files.leases, ".json"), key=_number, default=None)

    def _path(self) -> Path:
        return self.files.leases / f"{self._number:06d}.json"

    def _text(self, *, ended: bool = False) -> bytes:
        return json.dumps({**_me(), "owner": self.owner, "beat": self._heartbeat, "ended": ended}).encode()


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _parsed(text: str | bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _same(now: str | None, before: str | None) -> bool:
    return now in (before, None) or bool(_parsed(now).get("ended"))


def _me() -> dict[str, Any]:
    return {"host": platform.node(), "pid": os.getpid(), "time": time.strftime("%Y-%m-%d %H:%M:%S%z")}


def _who(lease: dict[str, Any]) -> str:
    pid, host, at = (lease.get(name, "?") for name in ("pid", "host", "time"))
    return f"process {pid} on {host} (last heard {at})"


def _clock() -> float:
    """Seconds, counted while the machine sleeps too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()


def _refused(files: Lockable, holder: str | bytes | None) -> Fault:
    return Fault(
        "study",
        f"{files.root} is being run by another process",
        got=_who(_parsed(holder)),
        expected="one launch at a time",
        fix="wait for the other launch, or stop it",
    )
