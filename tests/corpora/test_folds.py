"""The laws of a fair split: everyone is tested once, and nobody is heard on two sides."""

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import fold_file, splits
from raysernas.corpora.folds.splits import Fold, Split
from tests.support import toy
from tests.support.faults import refusal, told
from tests.support.toy import EMOTIONS, corpora, keys, speakers

APART = ("speaker", "speaker_groups", "session")
ALL_TESTED = (*APART, "random")
RULES = ("usual", "speakers", "next_session", "next_fold", "other_speaker", "utterances")


def _message(corpus: Corpus, config: CorpusConfig, fold: int = 0) -> str:
    return refusal(lambda: splits.split(corpus, config, fold, 0))


fair = st.builds(
    CorpusConfig,
    folds=st.sampled_from(APART),
    groups=st.integers(2, 5),
    valid=st.sampled_from(RULES[:-1]),
    valid_fraction=st.sampled_from([0.1, 0.2, 0.3]),
    halves=st.sampled_from(["utterance", "speaker"]),
)
leaky = st.builds(
    CorpusConfig,
    folds=st.sampled_from(ALL_TESTED),
    groups=st.integers(2, 5),
    valid=st.sampled_from(["usual", "utterances"]),
    valid_fraction=st.sampled_from([0.1, 0.2, 0.3]),
    speaker_dependent=st.just(True),
)


def _of(corpus: Corpus, config: CorpusConfig) -> tuple[Fold, ...]:
    try:
        return splits.of(corpus, config)
    except Fault as fault:
        assume("too few" not in str(fault))
        assume(config.valid in ("usual", "speakers", "utterances") or "nobody is in" not in str(fault))
        raise


def _splits(corpus: Corpus, config: CorpusConfig, seed: int = 0) -> list[Split]:
    try:
        return [
            splits.halved(corpus, config, fold, number, seed)
            for number, fold in enumerate(_of(corpus, config))
        ]
    except Fault as fault:
        assume("too few" not in str(fault) and "half" not in str(fault))
        raise


@settings(max_examples=60, deadline=None)
@given(corpora, fair | leaky)
def test_each_utterance_is_tested_once_and_each_fold_uses_all(corpus: Corpus, config: CorpusConfig) -> None:
    found = _of(corpus, config)
    everything = list(range(len(corpus.utterances)))
    assert sorted(index for fold in found for index in fold.test) == everything
    for fold in found:
        assert sorted([*fold.train, *fold.valid, *fold.test]) == everything
        for part in (fold.train, fold.valid, fold.test):
            assert part
            assert list(part) == sorted(part)


@settings(max_examples=60, deadline=None)
@given(corpora, fair, st.integers(0, 5))
def test_no_speaker_is_on_two_sides(corpus: Corpus, config: CorpusConfig, seed: int) -> None:
    for fold, parts in zip(_of(corpus, config), _splits(corpus, config, seed), strict=True):
        assert sorted([*parts.weights, *parts.alphas]) == list(fold.train)
        assert (parts.valid, parts.test) == (fold.valid, fold.test)
        training = speakers(corpus, fold.train)
        valid, test = speakers(corpus, fold.valid), speakers(corpus, fold.test)
        assert len(training) + len(valid) + len(test) == len(corpus.speakers)
        for half in (parts.weights, parts.alphas):
            assert {corpus.utterances[index].emotion for index in half} == {*EMOTIONS}
        if config.halves == "speaker":
            assert not speakers(corpus, parts.weights) & speakers(corpus, parts.alphas)
        else:
            assert abs(len(parts.weights) - len(parts.alphas)) <= 1


@settings(max_examples=40, deadline=None)
@given(corpora, fair | leaky, st.integers(0, 5), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_their_place_on_disk_matters(
    corpus: Corpus, config: CorpusConfig, seed: int, chance
) -> None:
    rows = [replace(each, path=f"/elsewhere/{each.key}.wav") for each in corpus.utterances]
    chance.shuffle(rows)
    moved = replace(corpus, utterances=tuple(rows))
    assert splits.names(corpus, config) == splits.names(moved, config)
    for one, other in zip(_splits(corpus, config, seed), _splits(moved, config, seed), strict=True):
        for part in Split.__dataclass_fields__:
            assert keys(corpus, getattr(one, part)) == keys(moved, getattr(other, part))
    assert fold_file.hash_of(corpus, _of(corpus, config)) == fold_file.hash_of(moved, _of(moved, config))


@settings(max_examples=30, deadline=None)
@given(corpora, fair)
def test_unknown_speakers_are_on_no_side(corpus: Corpus, config: CorpusConfig) -> None:
    partly = toy.forgotten(corpus, "05")
    for fold in _of(partly, config):
        assert "" not in speakers(partly, fold.train, fold.valid, fold.test)
        assert speakers(partly, fold.train, fold.valid, fold.test) == {*partly.speakers}


@settings(max_examples=40, deadline=None)
@given(corpora, fair | leaky)
def test_settings_that_are_resolved_stay_as_they_are(corpus: Corpus, config: CorpusConfig) -> None:
    found = _of(corpus, config)
    fixed = splits.resolved(config, corpus)
    assert fixed.folds == config.folds
    assert fixed.valid != "usual"
    assert splits.of(corpus, fixed) == found
    assert splits.resolved(fixed, corpus) == fixed


@pytest.mark.parametrize("scheme", APART)
def test_the_seed_changes_nothing_but_the_halves(scheme) -> None:
    corpus, config = toy.corpus(8), CorpusConfig(folds=scheme)
    one, same, other = (splits.split(corpus, config, 1, seed) for seed in (0, 0, 1))
    assert one == same
    assert (one.valid, one.test) == (other.valid, other.test)
    assert one.weights != other.weights
    assert {*one.weights, *one.alphas} == {*other.weights, *other.alphas}


@pytest.mark.parametrize("halves", ["utterance", "speaker"])
def test_halves_differ_between_folds_and_seeds(halves) -> None:
    corpus, config = toy.corpus(10), CorpusConfig(halves=halves)
    assert len({splits.split(corpus, config, 0, seed).weights for seed in range(8)}) > 2
    fold = splits.of(corpus, config)[0]
    assert len({splits.halved(corpus, config, fold, number, 0).weights for number in range(8)}) > 2


def test_halves_by_speaker_hear_both_genders() -> None:
    corpus, config = toy.corpus(10), CorpusConfig(halves="speaker")
    for fold, seed in product(range(10), range(5)):
        found = splits.split(corpus, config, fold, seed)
        assert all(
            {corpus.utterances[index].gender for index in half} == {"female", "male"}
            for half in (found.weights, found.alphas)
        )


def test_what_is_drawn_is_drawn_alike_in_every_study() -> None:
    """Pinned, so that results of another day can be compared."""
    corpus, config = toy.corpus(4), CorpusConfig(folds="random", speaker_dependent=True)
    fixed = splits.resolved(config, corpus)
    assert (fixed.valid, fixed.folds_hash) == ("utterances", "28ce383f057a861c")
    found = splits.of(corpus, replace(config, folds="speaker", valid="utterances"))
    drawn = {
        tuple(fold_rest.index(index) for index in fold.valid)
        for fold in found
        if (fold_rest := sorted(fold.train + fold.valid))
    }
    assert len(drawn) > 1, "every fold draws anew"


def test_unknown_speakers_of_an_official_training_part_are_halved_by_utterance() -> None:
    corpus = toy.released(
        toy.corpus(8), {"train": ["00", "01", "02", "03", "07"], "valid": ["04"], "test": ["05", "06"]}
    )
    partly = toy.forgotten(corpus, "07")
    split = splits.split(partly, CorpusConfig(folds="official", halves="speaker"), 0, 0)
    shares = [
        Counter(partly.utterances[index].speaker for index in half)[""]
        for half in (split.weights, split.alphas)
    ]
    assert sorted(shares) == [4, 5]
    assert not (speakers(partly, split.weights) & speakers(partly, split.alphas)) - {""}


def test_a_corpus_decides_its_usual_scheme_and_a_scheme_its_usual_rule() -> None:
    corpus = replace(toy.corpus(6), folds="session")
    assert splits.scheme(corpus, CorpusConfig()) == "session"
    assert splits.scheme(corpus, CorpusConfig(folds="speaker")) == "speaker"
    assert splits.names(corpus, CorpusConfig()) == ("session 0", "session 1", "session 2")
    fixed = splits.resolved(CorpusConfig(), corpus)
    assert (fixed.folds, fixed.valid, len(fixed.folds_hash)) == ("session", "next_session", 16)


def test_the_rule_in_words() -> None:
    corpus, allowed = toy.corpus(6), CorpusConfig(folds="random", speaker_dependent=True)
    official = toy.released(corpus, {"train": ["00", "01", "02"], "valid": ["03"], "test": ["04", "05"]})
    assert splits.rule(corpus, CorpusConfig(valid_fraction=0.25)) == "speakers(0.25)"
    assert splits.rule(corpus, CorpusConfig(folds="session")) == "next_session"
    assert splits.rule(corpus, CorpusConfig(folds="session", valid="other_speaker")) == "other_speaker"
    assert splits.rule(corpus, allowed) == "utterances(0.2)"
    assert splits.rule(official, CorpusConfig(folds="official")) == "given by the corpus"
    assert splits.rule(toy.ravdess(), CorpusConfig(folds="luna_jimenez")) == "given by the list"
    assert splits.rule(toy.iemocap(), CorpusConfig(folds="published")) == "next_fold"


def test_other_folds_than_those_of_the_study_are_refused() -> None:
    corpus = toy.corpus(6)
    fixed = splits.resolved(CorpusConfig(), corpus)
    changed = replace(fixed, valid_fraction=0.4)
    found = fold_file.hash_of(corpus, splits.of(corpus, changed))
    for act in (lambda: splits.resolved(changed, corpus), lambda: splits.split(corpus, changed, 0, 0)):
        assert refusal(act) == told(
            "these are other folds than the ones this study began with",
            found,
            fixed.folds_hash,
            "restore corpus.fold_file and the corpus, or begin a study under another study.name",
            where="folds",
        )


def test_a_rule_is_refused_where_the_folds_give_the_validation_part() -> None:
    assert _message(toy.ravdess(), CorpusConfig(folds="luna_jimenez", valid="speakers")) == told(
        "the folds come with a validation part of their own",
        "corpus.valid=speakers",
        "usual",
        "set corpus.valid=usual, or another corpus.folds",
        where="folds",
    )


@pytest.mark.parametrize("config", [CorpusConfig(folds="random"), CorpusConfig(valid="utterances")])
def test_speakers_are_mixed_only_where_the_user_allows_it(config: CorpusConfig) -> None:
    setting = "folds=random" if config.folds == "random" else "valid=utterances"
    assert _message(toy.corpus(), config) == told(
        f"corpus.{setting} lets a speaker be trained on and tested or validated",
        "speaker_dependent: false",
        "speakers on one side only, or your word that they are not: such scores are 5 to 25 points too high",
        "set another scheme or rule, or corpus.speaker_dependent=true, which marks every table",
        where="folds",
    )
    assert splits.split(toy.corpus(), replace(config, speaker_dependent=True), 0, 0).test


def test_a_fold_out_of_range_is_refused() -> None:
    assert _message(toy.corpus(), CorpusConfig(), 6) == (
        "folds: there is no fold 6\n  got: 6\n  expected: 0 to 5, for corpus.folds=speaker\n  fix: name "
        "other folds"
    )
    assert "there is no fold -1" in _message(toy.corpus(), CorpusConfig(), -1)


def test_one_speaker_cannot_be_halved() -> None:
    assert _message(toy.corpus(3), CorpusConfig(halves="speaker")) == told(
        "toy has too few speakers",
        "test 00, valid 01, training 02",
        "speakers to test, to validate and to train on, none of them twice",
        "add speakers, or lower corpus.valid_fraction",
        where="folds",
    )


def test_a_part_without_utterances_is_refused() -> None:
    assert _message(toy.corpus(6), CorpusConfig(folds="session", valid="other_speaker")) == told(
        "fold 0 (session 0): nobody is in valid",
        "corpus.folds=session, utterances: training 36, valid 0, test 18",
        "utterances to train on, to validate and to test",
        "set another corpus.folds or corpus.valid",
        where="folds",
    )
    two_groups = CorpusConfig(folds="speaker_groups", groups=2, valid="next_fold")
    assert "fold 0 (00+03+04): nobody is in training\n" in _message(toy.corpus(6), two_groups)


def test_an_emotion_that_a_half_would_lack_is_refused() -> None:
    corpus = toy.corpus(6)
    kept = tuple(
        u for u in corpus.utterances if u.emotion != "anger" or u.key in ("00-anger-0", "05-anger-0")
    )
    assert _message(replace(corpus, utterances=kept), CorpusConfig()) == (
        "folds: fold 0 (00): the half `alphas` has no 'anger'\n  got: missing: anger\n"
        "  expected: every emotion in both halves of the training part\n  fix: set "
        "corpus.emotions=[neutral,sadness]"
    )
    by_speaker = _message(replace(corpus, utterances=kept), CorpusConfig(halves="speaker"))
    assert "fix: set corpus.halves=utterance, or set corpus.emotions=[neutral,sadness]" in by_speaker


def test_a_forged_split_is_refused() -> None:
    corpus = toy.corpus(4, takes=1)  # three utterances a speaker
    fair = Split(weights=(0, 1), alphas=(2,), valid=(3, 4, 5), test=(6, 7, 8))
    splits.check_disjoint(corpus, fair)
    forged = {
        "a speaker is heard in training and in test\n  got: 00\n": replace(fair, weights=(0,), test=(1, 6)),
        "a speaker is heard in training and in valid\n  got: 01\n": replace(
            fair, alphas=(2, 3), valid=(4, 5)
        ),
        "a speaker is heard in valid and in test\n  got: 02\\+03\n": replace(
            fair, valid=(7, 9), test=(8, 10)
        ),
    }
    for text, parts in forged.items():
        with pytest.raises(Fault, match=text):
            splits.check_disjoint(corpus, parts)
        splits.check_disjoint(corpus, parts, speaker_dependent=True)


def test_a_forged_fold_is_not_halved() -> None:
    corpus = toy.corpus(4)
    fold = splits.of(corpus, CorpusConfig())[0]
    forged = replace(fold, train=fold.train[:-1], test=(*fold.test, fold.train[-1]))
    assert "a speaker is heard in training and in test" in refusal(
        lambda: splits.halved(corpus, CorpusConfig(), forged, 0, 0)
    )


def test_an_utterance_is_never_used_twice_but_a_speaker_may_be_allowed_to() -> None:
    corpus = toy.corpus(4, takes=1)
    mixed = Split(weights=(0, 1), alphas=(4,), valid=(3, 5), test=(2, 6, 7, 8))
    splits.check_disjoint(corpus, mixed, speaker_dependent=True)
    with pytest.raises(Fault, match="an utterance is in alphas and in test\n  got: 01-neutral-0"):
        splits.check_disjoint(corpus, replace(mixed, test=(4, 6)), speaker_dependent=True)
    with pytest.raises(Fault, match="an utterance is in weights and in alphas\n  got: 00-neutral-0"):
        splits.check_disjoint(corpus, replace(mixed, alphas=(1, 4)), speaker_dependent=True)


def test_unknown_speakers_are_no_speaker_on_two_sides() -> None:
    corpus = toy.forgotten(toy.corpus(4, takes=1), "00", "01", "02")
    splits.check_disjoint(corpus, Split(weights=(0, 1), alphas=(2,), valid=(3, 4, 5), test=(6, 7, 8, 9)))
