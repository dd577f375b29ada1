"""A watchdog: a trial that hangs prints where every thread stands and ends its process, so that whoever
started it can start it again.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT = 70  # exit code of a process that was ended here
STDERR = 2  # the file descriptor itself: sys.stderr may be an object without one


@contextmanager
def watch(no_progress_s: float) -> Iterator[Callable[[], None]]:
    """Give a heartbeat to call after each step. After the first call, `no_progress_s` without another one end
    the process. 0 = never.

    A step that never releases Python's lock also stops this thread; then only whoever started the process can
    end it.
    """
    if no_progress_s <= 0:
        yield lambda: None
        return
    last, over = [float("inf")], threading.Event()

    def heartbeat() -> None:
        last[0] = time.monotonic()

    def check() -> None:
        while not over.wait(no_progress_s / 10):
            if time.monotonic() - last[0] > no_progress_s:
                message = f"no step for {no_progress_s:g} s; this is where every thread stands:"
                print(message, file=sys.stderr, flush=True)
                faulthandler.dump_traceback(STDERR, all_threads=True)
                os._exit(EXIT)

    thread = threading.Thread(target=check, name="watchdog", daemon=True)
    thread.start()
    try:
        yield heartbeat
    finally:
        over.set()
        thread.join()
