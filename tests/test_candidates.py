"""Candidates: what Optuna proposes, what it may depend on, and a journal that survives kills."""

import dataclasses
import json
from pathlib import Path

import pytest

from raysernas.record.files import StudyFiles, TrialKey
from tests.faults import refusal
from tests.fleet import drain, params, states, study


def test_an_arm_is_proposed_only_what_it_reads(tmp_path: Path) -> None:
    drain(tmp_path, study())
    assert [sorted(found) for found in params(tmp_path, "cnn")] == 3 * [["retrain.lr"]]
    assert [sorted(found) for found in params(tmp_path, "darts")] == 3 * [["retrain.lr", "search.alphas_lr"]]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_candidate_depends_on_seed_and_number_when_the_history_is_equal(tmp_path: Path, sampler: str) -> None:
    config = study(f"study.sampler={sampler}", "study.candidates=14", "study.arms=[darts]", "study.folds=[0]")

    def right(key: TrialKey) -> int:
        return key.candidate % 7

    drain(tmp_path / "once", config, right=right)
    for _ in range(5):  # the same study in five launches
        drain(tmp_path / "cut", config, most=3, right=right)
    assert params(tmp_path / "once") == params(tmp_path / "cut")
    other = dataclasses.replace(config, study=dataclasses.replace(config.study, seed=1))
    drain(tmp_path / "other", other, right=right)
    assert params(tmp_path / "once") != params(tmp_path / "other")


def test_proposals_learn_from_validation_scores(tmp_path: Path) -> None:
    config = study("study.candidates=14", "study.arms=[darts]", "study.folds=[0]")
    drain(tmp_path / "a", config, right=lambda key: key.candidate % 7)
    drain(tmp_path / "b", config, right=lambda key: 6 - key.candidate % 7)
    assert params(tmp_path / "a")[:10] == params(tmp_path / "b")[:10]  # TPE draws its first ten
    assert params(tmp_path / "a")[10:] != params(tmp_path / "b")[10:]


def test_optuna_is_told_the_mean_validation_ua(tmp_path: Path) -> None:
    drain(tmp_path, study("study.arms=[darts]"), right=lambda key: 2 * key.fold + key.candidate)
    expected = [((n + 10) / 30 + (n + 12) / 30) / 2 for n in range(3)]
    assert [state for state, _ in states(tmp_path)] == 3 * ["COMPLETE"]
    assert [value for _, value in states(tmp_path)] == pytest.approx(expected)


def test_candidates_of_another_space_are_refused(tmp_path: Path) -> None:
    drain(tmp_path, study(), most=0)
    told = refusal(lambda: drain(tmp_path, study("study.space={network.nodes: {choices: [2,3]}}")))
    assert told.startswith(f"study: {tmp_path}/candidates/darts-c000.json holds other keys than study.space")


@pytest.mark.parametrize("torn", [b'{"op_code":4,"wor', b'{"op_code":4,"wor\n', b"\0\0\0\n"])
def test_a_torn_journal_is_mended_and_kept(tmp_path: Path, torn: bytes) -> None:
    drain(tmp_path, study(), most=3)
    journal = StudyFiles(tmp_path).journal
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    assert len(drain(tmp_path, study())) == 9
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())
    assert (tmp_path / "optuna.journal.torn").read_bytes() == whole + torn


def test_the_lock_of_a_killed_launch_does_not_hold_up_the_next(tmp_path: Path) -> None:
    drain(tmp_path, study(), most=1)
    (tmp_path / "optuna.journal.lock").symlink_to(tmp_path / "optuna.journal")
    assert len(drain(tmp_path, study())) == 11


def test_a_journal_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = refusal(lambda: drain(tmp_path / "file", study()))
    assert told.startswith(f"storage: cannot write {tmp_path}/file/optuna.journal")
