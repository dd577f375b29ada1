"""Laws of the live display: what it shows of running, ended and remaining trials."""

from io import StringIO

import pytest
from rich.console import Console

from raysernas.fleet.progress import Display, RunningTrial, StudyProgress, duration


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def shown(*, terminal: bool, width: int = 100) -> tuple[Display, Clock, StringIO, Console]:
    out, clock = StringIO(), Clock()
    console = Console(
        file=out, force_terminal=terminal, width=width, height=30, color_system=None, legacy_windows=False
    )
    return Display(console, slots=2, clock=clock), clock, out, console


def run_one(display: Display, clock: Clock, name: str, arm: str, seconds: float, **end: object) -> None:
    display.start(name, arm)
    clock.now_s += seconds
    display.end(name, arm, **({"valid_ua": 0.612} | end))  # pyright: ignore[reportArgumentType]


def test_without_a_terminal_each_ended_trial_is_one_plain_line() -> None:
    display, clock, out, _ = shown(terminal=False)
    with display:
        display.expect({"darts": 2, "cnn": 10}, done=0)
        run_one(display, clock, "darts-c000-f0-s0", "darts", 48)
        run_one(display, clock, "cnn-c000-f0-s0", "cnn", 12)
    assert out.getvalue().splitlines() == [
        "[ 1/12] darts-c000-f0-s0  valid UA 61.2  48 s  about 4 min left",
        "[ 2/12] cnn-c000-f0-s0  valid UA 61.2  12 s  about 78 s left",
    ]


def test_a_failed_trial_is_shown_with_the_first_line_of_its_reason() -> None:
    display, clock, out, _ = shown(terminal=False)
    display.expect({"cnn": 1}, done=3)
    run_one(display, clock, "cnn-c000-f0-s0", "cnn", 5, reason="the loss is not finite\n  got: nan")
    assert out.getvalue() == "[4/4] cnn-c000-f0-s0  failed: the loss is not finite\n"


def test_plain_lines_are_never_wrapped_or_marked_up() -> None:
    display, clock, out, _ = shown(terminal=False, width=20)
    display.expect({"cnn": 1}, done=0)
    run_one(display, clock, "cnn-c000-f0-s0", "cnn", 5, reason="broken [bold]file[/bold] " + 100 * "x")
    assert len(out.getvalue().splitlines()) == 1
    assert "[bold]" in out.getvalue()


@pytest.mark.parametrize("width", [30, 80, 200])
def test_the_live_display_fits_its_terminal(width: int) -> None:
    display, clock, out, console = shown(terminal=True, width=width)
    display.expect({"cnn_lstm_attention": 3}, done=0)
    run_one(display, clock, "cnn_lstm_attention-c000-f0-s0", "cnn_lstm_attention", 60)
    display.start("cnn_lstm_attention-c000-f1-s0", "cnn_lstm_attention")
    display.advance("cnn_lstm_attention-c000-f1-s0", "retrain", 30, 60)
    console.print(display.render())
    lines = out.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert "retrain" in out.getvalue()
    words = " ".join(" ".join(lines).split())
    assert "1 done, 1 running, 1 left" in words
    if width > 30:
        assert "about 60 s left" in words
        assert "cnn_lstm_attention-c000-f0-s0 valid UA 61.2 60 s" in words


def test_the_live_display_starts_and_stops_with_its_block() -> None:
    display, _, out, _ = shown(terminal=True)
    with display:
        display.expect({"cnn": 1}, done=0)
    assert "0 done, 0 running, 1 left" in out.getvalue()


def test_a_trial_that_starts_again_counts_once() -> None:
    display, clock, out, _ = shown(terminal=False)
    display.expect({"cnn": 2}, done=0)
    display.start("cnn-c000-f0-s0", "cnn")
    clock.now_s += 100  # then its process dies
    run_one(display, clock, "cnn-c000-f0-s0", "cnn", 10)
    assert out.getvalue() == "[1/2] cnn-c000-f0-s0  valid UA 61.2  10 s  about 5 s left\n"


def test_the_time_left_comes_from_trials_of_the_same_arm() -> None:
    progress = StudyProgress(
        slots=2, left={"darts": 4, "cnn": 2}, seconds={"darts": [90.0, 110.0], "cnn": [10.0]}
    )
    assert progress.left_s(0.0) == (4 * 100 + 2 * 10) / 2


def test_an_arm_without_a_result_counts_with_the_mean_of_the_others() -> None:
    assert (
        StudyProgress(slots=1, left={"lstm": 1}, seconds={"darts": [100.0], "cnn": [20.0]}).left_s(0.0)
        == 60.0
    )


def test_what_runs_is_never_expected_to_end_now() -> None:
    """The last trial may be of an arm that takes longer than those that have ended."""
    progress = StudyProgress(slots=2, left={"darts": 1}, seconds={"cnn": [12.0]})
    progress.running["darts-c000-f0-s0"] = RunningTrial("darts", 0.0)
    left_s = [progress.left_s(now_s) for now_s in (0.0, 6.0, 12.0, 20.0, 180.0)]
    assert left_s == pytest.approx([12.0, 6.0, 1.2, 8.0, 168.0])


def test_there_is_no_estimate_before_the_first_result() -> None:
    assert StudyProgress(slots=2, left={"cnn": 4}).left_s(0.0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (48, "48 s"), (119, "2 min"), (3600, "60 min"), (12_000, "3 h 20 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
