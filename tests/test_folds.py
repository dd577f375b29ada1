"""The laws of a fair split: everyone is tested once, and nobody is heard on two sides."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raysernas.config import CorpusConfig, Fault
from raysernas.corpora import folds
from raysernas.corpora.corpus import Corpus, Gender, Utterance
from raysernas.corpora.folds import Split

EMOTIONS = ("anger", "neutral", "sadness")
SCHEMES = ("speaker", "speaker_groups", "session")


def _corpus(speakers: int = 6, takes: int = 3, genders: tuple[Gender, ...] = ("female", "male")) -> Corpus:
    utterances = tuple(
        Utterance(
            key=f"{speaker:02d}-{emotion}-{take}",
            path="",
            emotion=emotion,
            speaker=f"{speaker:02d}",
            gender=genders[speaker % len(genders)],
            session=f"session {speaker // 2}",
        )
        for speaker in range(speakers)
        for emotion in EMOTIONS
        for take in range(takes)
    )
    return Corpus(name="toy", emotions=EMOTIONS, utterances=utterances, fingerprint="")


def _speakers(corpus: Corpus, *parts: tuple[int, ...]) -> set[str]:
    return {corpus.utterances[index].speaker for part in parts for index in part}


def _message(corpus: Corpus, config: CorpusConfig, fold: int = 0) -> str:
    with pytest.raises(Fault) as caught:
        folds.split(corpus, config, fold, 0)
    return str(caught.value)


settled = st.builds(
    CorpusConfig,
    folds=st.sampled_from(SCHEMES),
    groups=st.integers(2, 5),
    valid_speakers=st.integers(1, 3),
    halves=st.sampled_from(["utterance", "speaker"]),
)
corpora = st.builds(
    _corpus,
    st.integers(6, 10),
    st.integers(2, 4),
    st.lists(st.sampled_from(["female", "male", "unknown"]), min_size=1, max_size=4).map(tuple),
)


def _all(corpus: Corpus, config: CorpusConfig, seed: int = 0) -> list[Split]:
    try:
        return [folds.split(corpus, config, fold, seed) for fold in range(len(folds.names(corpus, config)))]
    except Fault as fault:
        assume("too few" not in str(fault))
        raise


@settings(max_examples=40, deadline=None)
@given(corpora, settled, st.integers(0, 5))
def test_the_laws_of_all_folds(corpus: Corpus, config: CorpusConfig, seed: int) -> None:
    splits = _all(corpus, config, seed)
    everything = list(range(len(corpus.utterances)))
    assert sorted(index for parts in splits for index in parts.test) == everything
    for parts in splits:
        assert sorted([*parts.weights, *parts.alphas, *parts.valid, *parts.test]) == everything
        training = _speakers(corpus, parts.weights, parts.alphas)
        valid, test = _speakers(corpus, parts.valid), _speakers(corpus, parts.test)
        assert len(training) + len(valid) + len(test) == len(corpus.speakers)
        assert len(valid) >= config.valid_speakers
        for half in (parts.weights, parts.alphas):
            assert {corpus.utterances[index].emotion for index in half} == {*EMOTIONS}
        if config.halves == "speaker":
            assert not _speakers(corpus, parts.weights) & _speakers(corpus, parts.alphas)
        else:
            assert abs(len(parts.weights) - len(parts.alphas)) <= 1


@settings(max_examples=30, deadline=None)
@given(corpora, settled, st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(corpus: Corpus, config: CorpusConfig, seed: int, chance) -> None:
    rows = list(corpus.utterances)
    chance.shuffle(rows)
    shuffled = replace(corpus, utterances=tuple(rows))
    assert folds.names(corpus, config) == folds.names(shuffled, config)
    for one, other in zip(_all(corpus, config, seed), _all(shuffled, config, seed), strict=True):
        for part in Split.__dataclass_fields__:
            keys = [{c.utterances[index].key for index in getattr(p, part)} for c, p in ((corpus, one), (shuffled, other))]
            assert keys[0] == keys[1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_changes_nothing_but_the_halves(scheme) -> None:
    corpus, config = _corpus(8), CorpusConfig(folds=scheme)
    one, same, other = (folds.split(corpus, config, 1, seed) for seed in (0, 0, 1))
    assert one == same
    assert (one.valid, one.test) == (other.valid, other.test)
    assert one.weights != other.weights
    assert {*one.weights, *one.alphas} == {*other.weights, *other.alphas}


@pytest.mark.parametrize("halves", ["utterance", "speaker"])
def test_halves_differ_between_folds_and_seeds(halves) -> None:
    corpus, config = _corpus(10), CorpusConfig(halves=halves)
    assert len({folds.split(corpus, config, 0, seed).weights for seed in range(8)}) > 2


@pytest.mark.parametrize("scheme", ["speaker", "speaker_groups"])
@pytest.mark.parametrize("speakers", [8, 10, 12])
def test_everyone_validates_and_every_pair_has_both_genders(scheme, speakers: int) -> None:
    corpus = _corpus(speakers)
    genders = {utterance.speaker: utterance.gender for utterance in corpus.utterances}
    used: Counter[str] = Counter()
    for parts in _all(corpus, CorpusConfig(folds=scheme, groups=speakers // 2)):
        valid = _speakers(corpus, parts.valid)
        assert sorted(genders[speaker] for speaker in valid) == ["female", "male"]
        used.update(valid)
    assert {*used} == {*corpus.speakers}
    assert max(used.values()) - min(used.values()) <= 1


def test_groups_balance_genders() -> None:
    corpus = _corpus(10)
    assert folds.names(corpus, CorpusConfig(folds="speaker_groups", groups=5)) == ("00+01", "02+03", "04+05", "06+07", "08+09")
    assert folds.names(corpus, CorpusConfig(folds="speaker_groups", groups=2)) == ("00+03+04+07+1 more", "01+02+05+06+1 more")


def test_names_of_folds() -> None:
    corpus = _corpus(6)
    assert folds.names(corpus, CorpusConfig()) == corpus.speakers
    assert folds.names(corpus, CorpusConfig(folds="session")) == ("session 0", "session 1", "session 2")


def test_the_next_session_validates() -> None:
    corpus, config = _corpus(6), CorpusConfig(folds="session")
    heard = [(_speakers(corpus, parts.test), _speakers(corpus, parts.valid)) for parts in _all(corpus, config)]
    assert heard == [({"00", "01"}, {"02", "03"}), ({"02", "03"}, {"04", "05"}), ({"04", "05"}, {"00", "01"})]


def test_one_validation_speaker_where_the_user_wants_one() -> None:
    corpus = _corpus(4)
    assert len(_speakers(corpus, folds.split(corpus, CorpusConfig(valid_speakers=1), 0, 0).valid)) == 1


def test_a_fold_out_of_range_is_refused() -> None:
    assert _message(_corpus(), CorpusConfig(), 6) == (
        "folds: there is no fold 6\n  got: 6\n  expected: 0 to 5, for corpus.folds=speaker\n  do this: name other folds"
    )
    assert "there is no fold -1" in _message(_corpus(), CorpusConfig(), -1)


def test_too_few_speakers_are_refused() -> None:
    end = (
        "\n  expected: speakers to test, to validate and to train on, none of them twice"
        "\n  do this: add speakers, or lower corpus.valid_speakers"
    )
    head = "folds: toy has too few speakers\n  got: "
    assert _message(_corpus(1), CorpusConfig()) == f"{head}one speaker (00), so nobody can be held out{end}"
    assert _message(_corpus(3), CorpusConfig()) == f"{head}3, of whom 1 are tested and 2 validate{end}"
    assert (
        _message(_corpus(4), CorpusConfig(halves="speaker")) == f"{head}test 00, valid 01+02, training 03{end}"
    )  # one speaker cannot be halved
    assert "too few sessions" in _message(_corpus(4), CorpusConfig(folds="session"))


def test_more_groups_than_speakers_are_refused() -> None:
    message = _message(_corpus(6), CorpusConfig(folds="speaker_groups", groups=7))
    assert message == (
        "folds: there are more groups than speakers\n  got: corpus.groups=7, 6 speakers\n"
        "  expected: at least one speaker in each group\n  do this: set corpus.groups to at most 6"
    )


def test_sessions_are_needed_for_session_folds() -> None:
    corpus = _corpus(6)
    holed = replace(corpus, utterances=(replace(corpus.utterances[0], session=""), *corpus.utterances[1:]))
    assert _message(holed, CorpusConfig(folds="session")).startswith("folds: 00-anger-0 has no session\n")


def test_an_emotion_that_a_half_would_lack_is_refused() -> None:
    corpus = _corpus(6)
    kept = tuple(u for u in corpus.utterances if u.emotion != "anger" or u.key in ("00-anger-0", "05-anger-0"))
    assert _message(replace(corpus, utterances=kept), CorpusConfig()) == (
        "folds: fold 0 (00): the half `alphas` has no 'anger'\n  got: missing: anger\n"
        "  expected: every emotion in both halves of the training part\n  do this: set corpus.emotions=[neutral,sadness]"
    )
    by_speaker = _message(replace(corpus, utterances=kept), CorpusConfig(halves="speaker"))
    assert "do this: set corpus.halves=utterance, or set corpus.emotions=[neutral,sadness]" in by_speaker


def test_a_forged_split_is_refused() -> None:
    corpus = _corpus(4, takes=1)  # three utterances a speaker
    fair = Split(weights=(0, 1), alphas=(2,), valid=(3, 4, 5), test=(6, 7, 8))
    folds.check_disjoint(corpus, fair)
    forged = {
        "a speaker is heard in training and in test\n  got: 00": replace(fair, test=(1, 6)),
        "a speaker is heard in training and in valid\n  got: 01": replace(fair, alphas=(2, 3)),
        "a speaker is heard in valid and in test\n  got: 02, 03": replace(fair, valid=(7, 9), test=(8, 10)),
        "an utterance is in both halves\n  got: 00-neutral-0": replace(fair, alphas=(1, 2)),
    }
    for text, parts in forged.items():
        with pytest.raises(Fault, match=text):
            folds.check_disjoint(corpus, parts)


def test_a_speaker_of_two_sessions_is_refused() -> None:
    corpus = _corpus(8)
    roaming = replace(corpus, utterances=(replace(corpus.utterances[0], session="session 2"), *corpus.utterances[1:]))
    assert _message(roaming, CorpusConfig(folds="session")) == (
        "folds: a speaker is heard in two sessions\n  got: 00\n  expected: every speaker in one session only\n"
        "  do this: set corpus.folds=speaker, or mend the sessions of the corpus"
    )
