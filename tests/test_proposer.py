"""The queue in the shapes that Ray Tune asks for: nothing escapes, nothing is lost, no test score crosses. Starts no Ray."""

import pickle
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.search import Searcher
from rich.console import Console

from raysernas.config import Fault, settings
from raysernas.config_file import trial_from
from raysernas.fleet.progress import Display
from raysernas.fleet.proposer import Course, Halt, Proposer, Relayed, Watch, key_of, reason
from raysernas.record.files import StudyFiles
from tests import fleet

EXTRA = {"study": "study", "root": "/results/study", "cache": "/results/.cache"}


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    with fleet.opened(tmp_path, fleet.study()) as queue:
        yield Course(queue, Display(Console(file=StringIO(), width=100), slots=2))


def told(course: Course) -> str:
    out = course.display._console.file
    assert isinstance(out, StringIO)
    return out.getvalue()


def trial(config: dict[str, Any], error_file: Path | None = None) -> Any:
    return SimpleNamespace(config=config, error_file=str(error_file))


def suggested(course: Course) -> dict[str, Any]:
    config = Proposer(course, EXTRA).suggest("1")
    assert isinstance(config, dict)
    return config


def test_a_suggestion_is_flat_plain_and_whole(course: Course) -> None:
    config = suggested(course)
    assert config.items() >= {"arm": "darts", "candidate": 0, "fold": 0, "seed": 0, **EXTRA}.items()
    assert all(isinstance(value, str | int | float | bool | list | dict) for value in config.values())
    assert settings(trial_from(config)) == settings(course.queue.trial(key_of(config)))


def test_the_proposer_finishes_and_never_waits(tmp_path: Path, course: Course) -> None:
    proposer = Proposer(course, EXTRA)
    for _ in range(12):
        config = proposer.suggest("x")
        assert isinstance(config, dict)
        fleet.finish(tmp_path, course.queue, key_of(config))
    assert proposer.suggest("x") == Searcher.FINISHED


def test_an_ended_trial_is_told_to_the_queue_and_the_user(tmp_path: Path, course: Course) -> None:
    config = suggested(course)
    watch = Watch(course)
    watch.on_trial_start(0, [], trial(config))
    watch.on_trial_result(0, [], trial(config), {"stage": "search", "epoch": 1, "epochs": 2, "loss": 1.0})
    assert course.queue.done() == 0
    watch.on_trial_result(0, [], trial(config), {"status": "finished", "reason": "", "valid_ua": 0.5})
    assert course.broken is None
    assert course.queue.done() == 1
    assert told(course).startswith("[ 1/12] darts-c000-f0-s0  valid UA 50.0")


def test_a_dead_process_becomes_a_failed_record(tmp_path: Path, course: Course) -> None:
    config = suggested(course)
    (tmp_path / "error.txt").write_text(RAISED)
    Watch(course).on_trial_error(0, [], trial(config, tmp_path / "error.txt"))
    assert StudyFiles(tmp_path).trial(key_of(config)).record.exists()
    assert "darts-c000-f0-s0  failed: ValueError: a bug" in told(course)
    assert not Halt(course).stop_all()


def test_a_fault_of_a_trial_ends_the_run(course: Course) -> None:
    config = suggested(course)
    Watch(course).on_trial_result(0, [], trial(config), {"fault": "storage: cannot write x\n  got: a full disk"})
    assert Halt(course).stop_all()
    assert isinstance(course.broken, Fault)
    assert str(course.broken) == "storage: cannot write x\n  got: a full disk"
    assert Proposer(course, EXTRA).suggest("2") == Searcher.FINISHED


def test_no_exception_reaches_ray(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object) -> None:
        raise OSError("a full disk")

    monkeypatch.setattr(course.queue, "next", fall)
    assert Proposer(course, EXTRA).suggest("1") == Searcher.FINISHED
    assert isinstance(course.broken, OSError)
    Watch(course).on_trial_result(0, [], trial({}), {})
    assert isinstance(course.broken, OSError)  # the first one is the cause


def test_nothing_is_saved_and_everything_can_be_pickled(tmp_path: Path, course: Course) -> None:
    proposer = Proposer(course, EXTRA)
    proposer.save(str(tmp_path / "state"))
    proposer.restore(str(tmp_path / "state"))
    assert not (tmp_path / "state").exists()
    for each in (proposer, Watch(course), Halt(course)):
        pickle.dumps(each)  # Tune does, for a restore that is never made


ONCE = "Failure # 1 (occurred at 2026-01-01_00-00-00)\nThe actor died early.\n"
RAISED = "Failure # 2 (occurred at 2026-01-01_00-00-01)\nray::ImplicitFunc.train() (pid=1)\n  File 'x'\nValueError: a bug\n"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (ONCE, "its process ended twice: The actor died early."),
        (ONCE + RAISED, "ValueError: a bug"),
        (RAISED + ONCE, "its process ended twice: The actor died early."),
        ("", "its process ended twice: nothing is known about it"),
    ],
)
def test_the_reason_is_one_line(told: str, text: str) -> None:
    assert reason(told) == text


def test_a_relayed_fault_keeps_its_text() -> None:
    assert Relayed("a: b\n  got: c").what == "a: b"
