"""The stop signal: how a trial learns within a second that it should stop.

The driver writes which trials should stop and why. A thread of every trial polls once a second, and says how
long the trial has made no step. The signal is a Ray actor on the driver's node that needs no CPU. If its
process dies, Ray starts an empty one, which the driver's next write fills. A trial that gets no answer for
LOST_S takes the driver for dead and stops too.
"""

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

NAME = "raysernas-board"  # of the Ray actor
POLL_S = 1.0  # between two polls of a trial, and about two writes of the driver
ANSWER_S = 5.0  # timeout of a poll
# Longer than a busy machine takes (5 s were seen); Ray gives up a silent node after 25 s or more.
LOST_S = 20.0
LOST = "the launch does not answer"


class StopSignal:
    """What the driver wrote last."""

    def __init__(self) -> None:
        self._for_all, self._by_trial = "", dict[str, str]()
        self._idle_s: dict[str, float] = {}

    def write(self, for_all: str, by_trial: Mapping[str, str]) -> dict[str, float]:
        """Set the reason for all trials to stop, or "", and reasons by Ray's trial id.

        Returns:
            For each trial that polled since the last write, the seconds since its last step.
        """
        self._for_all, self._by_trial = for_all, dict(by_trial)
        idle_s, self._idle_s = self._idle_s, {}
        return idle_s

    def poll(self, trial_id: str, idle_s: float) -> str:
        """Why this Ray trial should stop, or ""."""
        self._idle_s[trial_id] = idle_s
        return self._for_all or self._by_trial.get(trial_id, "")


class StopPoller:
    """The polling thread of a trial. Calling the poller returns the reason to stop that it has heard, or "",
    and notes that the trial has made a step.
    """

    def __init__(
        self,
        ask: Callable[[float], str],
        leaving: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ):
        """
        Args:
            ask: polls the stop signal, given the seconds since the last step.
            leaving: why the node will be gone soon, or "".
        """
        self._ask, self._leaving, self._clock = ask, leaving, clock
        self._stepped_s = self._answered_s = clock()
        self.reason, self.node_leaves = "", False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stop-poller", daemon=True)

    def __enter__(self) -> Self:
        self.poll()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def __call__(self) -> str:
        self._stepped_s = self._clock()
        return self.reason

    def poll(self) -> None:
        """Poll once."""
        reason = self._leaving()
        self.node_leaves = self.node_leaves or bool(reason)
        try:
            reason = self._ask(self._clock() - self._stepped_s) or reason
            self._answered_s = self._clock()
        except Exception:  # no answer, whatever Ray calls it
            if self._clock() - self._answered_s > LOST_S:
                reason = reason or LOST
        self.reason = self.reason or reason

    def _run(self) -> None:
        while not self._end.wait(POLL_S):
            self.poll()


def poller(trial_id: str, leaving: Callable[[], str]) -> StopPoller:
    """The poller of one Ray trial, in its own process. `trial_id` is Ray's, a new one for each attempt."""
    import ray

    def ask(idle_s: float) -> str:
        answer: Any = ray.get(ray.get_actor(NAME).poll.remote(trial_id, idle_s), timeout=ANSWER_S)
        return str(answer)

    return StopPoller(ask, leaving)


class StopWriter:
    """The driver's side: starts the actor, and writes."""

    def __init__(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0)(StopSignal)
        self._signal: Any = actor.options(name=NAME, scheduling_strategy=here).remote()
        self._pending: Any = None

    def write(self, for_all: str, by_trial: Mapping[str, str]) -> dict[str, float]:
        """As `StopSignal.write`, without waiting: returns what the write before this one gave, and nothing
        while that one is pending.
        """
        import ray
        from ray.exceptions import RayError

        idle_s: dict[str, float] = {}
        if self._pending is not None:
            if not ray.wait([self._pending], timeout=0)[0]:
                return idle_s
            try:
                idle_s = ray.get(self._pending)
            except RayError:  # the actor is being restarted
                idle_s = {}
        self._pending = self._signal.write.remote(for_all, dict(by_trial))
        return idle_s
