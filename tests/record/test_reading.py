"""Reading the ledger: whatever lies in its folder, it is counted once or named and passed over, and no number
is ever wrong.
"""

import os
import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import Config
from raysernas.record import ledger, reading, storage
from raysernas.record.files import StudyFiles, TrialKey
from tests.support.faults import refusal, told
from tests.support.records import record, study

FOLDS = 4


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder, and a place of an object store (fsspec's, in memory)."""
    return (
        tmp_path
        if request.param == "local"
        else storage.place(f"memory://reading/{tmp_path.name}-{os.getpid()}")
    )


def whole(root: Path) -> StudyFiles:
    """A study of one trial a fold, each of which scored differently."""
    return study(root, Config(), *(record(fold=fold, valid=(fold, 0, 0)) for fold in range(FOLDS)))


def path_of(files: StudyFiles, fold: int) -> Path:
    return files.trial(record(fold=fold).key).record


def rewritten(path: Path, **columns: object) -> None:
    """The record with other contents of some columns; None takes the column away."""
    rows = pq.read_table(pa.BufferReader(storage.read(path))).to_pandas()
    rows = rows.assign(**{name: value for name, value in columns.items() if value is not None})
    ledger.write_table(path, rows.drop(columns=[name for name, value in columns.items() if value is None]))


def passed_over(files: StudyFiles, path: Path, why: str) -> None:
    """All trials but one are read, right, and that one's file is named."""
    scores = ledger.validation(files)
    assert scores["fold"].tolist() == [1, 2, 3]
    assert scores["valid_ua"].tolist() == pytest.approx([fold / 30 for fold in (1, 2, 3)])
    assert ledger.read(files.trial(record(fold=0).key)) is None or not path.name.startswith("cnn-c000-f0")
    (remark,) = ledger.remarks(files)
    assert remark.startswith(f"{path} cannot be read ({why}")


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"digest": None}, "has no column digest"),
        ({"schema_version": None}, "has no column schema_version"),
        ({"fold": "0"}, "has no whole numbers in fold"),
        ({"candidate": 0.5}, "has no whole numbers in candidate"),
        ({"fold": 1}, "holds cnn-c000-f1-s0, which is not what it is called"),
        ({"arm": "darts"}, "holds darts-c000-f0-s0, which is not what it is called"),
        ({"status": pd.NA}, "has a row without status"),
    ],
)
def test_a_file_that_is_no_record_is_named_and_passed_over(
    root: Path, columns: dict[str, object], why: str
) -> None:
    files = whole(root)
    rewritten(path_of(files, 0), **columns)
    passed_over(files, path_of(files, 0), why)
    assert path_of(files, 0) not in reading.gather(files, None).singles, "nobody takes it for read"


def test_a_column_of_another_kind_is_named_and_passed_over(root: Path) -> None:
    files = whole(root)
    rewritten(path_of(files, 3), valid_ua="good")
    assert ledger.validation(files)["fold"].tolist() == [0, 1, 2]
    assert ledger.remarks(files) == [], "nobody has asked for the column"
    ((named, why),) = reading.gather(files, None).skipped.items()
    assert (named, why.partition(":")[0]) == (str(path_of(files, 3)), "has a column of another kind")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"no table at all" * 100])
def test_what_is_no_table_is_named_and_passed_over(root: Path, content: bytes) -> None:
    files = whole(root)
    storage.put(path_of(files, 0), content)
    passed_over(files, path_of(files, 0), "")


def test_a_table_without_rows_is_named_and_passed_over(root: Path) -> None:
    files = whole(root)
    ledger.write_table(path_of(files, 0), pd.DataFrame([record().row()]).iloc[:0].astype({"fold": int}))
    passed_over(files, path_of(files, 0), "has no rows")


@settings(max_examples=40)
@given(share=st.floats(0, 1, exclude_max=True), junk=st.binary(max_size=64))
def test_a_record_torn_anywhere_never_makes_a_wrong_number(
    tmp_path_factory: pytest.TempPathFactory, share: float, junk: bytes
) -> None:
    """Cut off at any byte, with anything behind the cut."""
    files = study(tmp_path_factory.mktemp("torn"), Config(), record(valid=(1, 0, 0)))
    path = path_of(files, 0)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))] + junk)
    ledger.write(files.trial(record(fold=1).key), [record(fold=1, valid=(2, 0, 0))])
    found = ledger.validation(files)
    assert found["valid_ua"].tolist() == pytest.approx([2 / 30])


@settings(max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_flipped_byte_never_makes_a_wrong_number(
    tmp_path_factory: pytest.TempPathFactory, place: float, flip: int
) -> None:
    """Pages have checksums: the record is read as it was written, or its file is passed over."""
    files = study(tmp_path_factory.mktemp("flipped"), Config(), record(valid=(1, 0, 0)))
    path = path_of(files, 0)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= flip
    path.write_bytes(bytes(content))
    try:
        found = ledger.validation(files)
    except ValueError as refused:
        assert "is of a newer raysernas" in str(refused)  # noqa: PT017
        return
    assert found["valid_ua"].tolist() in ([], [pytest.approx(1 / 30)])


def test_a_newer_record_is_refused(root: Path) -> None:
    files = whole(root)
    rewritten(path_of(files, 0), schema_version=reading.SCHEMA_VERSION + 1)
    expected = told(
        f"{path_of(files, 0)} is of a newer raysernas",
        f"schema {reading.SCHEMA_VERSION + 1}",
        f"at most {reading.SCHEMA_VERSION}",
        "update raysernas, or set another study.name",
        where="ledger",
    )
    assert refusal(lambda: ledger.validation(files)) == expected
    assert refusal(lambda: ledger.read(files.trial(record().key))) == expected


def test_an_older_record_counts_and_what_it_lacks_is_empty(root: Path) -> None:
    files = whole(root)
    rewritten(path_of(files, 0), schema_version=1, failure=None, attempts=None)
    found = ledger.table(files)
    assert found["fold"].tolist() == [0, 1, 2, 3]
    assert found["attempts"].isna().tolist() == [True, False, False, False]
    assert found["failure"].isna().tolist() == [True, False, False, False]
    assert ledger.remarks(files) == [
        "1 trials were recorded by an older version; what it did not record is empty"
    ]


def test_what_is_half_written_or_of_others_is_no_record(root: Path) -> None:
    files = whole(root)
    for name in (".cnn-c000-f9-s0.parquet.1234.part", "notes.txt", ".hidden.parquet"):
        storage.put(files.trials / name, b"x")
    assert (len(ledger.validation(files)), ledger.remarks(files)) == (FOLDS, [])


def test_a_folder_that_is_called_like_a_record_is_named(tmp_path: Path) -> None:
    files = whole(tmp_path)
    path_of(files, 0).unlink()
    path_of(files, 0).mkdir()
    passed_over(files, path_of(files, 0), "")


def test_a_store_that_does_not_answer_is_no_torn_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for torn, its trials would be run twice."""
    root = storage.place(f"memory://reading/{tmp_path.name}")
    files = whole(root)

    def cut_off(*_: object, **__: object) -> bytes:
        raise TimeoutError("no answer")

    monkeypatch.setattr(storage, "PAUSE_S", 0)
    monkeypatch.setattr(type(root.fs), "cat_file", cut_off)  # pyright: ignore[reportAttributeAccessIssue]
    assert refusal(lambda: ledger.validation(files)).startswith("storage: cannot read memory:")


def test_the_record_of_one_trial_wins_over_a_file_of_many(root: Path) -> None:
    """A failed trial that is run again writes its own file; torn, it is not answered by what it was to
    replace.
    """
    files = whole(root)
    ledger.compact(files)
    ledger.write(files.trial(record(fold=0).key), [record(fold=0, valid=(9, 9, 9))])
    assert ledger.validation(files)["valid_ua"].tolist()[0] == pytest.approx(0.9)
    assert len(ledger.validation(files)) == FOLDS
    storage.put(path_of(files, 0), b"torn")
    passed_over(files, path_of(files, 0), "")


def test_the_later_file_of_many_wins(root: Path) -> None:
    files = whole(root)
    for number, right in ((1, 1), (2, 7), (10, 8)):
        ledger.write_table(
            files.trials / f"compacted-{number:04d}-x.parquet",
            pd.DataFrame([record(fold=9, valid=[right] * 3).row()]),
        )
    assert ledger.validation(files).set_index("fold")["valid_ua"][9] == pytest.approx(0.8)
    assert len(ledger.validation(files)) == FOLDS + 1
    found = ledger.read(files.trial(record(fold=9).key))
    assert found is not None
    assert found["valid_ua"].tolist() == pytest.approx([0.8])


def test_every_retrain_seed_of_a_trial_comes_from_the_same_file(root: Path) -> None:
    key = record().key
    files = study(root, Config(), *(record(retrain_seed=seed, valid=(1, 1, 1)) for seed in range(3)))
    ledger.compact(files)
    ledger.write(files.trial(key), [record(retrain_seed=0, valid=(9, 9, 9))])
    assert ledger.validation(files)["retrain_seed"].tolist() == [0]


def test_one_trial_is_read_alike_from_its_own_file_and_from_one_of_many(root: Path) -> None:
    files = study(root, Config(), record(fold=0), record("darts", fold=1, more=3.5))
    keys = [record(fold=0).key, record("darts", fold=1).key]
    before = [ledger.read(files.trial(key)) for key in keys]
    assert ledger.compact(files) == 2
    for key, rows in zip(keys, before, strict=True):
        found = ledger.read(files.trial(key))
        assert rows is not None
        assert found is not None
        filled = rows.dropna(axis="columns", how="all")
        pd.testing.assert_frame_equal(found[filled.columns], filled, check_dtype=False)
    assert ledger.read(files.trial(TrialKey(arm="cnn", candidate=0, fold=9, seed=0))) is None


def test_a_ledger_is_whole_to_whoever_reads_while_it_is_put_together(tmp_path: Path) -> None:
    files = whole(tmp_path)
    over, counts = threading.Event(), set()

    def read() -> None:
        while not over.is_set():
            counts.add(len(ledger.validation(files)))

    reader = threading.Thread(target=read)
    reader.start()
    for fold in range(FOLDS, FOLDS + 15):
        ledger.compact(files)
        ledger.write(files.trial(record(fold=fold).key), [record(fold=fold)])
    over.set()
    reader.join()
    assert counts <= set(range(FOLDS, FOLDS + 16))
    assert len(ledger.validation(files)) == FOLDS + 15
