"""The one live display of a running study: done, running, left, last results, time left.

Comes in: trials that start, advance and end. Goes out: on a terminal a table that keeps itself up to date,
elsewhere one plain line for each ended trial. The time left comes from the trials of the same arm that have
ended. Knows no Ray.
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

SHOWN = 5  # last results on the live display


@dataclass(slots=True)
class Running:
    """A trial under way."""

    arm: str
    since_s: float
    stage: str = "starting"
    share: float = 0.0  # of the stage


@dataclass(slots=True)
class Tally:
    """What is known about the speed of a study."""

    slots: int
    left: dict[str, int] = field(default_factory=dict)  # trials of each arm that have not ended
    seconds: dict[str, list[float]] = field(default_factory=dict)  # of ended trials of each arm
    running: dict[str, Running] = field(default_factory=dict)
    done: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """Trials of the study, so far as it is known how many there will be."""
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
        rests = [
            max(0.0, mean.get(one.arm, overall) - (now_s - one.since_s)) for one in self.running.values()
        ]
        return max([(waiting + sum(rests)) / self.slots, *rests])


class Display:
    """Tells the user how a study goes; `with` it, then `start`, `advance` and `end` trials by name."""

    def __init__(self, console: Console, *, slots: int, clock: Callable[[], float] = time.monotonic):
        self._console, self._clock = console, clock
        self._tally, self._began_s = Tally(max(1, slots)), clock()
        self._last: deque[str] = deque(maxlen=SHOWN)
        live = console.is_terminal
        self._live = (
            Live(console=console, get_renderable=self.picture, refresh_per_second=2, transient=True)
            if live
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def expect(self, left: Mapping[str, int], done: int, *, slots: int = 0) -> None:
        """Trials of each arm that have not ended, how many have, in earlier launches too, and how many run at
        once.
        """
        self._tally.slots = slots or self._tally.slots
        self._tally.left, self._tally.done = dict(left), done

    def start(self, name: str, arm: str) -> None:
        """A trial runs, perhaps once more."""
        self._tally.running[name] = Running(arm, self._clock())

    def advance(self, name: str, stage: str, epoch: int, epochs: int) -> None:
        """A running trial has ended an epoch of a stage."""
        if one := self._tally.running.get(name):
            one.stage, one.share = stage, epoch / max(1, epochs)

    def leave(self, name: str, reason: str) -> None:
        """A trial has stopped without a record and goes on later, in this launch if there is a reason."""
        self._tally.running.pop(name, None)
        if not reason:
            return
        line = f"{name}  stopped: {reason.splitlines()[0]}"
        self._last.append(line)
        if not self._live:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def end(self, name: str, arm: str, *, valid_ua: float, reason: str = "") -> None:
        """A trial has written its record; with a reason if it failed. `valid_ua` in 0..1."""
        tally, now_s = self._tally, self._clock()
        one = tally.running.pop(name, Running(arm, now_s))
        tally.done += 1
        tally.left[arm] = max(0, tally.left.get(arm, 0) - 1)
        if reason:
            tally.failed += 1
            result = f"failed: {reason.splitlines()[0]}"
        else:
            tally.seconds.setdefault(arm, []).append(now_s - one.since_s)
            result = f"valid UA {100 * valid_ua:.1f}  {duration(now_s - one.since_s)}"
        self._last.append(f"{name}  {result}")
        if not self._live:
            width = len(str(tally.total))
            line = f"[{tally.done:>{width}}/{tally.total}] {name}  {result}  {self._time_left()}"
            self._console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)

    def picture(self) -> RenderableType:
        """The live display as it is now."""
        tally, now_s = self._tally, self._clock()
        starting = "" if tally.running or self._last else ", starting"
        counts = f"{tally.done} done, {len(tally.running)} running, {sum(tally.waiting.values())} left"
        failed = f", {tally.failed} failed" if tally.failed else ""
        head = Text(
            f"{counts}{failed}{starting}   {duration(now_s - self._began_s)}   {self._time_left()}".rstrip(),
            style="bold",
        )
        lines = [
            f"{_stage(one):<13} {duration(now_s - one.since_s):>6}  {name}"
            for name, one in sorted(tally.running.items())
        ]
        running = [Text(line, overflow="ellipsis", no_wrap=True) for line in lines]
        bar = Table.grid()
        bar.add_row(
            ProgressBar(total=max(1, tally.total), completed=tally.done, width=min(60, self._console.width))
        )
        return Group(
            head,
            bar,
            *running,
            *[Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in self._last],
        )

    def _time_left(self) -> str:
        left_s = self._tally.left_s(self._clock())
        if left_s is None or self._tally.done == self._tally.total:
            return ""
        return f"about {duration(left_s)} left"


def _stage(one: Running) -> str:
    return f"{one.stage} {100 * one.share:.0f} %" if one.share else one.stage


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
