"""A notice that this process has to end soon: SIGTERM and SIGINT, for a trial that has the process to itself.

In: signals. Out: the reason, for whoever asks after each step. A process that has not ended EXIT_WITHIN_S
after the notice is between steps for too long; it ends all the same, and its last checkpoint stands.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_WITHIN_S = 8.0  # two less than a shutdown gives
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def noticed() -> Iterator[Callable[[], str]]:
    """Gives what tells the name of the signal that has come, "" before; the main thread only. Old answers are
    put back.
    """
    reason = [""]
    forced: list[threading.Timer] = []

    def come(number: int, _: object) -> None:
        if reason[0]:
            return
        reason[0] = signal.Signals(number).name
        forced.append(threading.Timer(EXIT_WITHIN_S, os._exit, [status(reason[0])]))
        forced[0].daemon = True
        forced[0].start()

    before = {number: signal.signal(number, come) for number in SIGNALS}
    try:
        yield lambda: reason[0]
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)
        for timer in forced:
            timer.cancel()


def status(reason: str) -> int:
    """The exit code of a process that a signal has ended: 143 or 130."""
    return 128 + signal.Signals[reason]
