"""Laws of Ray for the time of a study: how many trials run at once, what ends a start that hangs. Starts no
Ray.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from raysernas.config.schema import Config
from raysernas.fleet import cluster
from raysernas.fleet.cluster import HIDDEN, HIDDEN_HERE, QUIET, environment, slots, trials_that_fit
from raysernas.runtime.interrupts import CONTINUES, Interrupts


def plan(config: Config, slots: int = 0, cpus: int = 1, gpus: float = 0.0) -> Any:
    """The part of a plan that a cluster looks at."""
    return SimpleNamespace(config=config, slots=slots, cpus_per_trial=cpus, gpus_per_trial=gpus)


@pytest.mark.parametrize(
    ("found", "cpus", "gpus", "trials"),
    [
        ({"CPU": 8.0}, 2, 0.0, 4),
        ({"CPU": 64.0, "GPU": 4.0}, 2, 1.0, 4),
        ({"CPU": 64.0, "GPU": 1.0}, 2, 0.25, 4),
        ({"CPU": 64.0, "GPU": 0.9}, 1, 0.3, 3),  # 0.9 / 0.3 is a little less than 3
        ({}, 1, 0.0, 0),
    ],
)
def test_a_cluster_takes_what_fits(found: dict[str, float], cpus: int, gpus: float, trials: int) -> None:
    assert trials_that_fit(plan(Config(), cpus=cpus, gpus=gpus), found) == trials


def test_a_trial_more_than_fits_waits_so_that_a_cluster_without_workers_grows() -> None:
    now_s, found = [0.0], {}
    asked = slots(plan(Config(), cpus=2), lambda: found, clock=lambda: now_s[0])
    assert asked() == 1  # a head without CPUs, and no worker
    found["CPU"] = 8.0
    assert asked() == 1  # it is not looked at all the time
    now_s[0] += 3
    assert asked() == 5
    found.clear()
    now_s[0] += 3
    assert asked() == 1


def test_the_plan_says_how_many_trials_run_at_once() -> None:
    assert slots(plan(Config(), slots=2), dict)() == 2


@pytest.mark.parametrize("hidden", [HIDDEN, HIDDEN_HERE])
def test_variables_of_the_user_change_nothing_and_are_restored(
    monkeypatch: pytest.MonkeyPatch, hidden: re.Pattern[str]
) -> None:
    """Tune refuses to run beside some of those that it once had."""
    given = ("TUNE_RESULT_DIR", "RAY_AIR_LOCAL_CACHE_DIR", "RAY_STORAGE", "RAY_TUNE_CALLBACKS")
    for name in (
        "RAY_AIR_NEW_OUTPUT",
        "RAY_ADDRESS",
        "RAY_BACKEND_LOG_LEVEL",
        "RAY_memory_usage_threshold",
        *given,
    ):
        monkeypatch.setenv(name, "1")
    before = dict(os.environ)
    with environment(QUIET, hidden):
        assert os.environ.items() >= QUIET.items()
        assert not os.environ.keys() & {*given}
        for name in ("RAY_ADDRESS", "RAY_BACKEND_LOG_LEVEL"):
            assert (name in os.environ) == (hidden is HIDDEN)  # a cluster may need them
        assert "RAY_memory_usage_threshold" in os.environ
    assert dict(os.environ) == before


class Left:
    """A launch whose forced end is only noted."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.stops = Interrupts(leave=self.codes.append)

    def wait(self) -> list[int]:
        """The exit codes, after a while at most."""
        end = time.monotonic() + 30
        while not self.codes and time.monotonic() < end:
            time.sleep(0.01)
        return self.codes


def test_a_ray_that_is_silent_ends_the_launch_with_a_fault(capfd: pytest.CaptureFixture[str]) -> None:
    left = Left()
    with cluster.watched(left.stops, 0.05, "here"):
        assert left.wait() == [2]
    assert capfd.readouterr().err.startswith("cluster: Ray here does not answer\n  got: no answer for 0 s\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_ray_starts_ends_the_launch_whatever_ray_does_with_it(
    interruptible: None, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    left = Left()
    with left.stops, cluster.watched(left.stops, 60.0, "here"):
        signal.signal(number, lambda *_: None)  # as Ray does with SIGTERM
        os.kill(os.getpid(), number)  # whichever thread hears it
        assert left.wait() == [128 + number]
        left.stops.number = -1  # so that it is not answered again
    assert capfd.readouterr().err == f"{CONTINUES}\n"


def test_what_ray_starts_is_deaf_to_the_signals_of_a_launch_and_the_launch_is_not() -> None:
    """Also what its processes start: a blocked signal is inherited."""
    code = "import subprocess; subprocess.run(['cat', '/proc/self/status'])"
    with Interrupts() as stops:
        with cluster.watched(stops, 60.0, "here"):
            said = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) & {*stops.heeded} == set()
        assert signal.getsignal(signal.SIGTERM) == stops.receive
    if "SigBlk" not in said:
        pytest.skip("only Linux says which signals a process blocks")
    blocked = int(said.partition("SigBlk:")[2].split()[0], 16)
    assert all(blocked >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def test_a_start_that_ends_in_time_is_left_alone() -> None:
    left = Left()
    with cluster.watched(left.stops, 60.0, "here"):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "ray-watchdog"]
    assert left.codes == []
