"""Groups and validation speakers balanced over emotions lack one only where speakers do not suffice."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.corpora.folds import balance, coverage, splits
from tests.support import toy

BALANCED = CorpusConfig(folds="speaker_groups", groups=4, balance="emotions")
PLAIN = CorpusConfig(folds="speaker_groups", groups=4)


def corpus(has: dict[str, str], takes: int = 3) -> Corpus:
    """Speakers who have the emotions of these letters."""
    rows = tuple(
        Utterance(
            key=f"{speaker}-{letter}-{take}",
            path="",
            emotion=letter,
            speaker=speaker,
            gender="male" if number % 2 else "female",
        )
        for number, (speaker, letters) in enumerate(has.items())
        for letter in letters
        for take in range(takes)
    )
    return Corpus(
        name="mine", emotions=tuple(sorted({row.emotion for row in rows})), utterances=rows, fingerprint=""
    )


# eight speakers; of each letter four have it, and genders dealt in turn put these side by side
SPARSE = corpus({"0": "abc", "1": "abc", "2": "ab", "3": "ab", "4": "ac", "5": "ac", "6": "a", "7": "a"})


def test_groups_lack_no_emotion_where_enough_speakers_have_it() -> None:
    plain, balanced = splits.of(SPARSE, PLAIN), splits.of(SPARSE, BALANCED)
    assert any("test" in coverage.lacking(SPARSE, fold) for fold in plain)
    assert not any("test" in coverage.lacking(SPARSE, fold) for fold in balanced)


def test_validation_speakers_have_the_emotions_if_the_others_can_still_train_on_them() -> None:
    plain, balanced = splits.of(SPARSE, PLAIN), splits.of(SPARSE, BALANCED)
    assert coverage.missing(SPARSE, balanced) < coverage.missing(SPARSE, plain)
    for fold in balanced:
        assert {SPARSE.utterances[at].emotion for at in fold.train} == {*"abc"}
        assert set(fold.train) | set(fold.valid) | set(fold.test) == {*range(len(SPARSE.utterances))}


def test_the_last_speakers_with_an_emotion_train() -> None:
    rare = corpus({"0": "ab", "1": "ab", "2": "a", "3": "a", "4": "a", "5": "a"})
    config = CorpusConfig(folds="speaker", balance="emotions")
    for fold in splits.of(rare, config):
        assert {rare.utterances[at].emotion for at in fold.train} == {"a", "b"}


def test_where_all_have_everything_the_groups_have_both_genders_and_all_validate() -> None:
    whole = toy.corpus(12)
    folds = splits.of(whole, BALANCED)
    for fold in folds:
        for part in (fold.test, fold.valid):
            assert {whole.utterances[at].gender for at in part} == {"female", "male"}
    assert len({toy.speakers(whole, fold.valid).pop() for fold in folds}) == 4


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_utterances_does_not_matter(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(SPARSE.utterances))
    shuffled = Corpus(
        name="mine",
        emotions=SPARSE.emotions,
        utterances=tuple(SPARSE.utterances[at] for at in order),
        fingerprint="",
    )
    assert balance.groups(shuffled, 4) == balance.groups(SPARSE, 4)


@settings(max_examples=40, deadline=None)
@given(
    has=st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=4, max_size=8),
    count=st.integers(2, 4),
)
def test_groups_are_a_partition_of_even_sizes_and_few_lack_an_emotion(
    has: list[set[str]], count: int
) -> None:
    """Compared with the best of all groupings of the first kind that come to mind: every pair of groups."""
    made = corpus({str(number): "".join(sorted(letters)) for number, letters in enumerate(has)})
    found = balance.groups(made, count)
    assert sorted(speaker for group in found for speaker in group) == list(made.speakers)
    sizes = [len(group) for group in found]
    assert max(sizes) - min(sizes) <= 1
    if count == 2:
        sound = balance.counts(made) > 0

        def lacking(group: tuple[int, ...]) -> int:
            other = [at for at in range(len(has)) if at not in group]
            return sum(int((~sound[list(part)].any(axis=0)).sum()) for part in (group, other))

        best = min(lacking(group) for group in combinations(range(len(has)), len(has) // 2))
        mine = lacking(tuple(made.speakers.index(speaker) for speaker in found[0]))
        assert mine <= best + 1


def test_old_studies_keep_their_groups() -> None:
    assert CorpusConfig().balance == "genders"
    assert splits.names(SPARSE, PLAIN) == ("0+1", "2+3", "4+5", "6+7")
