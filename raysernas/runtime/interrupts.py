"""SIGINT, SIGTERM and SIGHUP as a reason to stop.

A trial that has the process to itself asks after each step whether a signal has come (`catch_signals`). A
launch answers the first signal, by default by raising `Stopped`, and ends at the second one (`Interrupts`).
Either is ended by force EXIT_WITHIN_S after the first signal; its last checkpoint remains. A signal that the
process was started to ignore stays ignored, so that `nohup` works.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

EXIT_WITHIN_S = 8.0  # two less than a shutdown gives
AGAIN_S = 1.0  # what follows sooner is the same signal: `timeout` and Slurm send it more than once
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CONTINUES = "\nstopped; the same command continues this study"
SHOW_CURSOR = "\x1b[?25h"  # a live display has hidden it


class Stopped(KeyboardInterrupt):
    """A signal has ended the launch; the same command continues the study."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


class Interrupts:
    """The signals of a launch, from its first line to its last. Enter it in the main thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, leave: Callable[[int], Any] = os._exit):
        """`leave`: ends the process with an exit code, whatever its threads do."""
        self.number = 0  # of the first signal
        self._clock, self._exit, self._first_s = clock, leave, 0.0
        self._answer: Callable[[int], object] = _stop
        self._endings: list[Callable[[], object]] = []
        self._before: dict[int, Any] = {}
        self._forced = threading.Timer(EXIT_WITHIN_S, self.force)
        self._forced.daemon = True

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in _heeded()}
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forced.cancel()
        for number, answer in self._before.items():
            signal.signal(number, answer)

    @property
    def heeded(self) -> set[int]:
        """The signals that are not ignored; none before it is entered."""
        return set(self._before)

    def listen(self) -> None:
        """Answer signals here, also after a library has installed a handler of its own."""
        for number in self._before:
            signal.signal(number, self.receive)

    @contextmanager
    def answered(self, answer: Callable[[int], object]) -> Iterator[None]:
        """Within the block, call `answer` with the first signal instead of raising `Stopped`."""
        before, self._answer = self._answer, answer
        try:
            yield
        finally:
            self._answer = before

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """If the process is ended by force within the block, call `end` before. It must not wait."""
        self._endings.append(end)
        try:
            yield
        finally:
            self._endings.remove(end)

    def receive(self, number: int, _: FrameType | None = None) -> None:
        """Answer a signal: the first one, and any other that is meant as a second one."""
        if not self.number:
            self.number, self._first_s = number, self._clock()
            with suppress(RuntimeError):  # no more threads may be started
                self._forced.start()
            self._answer(number)
        elif self._clock() - self._first_s > AGAIN_S:
            self.number = number
            self.force()

    def force(self) -> None:
        """End the process now, as a signal does."""
        self.leave(128 + self.number, CONTINUES)

    def leave(self, code: int, message: str) -> None:
        """End the process now with a message, whatever its threads do, and whatever locks they hold."""
        for end in reversed(self._endings):
            with suppress(Exception):
                end()
        if os.isatty(1):
            _write(1, SHOW_CURSOR)
        say(message)
        self._exit(code)


def say(message: str) -> None:
    """Print to stderr, which may be gone with its terminal."""
    _write(2, f"{message}\n")


@contextmanager
def catch_signals() -> Iterator[Callable[[], str]]:
    """Give a function that returns the name of the signal that has come, "" before. Main thread only.

    The earlier signal handlers are put back at the end.
    """
    reason = [""]
    forced: list[threading.Timer] = []

    def receive(number: int, _: object) -> None:
        if reason[0]:
            return
        reason[0] = signal.Signals(number).name
        forced.append(threading.Timer(EXIT_WITHIN_S, os._exit, [exit_code(reason[0])]))
        forced[0].daemon = True
        forced[0].start()

    before = {number: signal.signal(number, receive) for number in _heeded()}
    try:
        yield lambda: reason[0]
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)
        for timer in forced:
            timer.cancel()


def exit_code(reason: str) -> int:
    """The exit code of a process that a signal has ended: 143, 130 or 129."""
    return 128 + signal.Signals[reason]


def _write(descriptor: int, text: str) -> None:
    with suppress(OSError):
        os.write(descriptor, text.encode())


def _heeded() -> list[signal.Signals]:
    return [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


def _stop(number: int) -> NoReturn:
    raise Stopped(number)
