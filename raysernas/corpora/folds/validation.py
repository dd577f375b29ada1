"""Who validates in each fold: the rules that take the validation part from the untested rest of a fold.

In: a corpus, its settings and folds without a validation part. Out: the validation part of each fold. It
depends on the fold and never on the seed, so that trials of other seeds have the same parts.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import balance, schemes
from raysernas.corpora.folds.schemes import NOBODY, WHERE, Indices, Outer

# scheme -> rule; all others: `speakers`
USUAL = {"session": "next_session", "published": "next_fold", "random": "utterances"}
DRAWING_SEED = 1  # of the rule `utterances`; fixed


def usual(corpus: Corpus, scheme: str, folds: Sequence[Outer]) -> str:
    """The usual rule of a scheme; `utterances` where a list of folds mixes speakers anyway."""
    if scheme == "emobox" and corpus.name == "iemocap":
        return USUAL["session"]  # its folds are the sessions
    if scheme in ("file", "official"):
        numbers = schemes.speaker_numbers(corpus)
        if any(_heard(numbers, fold.rest) & _heard(numbers, fold.test) for fold in folds):
            return "utterances"
    return USUAL.get(scheme, "speakers")


def parts(corpus: Corpus, config: CorpusConfig, rule: str, folds: Sequence[Outer]) -> list[Indices]:
    """For each fold the utterances of `rest` that validate.

    Raises:
        Fault: when the rule does not suit the corpus.
    """
    return RULES[rule](corpus, config, folds)


def too_few(corpus: Corpus, got: str) -> Fault:
    """The fault of a corpus with too few speakers for three sides."""
    return Fault(
        WHERE,
        f"{corpus.name} has too few speakers",
        got=got,
        expected="speakers to test, to validate and to train on, none of them twice",
        fix="add speakers, or lower corpus.valid_fraction",
    )


def _speakers(corpus: Corpus, config: CorpusConfig, folds: Sequence[Outer]) -> list[Indices]:
    """In each fold the speakers who have validated least so far."""
    speakers, numbers = corpus.speakers, schemes.speaker_numbers(corpus)
    count = max(1, round(config.valid_fraction * len(speakers)))
    gender = schemes.genders(corpus)
    genders = [gender[speaker] for speaker in speakers]
    has = balance.counts(corpus)
    used: Counter[int] = Counter()
    found: list[Indices] = []
    for fold in folds:
        tested = sorted(_heard(numbers, fold.test))
        offered = _heard(numbers, fold.rest) - set(tested)
        if len(offered) <= count:
            raise too_few(corpus, f"{len(speakers)}, of whom {len(tested)} are tested and {count} validate")
        first = tested[0] if tested else 0
        ring = [number for number in (*range(first, len(speakers)), *range(first)) if number in offered]
        if config.balance == "emotions":
            chosen = balance.validating(has, genders, ring, [used[at] for at in range(len(speakers))], count)
        else:
            chosen = _least_used(ring, genders, used, count)
        used.update(chosen)
        found.append(fold.rest[np.isin(numbers[fold.rest], chosen)])
    return found


def _least_used(ring: Sequence[int], genders: Sequence[str], used: Counter[int], count: int) -> list[int]:
    """`count` speakers: genders take turns, each offers the least used, and of these the next in the ring."""
    queues: dict[str, list[tuple[int, int, int]]] = {}
    for place, number in enumerate(ring):
        queues.setdefault(genders[number], []).append((used[number], place, number))
    for queue in queues.values():
        queue.sort(reverse=True)
    chosen: list[int] = []
    taken: Counter[str] = Counter()
    for _ in range(count):
        gender = min(
            (gender for gender in queues if queues[gender]),
            key=lambda gender: (taken[gender], queues[gender][-1]),
        )
        chosen.append(queues[gender].pop()[-1])
        taken[gender] += 1
    return chosen


def _next_session(corpus: Corpus, config: CorpusConfig, folds: Sequence[Outer]) -> list[Indices]:
    """The next untested session, as a whole because its speakers talk to each other."""
    numbers, count = schemes.session_numbers(corpus), len(schemes.sessions(corpus))
    found: list[Indices] = []
    for fold in folds:
        tested = _heard(numbers, fold.test)
        first = min(tested, default=NOBODY)
        free = [number for step in range(1, count + 1) if (number := (first + step) % count) not in tested]
        found.append(fold.rest[np.isin(numbers[fold.rest], free[:1])])
    return found


def _other_speaker(corpus: Corpus, config: CorpusConfig, folds: Sequence[Outer]) -> list[Indices]:
    """The untested speakers in the sessions of the tested ones."""
    numbers = schemes.session_numbers(corpus)
    return [fold.rest[np.isin(numbers[fold.rest], [*_heard(numbers, fold.test)])] for fold in folds]


def _next_fold(corpus: Corpus, config: CorpusConfig, folds: Sequence[Outer]) -> list[Indices]:
    """What the next fold tests."""
    following = (*folds[1:], folds[0])
    return [np.intersect1d(fold.rest, after.test) for fold, after in zip(folds, following, strict=True)]


def _utterances(corpus: Corpus, config: CorpusConfig, folds: Sequence[Outer]) -> list[Indices]:
    """The same share of each emotion, whoever speaks: at least one utterance, never all."""
    found: list[Indices] = []
    for number, fold in enumerate(folds):
        generator = np.random.default_rng([DRAWING_SEED, number])
        drawn: list[int] = []
        for indices in schemes.by_emotion(corpus, fold.rest.tolist()):
            count = min(max(1, round(config.valid_fraction * len(indices))), len(indices) - 1)
            drawn.extend(indices[place] for place in generator.permutation(len(indices))[: max(count, 0)])
        found.append(np.array(sorted(drawn), dtype=np.int64))
    return found


def _heard(numbers: Indices, indices: Indices) -> set[int]:
    """The speakers, or sessions, of some utterances, without unknown ones."""
    return set(np.unique(numbers[indices]).tolist()) - {NOBODY}


RULES: dict[str, Callable[[Corpus, CorpusConfig, Sequence[Outer]], list[Indices]]] = {
    "speakers": _speakers,
    "next_session": _next_session,
    "next_fold": _next_fold,
    "other_speaker": _other_speaker,
    "utterances": _utterances,
}
