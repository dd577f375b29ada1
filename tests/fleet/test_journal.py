"""Laws of the journal, a view for Optuna's own tools: it survives kills, and agrees with candidates and
ledger after every launch.
"""

import json
import shutil
from pathlib import Path

import pytest

from raysernas.record.files import StudyFiles
from tests.support.faults import refusal
from tests.support.fleet import drain, opened, scored, states, study


def test_the_journal_holds_the_mean_validation_ua(tmp_path: Path) -> None:
    drain(tmp_path, study("study.arms=[darts]"), right=lambda key: 2 * key.fold + key.candidate)
    expected = [((n + 10) / 30 + (n + 12) / 30) / 2 for n in range(3)]
    assert [state for state, _ in states(tmp_path)] == 3 * ["COMPLETE"]
    assert [value for _, value in states(tmp_path)] == pytest.approx(expected)


@pytest.mark.parametrize("torn", [b'{"op_code":4,"wor', b'{"op_code":4,"wor\n', b"\0\0\0\n"])
def test_a_torn_journal_is_repaired_and_a_copy_is_kept(tmp_path: Path, torn: bytes) -> None:
    drain(tmp_path, study(), most=3)
    journal = StudyFiles(tmp_path).journal
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    assert len(drain(tmp_path, study())) == 9
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())
    assert (tmp_path / "optuna.journal.torn").read_bytes() == whole + torn


def test_the_lock_file_of_a_killed_launch_does_not_delay_the_next(tmp_path: Path) -> None:
    drain(tmp_path, study(), most=1)
    (tmp_path / "optuna.journal.lock").symlink_to(tmp_path / "optuna.journal")
    assert len(drain(tmp_path, study())) == 11


def test_a_journal_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fault = refusal(lambda: drain(tmp_path / "file", study()))
    assert fault.startswith(f"storage: cannot write {tmp_path}/file/optuna.journal")


def test_a_missing_or_wrong_journal_is_written_anew(tmp_path: Path) -> None:
    config = study("study.arms=[darts]", "study.candidates=4")
    drain(tmp_path, config, most=5, right=scored)
    files = StudyFiles(tmp_path)
    early = files.journal.read_bytes()
    drain(tmp_path, config, right=scored)
    expected = states(tmp_path)
    assert [state for state, _ in expected] == 4 * ["COMPLETE"]
    for text in (None, early, b'{"no": "journal"}\n', early.replace(b"0.003", b"0.004")):
        files.journal.unlink()
        if text is not None:
            files.journal.write_bytes(text)
        with opened(tmp_path, config) as queue:
            assert queue.over()
        assert states(tmp_path) == expected


def test_the_last_result_of_a_killed_launch_reaches_the_journal_at_the_next_start(tmp_path: Path) -> None:
    config = study("study.arms=[darts]", "study.candidates=1")
    drain(tmp_path / "a", config, most=1)
    shutil.copytree(tmp_path / "a" / "candidates", tmp_path / "b" / "candidates")
    shutil.copy(tmp_path / "a" / "optuna.journal", tmp_path / "b" / "optuna.journal")
    drain(tmp_path / "a", config)
    shutil.copytree(tmp_path / "a" / "trials", tmp_path / "b" / "trials")
    assert [state for state, _ in states(tmp_path / "b")] == ["RUNNING"]
    with opened(tmp_path / "b", config):
        pass
    assert states(tmp_path / "b") == states(tmp_path / "a")
