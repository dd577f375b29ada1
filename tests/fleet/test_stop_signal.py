"""Laws of the stop signal: a trial hears it within a second, also when the actor was restarted, and stops
when the driver is gone.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raysernas.fleet.stop_signal import LOST, LOST_S, POLL_S, StopPoller, StopSignal


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def nothing() -> str:
    return ""


def test_a_reason_for_all_trials_overrides_the_reason_of_one() -> None:
    stop = StopSignal()
    stop.write("", {"b": "given up"})
    assert [stop.poll(trial_id, 0.0) for trial_id in "ba"] == ["given up", ""]
    stop.write("the end", {"b": "given up"})
    assert [stop.poll(trial_id, 0.0) for trial_id in "ba"] == ["the end", "the end"]
    stop.write("", {})
    assert stop.poll("b", 0.0) == ""


def test_a_write_returns_the_trials_that_polled_since_the_last_one() -> None:
    stop = StopSignal()
    stop.poll("a", 1.0)
    stop.poll("a", 2.0)
    stop.poll("b", 0.5)
    assert stop.write("", {}) == {"a": 2.0, "b": 0.5}
    assert stop.write("", {}) == {}


def test_a_poll_says_how_long_the_trial_has_made_no_step() -> None:
    clock, polled = Clock(), list[float]()
    poller = StopPoller(lambda idle_s: polled.append(idle_s) or "", nothing, clock)
    clock.now_s = 3.0
    poller.poll()
    poller()
    clock.now_s = 3.5
    poller.poll()
    assert polled == [3.0, 0.5]


def test_the_first_reason_stays() -> None:
    reasons = iter(["", "given up", "the end"])
    poller = StopPoller(lambda _: next(reasons), nothing)
    heard = []
    for _ in range(3):
        poller.poll()
        heard.append(poller())
    assert heard == ["", "given up", "given up"]
    assert not poller.node_leaves


def test_a_node_that_leaves_is_a_reason_to_stop() -> None:
    poller = StopPoller(lambda _: "", lambda: "a spot interruption")
    poller.poll()
    assert poller() == "a spot interruption"
    assert poller.node_leaves


def test_a_short_silence_of_the_stop_signal_stops_nothing() -> None:
    clock = Clock()
    answers: list[str | Exception] = [ConnectionError("gone"), ConnectionError("gone"), ""]

    def ask(_: float) -> str:
        clock.now_s += LOST_S / 3
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    poller = StopPoller(ask, nothing, clock)
    for _ in range(3):
        poller.poll()
    assert poller() == ""


def test_a_trial_stops_when_the_driver_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    def ask(_: float) -> str:
        clock.now_s += 1
        raise ConnectionError("gone")

    poller = StopPoller(ask, nothing, clock)
    while not poller() and clock.now_s < 100:
        poller.poll()
    assert poller() == LOST
    assert clock.now_s <= LOST_S + 2


def test_the_thread_polls_by_itself_and_ends_with_its_block() -> None:
    polled: list[float] = []
    with StopPoller(
        lambda idle_s: polled.append(idle_s) or ("stop" if len(polled) > 1 else ""), nothing
    ) as poller:
        assert (len(polled), poller()) == (1, "")  # once before the block begins
        end = time.monotonic() + 30
        while not poller() and time.monotonic() < end:
            time.sleep(POLL_S / 10)
    assert poller() == "stop"
    assert not poller._thread.is_alive()


ON_RAY = """
import os, signal, sys, time
import ray
from raysernas.fleet.stop_signal import NAME, StopWriter, poller
quiet = dict(include_dashboard=False, log_to_driver=False, logging_level=50, object_store_memory=10**8)
ray.init(address="local", num_cpus=1, **quiet)
writer = StopWriter()

@ray.remote
def trial(reasons):
    with poller("t", str) as one:
        end = time.monotonic() + 60
        while not one() and time.monotonic() < end:
            time.sleep(0.05)
        return one.reason

running, heard, end = trial.remote(1), {}, time.monotonic() + 60
while "t" not in heard and time.monotonic() < end:
    heard = writer.write("", {"other": "given up"})
    time.sleep(0.1)
print("heard", sorted(heard))
ray.kill(ray.get_actor(NAME), no_restart=False)
began = time.monotonic()
while not ray.wait([running], timeout=0.1)[0] and time.monotonic() < began + 60:
    writer.write("", {"t": "raced"})
print(ray.get(running))
ray.shutdown()
"""


@pytest.mark.slow
def test_a_stop_signal_whose_process_dies_is_restarted_and_written_again(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    run = subprocess.run(
        [sys.executable, "-c", ON_RAY],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout.split("\n")[:2]) == (0, ["heard ['t']", "raced"]), run.stderr
