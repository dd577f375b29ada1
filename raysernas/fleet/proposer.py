"""The proposer: the queue of trials in the three shapes that Ray Tune asks for.

Tune asks a Searcher what to run, tells a Callback what happened, and asks a Stopper whether to go on. An exception in a
Searcher or Callback would turn a finished trial into a failed one or end the run with a Ray error, so each of them catches
what goes wrong, keeps it, and has the run stopped; `runner.run` raises it. All state is in the journal and the ledger:
nothing of this is ever restored from Ray's own files.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.tune import Callback, Stopper
from ray.tune.search import Searcher

from raysernas.config import Fault, flatten
from raysernas.fleet.progress import Display
from raysernas.fleet.queue import Queue
from raysernas.record.files import TrialKey


class Course:
    """One run's queue and display, and what went wrong in it."""

    def __init__(self, queue: Queue, display: Display):
        self.queue, self.display = queue, display
        self.broken: Exception | None = None

    def guard(self, step: Callable[[], Any]) -> Any:
        """The result of a step; None, and the run's end, if it raises."""
        try:
            return step()
        except Exception as error:
            self.broken = self.broken or error
            return None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return object, ()  # Tune pickles everything for a restore that we never make; a display cannot be pickled


class Proposer(Searcher):
    """What to run next, as a flat dict of scalars and lists; FINISHED at the end, never None."""

    def __init__(self, course: Course, extra: dict[str, str]):
        """`extra`: what every trial is told besides its own settings."""
        super().__init__()
        self._course, self._extra = course, extra

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # pyright: ignore[reportIncompatibleMethodOverride] - Ray's own hint is dict
        """The next trial of the queue."""
        return (None if self._course.broken else self._course.guard(self._next)) or Searcher.FINISHED

    def _next(self) -> dict[str, Any] | None:
        queue = self._course.queue
        if (key := queue.next()) is None:
            return None
        self._course.display.expect(queue.left(), queue.done())
        flat = {name: list(value) if isinstance(value, tuple) else value for name, value in flatten(queue.trial(key)).items()}
        return {**flat, **self._extra, "candidate": key.candidate}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: `Watch` hears the same, and with the reason."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal and the ledger are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: as `save`."""


class Watch(Callback):
    """Hears how trials go, for the queue and the display."""

    def __init__(self, course: Course):
        self._course = course

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process is there."""
        self._course.guard(lambda: self._course.display.start(key_of(trial.config).name, trial.config["arm"]))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """A trial has ended an epoch, or everything."""
        self._course.guard(lambda: self._hear(key_of(trial.config), result))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process is gone for good."""
        self._course.guard(lambda: self._bury(key_of(trial.config), reason(Path(trial.error_file).read_text())))

    def _hear(self, key: TrialKey, result: dict[str, Any]) -> None:
        course = self._course
        if "fault" in result:
            raise Relayed(result["fault"])
        if "status" not in result:
            course.display.advance(key.name, result["stage"], result["epoch"], result["epochs"])
            return
        course.queue.ended(key, result["status"])
        course.display.end(key.name, key.arm, valid_ua=result["valid_ua"], reason=result["reason"])
        course.display.expect(course.queue.left(), course.queue.done())

    def _bury(self, key: TrialKey, why: str) -> None:
        queue, display = self._course.queue, self._course.display
        status = queue.died(key, why, "error")
        display.end(key.name, key.arm, valid_ua=float("nan"), reason=why if status == "failed" else "")
        display.expect(queue.left(), queue.done())


class Halt(Stopper):
    """Ends the run when something is broken for good."""

    def __init__(self, course: Course):
        self._course = course

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No trial is ended on its own."""
        return False

    def stop_all(self) -> bool:
        """Whether to end the run."""
        return self._course.broken is not None


class Relayed(Fault):
    """A Fault from another process, of which only the text crosses the border."""

    def __init__(self, text: str):
        ValueError.__init__(self, text)
        self.what = text.splitlines()[0]


def key_of(config: dict[str, Any]) -> TrialKey:
    """Which trial a Ray trial is."""
    return TrialKey(arm=config["arm"], candidate=config["candidate"], fold=config["fold"], seed=config["seed"])


def reason(told: str) -> str:
    """One line for why a trial has no record, from Ray's file of its failures.

    A trial that raised left a traceback, whose last line says it; of a process that is gone Ray's first line says most.
    """
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.startswith("Failure #")]
    last = lines[starts[-1] + 1 :] if starts else lines
    if last and last[0].startswith("ray::"):
        return last[-1]
    return f"its process ended twice: {next(iter(last), 'nothing is known about it')}"
