"""The ledger: what is written is read, whole; and who chooses cannot see a test score."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from raysernas.config.schema import Config
from raysernas.record import ledger
from raysernas.record.files import StudyFiles
from tests.support.records import EMOTIONS, failure, record, rows, study


def test_a_trial_that_has_not_ended_has_no_rows(tmp_path: Path) -> None:
    assert ledger.read(StudyFiles(tmp_path).trial(record().key)) is None


def test_a_study_without_trials_has_empty_tables(tmp_path: Path) -> None:
    for frame in (ledger.table(StudyFiles(tmp_path)), ledger.validation(StudyFiles(tmp_path))):
        assert frame.empty
        assert set(ledger.IDENTITY) <= set(frame.columns)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    records = [record("darts", retrain_seed=i, test=(i, 5, 9)) for i in (0, 1)]
    files = study(tmp_path, Config(), *records)
    found = ledger.read(files.trial(records[0].key))
    assert found is not None
    pd.testing.assert_frame_equal(found, rows(*records).assign(attempts=0, checksums="{}"), check_dtype=False)


def test_a_row_carries_settings_identity_scores_and_facts() -> None:
    row = record("darts", 3, 2, 1, 4, valid=(10, 5, 0), test=(9, 9, 9), seconds=2.5).row()
    assert (row["arm"], row["candidate"], row["fold"], row["seed"], row["retrain_seed"]) == (
        "darts",
        3,
        2,
        1,
        4,
    )
    assert (row["schema_version"], row["status"], row["reason"], row["failure"]) == (4, "finished", "", "")
    assert (row["search.epochs"], row["retrain.seeds"], row["seconds"]) == (30, "[0]", 2.5)
    assert (row["valid_ua"], row["test_ua"], row["test_classes"]) == (0.5, pytest.approx(0.9), 3)
    assert json.loads(row["test_confusion"]) == [[9, 1, 0], [0, 9, 1], [1, 0, 9]]
    assert json.loads(row["emotions"]) == list(EMOTIONS)
    assert "corpus.root" not in row
    assert all(value is None or isinstance(value, str | int | float) for value in row.values())


def test_only_what_an_arm_reads_is_a_column() -> None:
    assert "search.epochs" not in record("cnn").row()
    assert "search.epochs" in record("darts").row()


def test_the_table_has_every_row_of_every_trial_in_the_order_of_their_keys(tmp_path: Path) -> None:
    arms: tuple[str, ...] = ("lstm", "cnn", "darts")
    keys: list[tuple[str, int, int, int]] = [
        (arm, candidate, fold, 1) for arm in arms for candidate in (0, 1) for fold in (0, 10)
    ]
    records = [record(*key, retrain_seed=i) for key in keys for i in (1, 0)]
    table = ledger.table(study(tmp_path, Config(), *records))
    found = list(
        table[["arm", "candidate", "fold", "seed", "retrain_seed"]].itertuples(index=False, name=None)
    )
    assert found == sorted((*key, i) for key in keys for i in (0, 1))


def test_failed_and_finished_trials_of_all_arms_make_one_table(tmp_path: Path) -> None:
    table = ledger.table(
        study(tmp_path, Config(), record("darts"), record("cnn"), failure("lstm", reason="first\nsecond"))
    )
    assert table["status"].tolist() == ["finished", "finished", "failed"]
    assert table["reason"].tolist() == ["", "", "first\nsecond"]
    assert table["test_ua"].isna().tolist() == [False, False, True]
    assert table["search.epochs"].isna().tolist() == [True, False, True]


def test_all_failed_is_a_table_too(tmp_path: Path) -> None:
    assert ledger.table(study(tmp_path, Config(), failure(fold=0), failure(fold=1)))["status"].tolist() == [
        "failed",
        "failed",
    ]


def test_who_chooses_cannot_see_a_test_score(tmp_path: Path) -> None:
    """The view of the proposer is the same bytes whatever the test scores are."""
    views = [
        ledger.validation(study(tmp_path / str(i), Config(), record("darts", test=(i, i, i)), failure("cnn")))
        for i in (0, 10)
    ]
    assert tuple(views[0].columns) == ledger.VALIDATION
    assert not [column for column in ledger.VALIDATION if "test" in column]
    pd.testing.assert_frame_equal(views[0], views[1])


def test_a_record_is_replaced_whole(tmp_path: Path) -> None:
    files = study(tmp_path, Config(), failure())
    ledger.write(files.trial(record().key), [record(retrain_seed=0), record(retrain_seed=1)])
    assert ledger.table(files)["status"].tolist() == ["finished", "finished"]


@pytest.mark.parametrize("torn", [b"", b"PAR1", b"not a table at all", None])
def test_a_torn_record_is_named_and_its_trial_has_not_ended(tmp_path: Path, torn: bytes | None) -> None:
    files = study(tmp_path, Config(), record(fold=0), record(fold=1))
    path = files.trial(record(fold=1).key).record
    path.write_bytes(path.read_bytes()[:-20] if torn is None else torn)
    assert ledger.table(files)["fold"].tolist() == ledger.validation(files)["fold"].tolist() == [0]
    assert ledger.read(files.trial(record(fold=1).key)) is None
    (told,) = ledger.remarks(files)
    assert told.startswith(f"{path} cannot be read (")
    assert told.endswith("); its trials count as not run")


def test_unfinished_files_do_not_count(tmp_path: Path) -> None:
    files = study(tmp_path, Config(), record())
    (files.trials / ".darts-c000-f0-s0.parquet.0123abcd.part").write_bytes(b"PAR1")
    assert len(ledger.table(files)) == 1


def test_lists_and_unlike_columns_survive(tmp_path: Path) -> None:
    """Facts may differ from trial to trial (an older record has fewer): what is missing is empty, nothing
    else moves.
    """
    older = replace(record(fold=0), facts={"parameters": 7})
    table = ledger.table(study(tmp_path, Config(), older, record(fold=1, fresh=3)))
    assert table["parameters"].tolist() == [7, 1000]
    assert table["fresh"].isna().tolist() == [True, False]
