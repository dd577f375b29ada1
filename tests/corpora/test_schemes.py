"""Who is tested in each fold, scheme by scheme."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import schemes, splits
from tests.support import toy
from tests.support.faults import refusal, told
from tests.support.toy import speakers


def _tested(corpus: Corpus, config: CorpusConfig) -> list[set[str]]:
    return [speakers(corpus, fold.test) for fold in splits.of(corpus, config)]


def _message(corpus: Corpus, config: CorpusConfig) -> str:
    return refusal(lambda: splits.of(corpus, config))


def test_one_speaker_is_left_out_at_a_time() -> None:
    corpus = toy.corpus(6)
    assert splits.names(corpus, CorpusConfig()) == corpus.speakers
    assert _tested(corpus, CorpusConfig()) == [{speaker} for speaker in corpus.speakers]


def test_groups_balance_genders() -> None:
    corpus = toy.corpus(10)
    assert splits.names(corpus, CorpusConfig(folds="speaker_groups", groups=5)) == (
        "00+01",
        "02+03",
        "04+05",
        "06+07",
        "08+09",
    )
    assert splits.names(corpus, CorpusConfig(folds="speaker_groups", groups=2)) == (
        "00+03+04+07+08",
        "01+02+05+06+09",
    )


def test_a_long_name_never_hides_a_single_speaker() -> None:
    for count, end in ((5, "+4"), (6, "+2 more"), (9, "+5 more")):
        assert schemes.name([str(number) for number in range(count)]).endswith(end)


def test_more_groups_than_speakers_are_refused() -> None:
    assert _message(toy.corpus(6), CorpusConfig(folds="speaker_groups", groups=7)) == (
        "folds: there are more groups than speakers\n  got: corpus.groups=7, 6 speakers\n"
        "  expected: at least one speaker in each group\n  fix: set corpus.groups to at most 6"
    )


def test_one_session_is_left_out_at_a_time() -> None:
    corpus, config = toy.corpus(6), CorpusConfig(folds="session")
    assert splits.names(corpus, config) == ("session 0", "session 1", "session 2")
    assert _tested(corpus, config) == [{"00", "01"}, {"02", "03"}, {"04", "05"}]


def test_sessions_are_needed_for_session_folds() -> None:
    corpus = toy.corpus(6)
    holed = replace(corpus, utterances=(replace(corpus.utterances[0], session=""), *corpus.utterances[1:]))
    assert _message(holed, CorpusConfig(folds="session")).startswith("folds: 00-anger-0 has no session\n")
    unknown = toy.forgotten(holed, "00", "01")
    assert "too few sessions\n  got: session 1, session 2\n" in _message(
        unknown, CorpusConfig(folds="session")
    )


def test_a_speaker_of_two_sessions_is_refused() -> None:
    corpus = toy.corpus(8)
    roaming = replace(
        corpus, utterances=(replace(corpus.utterances[0], session="session 2"), *corpus.utterances[1:])
    )
    assert _message(roaming, CorpusConfig(folds="session")) == (
        "folds: a speaker is heard in two sessions\n  got: 00\n  expected: every speaker in one session "
        "only\n"
        "  fix: set corpus.folds=speaker, or correct the sessions of the corpus"
    )


@pytest.mark.parametrize("scheme", ["speaker", "speaker_groups", "session"])
@pytest.mark.parametrize("known", [0, 1, 2])
def test_two_speakers_cannot_be_kept_apart(scheme, known: int) -> None:
    corpus = toy.forgotten(toy.corpus(3), *["00", "01", "02"][known:])
    who = ["nobody", "00", "00+01"][known]
    assert _message(corpus, CorpusConfig(folds=scheme, groups=2)) == told(
        "toy has too few speakers to keep them apart",
        f"{known} ({who})",
        "at least 3, one to test, one to validate, one to train on",
        "add speakers; without, only corpus.folds=random corpus.speaker_dependent=true is possible, which "
        "marks every table",
        where="folds",
    )
    assert splits.of(corpus, CorpusConfig(folds="random", speaker_dependent=True))


@settings(max_examples=40, deadline=None)
@given(toy.corpora, st.integers(2, 6))
def test_random_folds_hold_the_same_share_of_every_emotion(corpus: Corpus, groups: int) -> None:
    found = splits.of(corpus, CorpusConfig(folds="random", groups=groups, speaker_dependent=True))
    assert [fold.name for fold in found] == [f"random {number + 1}" for number in range(groups)]
    counts = [Counter(corpus.utterances[index].emotion for index in fold.test) for fold in found]
    for emotion in corpus.emotions:
        assert max(count[emotion] for count in counts) - min(count[emotion] for count in counts) <= 1
    assert max(len(fold.test) for fold in found) - min(len(fold.test) for fold in found) <= 1


def test_random_folds_take_unknown_speakers_too() -> None:
    corpus = toy.forgotten(toy.corpus(4), "00", "01", "02", "03")
    found = splits.of(corpus, CorpusConfig(folds="random", speaker_dependent=True))
    assert sorted(index for fold in found for index in fold.test) == list(range(len(corpus.utterances)))


# --- official

OFFICIAL = CorpusConfig(folds="official")


def test_official_parts_are_used_as_they_are_and_later_tests_are_left_out() -> None:
    parts = {"train": ["00", "01", "02"], "valid": ["03"], "test": ["04"], "test2": ["05"], "test3": ["06"]}
    corpus = toy.released(toy.corpus(8), parts)
    [fold] = splits.of(corpus, OFFICIAL)
    assert fold.name == "official"
    heard = {"train": fold.train, "valid": fold.valid, "test": fold.test}
    assert {part: sorted(speakers(corpus, indices)) for part, indices in heard.items()} == {
        part: parts[part] for part in ("train", "valid", "test")
    }
    assert sum(map(len, heard.values())) == 5 * 9


def test_unknown_speakers_stay_in_their_official_part() -> None:
    corpus = toy.released(toy.corpus(6), {"train": ["00", "01", "02"], "valid": ["03"], "test": ["04", "05"]})
    partly = toy.forgotten(corpus, "01", "03", "04")
    assert splits.of(partly, OFFICIAL) == splits.of(corpus, OFFICIAL)
    assert splits.split(partly, OFFICIAL, 0, 0) == splits.split(corpus, OFFICIAL, 0, 0)


def test_an_official_speaker_on_two_sides_is_refused_unless_allowed() -> None:
    corpus = toy.released(toy.corpus(4), {"train": ["00", "01"], "valid": ["02"], "test": ["03"]})
    rows = [replace(each, split="test") if each.key == "01-anger-0" else each for each in corpus.utterances]
    leaky = replace(corpus, utterances=tuple(rows))
    assert _message(leaky, OFFICIAL) == told(
        "a speaker is heard in training and in test",
        "01",
        "every speaker on one side only",
        "correct the speakers (and sessions) of the corpus, or set corpus.speaker_dependent=true, which "
        "marks every table",
        where="folds",
    )
    assert splits.of(leaky, replace(OFFICIAL, speaker_dependent=True))


def test_a_missing_official_validation_part_is_made_by_rule() -> None:
    corpus = toy.released(
        toy.corpus(8), {"train": ["00", "01", "02", "03", "04", "05"], "test": ["06", "07"]}
    )
    [fold] = splits.of(corpus, OFFICIAL)
    assert splits.rule(corpus, OFFICIAL) == "speakers(0.2)"
    assert speakers(corpus, fold.valid) == {"00", "01"}
    assert splits.resolved(OFFICIAL, corpus).valid == "speakers"


def test_a_corpus_without_official_parts_is_refused() -> None:
    assert _message(toy.released(toy.corpus(3), {"train": ["00", "01"]}), OFFICIAL) == told(
        "toy has no official parts for training and test",
        "no part 9, train 18",
        "utterances of the parts train and test",
        "set corpus.folds=speaker, or another scheme",
        where="folds",
    )
