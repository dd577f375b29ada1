"""Balances emotions over groups of speakers: the rule `corpus.balance=emotions`.

In: a corpus. Out: groups of speakers, or the speakers who validate. A speaker is never divided, so where too
few speakers have an emotion some groups lack it. The same corpus always gives the same groups.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raysernas.corpora.corpus import Corpus

UtteranceCounts = NDArray[np.int64]  # [speaker, emotion]
Shares = NDArray[np.float64]
LACK = 100.0  # cost of an emotion that a group lacks; no imbalance of shares is as large
MOST_SWAPPED = 150  # speakers; with more, groups are so large that swaps change little


def groups(corpus: Corpus, count: int) -> list[tuple[str, ...]]:
    """All speakers in `count` groups whose sizes differ by one at most.

    Speakers are placed one by one, those with rare emotions first, each where the groups become most alike.
    Then pairs are swapped as long as that helps. Emotions count by utterances, genders by speakers.
    """
    speakers = corpus.speakers
    shares, emotions = _shares(corpus), len(corpus.emotions)
    order = np.lexsort((np.arange(len(speakers)), -(shares[:, :emotions].max(axis=1))))
    group_of = np.full(len(speakers), -1)
    for place, speaker in enumerate(order.tolist()):
        smallest = [each for each in range(count) if (group_of == each).sum() == place // count]
        costs = [_cost(shares, group_of, count, emotions, speaker, each) for each in smallest]
        group_of[speaker] = smallest[costs.index(min(costs))]
    if len(speakers) <= MOST_SWAPPED:
        _swap(shares, group_of, count, emotions)
    return [
        tuple(speaker for speaker, own in zip(speakers, group_of, strict=True) if own == each)
        for each in range(count)
    ]


def validating(
    has: UtteranceCounts, genders: Sequence[str], offered: Sequence[int], used: Sequence[int], count: int
) -> list[int]:
    """`count` of the offered speakers (indices) so that first the others, who train, and then they have as
    many emotions as possible; among equals, first the other gender, then those who have validated least.

    Args:
        has: what `counts` gives.
        genders: of each speaker of the corpus.
        used: for each speaker of the corpus, how often it has validated.
    """
    rest, chosen, often = list(offered), list[int](), np.array(used)
    for _ in range(count):
        left, heard = has[rest].sum(axis=0), has[chosen].sum(axis=0) > 0
        # each half of the training part needs an utterance
        untrained = (left - has[rest] < 2).sum(axis=1)
        unheard = (~heard & (has[rest] == 0)).sum(axis=1)
        taken = [genders[speaker] for speaker in chosen]
        alike = np.array([taken.count(genders[speaker]) for speaker in rest])
        best = int(np.lexsort((np.arange(len(rest)), often[rest], alike, unheard, untrained))[0])
        chosen.append(rest.pop(best))
    return chosen


def counts(corpus: Corpus) -> UtteranceCounts:
    """Utterances [speaker, emotion] of the known speakers, in the orders of the corpus."""
    row = {speaker: place for place, speaker in enumerate(corpus.speakers)}
    column = {emotion: place for place, emotion in enumerate(corpus.emotions)}
    found = np.zeros((len(row), len(column)), dtype=np.int64)
    for each in corpus.utterances:
        if each.speaker in row:
            found[row[each.speaker], column[each.emotion]] += 1
    return found


def _shares(corpus: Corpus) -> Shares:
    """[speaker, emotion or gender]: the share of its utterances, or of its speakers, that a speaker has."""
    gender = {each.speaker: each.gender for each in corpus.utterances}
    words = sorted(set(gender.values()))
    genders = np.array([[gender[speaker] == word for word in words] for speaker in corpus.speakers])
    every = np.concatenate([counts(corpus), genders], axis=1).astype(np.float64)
    return every / np.maximum(every.sum(axis=0), 1)


def _cost(
    shares: Shares, group_of: NDArray[np.int64], count: int, emotions: int, speaker: int, group: int
) -> float:
    """How unlike the groups are once this speaker is in that group."""
    placed = group_of.copy()
    placed[speaker] = group
    return _unlike(_sums(shares, placed, count), emotions)


def _sums(shares: Shares, group_of: NDArray[np.int64], count: int) -> Shares:
    return np.stack([shares[group_of == group].sum(axis=0) for group in range(count)])


def _unlike(sums: Shares, emotions: int) -> float:
    """Squared distances from equal shares, and the emotions that groups lack; rounded, so that machines with
    other rounding decide alike.
    """
    missing = int((sums[:, :emotions] < 1e-9).sum())
    return round(float(((sums - 1 / len(sums)) ** 2).sum()) + LACK * missing, 9)


def _swap(shares: Shares, group_of: NDArray[np.int64], count: int, emotions: int) -> None:
    """Swap the first pair of speakers that makes the groups more alike, until there is none."""
    sums = _sums(shares, group_of, count)
    best, swapped = _unlike(sums, emotions), True
    while swapped:
        swapped = False
        for one in range(len(group_of)):
            for other in range(one + 1, len(group_of)):
                if group_of[one] == group_of[other]:
                    continue
                moved = sums.copy()
                moved[group_of[one]] += shares[other] - shares[one]
                moved[group_of[other]] += shares[one] - shares[other]
                found = _unlike(moved, emotions)
                if found < best:
                    group_of[[one, other]] = group_of[[other, one]]
                    sums, best, swapped = _sums(shares, group_of, count), found, True
