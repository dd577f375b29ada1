"""How a trial hears that it is to stop: within a second, from a board that may die, about a launch that may
be gone.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raysernas.fleet.stop_signal import ASK_S, LOST, LOST_S, Asking, Board


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def nothing() -> str:
    return ""


def test_a_line_for_everyone_comes_before_a_line_for_one() -> None:
    board = Board()
    board.write("", {"b": "given up"})
    assert [board.ask(trial_id, 0.0) for trial_id in "ba"] == ["given up", ""]
    board.write("the end", {"b": "given up"})
    assert [board.ask(trial_id, 0.0) for trial_id in "ba"] == ["the end", "the end"]
    board.write("", {})
    assert board.ask("b", 0.0) == ""


def test_the_driver_hears_who_has_asked_since_its_last_line() -> None:
    board = Board()
    board.ask("a", 1.0)
    board.ask("a", 2.0)
    board.ask("b", 0.5)
    assert board.write("", {}) == {"a": 2.0, "b": 0.5}
    assert board.write("", {}) == {}


def test_a_trial_says_how_long_it_has_not_moved() -> None:
    clock, said = Clock(), list[float]()
    asking = Asking(lambda idle_s: said.append(idle_s) or "", nothing, clock)
    clock.now_s = 3.0
    asking.listen()
    asking()
    clock.now_s = 3.5
    asking.listen()
    assert said == [3.0, 0.5]


def test_the_first_reason_stays() -> None:
    reasons = iter(["", "given up", "the end"])
    asking = Asking(lambda _: next(reasons), nothing)
    heard = []
    for _ in range(3):
        asking.listen()
        heard.append(asking())
    assert heard == ["", "given up", "given up"]
    assert not asking.left


def test_a_leaving_node_is_a_reason_of_its_own() -> None:
    asking = Asking(lambda _: "", lambda: "a spot interruption")
    asking.listen()
    assert asking() == "a spot interruption"
    assert asking.left


def test_a_board_that_is_put_up_again_in_time_is_not_missed() -> None:
    clock = Clock()
    answers: list[str | Exception] = [ConnectionError("gone"), ConnectionError("gone"), ""]

    def ask(_: float) -> str:
        clock.now_s += LOST_S / 3
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    asking = Asking(ask, nothing, clock)
    for _ in range(3):
        asking.listen()
    assert asking() == ""


def test_a_trial_without_a_board_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    def ask(_: float) -> str:
        clock.now_s += 1
        raise ConnectionError("gone")

    asking = Asking(ask, nothing, clock)
    while not asking() and clock.now_s < 100:
        asking.listen()
    assert asking() == LOST
    assert clock.now_s <= LOST_S + 2


def test_the_thread_asks_by_itself_and_ends_with_its_block() -> None:
    said: list[float] = []
    with Asking(lambda idle_s: said.append(idle_s) or ("stop" if len(said) > 1 else ""), nothing) as asking:
        assert (len(said), asking()) == (1, "")  # once before anything is begun
        end = time.monotonic() + 30
        while not asking() and time.monotonic() < end:
            time.sleep(ASK_S / 10)
    assert asking() == "stop"
    assert not asking._thread.is_alive()


ON_RAY = """
import os, signal, sys, time
import ray
from raysernas.fleet.stop_signal import NAME, Chalk, asking
quiet = dict(include_dashboard=False, log_to_driver=False, logging_level=50, object_store_memory=10**8)
ray.init(address="local", num_cpus=1, **quiet)
chalk = Chalk()

@ray.remote
def trial(reasons):
    with asking("t", str) as one:
        end = time.monotonic() + 60
        while not one() and time.monotonic() < end:
            time.sleep(0.05)
        return one.reason

running, heard, end = trial.remote(1), {}, time.monotonic() + 60
while "t" not in heard and time.monotonic() < end:
    heard = chalk.write("", {"other": "given up"})
    time.sleep(0.1)
print("heard", sorted(heard))
board = ray.get_actor(NAME)
ray.kill(board, no_restart=False)
began = time.monotonic()
while not ray.wait([running], timeout=0.1)[0] and time.monotonic() < began + 60:
    chalk.write("", {"t": "raced"})
print(ray.get(running))
ray.shutdown()
"""


@pytest.mark.slow
def test_a_board_whose_process_dies_is_put_up_again_and_written_anew(tmp_path: Path) -> None:
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
