"""Laws of the signals of a launch: the first one is answered, a second one does not wait, and the exit code
names the signal.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from raysernas.runtime import interrupts
from raysernas.runtime.interrupts import AGAIN_S, CONTINUES, SIGNALS, Interrupts, Stopped, catch_signals

pytestmark = pytest.mark.usefixtures("interruptible")


class Clock:
    """Shows what it is set to."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_stops_the_launch_and_the_earlier_handlers_come_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts() as stops, pytest.raises(Stopped) as caught:
        signal.raise_signal(number)
    assert (stops.number, caught.value.number) == (number, number)
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_within_a_block_a_signal_is_answered_otherwise() -> None:
    with Interrupts() as stops:
        heard: list[int] = []
        with stops.answered(heard.append):
            signal.raise_signal(signal.SIGHUP)
        assert heard == [signal.SIGHUP]


def test_the_second_signal_does_not_wait_and_the_same_one_sent_twice_is_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """`timeout` sends SIGTERM to its child, and then to the group."""
    left: list[object] = []
    clock = Clock()
    with (
        Interrupts(clock, left.append) as stops,
        stops.answered(lambda number: None),
        stops.ending(lambda: left.append("ended")),
        stops.ending(lambda: 1 / 0),
    ):
        signal.raise_signal(signal.SIGTERM)
        clock.now_s += AGAIN_S / 2
        signal.raise_signal(signal.SIGTERM)
        assert left == []
        clock.now_s += AGAIN_S
        signal.raise_signal(signal.SIGTERM)
    assert left == ["ended", 143]
    assert capfd.readouterr().err == f"{CONTINUES}\n"


def test_a_launch_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "EXIT_WITHIN_S", 0.05)
    left: list[int] = []
    with Interrupts(leave=left.append) as stops, stops.answered(lambda number: None):
        signal.raise_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while not left and time.monotonic() < end:
            time.sleep(0.01)
    assert left == [129]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` wants, and a shell for its background jobs."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as stops:
            signal.raise_signal(signal.SIGHUP)
            assert stops.heeded == {signal.SIGINT, signal.SIGTERM}
        with catch_signals() as reason:
            signal.raise_signal(signal.SIGHUP)
            assert reason() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_trial_hears_a_terminal_that_hangs_up() -> None:
    with catch_signals() as reason:
        signal.raise_signal(signal.SIGHUP)
        assert reason() == "SIGHUP"
    assert interrupts.exit_code("SIGHUP") == 129


def test_a_terminal_that_is_gone_changes_no_exit_code() -> None:
    code = (
        "import os, signal; from raysernas.runtime.interrupts import Interrupts; os.close(1); os.close(2)\n"
        "with Interrupts() as stops: stops.number = signal.SIGHUP; stops.force()"
    )
    status = subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ)).returncode
    assert status == 129
