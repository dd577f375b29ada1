"""The board: how a trial hears, within a second, that it is to stop.

The driver writes on it which trials are to stop and why; every trial asks it once a second, from a thread,
and says how long it has not moved. It is a Ray actor on the driver's node that needs no CPU. If its process
dies Ray starts it again, empty, and the driver's next line fills it. A trial that gets no answer for LOST_S
takes the driver for gone, and stops as well.
"""

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

NAME = "raysernas-board"
ASK_S = 1.0  # between two questions of a trial, and about two lines of the driver
ANSWER_S = 5.0  # within which an answer comes
# without an answer: a busy machine is slow (5 s were seen), and Ray takes 25 s and more to give a silent node
# up
LOST_S = 20.0
LOST = "the launch does not answer"


class Board:
    """What is written on it; the last line counts."""

    def __init__(self) -> None:
        self._everyone, self._doomed = "", dict[str, str]()
        self._idle_s: dict[str, float] = {}

    def write(self, everyone: str, doomed: Mapping[str, str]) -> dict[str, float]:
        """A reason for all trials to stop, or none; reasons by Ray's id of the trial. Returns the seconds
        that those who asked since the last line had not moved."""
        self._everyone, self._doomed = everyone, dict(doomed)
        heard, self._idle_s = self._idle_s, {}
        return heard

    def ask(self, trial_id: str, idle_s: float) -> str:
        """Why this Ray trial is to stop; empty if it is not."""
        self._idle_s[trial_id] = idle_s
        return self._everyone or self._doomed.get(trial_id, "")


class Asking:
    """A trial's thread that asks; called, it gives the reason to stop that it has heard, if any, and notes
    that the trial moves.
    """

    def __init__(
        self,
        ask: Callable[[float], str],
        leaving: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ):
        """`ask` the board, given the seconds without a step; `leaving`: why the node will be gone, if it
        will.
        """
        self._ask, self._leaving, self._clock = ask, leaving, clock
        self._moved_s = self._answered_s = clock()
        self.reason, self.left = "", False  # left: the reason is the node's
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)

    def __enter__(self) -> Self:
        self.listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def __call__(self) -> str:
        self._moved_s = self._clock()
        return self.reason

    def listen(self) -> None:
        """Ask once."""
        reason = self._leaving()
        self.left = self.left or bool(reason)
        try:
            reason = self._ask(self._clock() - self._moved_s) or reason
            self._answered_s = self._clock()
        except Exception:  # whatever Ray calls it: no answer
            if self._clock() - self._answered_s > LOST_S:
                reason = reason or LOST
        self.reason = self.reason or reason

    def _run(self) -> None:
        while not self._end.wait(ASK_S):
            self.listen()


def asking(trial_id: str, leaving: Callable[[], str]) -> Asking:
    """The asking of one Ray trial, in its own process: by Ray's id, because a trial that is run again has
    another one.
    """
    import ray

    def ask(idle_s: float) -> str:
        told: Any = ray.get(ray.get_actor(NAME).ask.remote(trial_id, idle_s), timeout=ANSWER_S)
        return str(told)

    return Asking(ask, leaving)


class Chalk:
    """The driver's hand: puts the board up, and writes."""

    def __init__(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0)(Board)
        self._board: Any = actor.options(name=NAME, scheduling_strategy=here).remote()
        self._line: Any = None

    def write(self, everyone: str, doomed: Mapping[str, str]) -> dict[str, float]:
        """As `Board.write`, without waiting: returns what the line before this one has brought, nothing while
        it is under way.
        """
        import ray
        from ray.exceptions import RayError

        heard: dict[str, float] = {}
        if self._line is not None:
            if not ray.wait([self._line], timeout=0)[0]:
                return heard
            try:
                heard = ray.get(self._line)
            except RayError:  # the board is being put up again
                heard = {}
        self._line = self._board.write.remote(everyone, dict(doomed))
        return heard
