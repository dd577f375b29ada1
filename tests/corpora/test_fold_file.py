"""Folds on disk: what is written is read, a hash tells any change, and a broken file is refused."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import fold_file, splits
from raysernas.corpora.folds.fold_file import PARTS, Fold
from tests.support import toy
from tests.support.faults import refusal, told
from tests.support.toy import speakers


@st.composite
def _divided(draw: st.DrawFn) -> tuple[Corpus, tuple[Fold, ...]]:
    """A corpus whose keys are any text, and any folds of it."""
    words = draw(
        st.lists(
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=2, max_size=8, unique=True
        )
    )
    row = toy.corpus(1, takes=1).utterances[0]
    corpus = replace(toy.corpus(1), utterances=tuple(replace(row, key=word) for word in words))
    titles = draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=3))
    found: list[Fold] = []
    for title in titles:
        marks = draw(st.lists(st.sampled_from([*PARTS, "none"]), min_size=len(words), max_size=len(words)))
        marks[0] = "train"  # a fold of nobody has no row
        members = {part: tuple(place for place, mark in enumerate(marks) if mark == part) for part in PARTS}
        found.append(Fold(name=title, **members))
    return corpus, tuple(found)


@settings(max_examples=80, deadline=None)
@given(_divided())
def test_what_is_written_is_read(tmp_path_factory, divided: tuple[Corpus, tuple[Fold, ...]]) -> None:
    corpus, found = divided
    path = tmp_path_factory.mktemp("folds") / "folds.csv"
    path.write_text(fold_file.text(corpus, found), encoding="utf-8")
    assert fold_file.read(path, corpus) == found


@settings(max_examples=80, deadline=None)
@given(_divided(), st.data())
def test_the_hash_changes_with_any_change_of_assignment_and_with_nothing_else(divided, data) -> None:
    corpus, found = divided
    before = fold_file.hash_of(corpus, found)
    order = data.draw(st.permutations(range(len(corpus.utterances))))
    place = {old: new for new, old in enumerate(order)}
    moved = replace(
        corpus, utterances=tuple(replace(corpus.utterances[old], path="/elsewhere") for old in order)
    )
    again = [
        Fold(name="x", **{p: tuple(sorted(place[i] for i in getattr(fold, p))) for p in PARTS})
        for fold in found
    ]
    assert fold_file.hash_of(moved, again) == before
    number, index = (
        data.draw(st.integers(0, len(found) - 1)),
        data.draw(st.integers(0, len(corpus.utterances) - 1)),
    )
    members = {part: set(getattr(found[number], part)) for part in PARTS}
    was = next((part for part in PARTS if index in members[part]), "none")
    goes = data.draw(st.sampled_from([part for part in (*PARTS, "none") if part != was]))
    for part in PARTS:
        members[part] = members[part] - {index} | ({index} if part == goes else set())
    changed = Fold(
        name=found[number].name, **{part: tuple(sorted(places)) for part, places in members.items()}
    )
    assert fold_file.hash_of(corpus, (*found[:number], changed, *found[number + 1 :])) != before


def test_the_hash_tells_the_order_and_the_number_of_folds_and_the_keys() -> None:
    corpus = toy.corpus(4)
    found = splits.of(corpus, CorpusConfig())
    renamed = replace(corpus, utterances=(replace(corpus.utterances[0], key="new"), *corpus.utterances[1:]))
    hashes = [
        fold_file.hash_of(corpus, found),
        fold_file.hash_of(corpus, found[::-1]),
        fold_file.hash_of(corpus, found[:-1]),
    ]
    assert len({*hashes, fold_file.hash_of(renamed, found)}) == 4
    assert hashes[0] == fold_file.hash_of(corpus, found)
    assert len(hashes[0]) == 16


def test_the_file_is_one_row_for_each_utterance_of_each_part() -> None:
    corpus = toy.corpus(3, takes=1)
    assert fold_file.text(corpus, splits.of(corpus, CorpusConfig())).startswith(
        "fold,name,part,key\n0,00,train,02-anger-0\n0,00,train,02-neutral-0\n"
        "0,00,train,02-sadness-0\n0,00,valid,01-anger-0\n"
    )


# --- our CSV

FILE = CorpusConfig(folds="file")


def _csv(folder: Path, *rows: str, header: str = "fold,name,part,key") -> CorpusConfig:
    path = folder / "mine.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return replace(FILE, fold_file=str(path))


def _rows(corpus: Corpus, number: int, **parts: list[str]) -> list[str]:
    return [
        f"{number},mine,{part},{each.key}"
        for part, heard in parts.items()
        for each in corpus.utterances
        if each.speaker in heard
    ]


def test_a_file_of_folds_is_a_scheme(tmp_path: Path) -> None:
    corpus = toy.corpus(6)
    rows = [
        *_rows(corpus, 7, train=["00", "01"], valid=["02"], test=["03"]),
        *_rows(corpus, 2, train=["04"], valid=["05"], test=["00"]),
    ]
    config = _csv(tmp_path, *rows[::-1])
    assert splits.of(corpus, config) == splits.of(corpus, _csv(tmp_path, *rows))
    first, second = splits.of(corpus, config)
    assert [speakers(corpus, part) for part in (first.train, first.valid, first.test)] == [
        {"04"},
        {"05"},
        {"00"},
    ]
    assert [speakers(corpus, part) for part in (second.train, second.valid, second.test)] == [
        {"00", "01"},
        {"02"},
        {"03"},
    ]
    assert splits.rule(corpus, config) == "given by the list"
    assert splits.resolved(config, corpus).valid == "usual"


def test_the_folds_of_a_scheme_can_be_imported_again(tmp_path: Path) -> None:
    corpus = toy.corpus(8)
    found = splits.of(corpus, CorpusConfig(folds="session"))
    (tmp_path / "folds.csv").write_text(fold_file.text(corpus, found), encoding="utf-8")
    config = replace(FILE, fold_file=str(tmp_path / "folds.csv"))
    assert splits.of(corpus, config) == found
    assert (
        splits.resolved(config, corpus).folds_hash
        == splits.resolved(CorpusConfig(folds="session"), corpus).folds_hash
    )


def test_a_list_without_a_validation_part_gets_one_by_rule(tmp_path: Path) -> None:
    corpus = toy.corpus(8)
    config = _csv(tmp_path, *_rows(corpus, 0, train=["00", "01", "02", "03", "04"], test=["05", "06"]))
    [fold] = splits.of(corpus, config)
    assert speakers(corpus, fold.valid) == {"00", "01"}
    assert speakers(corpus, fold.train) == {"02", "03", "04"}
    assert splits.resolved(config, corpus).valid == "speakers"


def test_a_validation_part_that_only_some_folds_have_is_refused(tmp_path: Path) -> None:
    corpus = toy.corpus(8)
    rows = [
        *_rows(corpus, 0, train=["00"], valid=["01"], test=["02"]),
        *_rows(corpus, 1, train=["01", "03", "04"], test=["00"]),
    ]
    assert "fold 1 (mine): nobody is in valid\n" in refusal(lambda: splits.of(corpus, _csv(tmp_path, *rows)))


def test_a_list_that_validates_on_those_who_are_trained_on_or_tested_is_refused(tmp_path: Path) -> None:
    corpus = toy.corpus(4)
    for part, side in (("train", "training and in valid"), ("test", "valid and in test")):
        heard = {"train": ["00", "01"], "valid": ["02"], "test": ["03"]}
        rows = _rows(corpus, 0, **heard)
        moved = [row.replace(",valid,", f",{part},") if row.endswith("02-anger-0") else row for row in rows]
        config = _csv(tmp_path, *moved)
        assert f"a speaker is heard in {side}\n  got: 02\n" in refusal(partial(splits.of, corpus, config))


def test_lists_that_mix_speakers_need_the_users_word_and_validate_by_utterance(tmp_path: Path) -> None:
    corpus = toy.corpus(4)
    half = [
        f"0,mine,{'test' if place % 3 == 0 else 'train'},{each.key}"
        for place, each in enumerate(corpus.utterances)
    ]
    config = _csv(tmp_path, *half)
    assert "a speaker is heard in training and in test\n  got: 00+01+02+03\n" in refusal(
        lambda: splits.of(corpus, config)
    )
    allowed = replace(config, speaker_dependent=True)
    assert splits.rule(corpus, allowed) == "utterances(0.2)"
    [fold] = splits.of(corpus, allowed)
    assert len(fold.valid) + len(fold.train) == 24


def test_an_utterance_in_two_parts_of_a_fold_is_refused(tmp_path: Path) -> None:
    corpus = toy.corpus(4)
    rows = [*_rows(corpus, 0, train=["00", "01"], valid=["02"], test=["03"]), "0,mine,test,00-anger-1"]
    config = replace(_csv(tmp_path, *rows), speaker_dependent=True)
    assert refusal(lambda: splits.of(corpus, config)) == told(
        "an utterance is in training and in test",
        "00-anger-1",
        "every utterance in one part only",
        "correct the list of the folds",
        where="folds",
    )


def test_strangers_are_ignored_as_long_as_most_are_known(tmp_path: Path) -> None:
    corpus = toy.corpus(4)
    rows = _rows(corpus, 0, train=["00", "01"], valid=["02"], test=["03"])
    found = splits.of(corpus, _csv(tmp_path, *rows))
    strangers = [f"0,mine,train,stranger {number}" for number in range(100)]
    assert splits.of(corpus, _csv(tmp_path, *rows, *strangers)) == found  # all of the corpus is named
    few = [*rows[:12], *strangers[:13]]
    config = _csv(tmp_path, *few)
    assert refusal(lambda: splits.of(corpus, config)) == told(
        f"{tmp_path / 'mine.csv'} does not fit toy",
        "25 utterances named, of which 13 are not in the corpus, such as stranger 0",
        "most of them among the 36 of the corpus, such as 00-anger-0",
        "set corpus.fold_file to the lists of this corpus",
        where="folds",
    )
    assert len(fold_file.read(Path(_csv(tmp_path, *few[:-1]).fold_file), corpus)[0].train) == 12
    assert "0 utterances named" in refusal(lambda: splits.of(corpus, _csv(tmp_path)))


def test_utterances_that_no_list_names_are_in_no_part(tmp_path: Path) -> None:
    corpus = toy.corpus(6)
    [fold] = splits.of(corpus, _csv(tmp_path, *_rows(corpus, 0, train=["00"], valid=["01"], test=["02"])))
    assert speakers(corpus, fold.train, fold.valid, fold.test) == {"00", "01", "02"}


def test_a_file_name_that_a_list_uses_twice_names_nobody(tmp_path: Path) -> None:
    """Of a/01 and b/01 only the second is in the corpus, since its classes are fewer: it must not stand in
    for the first.
    """
    whole = toy.corpus(4)
    renamed = tuple(
        replace(each, key=f"{each.speaker}/{each.emotion}-{each.key[-1]}.wav") for each in whole.utterances
    )
    whole = replace(whole, utterances=renamed)
    found = splits.of(whole, CorpusConfig(folds="speaker"))
    (tmp_path / "folds.csv").write_text(fold_file.text(whole, found), encoding="utf-8")
    kept = tuple(each for each in renamed if each.speaker != "00" or each.emotion != "anger")
    kept = tuple(each for each in kept if each.emotion != "anger" or each.speaker == "03")
    first = fold_file.read(tmp_path / "folds.csv", replace(whole, utterances=kept))[0]
    for part in PARTS:
        named = {renamed[index].key for index in getattr(found[0], part)}
        assert {kept[index].key for index in getattr(first, part)} == {each.key for each in kept} & named


def test_a_file_name_that_the_corpus_has_twice_names_nobody(tmp_path: Path) -> None:
    corpus = toy.corpus(4, takes=1)
    first, second, *rest = corpus.utterances
    corpus = replace(
        corpus, utterances=(replace(first, key="a/1.wav"), replace(second, key="b/1.wav"), *rest)
    )
    [fold] = fold_file.read(
        Path(_csv(tmp_path, "0,mine,train,1.wav", *_rows(corpus, 0, test=["03"])).fold_file), corpus
    )
    assert (fold.train, len(fold.test)) == ((), 3)


def test_files_may_be_named_with_folder_and_suffix_and_folds_without_a_name(tmp_path: Path) -> None:
    corpus = toy.corpus(4)
    parts = {"train": "00", "valid": "01", "test": "02"}
    rows = [
        f"0,{part},wav/{u.key}.wav"
        for part, speaker in parts.items()
        for u in corpus.utterances
        if u.speaker == speaker
    ]
    [fold] = fold_file.read(Path(_csv(tmp_path, *rows, header="fold,part,key").fold_file), corpus)
    assert (fold.name, len(fold.train), len(fold.test)) == ("fold 0", 9, 9)


@pytest.mark.parametrize(
    ("rows", "what", "got", "expected"),
    [
        (["0,a,train"], "line 2", "3 cells", "4, as in its first line"),
        (["0,a,dev,00-anger-0"], "line 2", "part 'dev'", "train, valid, test"),
        (["one,a,train,00-anger-0"], "line 2", "fold 'one'", "the number of a fold"),
        (
            ["0,a,train,00-anger-0", "0,b,test,01-anger-0"],
            "fold 0 has two names",
            "a, b",
            "one name for each fold",
        ),
        (['0,a,train,"00'], "line 2", "unexpected end of data", "a CSV"),
    ],
)
def test_a_broken_csv_is_refused(tmp_path: Path, rows: list[str], what: str, got: str, expected: str) -> None:
    config = _csv(tmp_path, *rows)
    assert refusal(lambda: splits.of(toy.corpus(), config)) == told(
        f"{config.fold_file}: {what}",
        got,
        expected,
        "correct it, or set corpus.fold_file to another",
        where="folds",
    )


def test_other_columns_no_text_and_no_file_are_refused(tmp_path: Path) -> None:
    corpus = toy.corpus()
    config = _csv(tmp_path, header="file,split")
    assert "has other columns\n  got: file, split\n  expected: fold,name,part,key; name" in refusal(
        lambda: splits.of(corpus, config)
    )
    Path(config.fold_file).write_bytes(b"\xff\xfe\x00")
    assert "mine.csv: cannot be read\n" in refusal(lambda: splits.of(corpus, config))
    gone = tmp_path / "gone.csv"
    assert refusal(lambda: splits.of(corpus, replace(FILE, fold_file=str(gone)))) == told(
        f"there is no {gone}",
        f"corpus.fold_file={gone}",
        "a folds.csv, or a folder of EmoBox lists",
        "set corpus.fold_file=PATH",
        where="folds",
    )
