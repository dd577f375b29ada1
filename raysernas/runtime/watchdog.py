"""Nothing moves any more: a trial that hangs says where, and ends its process, so that whoever started it can
start it again.

In: the seconds without a beat that are too many. Out: what each step calls.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT = 70  # of a process that was ended here
STDERR = 2  # the file itself: sys.stderr may be something without one


@contextmanager
def watched(no_progress_s: float) -> Iterator[Callable[[], None]]:
    """Gives a beat; once there was one, so many seconds without another end the process. 0 = never.

    A step that holds Python's lock for ever also holds this watch: then only whoever started the process can
    end it.
    """
    if no_progress_s <= 0:
        yield lambda: None
        return
    last, over = [float("inf")], threading.Event()

    def beat() -> None:
        last[0] = time.monotonic()

    def watch() -> None:
        while not over.wait(no_progress_s / 10):
            if time.monotonic() - last[0] > no_progress_s:
                print(
                    f"no step for {no_progress_s:g} s; this is where every thread stands:",
                    file=sys.stderr,
                    flush=True,
                )
                faulthandler.dump_traceback(STDERR, all_threads=True)
                os._exit(EXIT)

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield beat
    finally:
        over.set()
        thread.join()
