"""Folds that others have published, against their lists as they stand in print or in their repositories."""

from dataclasses import replace
from functools import partial

import pytest

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import published, splits
from tests.support import toy
from tests.support.faults import refusal, told
from tests.support.toy import speakers

EMOBOX_RAVDESS = "{1,11,20,21} {4,10,12,14} {8,9,19,23} {3,5,7,24} {2,15,16,18} {6,13,17,22}"
LUNA_JIMENEZ_TEST = "{2,5,14,15,16} {3,6,7,13,18} {10,11,12,19,20} {8,17,21,23,24} {1,4,9,22}"
LUNA_JIMENEZ_VALID = "{3,6} {10,11} {8,17} {1,14} {2,5}"
EMOBOX, PUBLISHED = CorpusConfig(folds="emobox"), CorpusConfig(folds="published")


def _sets(text: str) -> list[set[str]]:
    return [{f"{int(actor):02d}" for actor in group.strip("{}").split(",")} for group in text.split()]


def _heard(corpus: Corpus, config: CorpusConfig) -> tuple[list[set[str]], list[set[str]]]:
    found = splits.of(corpus, config)
    return [speakers(corpus, fold.test) for fold in found], [speakers(corpus, fold.valid) for fold in found]


def _covers_all(corpus: Corpus, config: CorpusConfig) -> bool:
    return sorted(index for fold in splits.of(corpus, config) for index in fold.test) == list(
        range(len(corpus.utterances))
    )


def test_emobox_divides_ravdess_into_six_times_four_actors() -> None:
    tested, valid = _heard(toy.ravdess(), EMOBOX)
    assert tested == _sets(EMOBOX_RAVDESS)
    assert {len(each) for each in valid} == {5}
    assert splits.names(toy.ravdess(), EMOBOX)[0] == "01+11+20+21"
    assert _covers_all(toy.ravdess(), EMOBOX)


def test_luna_jimenez_divides_ravdess_into_five_and_names_who_validates() -> None:
    corpus, config = toy.ravdess(), CorpusConfig(folds="luna_jimenez")
    assert _heard(corpus, config) == (_sets(LUNA_JIMENEZ_TEST), _sets(LUNA_JIMENEZ_VALID))
    assert _covers_all(corpus, config)
    assert {len(fold.train) + len(fold.valid) + len(fold.test) for fold in splits.of(corpus, config)} == {
        len(corpus.utterances)
    }
    assert splits.resolved(config, corpus).valid == "usual"


@pytest.mark.parametrize(("name", "order"), [("savee", "JE KL DC JK"), ("emovo", "f2 m3 m2 f3 f1 m1")])
def test_emobox_leaves_one_speaker_out_in_its_own_order(name: str, order: str) -> None:
    corpus = toy.cast(sorted(order.split()), [""] * len(order.split()), name=name)
    assert splits.names(corpus, EMOBOX) == tuple(order.split())
    assert _heard(corpus, EMOBOX)[0] == [{speaker} for speaker in order.split()]


def test_emobox_leaves_one_session_of_iemocap_out() -> None:
    corpus = toy.iemocap()
    assert splits.of(corpus, EMOBOX) == splits.of(corpus, CorpusConfig(folds="session"))
    assert splits.names(corpus, EMOBOX) == ("1", "2", "3", "4", "5")
    assert splits.rule(corpus, EMOBOX) == "next_session"


@pytest.mark.parametrize("name", ["emodb", "crema_d", "tess"])
def test_folds_of_emobox_that_mix_speakers_are_refused_and_the_import_is_told(name: str) -> None:
    folder = "corpus.folds=file corpus.fold_file=PATH/TO/EmoBox/data/CORPUS"
    assert refusal(lambda: splits.of(toy.corpus(name=name), EMOBOX)) == told(
        f"the folds of EmoBox for {name} are speaker-dependent: they test speakers that they train on",
        "corpus.folds=emobox",
        "one of emovo, iemocap, ravdess, savee, where its folds keep speakers apart",
        f"set corpus.folds=speaker_groups; or import its lists: {folder} corpus.speaker_dependent=true "
        "(marks every table)",
        where="folds",
    )


def test_unlisted_corpora_are_refused() -> None:
    texts = {
        "emobox": "there are no folds of EmoBox for toy here\n  got: corpus.folds=emobox\n  expected: one of "
        "emovo, iemocap,",
        "luna_jimenez": "there are no folds of Luna-Jiménez for toy\n",
        "published": "has no folds for toy\n  got: corpus.folds=published\n  expected: one of iemocap, "
        "msp_improv, msp_podcast\n",
    }
    for config, text in (
        (EMOBOX, "emobox"),
        (CorpusConfig(folds="luna_jimenez"), "luna_jimenez"),
        (PUBLISHED, "published"),
    ):
        assert texts[text] in refusal(partial(splits.of, toy.corpus(), config))


def test_the_published_code_tests_a_man_with_the_woman_of_the_next_session() -> None:
    pairs = "01_M+02_F, 02_M+03_F, 03_M+04_F, 04_M+05_F, 05_M+01_F"
    expected = [{*pair.replace("_", "").split("+")} for pair in pairs.split(", ")]
    tested, valid = _heard(toy.iemocap(), PUBLISHED)
    assert tested == expected
    assert valid == [*expected[1:], expected[0]]
    assert _covers_all(toy.iemocap(), PUBLISHED)
    assert splits.resolved(PUBLISHED, toy.iemocap()).valid == "next_fold"


def test_the_published_code_never_tests_two_sessions_of_msp_improv() -> None:
    corpus = toy.msp_improv()
    tested, valid = _heard(corpus, PUBLISHED)
    assert tested == [{f"F{session}", f"M{session}"} for session in (1, 2, 3, 5)]
    assert valid == [*tested[1:], tested[0]]
    assert splits.names(corpus, PUBLISHED) == ("1", "2", "3", "5")
    for fold in splits.of(corpus, PUBLISHED):
        assert {"F4", "M4", "F6", "M6"} <= speakers(corpus, fold.train)


def _podcast(counts: dict[str, int]) -> Corpus:
    corpus = toy.cast(list(counts), [""] * len(counts), takes=max(counts.values()), name="msp_podcast")
    kept = tuple(
        each for each in corpus.utterances if int(each.key.rpartition("-")[2]) < counts[each.speaker]
    )
    return replace(corpus, utterances=tuple(replace(each, split="train") for each in kept))


def test_the_published_code_fills_five_groups_of_msp_podcast() -> None:
    """A group ends once it holds more than a fifth; names are in the order of letters: 10 before 2."""
    # 60 utterances, a fifth is 12
    corpus = _podcast({"2": 2, "10": 2, "1": 2, "3": 4, "4": 2, "5": 2, "6": 2, "7": 3, "8": 1})
    tested, valid = _heard(corpus, PUBLISHED)
    assert tested == [{"1", "10", "2"}, {"3", "4"}, {"5", "6", "7"}, {"8"}]
    assert valid == [*tested[1:], tested[0]]
    even = _podcast({str(speaker): 2 for speaker in range(10, 25)})
    assert [len(each) for each in _heard(even, PUBLISHED)[0]] == [4, 4, 4, 3]
    assert [len(each) for each in _heard(_podcast({str(s): 1 for s in range(100, 199)}), PUBLISHED)[0]] == [
        20,
        20,
        20,
        20,
        19,
    ]


def test_the_published_code_leaves_out_the_validation_part_and_unknown_speakers() -> None:
    corpus = _podcast({str(speaker): 1 for speaker in range(100, 140)})
    part = {"100": "valid", "101": "test3", "102": "test", "103": "test2"}
    rows = tuple(replace(each, split=part.get(each.speaker, "train")) for each in corpus.utterances)
    partly = toy.forgotten(replace(corpus, utterances=rows), "110")
    for fold in splits.of(partly, PUBLISHED):
        heard = speakers(partly, fold.train, fold.valid, fold.test)
        assert heard == {*partly.speakers} - {"100", "101"}


def test_speakers_of_the_validation_part_alone_begin_no_group() -> None:
    corpus = _podcast({"1": 2, "2": 2, "3": 2, "4": 2, "5": 1})
    rows = tuple(
        replace(each, split="valid" if each.speaker == "5" else "train") for each in corpus.utterances
    )
    assert splits.names(replace(corpus, utterances=rows), PUBLISHED) == ("1", "2", "3", "4")


def test_actors_that_the_corpus_lacks_are_not_tested_but_a_fold_of_none_is_refused() -> None:
    corpus = toy.ravdess()
    lacking = replace(corpus, utterances=tuple(each for each in corpus.utterances if each.speaker != "11"))
    assert _heard(lacking, EMOBOX)[0][0] == {"01", "20", "21"}
    first = published.EMOBOX["ravdess"][0]
    without = replace(
        corpus, utterances=tuple(each for each in corpus.utterances if each.speaker not in first)
    )
    assert "fold 0 (01+11+20+21): nobody is in test\n" in refusal(lambda: splits.of(without, EMOBOX))
