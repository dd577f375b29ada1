"""A table of labels is read with every cell as text, and refused as a whole when it cannot be understood."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Release, Remark
from raysernas.corpora.readers import manifest
from tests.support.faults import refusal, told

SHORT = "file,emotion,speaker\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings; nobody listens to them here."""
    (tmp_path / "wav").mkdir()
    for name in "ab":
        (tmp_path / "wav" / f"{name}.wav").touch()
    return tmp_path


def _manifest(folder: Path, text: str) -> Release:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return manifest.read(folder / "labels.csv")


def test_a_parquet_manifest_is_the_same_release(folder: Path) -> None:
    text = "file,emotion,speaker,start,end\nwav/a.wav,joy,3,0.01,\nwav/b.wav,sad,12,,0.05\n"
    frame = pd.DataFrame(
        {
            "file": ["wav/a.wav", "wav/b.wav"],
            "emotion": pd.Categorical(["joy", "sad"]),
            "speaker": [3, 12],
            "start": [0.01, None],
            "end": [None, 0.05],
            "votes": [[1, 2], [3]],
        }
    )
    frame.to_parquet(folder / "labels.parquet")
    assert manifest.read(folder / "labels.parquet") == _manifest(folder, text)
    frame["start"], frame["end"] = (pd.to_timedelta(frame[column], unit="s") for column in ("start", "end"))
    frame.set_index(["file", "start", "end"]).to_parquet(folder / "labels.parquet")
    assert manifest.read(folder / "labels.parquet") == _manifest(folder, text)
    frame.rename(columns={"speaker": "talker"}).to_parquet(folder / "labels.parquet")
    with pytest.raises(Fault, match="got: the columns file, emotion, talker, start, end, votes"):
        manifest.read(folder / "labels.parquet")


def test_times_and_numbers_of_parquet_are_seconds_and_empty_cells(folder: Path) -> None:
    columns = {
        "file": ["wav/a.wav"] * 3,
        "emotion": ["joy"] * 3,
        "speaker": ["s"] * 3,
        "session": pa.array([1.5, float("nan"), None]),
    }
    for unit, ticks in {"s": 2, "ms": 2_000, "us": 2_000_000, "ns": 2_000_000_000}.items():
        start = pa.array([ticks, 2 * ticks, None], pa.duration(unit))
        pq.write_table(pa.table(columns | {"start": start}), folder / "labels.parquet")
        release = manifest.read(folder / "labels.parquet")
        assert [(row.start_s, row.session) for row in release.utterances] == [
            (2.0, "1.5"),
            (4.0, ""),
            (0.0, ""),
        ]


def test_a_parquet_cell_without_a_value_is_empty(folder: Path) -> None:
    frame = pd.DataFrame(
        {"file": ["wav/a.wav", "wav/b.wav"], "emotion": ["joy", None], "speaker": [1.0, float("nan")]}
    )
    frame.to_parquet(folder / "labels.parquet")
    release = manifest.read(folder / "labels.parquet")
    assert [u.speaker for u in release.utterances] == ["1"]
    assert release.remarks == (
        Remark(
            kind="bad",
            subject="labels.parquet row 2",
            what="has no emotion",
            fix="fill the cell, or remove the row",
        ),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,emotion\nwav/a.wav,joy\n",
            "labels.csv has no column 'speaker'\n  got: the columns file, emotion\n",
        ),
        ("wav/a.wav,joy,3\n", "labels.csv has no column 'file', 'emotion', 'speaker'\n"),
        (
            "file;emotion;speaker\nwav/a.wav;joy;3\n",
            "labels.csv separates its columns by semicolons\n  got: file;emotion;",
        ),
        (
            "file;emotion;speaker\nwav/a, b.wav;joy;3\n",
            "labels.csv separates its columns by semicolons\n  got: file;emotion;",
        ),
        ("file\temotion\tspeaker\n", "labels.csv separates its columns by tabs\n"),
        ("file|emotion|speaker\n", "labels.csv separates its columns by bars\n"),
        ("file,emotion,speaker\n", "labels.csv lists no utterances\n  got: a header only\n"),
        ("", "labels.csv cannot be read\n  got: No columns to parse from file\n"),
        ("file,emotion,speaker\na,b,c,d,e\n", "labels.csv cannot be read\n"),
        ('file,emotion,speaker\n"a,b,c\n', "labels.csv cannot be read\n"),
        ("file,emotion,speaker,file\na,b,c,d\n", "labels.csv has two columns 'file'\n"),
    ],
)
def test_a_table_that_cannot_be_taken_is_refused(folder: Path, text: str, message: str) -> None:
    assert refusal(lambda: _manifest(folder, text)).startswith(f"manifest: {message}")


def test_what_is_no_table_is_refused(folder: Path) -> None:
    assert "is not a file" in refusal(lambda: manifest.read(folder / "gone.csv"))
    (folder / "x.parquet").write_text("no parquet")
    (folder / "x.csv").write_bytes(b"file,emotion\n\xff\xfe,\x80\n")
    (folder / "x.xlsx").write_bytes(b"PK\x03\x04\x14\x00\x06\x00\xff\xff")
    (folder / "latin.csv").write_bytes("file,emotion\na,Ärger\n".encode("latin-1"))
    for byte_order in ("utf-16", "utf-16-le"):
        (folder / f"{byte_order}.csv").write_bytes("file,emotion,speaker\na,joy,3\n".encode(byte_order))
    expected = {
        "x.parquet": "cannot be read",
        "x.csv": "another encoding (line 2 has the byte 0xff)",
        "x.xlsx": "a workbook, such as Excel writes",
        "latin.csv": "another encoding (line 2 has the byte 0xc4)",
        "utf-16.csv": "got: UTF-16",
        "utf-16-le.csv": "got: UTF-16",
    }
    for name, said in expected.items():
        text = refusal(lambda name=name: manifest.read(folder / name))
        assert said in text
        assert f"{name} " in text


def test_a_folder_stands_for_the_one_table_in_it(folder: Path) -> None:
    assert refusal(lambda: manifest.read(folder)) == told(
        *(f"{folder} does not hold a manifest", "wav", "one table, *.csv or *.parquet, or db.yaml"),
        *("set corpus.root=PATH/TO/THE/RELEASE",),
        where="corpus",
    )
    release = _manifest(folder, SHORT + "wav/a.wav,joy,3\nwav/b.wav,joy,4\n")
    (folder / "._labels.csv").touch()
    assert manifest.read(folder) == release
    (folder / "new.tsv").touch()
    assert refusal(lambda: manifest.read(folder)) == told(
        *(f"{folder.name} holds several tables", "labels.csv, new.tsv", "one"),
        *(f"set corpus.root={folder / 'labels.csv'}, or another of them",),
        where="manifest",
    )
