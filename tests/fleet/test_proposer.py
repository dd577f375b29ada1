"""Laws of the Searcher, Callback and Stopper that Ray Tune gets: no exception escapes, no trial is lost, no
test score crosses. Starts no Ray.
"""

import dataclasses
import pickle
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.search import Searcher
from rich.console import Console

from raysernas.config.fault import Fault
from raysernas.config.files import trial_from
from raysernas.config.identity import digest, settings
from raysernas.fleet.progress import Display
from raysernas.fleet.proposer import (
    GRACE_S,
    LaunchState,
    OverdueStopper,
    Proposer,
    RelayedFault,
    TrialCallback,
)
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.ledger import TrialRecord
from tests.support import fleet, records

EXTRA = {"root": "/results/study", "cache": "/results/.cache", "gpus_per_trial": 0.5}
LIMIT_S = 600.0


class Bench:
    """A launch whose clock, slots and stop signal a test controls."""

    def __init__(self, queue: Any) -> None:
        self.now_s, self.slots = 0.0, 2
        self.writes: list[tuple[str, Mapping[str, str]]] = []
        self.idle_s: dict[str, float] = {}
        self.launch = LaunchState(
            queue,
            Display(Console(file=StringIO(), width=100), slots=2),
            slots=lambda: self.slots,
            write=self.write,
            no_progress_s=LIMIT_S,
            clock=lambda: self.now_s,
        )
        self.proposer, self.callback, self.stopper = (
            Proposer(self.launch, EXTRA),
            TrialCallback(self.launch),
            OverdueStopper(self.launch),
        )

    def write(self, for_all: str, by_trial: Mapping[str, str]) -> Mapping[str, float]:
        self.writes.append((for_all, by_trial))
        return self.idle_s

    def suggested(self, trial_id: str) -> dict[str, Any]:
        config = self.proposer.suggest(trial_id)
        assert isinstance(config, dict)
        return config

    def step(self, seconds: float = 1.0) -> None:
        self.now_s += seconds
        self.callback.on_step_end(0, [])

    def result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.callback.on_trial_result(0, [], SimpleNamespace(trial_id=trial_id), result)

    def printed(self) -> str:
        out = self.launch.display._console.file
        assert isinstance(out, StringIO)
        return out.getvalue()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with fleet.opened(tmp_path, fleet.study()) as queue:
        yield Bench(queue)


def test_a_suggestion_is_a_flat_dict_of_plain_values_with_all_settings(bench: Bench) -> None:
    config = bench.suggested("1")
    assert config.items() >= {"arm": "darts", "candidate": 0, "fold": 0, "seed": 0, **EXTRA}.items()
    assert all(isinstance(value, str | int | float | bool | list | dict) for value in config.values())
    assert settings(trial_from(config)) == settings(bench.launch.queue.trial(bench.launch.live["1"]))


def test_no_more_trials_are_proposed_than_have_slots(bench: Bench) -> None:
    bench.suggested("1")
    bench.suggested("2")
    assert bench.proposer.suggest("3") is None
    bench.slots = 3
    bench.suggested("3")


def test_the_proposer_finishes_when_everything_has_ended_and_not_before(tmp_path: Path, bench: Bench) -> None:
    for number in range(12):
        bench.suggested(str(number))
        if number == 11:
            assert bench.proposer.suggest("x") is None  # the last one may have to be retried
        key = bench.launch.live.pop(str(number))
        fleet.finish(tmp_path, bench.launch.queue, key)
    assert bench.proposer.suggest("x") == Searcher.FINISHED
    bench.step()
    assert bench.writes[-1] == ("nothing is left to run", {})  # for processes that only hold their slot


def test_a_queue_that_waits_for_nothing_ends_the_run_instead_of_keeping_ray_busy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tune would ask once a second for ten minutes, and hear nothing else."""
    monkeypatch.setattr(bench.launch.queue, "next", lambda: None)
    assert bench.proposer.suggest("1") == Searcher.FINISHED
    assert "no trial runs that it could wait for" in str(bench.launch.error)


def test_an_ended_trial_reaches_the_queue_and_the_display(tmp_path: Path, bench: Bench) -> None:
    bench.suggested("1")
    key = bench.launch.live["1"]
    bench.callback.on_trial_start(0, [], SimpleNamespace(trial_id="1"))
    bench.result("1", {"stage": "search", "epoch": 1, "epochs": 2, "loss": 1.0})
    assert bench.launch.queue.done() == 0
    ledger.write(StudyFiles(tmp_path).trial(key), [fleet_record(bench, key)])
    bench.result("1", {"status": "finished", "reason": "", "valid_ua": 0.5})
    assert bench.launch.error is None
    assert bench.launch.queue.done() == 1
    assert bench.printed().startswith("[ 1/12] darts-c000-f0-s0  valid UA 50.0")


def fleet_record(bench: Bench, key: TrialKey) -> TrialRecord:
    trial = bench.launch.queue.trial(key)
    return dataclasses.replace(
        records.record(key.arm, key.candidate, key.fold, key.seed),
        digest=digest(trial),
        settings=settings(trial),
    )


def test_a_lost_process_comes_back_as_another_ray_trial(tmp_path: Path, bench: Bench) -> None:
    bench.slots = 1
    bench.suggested("1")
    key = bench.launch.live["1"]
    (tmp_path / "error.txt").write_text(LOST)
    bench.callback.on_trial_error(
        0, [], SimpleNamespace(trial_id="1", error_file=str(tmp_path / "error.txt"))
    )
    assert bench.launch.live == {}
    assert "it will be retried" in bench.printed()
    again = [bench.suggested("2")]
    while bench.launch.live["2"] != key:  # not necessarily at once
        bench.launch.queue.interrupted(bench.launch.live.pop("2"))
        again.append(bench.suggested("2"))
        assert len(again) < 20
    assert not StudyFiles(tmp_path).trial(key).record.exists()


def test_an_exception_of_a_trial_becomes_a_failed_record(tmp_path: Path, bench: Bench) -> None:
    bench.suggested("1")
    key = bench.launch.live["1"]
    (tmp_path / "error.txt").write_text(RAISED)
    bench.callback.on_trial_error(
        0, [], SimpleNamespace(trial_id="1", error_file=str(tmp_path / "error.txt"))
    )
    assert StudyFiles(tmp_path).trial(key).record.exists()
    assert "darts-c000-f0-s0  failed: ValueError: a bug" in bench.printed()
    assert not bench.launch.stopping


def test_an_interrupted_trial_is_queued_again_and_later_news_of_its_process_is_ignored(
    tmp_path: Path, bench: Bench
) -> None:
    bench.suggested("1")
    bench.result("1", {"interrupted": "a spot interruption"})
    assert bench.launch.live == {}
    assert bench.printed() == "darts-c000-f0-s0  stopped: a spot interruption\n"
    (tmp_path / "error.txt").write_text(LOST)
    # its node is gone
    bench.callback.on_trial_error(
        0, [], SimpleNamespace(trial_id="1", error_file=str(tmp_path / "error.txt"))
    )
    bench.callback.on_trial_complete(0, [], SimpleNamespace(trial_id="1"))
    assert bench.launch.queue.left() == {"darts": 6, "cnn": 6}
    assert bench.launch.error is None


def test_a_trial_that_returns_without_a_report_is_retried(bench: Bench) -> None:
    bench.suggested("1")
    bench.callback.on_trial_complete(0, [], SimpleNamespace(trial_id="1"))
    assert bench.launch.live == {}
    assert "it returned without a report" in bench.printed()


def test_running_trials_of_a_candidate_that_was_given_up_are_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.suggested("1")
    key = bench.launch.live["1"]
    monkeypatch.setattr(bench.launch.queue, "raced_out", lambda: {key})
    bench.step()
    assert bench.writes == [("", {"1": "its candidate was given up"})]


def test_a_trial_wrongly_taken_for_lost_is_stopped_and_its_next_attempt_is_not(
    tmp_path: Path, bench: Bench
) -> None:
    """Two processes of one trial would write the same files."""
    bench.suggested("1")
    (tmp_path / "error.txt").write_text(LOST)
    bench.callback.on_trial_error(
        0, [], SimpleNamespace(trial_id="1", error_file=str(tmp_path / "error.txt"))
    )
    bench.suggested("2")
    bench.step()
    assert bench.writes == [("", {"1": "it was taken for lost, and runs elsewhere"})]
    bench.result("2", {"interrupted": "a spot interruption"})
    bench.callback.on_trial_complete(0, [], SimpleNamespace(trial_id="2"))
    bench.step()
    assert bench.writes[-1] == bench.writes[0]  # a trial that has ended properly is forgotten


def test_a_trial_that_hung_before_its_process_ended_fails_with_that_reason(
    tmp_path: Path, bench: Bench
) -> None:
    bench.suggested("1")
    bench.idle_s = {"1": LIMIT_S - 1, "2": 0.0}
    bench.step()
    (tmp_path / "error.txt").write_text(LOST)
    bench.callback.on_trial_error(
        0, [], SimpleNamespace(trial_id="1", error_file=str(tmp_path / "error.txt"))
    )
    assert "it made no step for 600 s; it will be retried" in bench.printed()


def test_a_fault_of_a_trial_stops_the_others_and_ends_the_run(bench: Bench) -> None:
    bench.suggested("1")
    bench.suggested("2")
    bench.result("1", {"fault": "storage: cannot write x\n  got: a full disk"})
    bench.step()
    assert bench.writes[-1][0] == "the launch has failed"
    assert not bench.stopper.stop_all()
    bench.step(GRACE_S)
    assert bench.stopper.stop_all()
    assert isinstance(bench.launch.error, Fault)
    assert str(bench.launch.error) == "storage: cannot write x\n  got: a full disk"
    assert bench.proposer.suggest("3") == Searcher.FINISHED


def test_no_exception_reaches_ray(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object) -> None:
        raise OSError("a full disk")

    monkeypatch.setattr(bench.launch.queue, "next", fall)
    assert bench.proposer.suggest("1") == Searcher.FINISHED
    bench.callback.on_trial_error(0, [], SimpleNamespace(trial_id="1", error_file="/nowhere"))
    assert isinstance(bench.launch.error, OSError)
    assert str(bench.launch.error) == "a full disk"  # the first one is the cause


def test_a_study_without_any_progress_ends_with_a_fault(bench: Bench) -> None:
    bench.suggested("1")
    bench.result("1", {"stage": "search", "epoch": 1, "epochs": 2})
    bench.step(LIMIT_S - 1)
    assert bench.launch.error is None
    bench.step(2)
    assert str(bench.launch.error).startswith(
        "fleet: no trial has made progress for 10 min\n  got: 1 started or about to start, 11 left\n"
    )


def test_a_step_of_one_trial_is_progress_though_no_epoch_ends(bench: Bench) -> None:
    bench.suggested("1")
    for _ in range(20):
        bench.idle_s = {"1": LIMIT_S / 2, "2": 3.0}
        bench.step(LIMIT_S / 4)
    assert bench.launch.error is None
    bench.idle_s = {"1": 2 * LIMIT_S}  # it polls, but makes no step
    bench.step(LIMIT_S)
    assert isinstance(bench.launch.error, Fault)


def test_tune_keeps_nothing_large_of_an_ended_trial(bench: Bench) -> None:
    """It keeps every trial until the run ends, ten thousand of them if there are so many."""
    config = bench.suggested("1")
    about = SimpleNamespace(
        metric_analysis={"loss": {}}, metric_n_steps={"loss": {}}, last_result={"loss": 1.0}
    )
    trial = SimpleNamespace(
        trial_id="1",
        config=config,
        evaluated_params=dict(config),
        experiment_tag="1_arm=cnn",
        run_metadata=about,
    )
    bench.callback.on_trial_complete(0, [], trial)
    assert (trial.config, trial.evaluated_params, trial.experiment_tag) == ({}, {}, "")
    assert (about.metric_analysis, about.metric_n_steps, about.last_result) == ({}, {}, {})


def test_tune_saves_no_state_and_can_pickle_everything(tmp_path: Path, bench: Bench) -> None:
    bench.proposer.save(str(tmp_path / "state"))
    bench.proposer.restore(str(tmp_path / "state"))
    assert not (tmp_path / "state").exists()
    for each in (bench.proposer, bench.callback, bench.stopper):
        pickle.dumps(each)  # Tune does, for a restore that is never made


LOST = "Failure # 1 (occurred at 2026-01-01_00-00-00)\nThe actor died early.\n"
RAISED = (
    "Failure # 1 (occurred at 2026-01-01_00-00-01)\nray::ImplicitFunc.train() (pid=1)\n  File "
    "'x'\nValueError: a bug\n"
)


def test_a_relayed_fault_keeps_its_text() -> None:
    assert RelayedFault("a: b\n  got: c").what == "a: b"
