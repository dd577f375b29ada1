"""What is optimistic is said on every table."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from raysernas.config import Config
from raysernas.config_file import load
from raysernas.record.printing import print_tables
from raysernas.record.protocol import marks
from raysernas.record.summary import summary
from tests import records

ODD = {
    ("corpus.folds=random", "corpus.speaker_dependent=true"): "speaker-dependent",
    ("corpus.speaker_dependent=true",): "speaker-dependent",
    ("features.normalisation=speaker",): "transductive",
    ("corpus.folds=published",): "published folds",
}


def test_a_sound_protocol_has_no_mark() -> None:
    assert marks(Config()) == {}
    assert marks(load(None, ["features=published", "corpus.folds=session", "features.normalisation=utterance"])) == {}


@pytest.mark.parametrize("overrides", ODD, ids=" ".join)
def test_what_is_optimistic_stands_on_every_table(overrides: tuple[str, ...], tmp_path: Path) -> None:
    config, mark = load(None, ["study.arms=[cnn]", "study.folds=[0]", *overrides]), ODD[overrides]
    files = records.study(tmp_path, config, records.record("cnn", fold=0))
    tables = summary(files)
    for table in (tables.arms, tables.folds, tables.candidates):
        assert set(table["marks"]) == {mark}
    out = StringIO()
    print_tables(tmp_path, Console(file=out, width=200, color_system=None))
    titles = [line for line in out.getvalue().splitlines() if line.startswith(("Test scores", "What these", "Test UA"))]
    assert len(titles) == 3
    assert all(title.endswith(f"({mark})") for title in titles)
    assert f"{mark}: {tables.marks[mark]}" in out.getvalue()


def test_random_folds_and_speaker_normalisation_are_both_said() -> None:
    config = load(None, ["corpus.folds=random", "corpus.speaker_dependent=true", "features.normalisation=speaker"])
    assert list(marks(config)) == ["speaker-dependent", "transductive"]
    assert "5 to 25 points too high" in marks(config)["speaker-dependent"]


def test_files_that_were_left_out_are_told_under_the_table(tmp_path: Path) -> None:
    config = load(None, ["study.arms=[cnn]", "study.folds=[0]"])
    files = records.study(tmp_path, config, records.record("cnn", fold=0, n_skipped=3))
    assert "3 files or rows of the corpus left out as unusable" in summary(files).arms["note"].iloc[0]
