"""Putting records together: killed at any step nothing is lost and nothing counts twice; what cannot be read
stays where it is.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import Config
from raysernas.launch import main
from raysernas.record import compaction, ledger, reading, storage
from raysernas.record.files import StudyFiles
from tests.support.faults import refusal
from tests.support.marks import slow_after
from tests.support.records import failure, record, study

# everything by which compaction touches its store
STEPS = ("put", "write", "read", "listed", "states", "delete")


@pytest.fixture(params=["local", pytest.param("memory", marks=pytest.mark.slow)])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder, and a place of an object store (fsspec's, in memory)."""
    return (
        tmp_path
        if request.param == "local"
        else storage.place(f"memory://compaction/{tmp_path.name}-{os.getpid()}")
    )


def whole(root: Path) -> StudyFiles:
    """Six trials of two arms: three in a file of many, one of which has since been recorded anew; and three
    of their own.
    """
    files = study(
        root, Config(), *(record(fold=fold, valid=(fold, 0, 0)) for fold in range(2)), failure(fold=2)
    )
    compaction.compact(files)
    ledger.write(files.trial(record(fold=2).key), [record(fold=2, valid=(2, 0, 0))])
    for fold in range(3):
        ledger.write(
            files.trial(record("darts", fold=fold).key),
            [record("darts", fold=fold, retrain_seed=i) for i in (0, 1)],
        )
    return files


def same(files: StudyFiles, before: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(ledger.table(files)[before.columns], before, check_dtype=False)


class Killed(BaseException):
    """Stands for the end of the process: nothing after it is run, nothing is caught."""


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int, *, after: bool) -> Callable[[], int]:
    """From now on the process ends before (or after) so many uses of its store; how many there have been."""
    count = 0

    def counting(act: Callable[..., Any]) -> Callable[..., Any]:
        def one(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == step and not after:
                raise Killed
            result = act(*given, **named)
            if count >= step and after:
                raise Killed
            return result

        return one

    for name in STEPS:
        monkeypatch.setattr(storage, name, counting(getattr(storage, name)))
    return lambda: count


@pytest.mark.parametrize("after", slow_after(1, [False, True]))
def test_killed_at_any_step_it_loses_nothing_and_counts_nothing_twice(root: Path, after: bool) -> None:
    """And the next one, not killed, brings the files together."""
    step, ended, files = 0, False, whole(root)
    before, kept = ledger.table(files), {path: storage.read(path) for path in storage.listed(files.trials)}
    while not ended:
        step += 1
        for path in storage.listed(files.trials):
            storage.delete(path)
        for path, content in kept.items():
            _kept(path, content)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, step, after=after)
            try:
                compaction.compact(files)
                ended = True
            except Killed:
                pass
        same(files, before)
        assert ledger.remarks(files) == []
        compaction.compact(files)
        same(files, before)
        assert len(storage.listed(files.trials)) == 2  # and its copy
    assert step > 10


def test_all_readable_records_become_one_file(root: Path) -> None:
    files = whole(root)
    before = ledger.table(files)
    assert ledger.compact(files) == 4
    copy, path = storage.listed(files.trials)
    assert path.name.startswith("compacted-0002-")
    same(files, before)
    assert ledger.compact(files) == 0, "there is nothing left to do"
    assert storage.listed(files.trials) == [copy, path]


@pytest.mark.parametrize("copy", [False, True])
def test_a_damaged_file_of_many_loses_no_trial_while_its_copy_is_sound(root: Path, copy: bool) -> None:
    files = whole(root)
    before = ledger.table(files)
    ledger.compact(files)
    second, first = storage.listed(files.trials)
    damaged = second if copy else first
    content = bytearray(storage.read(damaged))
    content[len(content) // 2] ^= 1
    storage.put(damaged, bytes(content))
    same(files, before)
    assert ("its copy was read instead" in "".join(ledger.remarks(files))) != copy
    assert ledger.compact(files) == 0
    assert damaged not in storage.listed(files.trials)
    assert not ledger.remarks(files)
    same(files, before)


def test_what_cannot_be_read_stays_and_goes_on_being_named(root: Path) -> None:
    files = whole(root)
    path = files.trial(record("darts", fold=1).key).record
    storage.put(path, b"torn")
    before, remarks = ledger.table(files), ledger.remarks(files)
    ledger.compact(files)
    assert path in storage.listed(files.trials)
    assert storage.read(path) == b"torn"
    assert ledger.remarks(files) == remarks
    same(files, before)


def test_a_record_that_is_written_meanwhile_is_not_deleted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows in the new file are the old ones; the file itself has the last word."""
    files = whole(root)
    fresh = record("darts", fold=1, valid=(9, 9, 9))
    write = storage.write

    def meanwhile(path: Path, fill: Callable[[Path], object]) -> None:
        write(path, fill)
        monkeypatch.setattr(storage, "write", write)
        ledger.write(files.trial(fresh.key), [fresh])

    monkeypatch.setattr(storage, "write", meanwhile)
    ledger.compact(files)
    found = ledger.table(files)
    assert found.loc[(found["arm"] == "darts") & (found["fold"] == 1), "valid_ua"].tolist() == pytest.approx(
        [0.9]
    )


def test_a_disk_that_does_not_keep_what_it_is_given_deletes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = whole(root)
    before, names = ledger.table(files), storage.listed(files.trials)

    def forgetful(path: Path, fill: Callable[[Path], object]) -> None:
        storage.put(path, b"PAR1")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "write", forgetful)
        patch.setattr(storage, "put", lambda path, content: _kept(path, content))
        text = refusal(lambda: ledger.compact(files))
    assert "does not hold what was written\n  got: 0 rows\n  expected: 9 rows" in text
    assert set(names) < set(storage.listed(files.trials))
    same(files, before)
    assert ledger.compact(files) == 4, "the next one is not in the way of what is left"


def _kept(path: Path, content: bytes) -> None:
    if storage.is_local(path):
        path.write_bytes(content)
    else:
        remote: Any = path
        remote.fs.pipe_file(remote.path, content)


@settings(max_examples=10)
@given(
    steps=st.lists(
        st.one_of(st.just("compact"), st.tuples(st.integers(0, 3), st.integers(0, 10))), max_size=8
    )
)
def test_the_last_record_of_each_trial_is_what_counts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """However often records are written anew and put together, in whatever order."""
    files, expected = StudyFiles(tmp_path_factory.mktemp("any")), {}
    for step in steps:
        if step == "compact":
            ledger.compact(files)
        else:
            fold, right = step
            expected[fold] = pytest.approx(right / 30)
            ledger.write(files.trial(record(fold=fold).key), [record(fold=fold, valid=(right, 0, 0))])
    found = ledger.validation(files)
    assert dict(zip(found["fold"], found["valid_ua"], strict=True)) == expected
    assert len(found) == len(expected)


def test_a_launch_puts_records_together_only_when_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = study(tmp_path, Config(), *(record(fold=fold) for fold in range(4)))
    monkeypatch.setattr(compaction, "FILES", 4)
    assert (ledger.compact_many(files), len(storage.listed(files.trials))) == (0, 4)
    ledger.write(files.trial(record(fold=4).key), [record(fold=4)])
    assert (ledger.compact_many(files), len(storage.listed(files.trials))) == (5, 2)
    assert not compaction.due(files)


def test_the_command_tells_what_it_did_and_what_it_could_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = study(tmp_path / "study", Config(), *(record(fold=fold) for fold in range(3)))
    torn = files.trial(record(fold=1).key).record
    torn.write_bytes(b"")
    words = ["laptop", "study.name=study", f"study.storage={tmp_path}", "--compact"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"2 files of single trials merged into {files.trials}"
    assert lines[1].startswith(f"{torn} cannot be read (")
    assert main([*words, "study.name=none"]) == 2
    assert not (tmp_path / "none").exists()


def test_rows_in_counts_what_can_be_read(root: Path) -> None:
    files = whole(root)
    many = storage.listed(files.trials)[1]
    assert reading.rows_in(many) == 3
    storage.put(many, b"torn")
    assert reading.rows_in(many) == 0
