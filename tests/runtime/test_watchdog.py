"""Laws of the watchdog: a process that hangs says where and ends; one that makes steps, or has not begun,
goes on.
"""

import subprocess
import sys
import time

from raysernas.runtime.watchdog import EXIT, watch

HANGING = """
import threading
from raysernas.runtime.watchdog import watch
def waits_for_ever():
    threading.Event().wait()
with watch(0.3) as heartbeat:
    heartbeat()
    waits_for_ever()
"""


def test_a_process_that_hangs_says_where_every_thread_stands_and_ends():
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == EXIT == 70
    assert ended.stderr.startswith("no step for 0.3 s; this is where every thread stands:\n")
    assert "in waits_for_ever" in ended.stderr


def test_the_watchdog_waits_for_the_first_step_and_is_off_at_0():
    for no_progress_s in (0.05, 0.0):
        with watch(no_progress_s) as heartbeat:
            time.sleep(0.3)  # long enough to be ended, were it watch
            if not no_progress_s:
                heartbeat()
                time.sleep(0.3)
