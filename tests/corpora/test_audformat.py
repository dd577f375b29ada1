"""A corpus in audformat is read from all of its tables, or it is told which columns in which files are
missing.
"""

from pathlib import Path

import pandas as pd
import pytest

from raysernas.corpora.corpus import Label
from raysernas.corpora.readers import manifest
from tests.support.faults import refusal, told
from tests.support.trees import audformat

GOLD = "emotion.categories.test.gold_standard, emotion.categories.train.gold_standard"
JOINED = "the columns file, emotion and speaker, in one table or joined by file"


@pytest.fixture
def emodb(tmp_path: Path) -> Path:
    return audformat.write(tmp_path / "emodb")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _database(folder: Path, header: str, tables: dict[str, str]) -> Path:
    """A small corpus: `header` as it is, tables by name, rows separated by blanks."""
    (folder / "db.yaml").write_text(header, encoding="utf-8")
    for name, rows in tables.items():
        (folder / f"db.{name}.csv").write_text(
            rows.replace(" ", "\n").replace("_", " ") + "\n", encoding="utf-8"
        )
    return folder


def test_emotions_speakers_genders_and_splits_come_from_where_they_are(emodb: Path) -> None:
    release = manifest.read(emodb)
    assert {u.key: (u.emotion, u.speaker, u.gender, u.split) for u in release.utterances} == {
        f"wav/{name}.wav": (
            audformat.EMOTIONS[name[5]],
            str(int(name[:2])),
            audformat.GENDERS[int(name[:2])],
            "test" if int(name[:2]) in audformat.TEST_SPEAKERS else "train",
        )
        for name in audformat.names()
    }
    assert len(release.utterances) == 16
    assert release.utterances[0].path == str(emodb / "wav/09a01Wa.wav")
    assert (release.emotions, release.folds) == (("anger", "happiness", "neutral", "sadness"), "official")
    assert release.notes == (f"Labels are those of {GOLD}, not of emotion.",)
    assert release.remarks == ()


def test_the_header_stands_for_its_folder(emodb: Path) -> None:
    assert manifest.read(emodb / "db.yaml") == manifest.read(emodb)


def test_parquet_tables_are_the_same_release(emodb: Path) -> None:
    release = manifest.read(emodb)
    for path in emodb.glob("db.*.csv"):
        pd.read_csv(path, dtype={"speaker": "Int64"}).set_index("file").to_parquet(
            path.with_suffix(".parquet")
        )
        path.unlink()
    assert manifest.read(emodb) == release


def test_a_row_that_cannot_be_used_is_named_with_its_table(emodb: Path) -> None:
    _replace(emodb / "db.emotion.categories.train.gold_standard.csv", "03a01Wa.wav,anger", "03a01Wa.wav,")
    _replace(emodb / "db.files.csv", "wav/08a01Wa.wav,0 days 00:00:01.898250,8,a01\n", "")
    release = manifest.read(emodb)
    assert len(release.utterances) == 14
    assert [(remark.kind, remark.subject, remark.what) for remark in release.remarks] == [
        ("bad", "db.emotion.categories.train.gold_standard.csv row 1", "has no emotion"),
        ("bad", "db.emotion.categories.train.gold_standard.csv row 5", "has no speaker"),
    ]


def test_segments_have_their_own_speakers(tmp_path: Path) -> None:
    folder = _database(
        tmp_path,
        "tables: {turns: {type: segmented}, who: {type: segmented}, talk.dev: {type: segmented}}",
        {
            "turns": "file,start,end,emotion a.wav,0_days,0_days_00:00:01.5,joy "
            "a.wav,0_days_00:00:01.5,,rage",
            "talk.dev": "file,start,end,emotion a.wav,0_days,0_days_00:00:01.5,joy",
            "who": "file,start,end,speaker,gender a.wav,0_days,0_days_00:00:01.5,anna,female "
            "a.wav,0_days_00:00:01.5,,ben,male",
        },
    )
    assert [(u.key, u.emotion, u.speaker, u.gender, u.split) for u in manifest.read(folder).utterances] == [
        ("a.wav#0.0-1.5", "joy", "anna", "female", "valid"),
        ("a.wav#1.5-0.0", "rage", "ben", "male", ""),
    ]


def test_genders_may_stand_in_a_table_that_the_scheme_names(tmp_path: Path) -> None:
    folder = _database(
        tmp_path,
        "schemes: {who: {labels: speakers}}\nmisc_tables: {speakers: {}}\n"
        "tables: {emotion: {columns: {emotion: {}}}, files: {columns: {speaker: {scheme_id: who}}}}",
        {
            "emotion": "file,emotion a.wav,joy b.wav,joy",
            "files": "file,speaker a.wav,007 b.wav,8",
            "speakers": "speaker,gender 007,male 8,other",
        },
    )
    assert [(u.speaker, u.gender) for u in manifest.read(folder).utterances] == [
        ("007", "male"),
        ("8", "unknown"),
    ]


def test_a_third_gender_is_none_of_the_two_that_are_balanced(tmp_path: Path) -> None:
    folder = _database(
        tmp_path, "tables: {emotion: {}}", {"emotion": "file,emotion,speaker,gender a.wav,joy,1,other"}
    )
    assert [(u.speaker, u.gender) for u in manifest.read(folder).utterances] == [("1", "unknown")]


@pytest.mark.parametrize(
    ("label", "emotion"), [("usual", "heard"), ("perceived", "heard"), ("intended", "meant")]
)
def test_two_kinds_of_labels_can_be_chosen_between(tmp_path: Path, label: Label, emotion: str) -> None:
    folder = _database(
        tmp_path,
        "tables: {emotion.desired: {}, emotion.gold_standard: {}}",
        {
            "emotion.desired": "file,emotion,speaker a.wav,meant,1",
            "emotion.gold_standard": "file,emotion,speaker a.wav,heard,1",
        },
    )
    assert [u.emotion for u in manifest.read(folder, label).utterances] == [emotion]


def test_a_kind_of_label_that_is_not_there_is_refused(emodb: Path) -> None:
    assert refusal(lambda: manifest.read(emodb, "intended")) == told(
        *(
            "this manifest has no intended labels",
            "corpus.label=intended",
            "usual, perceived",
            "set corpus.label=usual",
        ),
        where="corpus",
    )


def test_a_file_in_two_parts_of_the_split_is_left_to_the_selection(emodb: Path) -> None:
    path = emodb / "db.emotion.categories.train.gold_standard.csv"
    path.write_text(path.read_text() + "wav/09a01Wa.wav,anger,1\n", encoding="utf-8")
    assert [u.split for u in manifest.read(emodb).utterances if u.key == "wav/09a01Wa.wav"] == [
        "test",
        "train",
    ]


# what is refused


def test_tables_without_emotions_are_refused_with_their_columns(tmp_path: Path) -> None:
    folder = _database(
        tmp_path,
        "tables: {files: {}, scores: {}}",
        {"files": "file,speaker a.wav,1", "scores": "file,joy a.wav,3"},
    )
    assert refusal(lambda: manifest.read(folder)) == told(
        "db.yaml names no table with the column 'emotion'",
        *("db.files.csv: file, speaker; db.scores.csv: file, joy", JOINED),
        *("add the column 'emotion', or write a manifest with file, emotion, speaker",),
        where="manifest",
    )


def test_tables_without_speakers_are_refused_with_their_columns(emodb: Path) -> None:
    _replace(emodb / "db.files.csv", "duration,speaker", "duration,talker")
    assert refusal(lambda: manifest.read(emodb)) == told(
        "db.yaml names no table with the column 'speaker'",
        "; ".join(f"db.{name}.csv: file, emotion, emotion.confidence" for name in GOLD.split(", ")),
        *(JOINED, "add the column 'speaker', or write a manifest with file, emotion, speaker"),
        where="manifest",
    )


def test_a_table_that_is_not_there_is_refused(emodb: Path) -> None:
    path = emodb / "db.emotion.csv"
    path.rename(path.with_suffix(".pkl"))
    assert refusal(lambda: manifest.read(emodb)) == told(
        *(
            "db.yaml names the table 'emotion', which is not there",
            "neither db.emotion.csv nor db.emotion.parquet",
            "one of them",
        ),
        *("save the table as CSV or Parquet (pickles are not read)",),
        where="manifest",
    )


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "db.yaml names no tables\n  got: no mapping"),
        ("name: x\nusage: y\n", "db.yaml names no tables\n  got: name, usage"),
        ("tables: [a, b]\n", "db.yaml names no tables\n  got: tables"),
        ("tables: {a: ]", "db.yaml cannot be read\n  got: while parsing"),
        (
            "a: !!python/object/apply:os.system [true]",
            "db.yaml cannot be read\n  got: could not determine a constructor",
        ),
        ("a: \x00", "db.yaml cannot be read\n  got: unacceptable character"),
    ],
)
def test_a_header_that_cannot_be_understood_is_refused(tmp_path: Path, header: str, message: str) -> None:
    (tmp_path / "db.yaml").write_text(header, encoding="utf-8")
    assert refusal(lambda: manifest.read(tmp_path)).startswith(f"manifest: {message}")


def test_an_empty_cell_of_one_table_is_filled_from_another(tmp_path: Path) -> None:
    folder = _database(
        tmp_path,
        "tables: {emotion: {}, files: {}}",
        {"emotion": "file,emotion,speaker a.wav,joy, b.wav,joy,2", "files": "file,speaker a.wav,1"},
    )
    release = manifest.read(folder)
    assert [u.speaker for u in release.utterances] == ["1", "2"]
    assert release.remarks == ()
