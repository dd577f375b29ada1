"""The live display of a running study: done, running, left, last results, time left.

In: trials that start, advance and end. Out: on a terminal a display that keeps itself up to date, elsewhere
one plain line for each ended trial. The time left is estimated from ended trials of the same arm. Knows no
Ray.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

LEAST_SHARE = 0.1  # of its time so far that a running trial is expected to need yet
SHOWN = 5  # last results on the live display


@dataclass(slots=True)
class RunningTrial:
    """A running trial and how far it is."""

    arm: str
    since_s: float
    stage: str = "starting"
    share: float = 0.0  # of the stage


@dataclass(slots=True)
class StudyProgress:
    """How far a study is, and how fast."""

    slots: int
    left: dict[str, int] = field(default_factory=dict)  # trials of each arm that have not ended
    seconds: dict[str, list[float]] = field(default_factory=dict)  # of ended trials of each arm
    running: dict[str, RunningTrial] = field(default_factory=dict)  # by name
    done: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """Trials of the study, as far as is known by now."""
        return self.done + sum(self.left.values())

    @property
    def waiting(self) -> dict[str, int]:
        """Trials of each arm that do not run yet."""
        running = Counter(one.arm for one in self.running.values())
        return {arm: max(0, count - running[arm]) for arm, count in self.left.items()}

    def left_s(self, now_s: float) -> float | None:
        """Expected seconds until the last trial ends; None while no trial has ended."""
        if not (known := [s for arm in self.seconds.values() for s in arm]):
            return None
        overall = sum(known) / len(known)
        mean = {arm: sum(found) / len(found) for arm, found in self.seconds.items()}
        waiting = sum(count * mean.get(arm, overall) for arm, count in self.waiting.items())
        running = self.running.values()
        rests = [rest_s(mean.get(one.arm, overall), now_s - one.since_s) for one in running]
        return max([(waiting + sum(rests)) / self.slots, *rests])


def rest_s(mean_s: float, passed_s: float) -> float:
    """Expected seconds until a trial ends that has run for `passed_s`: what is left of the mean. A trial that
    is late by some seconds is expected to take as many more.
    """
    return max(abs(mean_s - passed_s), LEAST_SHARE * passed_s)


class Display:
    """Shows how a study goes. Enter it, then `start`, `advance` and `end` trials by name."""

    def __init__(self, console: Console, *, slots: int, clock: Callable[[], float] = time.monotonic):
        self._console, self._clock = console, clock
        self._progress, self._began_s = StudyProgress(max(1, slots)), clock()
        self._last: deque[str] = deque(maxlen=SHOWN)
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(
                console=console, get_renderable=self.render, refresh_per_second=2, transient=True
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def expect(self, left: Mapping[str, int], done: int, *, slots: int = 0) -> None:
        """Set the trials of each arm that have not ended, how many have (in earlier launches too), and,
        unless 0, how many run at once.
        """
        self._progress.slots = slots or self._progress.slots
        self._progress.left, self._progress.done = dict(left), done

    def start(self, name: str, arm: str) -> None:
        """A trial has started, perhaps not for the first time."""
        self._progress.running[name] = RunningTrial(arm, self._clock())

    def advance(self, name: str, stage: str, epoch: int, epochs: int) -> None:
        """A running trial has ended an epoch of a stage."""
        if one := self._progress.running.get(name):
            one.stage, one.share = stage, epoch / max(1, epochs)

    def leave(self, name: str, reason: str) -> None:
        """A trial has stopped without a record. With a reason, it continues later in this launch."""
        self._progress.running.pop(name, None)
        if reason:
            line = f"{name}  stopped: {reason.splitlines()[0]}"
            self._show(line, line)

    def end(self, name: str, arm: str, *, valid_ua: float, reason: str = "") -> None:
        """A trial has written its record; with a reason if it failed. `valid_ua` in 0..1."""
        progress, now_s = self._progress, self._clock()
        one = progress.running.pop(name, RunningTrial(arm, now_s))
        progress.done += 1
        progress.left[arm] = max(0, progress.left.get(arm, 0) - 1)
        if reason:
            progress.failed += 1
            result = f"failed: {reason.splitlines()[0]}"
        else:
            progress.seconds.setdefault(arm, []).append(now_s - one.since_s)
            result = f"valid UA {100 * valid_ua:.1f}  {duration(now_s - one.since_s)}"
        width = len(str(progress.total))
        count = f"[{progress.done:>{width}}/{progress.total}]"
        self._show(f"{name}  {result}", f"{count} {name}  {result}  {self._time_left()}".rstrip())

    def _show(self, live: str, plain: str) -> None:
        self._last.append(live)
        if not self._live:
            self._console.print(plain, markup=False, highlight=False, soft_wrap=True)

    def render(self) -> RenderableType:
        """The live display as it is now."""
        progress, now_s = self._progress, self._clock()
        counts = (
            f"{progress.done} done, {len(progress.running)} running, {sum(progress.waiting.values())} left"
        )
        failed = f", {progress.failed} failed" if progress.failed else ""
        starting = "" if progress.running or self._last else ", starting"
        times = f"{duration(now_s - self._began_s)}   {self._time_left()}"
        bar = Table.grid()
        bar.add_row(
            ProgressBar(
                total=max(1, progress.total), completed=progress.done, width=min(60, self._console.width)
            )
        )
        running = [
            f"{_stage(one):<13} {duration(now_s - one.since_s):>6}  {name}"
            for name, one in sorted(progress.running.items())
        ]
        return Group(
            Text(f"{counts}{failed}{starting}   {times}".rstrip(), style="bold"),
            bar,
            *[Text(line, overflow="ellipsis", no_wrap=True) for line in running],
            *[Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in self._last],
        )

    def _time_left(self) -> str:
        left_s = self._progress.left_s(self._clock())
        if left_s is None or self._progress.done == self._progress.total:
            return ""
        return f"about {duration(left_s)} left"


def _stage(one: RunningTrial) -> str:
    return f"{one.stage} {100 * one.share:.0f} %" if one.share else one.stage


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
