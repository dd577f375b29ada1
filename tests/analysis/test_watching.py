"""Watching a study: written again after every change and only then, through faults, until somebody stops
it.
"""

from pathlib import Path

import pytest

from analysis.watching import watch
from raysernas.config.fault import Fault
from raysernas.config.schema import Config
from raysernas.record import ledger
from tests.support.records import record, study


class Looks:
    """Stands in for the pause: does what it is given, one after the other, then Ctrl-C."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)

    def __call__(self, seconds: float) -> None:
        """The next step."""
        if not self.steps:
            raise KeyboardInterrupt
        step = self.steps.pop(0)
        if callable(step):
            step()


def test_it_acts_at_once_and_after_every_trial(tmp_path: Path) -> None:
    files, acts, told = study(tmp_path, Config(), record("cnn", fold=0)), [], []

    def ended(fold: int) -> None:
        one = record("cnn", fold=fold)
        ledger.write(files.trial(one.key), [one])

    watch(
        [tmp_path],
        lambda: acts.append(1),
        told.append,
        pause=Looks(None, lambda: ended(1), None, None, lambda: ended(2)),
    )
    assert (len(acts), told) == (3, [])


def test_a_fault_on_the_way_is_told_and_tried_again(tmp_path: Path) -> None:
    files, told, acts = study(tmp_path, Config(), record("cnn", fold=0)), [], []

    def act() -> None:
        acts.append(1)
        if len(acts) == 2:
            raise Fault("here", "it is gone", got="nothing", expected="a file", fix="wait")

    def ended() -> None:
        one = record("cnn", fold=1)
        ledger.write(files.trial(one.key), [one])

    watch([tmp_path], act, told.append, pause=Looks(ended, None, None))
    assert (len(acts), len(told)) == (3, 1)


def test_what_is_no_study_from_the_beginning_is_a_fault(tmp_path: Path) -> None:
    def act() -> None:
        raise Fault("here", "no study", got="nothing", expected="a study", fix="look")

    with pytest.raises(Fault):
        watch([tmp_path], act, lambda fault: None, pause=Looks(None))


def test_ctrl_c_ends_it_while_it_acts_for_the_first_time(tmp_path: Path) -> None:
    study(tmp_path, Config(), record("cnn", fold=0))

    def act() -> None:
        raise KeyboardInterrupt

    watch([tmp_path], act, lambda fault: None, pause=Looks(None))
