"""SIGTERM and SIGINT as a reason to stop, for a trial that has the process to itself.

The trial asks after each step whether a signal has come. A process that has not ended EXIT_WITHIN_S after the
signal is ended by force; its last checkpoint remains.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_WITHIN_S = 8.0  # two less than a shutdown gives
SIGNALS = (signal.SIGTERM, signal.SIGINT)


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

    before = {number: signal.signal(number, receive) for number in SIGNALS}
    try:
        yield lambda: reason[0]
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)
        for timer in forced:
            timer.cancel()


def exit_code(reason: str) -> int:
    """The exit code of a process that a signal has ended: 143 or 130."""
    return 128 + signal.Signals[reason]
