"""The checkpoints of one trial: killed at any moment and run again, it continues and ends bit for bit as if
it had never stopped.

Each stage has one file. It is written every few seconds while the stage runs, and once at its end. A step
copies the state to the CPU, and a thread writes the copy to disk while the training goes on. A stage sees a
`StageCheckpoint`: what an earlier attempt saved, and what to call after each step. A file that cannot be
read, or that other settings have written, is ignored with a warning.
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
from raysernas.record.seal import DamagedFault
from raysernas.record.storage import StorageFault
from raysernas.runtime import checkpoint_file
from raysernas.runtime.resource_meter import Cost, peak_mb

FORMAT = 3  # of the saved states; a checkpoint of another format is ignored
OUT_OF_MEMORY = (  # what a plain RuntimeError says
    *("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
)
SavedState = dict[str, Any]  # tensors, numbers and text, in dicts and lists
Capture = Callable[[], SavedState]


class Interrupted(Exception):
    """A trial was asked to stop and has written its checkpoint; run again, it continues."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retryable(Exception):
    """A trial could not go on here and now; later or elsewhere it may continue from its last checkpoint."""

    def __init__(self, kind: Literal["out_of_memory"], reason: str) -> None:
        super().__init__(kind, reason)  # both, so that it can be pickled
        self.kind: Literal["out_of_memory"] = kind
        self.reason = reason


@runtime_checkable
class StageCheckpoint(Protocol):
    """The checkpoint of one stage, as the stage sees it."""

    restored: SavedState | None  # what an earlier attempt saved
    complete: bool  # `restored` is the end of the stage

    def step(self, capture: Capture) -> None:
        """To be called after every step of training and every batch of an evaluation.

        Args:
            capture: returns a copy of everything that the rest of the stage needs.
        """

    def finish(self, capture: Capture) -> None:
        """To be called after the last step."""


class NoCheckpoint:
    """Saves nothing."""

    restored: SavedState | None = None
    complete = False

    def __init__(self, stage: str = "") -> None:
        del stage

    def step(self, capture: Capture) -> None:
        """Does nothing."""

    def finish(self, capture: Capture) -> None:
        """Does nothing."""


OpenCheckpoint = Callable[[str], StageCheckpoint]  # by the name of the stage


@dataclass(slots=True)
class TrialCheckpoints:
    """The checkpoints of all stages of a trial. Call `close` at the end."""

    files: TrialFiles
    digest: str
    device: torch.device
    every_s: float
    should_stop: Callable[[], str]  # a reason to stop, or ""
    heartbeat: Callable[[], None]
    warn: Callable[[str], object]
    earlier_cost: Cost = field(default_factory=Cost)  # of earlier attempts at the stages that are open now
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"))
    _writing: Future[None] | None = None

    def stage(self, name: str) -> "StoredCheckpoint":
        """Open the checkpoint of a stage."""
        found = self._read(name)
        cost = Cost(*found["cost"]) if found else Cost()
        self.earlier_cost.add(cost)
        return StoredCheckpoint(self, name, cost, found)

    def poll(self) -> None:
        """To be called between two stages: gives a heartbeat.

        Raises:
            Interrupted: when there is a reason to stop.
        """
        self.heartbeat()
        if reason := self.should_stop():
            raise Interrupted(reason)

    def busy(self) -> bool:
        """Whether a checkpoint is still being written.

        Raises:
            Fault: when it could not be written.
        """
        if self._writing is None or not self._writing.done():
            return self._writing is not None
        self._writing, done = None, self._writing
        done.result()
        return False

    def write(self, name: str, content: SavedState, *, wait: bool) -> None:
        """Write a checkpoint, after the one that is being written.

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
        """Wait for the checkpoint that is being written."""
        self._writer.shutdown()

    def _read(self, name: str) -> SavedState | None:
        path = self.files.checkpoint(name)
        if not storage.exists(path):
            return None
        try:
            found = checkpoint_file.load(path)
            mine = (found["format"], found["digest"], found["stage"]) == (FORMAT, self.digest, name)
        except DamagedFault:
            self.warn(f"{path} is damaged: {name} starts over")
            return None
        except Exception as error:  # torn, foreign, unreadable: torch has no single exception for it
            self.warn(f"{path} cannot be read ({type(error).__name__}): {name} starts over")
            return None
        if not mine:
            self.warn(f"{path} was written under other settings or by another version: {name} starts over")
        return found if mine else None


class StoredCheckpoint:
    """The `StageCheckpoint` of one stage, in a file."""

    def __init__(self, trial: TrialCheckpoints, stage: str, earlier: Cost, found: SavedState | None) -> None:
        self.restored: SavedState | None = found["state"] if found else None
        self.complete: bool = bool(found and found["ended"])
        self._trial, self._stage, self._earlier = trial, stage, earlier
        self._began = self._last = time.monotonic()
        self._cpu_began_s = time.process_time()

    def step(self, capture: Capture) -> None:
        """Write a checkpoint if it is time.

        Raises:
            Interrupted: when there is a reason to stop; the state is on disk by then.
            Fault: when this checkpoint or the last one could not be written.
        """
        self._trial.heartbeat()
        busy = self._trial.busy()
        if reason := self._trial.should_stop():
            self._write(capture, ended=False, wait=True)
            raise Interrupted(reason)
        if not busy and time.monotonic() - self._last >= self._trial.every_s:
            self._write(capture, ended=False, wait=False)

    def finish(self, capture: Capture) -> None:
        """Write the end of the stage, and wait until it is on disk."""
        if not self.complete:
            self._write(capture, ended=True, wait=True)

    def _write(self, capture: Capture, *, ended: bool, wait: bool) -> None:
        self._last = time.monotonic()
        cpu_s = time.process_time() - self._cpu_began_s
        cost = Cost(self._last - self._began, peak_mb(self._trial.device), cpu_s)
        cost.add(self._earlier)
        content = {"state": capture(), "ended": ended, "cost": [cost.seconds, cost.peak_mb, cost.cpu_s]}
        self._trial.write(self._stage, content, wait=wait)


def replay(entries: Sequence[dict[str, Any]], report: Callable[[dict[str, Any]], object]) -> None:
    """Report the epochs of earlier attempts again; all but the last are marked as restored."""
    for number, entry in enumerate(entries, 1):
        report(mark_restored(entry, number < len(entries)))


def mark_restored(entry: dict[str, Any], restored: bool) -> dict[str, Any]:
    """Mark an entry of the history as old: it was reported before, and only the history needs it again."""
    return entry | {"restored": True} if restored else entry


def discard(files: TrialFiles) -> None:
    """Delete the checkpoints and the list of attempts of a trial that has ended; of the files in the folder
    of its checkpoints those that `checkpoint_file` has written.
    """
    storage.delete_own(files.checkpoints, checkpoint_file.is_ours)
    with suppress(StorageFault):
        storage.delete(files.attempts)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the GPU or on the host."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)
    )
