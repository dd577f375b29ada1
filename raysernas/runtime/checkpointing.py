"""The checkpoints of one trial: killed anywhere and run again, it goes on and ends bit for bit as if it had
never stopped.

One file a stage, written every so many seconds beside the training (a copy on the CPU is taken between two
steps, a thread of its own brings it to disk), and at the end of the stage. A routine of `learn` sees a
`Steps`: what an earlier attempt has kept, and what to call after each step. A file that cannot be read, or
that other settings have written, is left aside and told.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch

from raysernas.record import storage
from raysernas.record.files import TrialFiles
from raysernas.record.storage import StorageFault
from raysernas.runtime import checkpoint_file
from raysernas.runtime.resource_meter import Cost, peak_mb

FORMAT = 2  # of the states; a checkpoint of another one is left aside
SPENT = (  # memory, as a plain RuntimeError says it
    *("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
)
Kept = dict[str, Any]  # tensors, numbers and text, in dicts and lists
Entry = dict[str, Any]
StateOf = Callable[[], Kept]


class Interrupted(Exception):
    """A trial was asked to stop and has written its checkpoint; run again, it goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retryable(Exception):
    """A trial could not go on where and when it ran; elsewhere or later it may, from its last checkpoint."""

    def __init__(self, kind: Literal["out_of_memory"], reason: str) -> None:
        super().__init__(kind, reason)  # both, so that it can be pickled
        self.kind: Literal["out_of_memory"] = kind
        self.reason = reason


@runtime_checkable
class Steps(Protocol):
    """The checkpoint of a stage, as the stage sees it."""

    kept: Kept | None  # by an earlier attempt; nothing else has changed since
    ended: bool  # what was kept is the end of the stage

    def step(self, state_of: StateOf) -> None:
        """After every step, or batch of an evaluation. Args: state_of: gives a copy of all that the rest of
        the stage needs.
        """

    def end(self, state_of: StateOf) -> None:
        """After the last one."""


class Unkept:
    """Steps of which nothing is kept."""

    kept: Kept | None = None
    ended = False

    def step(self, state_of: StateOf) -> None:
        """Nothing."""

    def end(self, state_of: StateOf) -> None:
        """Nothing."""


StepsOf = Callable[[str], Steps]  # of a stage by its name


def unkept(_: str) -> Steps:
    """Nothing is kept of any stage."""
    return Unkept()


@dataclass(slots=True)
class Checkpoints:
    """Of all stages of a trial; to be closed."""

    files: TrialFiles
    digest: str
    device: torch.device
    every_s: float
    asked: Callable[[], str]  # a reason to stop, or ""
    beat: Callable[[], None]
    tell: Callable[[str], object]  # one line for people
    earlier: Cost = field(default_factory=Cost)  # what earlier attempts took for the stages that are open now
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"))
    _writing: Future[None] | None = None

    def stage(self, name: str) -> "Checkpoint":
        """Open the checkpoint of a stage."""
        found = self._read(name)
        cost = Cost(*found["cost"]) if found else Cost()
        self.earlier.add(cost)
        return Checkpoint(self, name, cost, found)

    def poll(self) -> None:
        """Something has moved, between two stages.

        Raises:
            Interrupted: when there is a reason to stop.
        """
        self.beat()
        if reason := self.asked():
            raise Interrupted(reason)

    def busy(self) -> bool:
        """Whether a checkpoint is still on its way to the disk.

        Raises:
            Fault: when it could not be written.
        """
        if self._writing is None or not self._writing.done():
            return self._writing is not None
        self._writing, done = None, self._writing
        done.result()
        return False

    def write(self, name: str, content: Kept, *, wait: bool) -> None:
        """Bring a checkpoint to disk, after the one that is on its way.

        Raises:
            Fault: when the folder cannot be written.
        """
        if self._writing is not None:
            self._writing.result()
        whole = {"format": FORMAT, "digest": self.digest, "stage": name, **content}
        self._writing = self._writer.submit(checkpoint_file.save, self.files.checkpoint(name), whole)
        if wait:
            self._writing.result()

    def close(self) -> None:
        """Let what is on its way arrive."""
        self._writer.shutdown()

    def _read(self, name: str) -> Kept | None:
        path = self.files.checkpoint(name)
        if not storage.exists(path):
            return None
        try:
            found = checkpoint_file.load(path)
            mine = (found["format"], found["digest"], found["stage"]) == (FORMAT, self.digest, name)
        except Exception as error:  # torn, foreign, unreadable: torch has no one word for it
            self.tell(f"{path} cannot be read ({type(error).__name__}): {name} begins anew")
            return None
        if not mine:
            self.tell(f"{path} was written under other settings: {name} begins anew")
        return found if mine else None


class Checkpoint:
    """Of one stage."""

    def __init__(self, of: Checkpoints, name: str, earlier: Cost, found: Kept | None) -> None:
        self.kept: Kept | None = found["state"] if found else None
        self.ended: bool = bool(found and found["ended"])
        self._of, self._name, self._earlier = of, name, earlier
        self._began = self._last = time.monotonic()

    def step(self, state_of: StateOf) -> None:
        """Write what is due.

        Raises:
            Interrupted: when there is a reason to stop; the state is on disk then.
            Fault: when this checkpoint or the last one could not be written.
        """
        self._of.beat()
        busy = self._of.busy()
        if reason := self._of.asked():
            self._write(state_of, ended=False, wait=True)
            raise Interrupted(reason)
        if not busy and time.monotonic() - self._last >= self._of.every_s:
            self._write(state_of, ended=False, wait=False)

    def end(self, state_of: StateOf) -> None:
        """Write the end of the stage, and wait for it."""
        if not self.ended:
            self._write(state_of, ended=True, wait=True)

    def _write(self, state_of: StateOf, *, ended: bool, wait: bool) -> None:
        self._last = time.monotonic()
        cost = Cost(self._last - self._began, peak_mb(self._of.device))
        cost.add(self._earlier)
        content = {"state": state_of(), "ended": ended, "cost": [cost.seconds, cost.peak_mb]}
        self._of.write(self._name, content, wait=wait)


def again(entries: Sequence[Entry], report: Callable[[Entry], object]) -> None:
    """Report the epochs of earlier attempts; all but the last are marked as such."""
    for number, entry in enumerate(entries, 1):
        report(marked(entry, number < len(entries)))


def marked(entry: Entry, restored: bool) -> Entry:
    """An entry that says whether it is old news, which belongs into the history and nowhere else."""
    return entry | {"restored": True} if restored else entry


def forget(files: TrialFiles) -> None:
    """Delete what an ended trial has no use for: its checkpoints, and the list of its attempts."""
    storage.delete_tree(files.checkpoints)
    with suppress(StorageFault):
        storage.delete(files.attempts)


def out_of_memory(error: BaseException) -> bool:
    """Whether there was no room in memory, on a GPU or here."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in SPENT)
    )
