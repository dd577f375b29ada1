"""The proposer: the queue of trials in the three shapes that Ray Tune asks for.

Tune asks a Searcher what to run, tells a Callback what happened, and asks a Stopper whether to go on. An
exception in a Searcher or Callback would turn a finished trial into a failed one or end the run with a Ray
error, so each of them catches what goes wrong, keeps it, and has the trials stopped; `runner.run` raises it.
All state is in the study's files: nothing of this is ever restored from Ray's own. A trial that is run again
is a new Ray trial; Tune itself retries nothing.
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
from raysernas.fleet.failure_reasons import Death, death
from raysernas.fleet.progress import Display, duration
from raysernas.fleet.queue import Queue
from raysernas.record.files import TrialKey

TICK_S = 0.5  # between two lines on the board
GRACE_S = 6.0  # for trials to write their checkpoints; with the end of Ray a launch is gone within 10 s
DOOMED = "its candidate was given up"
TAKEN = "it was taken for lost, and runs elsewhere"
OVER = "nothing is left to run"

Write = Callable[[str, Mapping[str, str]], Mapping[str, float]]  # `board.Chalk.write`


class Course:
    """One run: which Ray trial is which trial, what is to stop, when something moved last, and what went
    wrong.
    """

    def __init__(
        self,
        queue: Queue,
        display: Display,
        *,
        room: Callable[[], int],
        write: Write,
        no_progress_s: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`room`: trials at once, now; `write`: on the board."""
        self.queue, self.display, self.room = queue, display, room
        self.live: dict[str, TrialKey] = {}  # by Ray's id, until it is told how the trial has ended
        self.broken: Exception | None = None
        self.signal = 0
        self.no_progress_s = no_progress_s
        self._write, self._clock = write, clock
        self._lost: dict[str, str] = {}  # by Ray's id: their processes may live, cut off for a while
        self._idle_s: dict[str, float] = {}  # by Ray's id, as the trials said last
        self._stopping, self._stopping_s, self._over = "", 0.0, False
        self._ticked_s = self._heard_s = self.stepped_s = clock()

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be started."""
        return bool(self._stopping)

    def guard(self, step: Callable[[], Any]) -> Any:
        """The result of a step; None, and the run's end, if it raises."""
        try:
            return step()
        except Exception as error:
            self.break_off(error)
            return None

    def break_off(self, error: Exception) -> None:
        """Something went wrong for good."""
        self.broken = self.broken or error
        self.stop("the launch has failed")

    def stop(self, reason: str) -> None:
        """Have all trials write their checkpoints and stop."""
        if not self._stopping:
            self._stopping, self._stopping_s = reason, self._clock()

    def over(self) -> None:
        """Nothing is left to run: those who only stay for their slot may go."""
        self._over = True

    def overdue(self) -> bool:
        """Whether trials that were to stop have had their time."""
        return self.stopping and self._clock() - self._stopping_s > GRACE_S

    def hear(self) -> None:
        """Something has moved."""
        self._heard_s = self._clock()

    def settle(self, trial_id: str) -> TrialKey | None:
        """The trial that a Ray trial runs, of which nothing more is to be heard; None if that is so
        already.
        """
        self.hear()
        self._idle_s.pop(trial_id, None)
        return self.live.pop(trial_id, None)

    def lose(self, trial_id: str) -> tuple[TrialKey | None, float]:
        """`settle` a Ray trial that does not answer, and the seconds without a step that it has told last."""
        idle_s = self._idle_s.get(trial_id, 0.0)
        if (key := self.settle(trial_id)) is not None:
            self._lost[trial_id] = TAKEN
        return key, idle_s

    def tick(self) -> None:
        """Write on the board what is to stop, hear from it what moves, and look whether anything does.

        Raises:
            Fault: when nothing has moved for too long.
        """
        now_s = self.stepped_s = self._clock()
        if now_s - self._ticked_s < TICK_S:
            return
        self._ticked_s = now_s
        doomed = self.queue.doomed()
        found = {trial_id: DOOMED for trial_id, key in self.live.items() if key in doomed}
        heard = self._write(self._stopping or (OVER if self._over else ""), found | self._lost)
        self._idle_s.update(heard)
        if heard:
            self._heard_s = max(self._heard_s, now_s - min(heard.values()))
        if not self.stopping and now_s - self._heard_s > self.no_progress_s:
            raise self.stands(now_s - self._heard_s)

    def stands(self, for_s: float) -> Fault:
        """Nothing moves, told."""
        waiting = sum(self.queue.left().values()) - len(self.live)
        return Fault(
            "fleet",
            f"no trial has moved for {duration(for_s)}",
            got=f"{len(self.live)} started or about to start, {waiting} left",
            expected="a step of some trial within study.resources.no_progress_s",
            fix="look at the cluster (ray status), then run the same command again: it continues; "
            "set study.resources.no_progress_s higher if a step, or the wait for a machine, may take this "
            "long",
        )

    def __reduce__(self) -> tuple[type, tuple[()]]:
        # Tune pickles everything for a restore that we never make; a display cannot be pickled
        return object, ()


class Proposer(Searcher):
    """What to run next, as a flat dict of scalars and lists; None while that depends on what runs; FINISHED
    at the end.
    """

    def __init__(self, course: Course, extra: dict[str, Any]):
        """`extra`: what every trial is told besides its own settings."""
        super().__init__()
        self._course, self._extra = course, extra

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # pyright: ignore[reportIncompatibleMethodOverride] - Ray's own hint is dict
        """The next trial of the queue."""
        found = None if self._course.stopping else self._course.guard(lambda: self._next(trial_id))
        return Searcher.FINISHED if self._course.stopping else found

    def _next(self, trial_id: str) -> dict[str, Any] | str | None:
        course, queue = self._course, self._course.queue
        if len(course.live) >= course.room():
            return None
        if (key := queue.next()) is None:
            return self._none()
        course.live[trial_id] = key
        course.display.expect(queue.left(), queue.done())
        settings = flatten(queue.trial(key)).items()
        flat = {
            sys.intern(name): list(value) if isinstance(value, tuple) else value for name, value in settings
        }
        return {**flat, **self._extra, "candidate": key.candidate}

    def _none(self) -> str | None:
        """Tune asks for ten minutes, deaf to everything else, if nothing runs and it is told to wait: that
        must not be.
        """
        if self._course.queue.over():
            self._course.over()
            return Searcher.FINISHED
        if not self._course.live:
            raise RuntimeError("the queue waits, but nothing runs that it could wait for")
        return None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing: `Watch` hears the same, and with the reason."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study's files are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: as `save`."""


class Watch(Callback):
    """Hears how trials go, for the queue and the display."""

    def __init__(self, course: Course):
        self._course = course

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process is there."""
        if key := self._course.live.get(trial.trial_id):
            self._course.hear()
            self._course.guard(lambda: self._course.display.start(key.name, key.arm))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has ended an epoch, or tells how it has ended."""
        self._course.guard(lambda: self._hear(trial.trial_id, result))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process is gone."""
        self._course.guard(lambda: self._lose(trial.trial_id, Path(trial.error_file).read_text()))
        lighten(trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's function has returned; it has told how it ended before."""
        self._course.guard(lambda: self._lose(trial.trial_id, "it returned without a word"))
        lighten(trial)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ten times a second and with everything that happens."""
        self._course.guard(self._course.tick)

    def _hear(self, trial_id: str, result: dict[str, Any]) -> None:
        course = self._course
        course.hear()
        if "stage" in result:
            if key := course.live.get(trial_id):
                course.display.advance(key.name, result["stage"], result["epoch"], result["epochs"])
            return
        if (key := course.settle(trial_id)) is None:
            return
        if "fault" in result:
            raise Relayed(result["fault"])
        if "died" in result:
            self._bury(key, Death(result["died"], result["reason"]))
        elif "interrupted" in result:
            course.queue.interrupted(key)
            course.display.leave(key.name, "" if course.stopping else result["interrupted"])
        else:
            course.queue.ended(key, result["status"])
            course.display.end(key.name, key.arm, valid_ua=result["valid_ua"], reason=result["reason"])
        course.display.expect(course.queue.left(), course.queue.done())

    def _lose(self, trial_id: str, told: str) -> None:
        key, idle_s = self._course.lose(trial_id)
        if key is not None:
            self._bury(key, death(told, idle_s=idle_s, no_progress_s=self._course.no_progress_s))

    def _bury(self, key: TrialKey, of: Death) -> None:
        queue, display = self._course.queue, self._course.display
        status = queue.died(key, of.reason, of.kind)
        if status == "again":
            display.leave(key.name, f"{of.reason}; it runs again")
        else:
            display.end(
                key.name, key.arm, valid_ua=float("nan"), reason=of.reason if status == "failed" else ""
            )
        display.expect(queue.left(), queue.done())


def lighten(trial: Any) -> None:
    """Take from an ended Ray trial its settings and metrics: Tune keeps every trial until the run ends, and
    needs them no more.
    """
    trial.experiment_tag = ""  # all settings as one text
    about = getattr(trial, "run_metadata", None)
    metrics = [(about, name) for name in ("metric_analysis", "metric_n_steps", "last_result")]
    for of, name in ((trial, "config"), (trial, "evaluated_params"), *metrics):
        if isinstance(found := getattr(of, name, None), dict):
            found.clear()


class Halt(Stopper):
    """Ends the run when trials that were to stop have had their time."""

    def __init__(self, course: Course):
        self._course = course

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No trial is ended on its own."""
        return False

    def stop_all(self) -> bool:
        """Whether to end the run."""
        return self._course.overdue()


class Relayed(Fault):
    """A Fault from another process, of which only the text crosses the border."""

    def __init__(self, text: str):
        ValueError.__init__(self, text)
        self.what = text.splitlines()[0]
