"""Who validates: the rules by which the validation part is cut from what a fold does not test."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus, Gender
from raysernas.corpora.folds import splits
from tests.support import toy
from tests.support.faults import refusal, told
from tests.support.toy import speakers


def _heard(corpus: Corpus, config: CorpusConfig) -> list[tuple[set[str], set[str]]]:
    return [(speakers(corpus, fold.test), speakers(corpus, fold.valid)) for fold in splits.of(corpus, config)]


@pytest.mark.parametrize("scheme", ["speaker", "speaker_groups"])
@pytest.mark.parametrize("count", [8, 10, 12])
def test_everyone_validates_and_every_pair_has_both_genders(scheme, count: int) -> None:
    corpus = toy.corpus(count)
    genders = {utterance.speaker: utterance.gender for utterance in corpus.utterances}
    used: Counter[str] = Counter()
    for fold in splits.of(corpus, CorpusConfig(folds=scheme, groups=count // 2)):
        valid = speakers(corpus, fold.valid)
        assert sorted(genders[speaker] for speaker in valid) == ["female", "male"]
        used.update(valid)
    assert {*used} == {*corpus.speakers}
    assert max(used.values()) - min(used.values()) <= 1


@pytest.mark.parametrize(
    ("count", "fraction", "expected"), [(3, 0.2, 1), (8, 0.2, 2), (10, 0.2, 2), (10, 0.04, 1), (10, 0.5, 5)]
)
def test_the_fraction_is_one_of_all_speakers_and_at_least_one(
    count: int, fraction: float, expected: int
) -> None:
    corpus = toy.corpus(count)
    assert {len(valid) for _, valid in _heard(corpus, CorpusConfig(valid_fraction=fraction))} == {expected}


def test_these_validate_in_every_study_of_ten_speakers() -> None:
    """Pinned, so that results of another day can be compared."""
    valid = ["+".join(sorted(valid)) for _, valid in _heard(toy.corpus(10), CorpusConfig())]
    assert valid == ["01+02", "03+04", "05+06", "07+08", "00+09", "06+07", "08+09", "00+01", "02+03", "04+05"]


def test_too_few_speakers_are_refused() -> None:
    assert refusal(lambda: splits.of(toy.corpus(3), CorpusConfig(valid_fraction=0.7))) == told(
        "toy has too few speakers",
        "3, of whom 1 are tested and 2 validate",
        "speakers to test, to validate and to train on, none of them twice",
        "add speakers, or lower corpus.valid_fraction",
        where="folds",
    )


def test_genders_validate_in_turn_however_the_speakers_are_numbered() -> None:
    genders: tuple[Gender, ...] = ("female", "female", "female", "female", "male", "male", "male", "male")
    corpus = toy.cast([f"{number:02d}" for number in range(8)], [""] * 8, genders=genders)
    for fold in splits.of(corpus, CorpusConfig(valid_fraction=0.25)):
        assert (
            sorted(corpus.utterances[index].gender for index in fold.valid) == ["female"] * 9 + ["male"] * 9
        )


def test_unknown_speakers_are_not_chosen_to_validate() -> None:
    corpus = toy.released(
        toy.corpus(8), {"train": ["00", "01", "02", "03", "04", "05"], "test": ["06", "07"]}
    )
    partly = toy.forgotten(corpus, "01", "03", "07")
    # three of five known speakers
    [fold] = splits.of(partly, CorpusConfig(folds="official", valid_fraction=0.6))
    assert speakers(partly, fold.valid) == {"00", "02", "05"}
    assert speakers(partly, fold.train) == {"", "04"}


def test_who_is_tested_in_a_fold_that_mixes_speakers_does_not_validate() -> None:
    corpus = toy.released(
        toy.corpus(8), {"train": ["00", "01", "02", "03", "04"], "test": ["05", "06", "07"]}
    )
    rows = [
        replace(each, split="test") if each.key.endswith("-0") and each.speaker < "03" else each
        for each in corpus.utterances
    ]
    mixed, config = (
        replace(corpus, utterances=tuple(rows)),
        CorpusConfig(folds="official", speaker_dependent=True),
    )
    [(tested, valid)] = _heard(mixed, replace(config, valid="speakers", valid_fraction=0.1))
    assert (sorted(tested), valid) == (["00", "01", "02", "05", "06", "07"], {"03"})
    assert splits.rule(mixed, config) == "utterances(0.2)"


def test_the_next_session_validates() -> None:
    corpus, config = toy.corpus(6), CorpusConfig(folds="session")
    assert _heard(corpus, config) == [
        ({"00", "01"}, {"02", "03"}),
        ({"02", "03"}, {"04", "05"}),
        ({"04", "05"}, {"00", "01"}),
    ]


def test_the_next_session_that_is_not_tested_validates() -> None:
    heard = _heard(toy.iemocap(), CorpusConfig(folds="published", valid="next_session"))
    assert [sorted(valid) for _, valid in heard] == [
        ["03F", "03M"],
        ["04F", "04M"],
        ["05F", "05M"],
        ["01F", "01M"],
        ["02F", "02M"],
    ]
    one_speaker = _heard(toy.corpus(6), CorpusConfig(folds="speaker", valid="next_session"))
    assert one_speaker[1] == ({"01"}, {"02", "03"})


def test_the_partner_in_the_session_validates() -> None:
    heard = _heard(toy.corpus(6), CorpusConfig(folds="speaker", valid="other_speaker"))
    assert heard[:3] == [({"00"}, {"01"}), ({"01"}, {"00"}), ({"02"}, {"03"})]


def test_the_next_fold_validates() -> None:
    heard = _heard(toy.corpus(6), CorpusConfig(folds="speaker_groups", groups=3, valid="next_fold"))
    assert [valid for _, valid in heard] == [heard[1][0], heard[2][0], heard[0][0]]


@settings(max_examples=30, deadline=None)
@given(toy.corpora, st.sampled_from([0.01, 0.2, 0.5]), st.sampled_from(["random", "speaker"]))
def test_utterances_validate_in_the_same_share_of_every_emotion(
    corpus: Corpus, fraction: float, scheme
) -> None:
    config = CorpusConfig(folds=scheme, valid="utterances", valid_fraction=fraction, speaker_dependent=True)
    for fold in splits.of(corpus, config):
        rest = Counter(corpus.utterances[index].emotion for index in (*fold.train, *fold.valid))
        drawn = Counter(corpus.utterances[index].emotion for index in fold.valid)
        assert drawn == {emotion: max(1, round(fraction * count)) for emotion, count in rest.items()}


def test_an_emotion_of_one_utterance_stays_in_training() -> None:
    corpus = toy.corpus(3, takes=1)
    config = CorpusConfig(
        folds="random", groups=3, valid="utterances", valid_fraction=0.9, speaker_dependent=True
    )
    for fold in splits.of(corpus, config):
        assert {corpus.utterances[index].emotion for index in fold.train} == {*corpus.emotions}
