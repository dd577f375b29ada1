"""The queue of trials in the three shapes that Ray Tune wants.

Tune asks a Searcher what to run, tells a Callback what happened, and asks a Stopper whether to go on. An
exception in a Searcher or Callback would turn a finished trial into a failed one, or end the run with a Ray
error. So each of them catches exceptions, keeps them in the `LaunchState`, and has the trials stopped;
`runner.run` raises them. All lasting state is in the study's files: Ray's own is never restored. A retried
trial is a new Ray trial; Tune retries nothing.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback, Stopper
from ray.tune.search import Searcher

from raysernas.config.fault import Fault
from raysernas.config.identity import flatten
from raysernas.fleet.failure_reasons import FailureReason, failure_reason
from raysernas.fleet.progress import Display, duration
from raysernas.fleet.queue import Queue
from raysernas.record.files import TrialKey

TICK_S = 0.5  # between two writes of the stop signal
GRACE_S = 6.0  # for trials to write their checkpoints; with the end of Ray, a launch is gone within 10 s
RACED_OUT = "its candidate was given up"
REPLACED = "it was taken for lost, and runs elsewhere"
FINISHED = "nothing is left to run"

WriteStopSignal = Callable[[str, Mapping[str, str]], Mapping[str, float]]  # `stop_signal.StopWriter.write`


class LaunchState:
    """The state of one launch: which Ray trial runs which trial, what should stop, when a trial last made
    progress, and what went wrong.
    """

    def __init__(
        self,
        queue: Queue,
        display: Display,
        *,
        slots: Callable[[], int],
        write: WriteStopSignal,
        no_progress_s: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`slots`: how many trials may run at once, now; `write`: writes the stop signal."""
        self.queue, self.display, self.slots = queue, display, slots
        self.live: dict[str, TrialKey] = {}  # by Ray's trial id, until its end is known
        self.error: Exception | None = None
        self.in_ray = True  # Tune's loop is in Ray's code, not in ours, which may wait for a store
        self.no_progress_s = no_progress_s
        self._write, self._clock = write, clock
        # by Ray's trial id: processes cut off from us that may still live
        self._replaced: dict[str, str] = {}
        self._idle_s: dict[str, float] = {}  # by Ray's trial id: what the trials said last
        self._stop_reason, self._stopping_s, self._finished = "", 0.0, False
        self._ticked_s = self._progress_s = self.stepped_s = clock()

    @property
    def stopping(self) -> bool:
        """Whether nothing more may start."""
        return bool(self._stop_reason)

    def guard(self, step: Callable[[], Any]) -> Any:
        """The result of a step. If it raises, the launch stops and the result is None."""
        self.in_ray = False
        try:
            return step()
        except Exception as error:
            self.error = self.error or error
            self.stop("the launch has failed")
            return None
        finally:
            self.in_ray = True

    def stop(self, reason: str) -> None:
        """Have all trials write their checkpoints and stop."""
        if not self._stop_reason:
            self._stop_reason, self._stopping_s = reason, self._clock()

    def finish(self) -> None:
        """Nothing is left to run: processes that only hold their slot may end."""
        self._finished = True

    def overdue(self) -> bool:
        """Whether trials that should stop have had their time."""
        return self.stopping and self._clock() - self._stopping_s > GRACE_S

    def note_progress(self) -> None:
        """Some trial has made progress now."""
        self._progress_s = self._clock()

    def remove(self, trial_id: str) -> TrialKey | None:
        """Forget a Ray trial whose end is known; the trial that it ran, or None if it was removed before."""
        self.note_progress()
        self._idle_s.pop(trial_id, None)
        return self.live.pop(trial_id, None)

    def remove_lost(self, trial_id: str) -> tuple[TrialKey | None, float]:
        """`remove` a Ray trial that does not answer. Also returns the seconds without a step that it said
        last.
        """
        idle_s = self._idle_s.get(trial_id, 0.0)
        if (key := self.remove(trial_id)) is not None:
            self._replaced[trial_id] = REPLACED
        return key, idle_s

    def tick(self) -> None:
        """Write the stop signal, read from it which trials make progress, and check that some trial does.

        Raises:
            Fault: when no trial has made progress for too long.
        """
        now_s = self.stepped_s = self._clock()
        if now_s - self._ticked_s < TICK_S:
            return
        self._ticked_s = now_s
        raced_out = self.queue.raced_out()
        by_trial = {trial_id: RACED_OUT for trial_id, key in self.live.items() if key in raced_out}
        for_all = self._stop_reason or (FINISHED if self._finished else "")
        idle_s = self._write(for_all, by_trial | self._replaced)
        self._idle_s.update(idle_s)
        if idle_s:
            self._progress_s = max(self._progress_s, now_s - min(idle_s.values()))
        if not self.stopping and now_s - self._progress_s > self.no_progress_s:
            raise self.no_progress(now_s - self._progress_s)

    def no_progress(self, for_s: float) -> Fault:
        """What to say when nothing has moved for `for_s` seconds."""
        waiting = sum(self.queue.left().values()) - len(self.live)
        return Fault(
            "fleet",
            f"no trial has made progress for {duration(for_s)}",
            got=f"{len(self.live)} started or about to start, {waiting} left",
            expected="a step of some trial within study.resources.no_progress_s",
            fix="look at the cluster (ray status), then run the same command again: it continues; "
            "raise study.resources.no_progress_s if a step, or the wait for a machine, may take this long",
        )

    def __reduce__(self) -> tuple[type, tuple[()]]:
        # Tune pickles everything for a restore that we never make; a display cannot be pickled
        return object, ()


class Proposer(Searcher):
    """Gives Tune the next trial as a flat dict of scalars and lists; None while that depends on running
    trials; FINISHED at the end.
    """

    def __init__(self, launch: LaunchState, extra: dict[str, Any]):
        """`extra`: what every trial is given besides its own settings."""
        super().__init__()
        self._launch, self._extra = launch, extra

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # pyright: ignore
        """The next trial of the queue."""
        found = None if self._launch.stopping else self._launch.guard(lambda: self._next(trial_id))
        return Searcher.FINISHED if self._launch.stopping else found

    def _next(self, trial_id: str) -> dict[str, Any] | str | None:
        launch, queue = self._launch, self._launch.queue
        if len(launch.live) >= launch.slots():
            return None
        if (key := queue.next()) is None:
            return self._none()
        launch.live[trial_id] = key
        launch.display.expect(queue.left(), queue.done())
        settings = flatten(queue.trial(key)).items()
        flat = {
            sys.intern(name): list(value) if isinstance(value, tuple) else value for name, value in settings
        }
        return {**flat, **self._extra, "candidate": key.candidate}

    def _none(self) -> str | None:
        if self._launch.queue.over():
            self._launch.finish()
            return Searcher.FINISHED
        if not self._launch.live:  # Tune would ask for ten minutes and hear nothing else
            raise RuntimeError("the queue waits, but no trial runs that it could wait for")
        return None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Does nothing: `TrialCallback` gets the same call, with the reason."""

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the study's files are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, like `save`."""


class TrialCallback(Callback):
    """Passes what happens to trials on to the queue and the display."""

    def __init__(self, launch: LaunchState):
        self._launch = launch

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process has started."""
        if key := self._launch.live.get(trial.trial_id):
            self._launch.note_progress()
            self._launch.guard(lambda: self._launch.display.start(key.name, key.arm))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has ended an epoch, or reports how it has ended."""
        self._launch.guard(lambda: self._receive(trial.trial_id, result))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process is gone."""
        self._launch.guard(lambda: self._lose(trial.trial_id, Path(trial.error_file).read_text()))
        drop_settings(trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's function has returned; it has normally reported its end before."""
        self._launch.guard(lambda: self._lose(trial.trial_id, "it returned without a report"))
        drop_settings(trial)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune calls this ten times a second, and after every event."""
        self._launch.guard(self._launch.tick)

    def _receive(self, trial_id: str, result: dict[str, Any]) -> None:
        launch = self._launch
        launch.note_progress()
        if "stage" in result:
            if key := launch.live.get(trial_id):
                launch.display.advance(key.name, result["stage"], result["epoch"], result["epochs"])
            return
        if (key := launch.remove(trial_id)) is None:
            return
        if "fault" in result:
            raise RelayedFault(result["fault"])
        if "died" in result:
            self._fail(key, FailureReason(result["died"], result["reason"]))
        elif "interrupted" in result:
            launch.queue.interrupted(key)
            launch.display.leave(key.name, "" if launch.stopping else result["interrupted"])
        else:
            launch.queue.ended(key, result["status"])
            launch.display.end(key.name, key.arm, valid_ua=result["valid_ua"], reason=result["reason"])
        launch.display.expect(launch.queue.left(), launch.queue.done())

    def _lose(self, trial_id: str, message: str) -> None:
        key, idle_s = self._launch.remove_lost(trial_id)
        if key is not None:
            limit_s = self._launch.no_progress_s
            self._fail(key, failure_reason(message, idle_s=idle_s, no_progress_s=limit_s))

    def _fail(self, key: TrialKey, why: FailureReason) -> None:
        queue, display = self._launch.queue, self._launch.display
        status = queue.died(key, why.text, why.kind)
        if status == "retried":
            display.leave(key.name, f"{why.text}; it will be retried")
        else:
            reason = why.text if status == "failed" else ""
            display.end(key.name, key.arm, valid_ua=float("nan"), reason=reason)
        display.expect(queue.left(), queue.done())


def drop_settings(trial: Any) -> None:
    """Free the settings and metrics of an ended Ray trial: Tune keeps every trial until the run ends."""
    trial.experiment_tag = ""  # all settings as one text
    about = getattr(trial, "run_metadata", None)
    metrics = [(about, name) for name in ("metric_analysis", "metric_n_steps", "last_result")]
    for of, name in ((trial, "config"), (trial, "evaluated_params"), *metrics):
        if isinstance(found := getattr(of, name, None), dict):
            found.clear()


class OverdueStopper(Stopper):
    """Ends the run when trials that should stop have had their time."""

    def __init__(self, launch: LaunchState):
        self._launch = launch

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is ended by Tune."""
        return False

    def stop_all(self) -> bool:
        """Whether to end the run."""
        return self._launch.overdue()


class RelayedFault(Fault):
    """A Fault from another process, of which only the text came here."""

    def __init__(self, text: str):
        ValueError.__init__(self, text)
        self.what = text.splitlines()[0]
