"""What is optimistic is said on every table."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from raysernas.config.files import load
from raysernas.config.schema import Config
from raysernas.record.printing import print_tables
from raysernas.record.protocol import marks
from raysernas.record.summary import summary
from tests.support import records

SPACE = "study.space={features.normalisation: {choices: [train, speaker]}}"
ODD = {
    ("corpus.folds=random", "corpus.speaker_dependent=true"): "speaker-dependent",
    ("corpus.speaker_dependent=true",): "speaker-dependent",
    ("corpus.folds=file", "corpus.fold_file=folds.csv", "corpus.speaker_dependent=true"): "speaker-dependent",
    ("corpus.folds=speaker", "corpus.valid=utterances", "corpus.speaker_dependent=true"): "speaker-dependent",
    ("features.normalisation=speaker",): "transductive",
    (SPACE,): "transductive",
    ("corpus.folds=published",): "published folds",
    ("retrain.on=all_but_test",): "all but test",
}


def test_a_sound_protocol_has_no_mark() -> None:
    assert marks(Config()) == {}
    assert (
        marks(load(None, ["features=published", "corpus.folds=session", "features.normalisation=utterance"]))
        == {}
    )


@pytest.mark.parametrize("overrides", ODD, ids=" ".join)
def test_what_is_optimistic_stands_on_every_table(overrides: tuple[str, ...], tmp_path: Path) -> None:
    _stands_on_every_table(ODD[overrides], tmp_path, *overrides)


@pytest.mark.parametrize(
    ("fact", "mark"),
    [
        ("n_skipped", "left-out files"),
        ("n_unknown", "unknown speakers"),
        ("n_unlike", "not as published"),
        ("n_confounded", "confounded"),
        ("n_known_texts", "known texts"),
    ],
)
def test_what_the_trials_have_found_stands_on_every_table(fact: str, mark: str, tmp_path: Path) -> None:
    _stands_on_every_table(mark, tmp_path, **{fact: 3})


@pytest.mark.parametrize("column", ["commit", "versions", "cpu"])
def test_trials_of_unlike_code_or_machines_are_marked(column: str, tmp_path: Path) -> None:
    config = load(None, ["study.arms=[cnn]", "study.folds=[0,1]"])
    one, another = dict[str, Any]({column: "a"}), dict[str, Any]({column: "b"})
    same = [records.record("cnn", fold=fold, **one) for fold in (0, 1)]
    assert summary(records.study(tmp_path / "same", config, *same)).marks == {}
    other = records.record("cnn", fold=1, **another)
    (told,) = summary(records.study(tmp_path / "other", config, same[0], other)).marks.items()
    assert told[0] == "mixed code"
    assert f"finished trials differ in {column} (" in told[1]


def _stands_on_every_table(mark: str, tmp_path: Path, *overrides: str, **facts: Any) -> None:
    config = load(None, ["study.arms=[cnn,lstm]", "study.folds=[0]", *overrides])
    # failed trials have no such facts
    rows = records.record("cnn", fold=0, **facts), records.failure("lstm", fold=0)
    tables = summary(records.study(tmp_path, config, *rows))
    for table in (tables.arms, tables.folds, tables.candidates):
        assert set(table["marks"]) == {mark}
    out = StringIO()
    print_tables(tmp_path, Console(file=out, width=200, color_system=None))
    titles = [
        line
        for line in out.getvalue().splitlines()
        if line.startswith(("Test scores", "What these", "Test UA"))
    ]
    assert len(titles) == 3
    assert all(title.endswith(f"({mark})") for title in titles)
    assert f"{mark}: {tables.marks[mark]}" in out.getvalue()


def test_random_folds_and_speaker_normalisation_are_both_said() -> None:
    config = load(
        None, ["corpus.folds=random", "corpus.speaker_dependent=true", "features.normalisation=speaker"]
    )
    assert list(marks(config)) == ["speaker-dependent", "transductive"]
    assert "5 to 25 points too high" in marks(config)["speaker-dependent"]


def test_a_space_without_normalisation_by_speaker_has_no_mark() -> None:
    assert marks(load(None, ["study.space={features.normalisation: {choices: [train, utterance]}}"])) == {}


def test_what_is_left_out_or_unknown_is_counted(tmp_path: Path) -> None:
    config = load(None, ["study.arms=[cnn]", "study.folds=[0,1]"])
    rows = (records.record("cnn", fold=fold, n_skipped=1, n_unknown=fold + 1) for fold in (0, 1))
    assert summary(records.study(tmp_path, config, *rows)).marks == {
        "unknown speakers": "the speaker of 2 utterances is unknown, so a speaker may be on two sides",
        "left-out files": "1 file or row of the corpus left out as unusable (column skipped of the ledger)",
    }
    assert marks(config, skipped=12)["left-out files"].startswith("12 files or rows of the corpus left out")
