"""The lists of EmoBox: their names are understood, their folds are those that are built in, and broken ones
are refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.folds import fold_file, splits
from raysernas.corpora.folds.fold_file import Fold
from tests.support import toy
from tests.support.faults import refusal, told


def _emobox(
    folder: Path,
    name: str,
    parts: Mapping[str, Sequence[Mapping[str, object]]],
    number: int = 1,
    spelling: str = "fold_",
) -> None:
    inside = folder / f"fold_{number}"
    inside.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (inside / f"{name}_{part}_{spelling}{number}.jsonl").write_text(text, encoding="utf-8")


def _row(name: str, key: str, wav: str) -> dict[str, object]:
    """A line as EmoBox writes it."""
    return {
        "key": f"{name}-{key}",
        "dataset": name,
        "wav": f"downloads/{name}/{wav}",
        "type": "raw",
        "sample_rate": 16000,
        "num_frame": 70312.0,
        "task": "category",
        "length": 4.3945,
        "emo": "neu",
        "channel": 1,
    }


@pytest.mark.parametrize(
    ("name", "key", "listed", "wav"),
    [
        (
            "iemocap",
            "Ses01F_impro04_F000",
            "Ses01F_impro04_F000",
            "Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F000.wav",
        ),
        (
            "ravdess",
            "03-01-07-02-02-02-11",
            "03-01-07-02-02-02-11",
            "audio/Actor_11/03-01-07-02-02-02-11.wav",
        ),
        ("emodb", "03a02Wb", "03a02Wb", "wav/03a02Wb.wav"),
        ("savee", "JE_n23", "JE-n23", "JE_n23.wav"),
        ("emovo", "gio-f2-b2", "gio-f2-b2", "f2/gio-f2-b2.wav"),
        ("tess", "OAF_tough_happy", "OAF-tough-happy", "OAF_tough_happy.wav"),
    ],
)
def test_emobox_names_utterances_in_its_own_way(
    tmp_path: Path, name: str, key: str, listed: str, wav: str
) -> None:
    corpus = toy.corpus(2, takes=1, name=name)
    rows = (replace(corpus.utterances[0], key=key), *corpus.utterances[1:])
    corpus = replace(corpus, utterances=rows)
    others = [_row(name, each.key, f"{each.key}.wav") for each in rows[1:]]
    _emobox(tmp_path, name, {"train": others, "test": [_row(name, listed, wav)]})
    assert fold_file.read(tmp_path, corpus) == (
        Fold(name="fold_1", train=(1, 2, 3, 4, 5), valid=(), test=(0,)),
    )


def test_the_lists_of_emobox_are_its_built_in_folds(tmp_path: Path) -> None:
    """Imported from lists, in any number, or by the name of the scheme: the same folds, up to their names."""
    corpus = toy.ravdess()
    built_in = splits.of(corpus, CorpusConfig(folds="emobox"))
    for number, fold in enumerate(built_in, start=1):
        lines = {"train": (*fold.train, *fold.valid), "test": fold.test}
        rows = {
            part: [_row("ravdess", corpus.utterances[i].key, "x.wav") for i in places]
            for part, places in lines.items()
        }
        _emobox(tmp_path, "ravdess", rows, number)
    imported = splits.resolved(CorpusConfig(folds="file", fold_file=str(tmp_path)), corpus)
    assert imported.folds_hash == splits.resolved(CorpusConfig(folds="emobox"), corpus).folds_hash


def test_folds_of_emobox_are_counted_not_spelt_and_its_newer_spelling_wins(tmp_path: Path) -> None:
    corpus = toy.corpus(4, takes=1)
    parts = {
        part: [{"key": each.key} for each in corpus.utterances if each.speaker in heard]
        for part, heard in {"train": "00 01", "valid": "02", "test": "03"}.items()
    }
    for number in (10, 9):
        _emobox(tmp_path, "toy", parts, number)
    _emobox(tmp_path, "toy", {part: [] for part in parts}, 9, spelling="fold")
    (tmp_path / "fold_9" / "toy_train_fold_9.json").write_text("{}", encoding="utf-8")
    (tmp_path / "label_map.json").write_text("{}", encoding="utf-8")
    found = fold_file.read(tmp_path, corpus)
    assert [fold.name for fold in found] == ["fold_9", "fold_10"]
    assert found[0].train == (0, 1, 2, 3, 4, 5)
    assert found[0].valid == (6, 7, 8)


def test_lists_that_are_missing_or_twice_there_are_refused(tmp_path: Path) -> None:
    corpus = toy.corpus()
    assert "holds no lists of EmoBox\n  got: an empty folder\n" in refusal(
        lambda: fold_file.read(tmp_path, corpus)
    )
    _emobox(tmp_path, "toy", {"train": [{"key": "00-anger-0"}]})
    assert "fold_1: has no list for test\n  got: train\n  expected: CORPUS_test_fold_1.jsonl\n" in refusal(
        lambda: fold_file.read(tmp_path, corpus)
    )
    _emobox(tmp_path, "toy", {"test": [{"key": "01-anger-0"}]})
    assert fold_file.read(tmp_path, corpus)[0].test == (9,)
    _emobox(tmp_path, "other", {"test": [{"key": "01-anger-0"}]})
    assert "holds two lists for test\n" in refusal(lambda: fold_file.read(tmp_path, corpus))
    _emobox(tmp_path / "more", "toy", {"train": [], "dev": []})
    assert "names an unknown part\n  got: dev\n" in refusal(lambda: fold_file.read(tmp_path / "more", corpus))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{'key': 1}", "JSON, one object a line"),
        ("[" * 100_000, "JSON, one object a line"),
        ("[1, 2]", 'an object with "key" or "wav"'),
        ('{"key": 7, "wav": null}', 'an object with "key" or "wav"'),
    ],
)
def test_a_broken_list_is_refused(tmp_path: Path, line: str, expected: str) -> None:
    _emobox(tmp_path, "toy", {"train": [{"key": "00-anger-0"}], "test": []})
    file = tmp_path / "fold_1" / "toy_train_fold_1.jsonl"
    file.write_text(f'{{"key": "00-anger-1"}}\n\n{line}\n', encoding="utf-8")
    assert refusal(lambda: fold_file.read(tmp_path, toy.corpus())) == told(
        f"{file}: line 3",
        line[:80],
        expected,
        "correct it, or set corpus.fold_file to another",
        where="folds",
    )
