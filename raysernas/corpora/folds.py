"""Who is held out: the outer folds of a corpus, and the split of each into weights, alphas, valid and test.

In: a corpus and its settings. Out: a `Split` of indices. Test speakers are those of the fold; validation speakers rotate with
the fold and never with the seed, so that seeds differ in learning only; the rest trains, one half the weights and the other
the alphas of a search. No speaker is ever on two sides: speaker-dependent splits gain 5 to 25 points that are not there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raysernas.config import CorpusConfig, Fault
from raysernas.corpora.corpus import Corpus

LONGEST_NAME = 4  # speakers of a fold that its name spells out
WHERE = "folds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Indices into `corpus.utterances`, ascending; speakers of weights and alphas, of valid, and of test are disjoint."""

    weights: tuple[int, ...]
    alphas: tuple[int, ...]
    valid: tuple[int, ...]
    test: tuple[int, ...]


def names(corpus: Corpus, config: CorpusConfig) -> tuple[str, ...]:
    """A readable name for each fold: the session or the speakers that it holds out.

    Raises:
        Fault: for a corpus that the scheme cannot be applied to.
    """
    if config.folds == "session":
        return tuple(_sessions(corpus))
    return tuple(_name(held_out) for held_out in _held_out(corpus, config))


def split(corpus: Corpus, config: CorpusConfig, fold: int, seed: int) -> Split:
    """The parts of one fold; `seed` decides only how the halves weights and alphas are cut.

    Raises:
        Fault: for a fold that does not exist, too few speakers, or an emotion that one of the halves would lack.
    """
    folds = _held_out(corpus, config)
    if not 0 <= fold < len(folds):
        raise Fault(
            WHERE, f"there is no fold {fold}", got=fold, expected=f"0 to {len(folds) - 1}, for corpus.folds={config.folds}",
            do="name other folds",
        )  # fmt: skip
    valid = _valid_speakers(corpus, config, folds, fold)
    training = [speaker for speaker in corpus.speakers if speaker not in (*folds[fold], *valid)]
    if len(training) < (2 if config.halves == "speaker" else 1):
        raise _too_few(corpus, f"test {_name(folds[fold])}, valid {_name(valid)}, training {_name(training) or 'nobody'}")
    generator = np.random.default_rng([seed, fold])
    if config.halves == "speaker":
        weights, alphas = _halves_by_speaker(corpus, training, generator)
    else:
        weights, alphas = _halves_by_utterance(corpus, training, generator)
    parts = Split(weights=weights, alphas=alphas, valid=_of(corpus, valid), test=_of(corpus, folds[fold]))
    check_disjoint(corpus, parts)
    _check_emotions(corpus, config, parts, f"fold {fold} ({names(corpus, config)[fold]})")
    return parts


def check_disjoint(corpus: Corpus, split: Split) -> None:
    """Refuse a split that hears a speaker on two sides, or uses an utterance for weights and alphas.

    Raises:
        Fault: naming the sides and the speakers.
    """
    if both := sorted({*split.weights} & {*split.alphas}):
        raise Fault(
            WHERE, "an utterance is in both halves", got=corpus.utterances[both[0]].key, expected="weights or alphas",
            do="mend the split",
        )  # fmt: skip
    sides = {"training": (*split.weights, *split.alphas), "valid": split.valid, "test": split.test}
    talkers = {side: {corpus.utterances[index].speaker for index in indices} for side, indices in sides.items()}
    for one, other in (("training", "valid"), ("training", "test"), ("valid", "test")):
        if shared := sorted(talkers[one] & talkers[other]):
            raise Fault(
                WHERE, f"a speaker is heard in {one} and in {other}", got=", ".join(shared),
                expected="every speaker on one side only", do="mend the speakers (and sessions) of the corpus",
            )  # fmt: skip


def _held_out(corpus: Corpus, config: CorpusConfig) -> list[tuple[str, ...]]:
    """The test speakers of every fold."""
    speakers = corpus.speakers
    if len(speakers) < 2:
        raise _too_few(corpus, f"one speaker ({_name(speakers)}), so nobody can be held out")
    if config.folds == "speaker":
        return [(speaker,) for speaker in speakers]
    if config.folds == "session":
        return list(_sessions(corpus).values())
    if config.groups > len(speakers):
        raise Fault(
            WHERE, "there are more groups than speakers", got=f"corpus.groups={config.groups}, {len(speakers)} speakers",
            expected="at least one speaker in each group", do=f"set corpus.groups to at most {len(speakers)}",
        )  # fmt: skip
    genders = _genders(corpus)
    dealt = sorted(speakers, key=lambda speaker: (genders[speaker], speaker))  # one after the other, gender by gender
    return [tuple(sorted(dealt[group :: config.groups])) for group in range(config.groups)]


def _sessions(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """The speakers of each session, sessions sorted."""
    found: dict[str, set[str]] = {}
    for utterance in corpus.utterances:
        if not utterance.session:
            raise Fault(
                WHERE, f"{utterance.key} has no session", got="corpus.folds=session", expected="a session for every utterance",
                do="set corpus.folds=speaker, or add the sessions to the corpus",
            )  # fmt: skip
        found.setdefault(utterance.session, set()).add(utterance.speaker)
    heard = Counter(speaker for speakers in found.values() for speaker in speakers)
    if roaming := sorted(speaker for speaker, sessions in heard.items() if sessions > 1):
        raise Fault(
            WHERE, "a speaker is heard in two sessions", got=", ".join(roaming), expected="every speaker in one session only",
            do="set corpus.folds=speaker, or mend the sessions of the corpus",
        )  # fmt: skip
    if len(found) < 3:
        raise Fault(
            WHERE, "there are too few sessions", got=", ".join(sorted(found)),
            expected="at least 3, one to test, one to validate, one to train on", do="set corpus.folds=speaker",
        )  # fmt: skip
    return {session: tuple(sorted(found[session])) for session in sorted(found)}


def _valid_speakers(corpus: Corpus, config: CorpusConfig, folds: Sequence[tuple[str, ...]], fold: int) -> tuple[str, ...]:
    if config.folds == "session":
        chosen: tuple[str, ...] = ()
        for step in range(1, len(folds) - 1):  # whole sessions, because their speakers talk to each other
            if len(chosen) < config.valid_speakers:
                chosen = (*chosen, *folds[(fold + step) % len(folds)])
        if len(chosen) < config.valid_speakers:
            raise _too_few(corpus, f"{len(folds)} sessions, and {config.valid_speakers} speakers to validate")
        return tuple(sorted(chosen))
    used: Counter[str] = Counter()
    chosen = ()
    for held_out in folds[: fold + 1]:  # every fold takes those who validated least so far
        chosen = _least_used(corpus, config.valid_speakers, held_out, used)
        used.update(chosen)
    return chosen


def _least_used(corpus: Corpus, count: int, held_out: tuple[str, ...], used: Counter[str]) -> tuple[str, ...]:
    """`count` speakers who are not held out: genders in turn, then the least used, then the next in order after the held out."""
    genders, speakers = _genders(corpus), corpus.speakers
    if len(speakers) - len(held_out) <= count:
        raise _too_few(corpus, f"{len(speakers)}, of whom {len(held_out)} are tested and {count} validate")
    after = speakers.index(held_out[0])
    ring = [speaker for speaker in (*speakers[after:], *speakers[:after]) if speaker not in held_out]
    chosen: list[str] = []
    for _ in range(count):
        taken = Counter(genders[speaker] for speaker in chosen)
        chosen.append(min(ring, key=lambda speaker: (taken[genders[speaker]], used[speaker])))
        ring.remove(chosen[-1])
    return tuple(sorted(chosen))


def _halves_by_utterance(
    corpus: Corpus, speakers: Sequence[str], generator: np.random.Generator
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Each emotion shuffled and cut in the middle; what is left over goes to the two halves in turn."""
    halves: tuple[list[int], list[int]] = ([], [])
    odd = 0
    for emotion in corpus.emotions:
        indices = [index for index in _of(corpus, speakers) if corpus.utterances[index].emotion == emotion]
        indices.sort(key=lambda index: corpus.utterances[index].key)
        shuffled = [indices[place] for place in generator.permutation(len(indices))]
        halves[odd].extend(shuffled[0::2])
        halves[1 - odd].extend(shuffled[1::2])
        odd ^= len(indices) % 2
    return tuple(sorted(halves[0])), tuple(sorted(halves[1]))


def _halves_by_speaker(
    corpus: Corpus, speakers: Sequence[str], generator: np.random.Generator
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Speakers shuffled and dealt in turn, gender by gender."""
    genders = _genders(corpus)
    shuffled: list[str] = generator.permutation(list(speakers)).tolist()
    dealt = sorted(shuffled, key=lambda speaker: genders[speaker])
    return _of(corpus, dealt[0::2]), _of(corpus, dealt[1::2])


def _check_emotions(corpus: Corpus, config: CorpusConfig, parts: Split, fold: str) -> None:
    for half, indices in (("weights", parts.weights), ("alphas", parts.alphas)):
        present = {corpus.utterances[index].emotion for index in indices}
        if missing := [emotion for emotion in corpus.emotions if emotion not in present]:
            rest = [emotion for emotion in corpus.emotions if emotion not in missing]
            advice = "set corpus.halves=utterance, or " if config.halves == "speaker" else ""
            raise Fault(
                WHERE, f"{fold}: the half `{half}` has no {missing[0]!r}", got=f"missing: {', '.join(missing)}",
                expected="every emotion in both halves of the training part", do=f"{advice}set corpus.emotions=[{','.join(rest)}]",
            )  # fmt: skip


def _of(corpus: Corpus, speakers: Sequence[str]) -> tuple[int, ...]:
    """Indices of all utterances of some speakers, ascending."""
    wanted = set(speakers)
    return tuple(index for index, utterance in enumerate(corpus.utterances) if utterance.speaker in wanted)


def _genders(corpus: Corpus) -> dict[str, str]:
    return {utterance.speaker: utterance.gender for utterance in corpus.utterances}


def _name(speakers: Sequence[str]) -> str:
    more = f"+{len(speakers) - LONGEST_NAME} more" if len(speakers) > LONGEST_NAME else ""
    return "+".join(speakers[:LONGEST_NAME]) + more


def _too_few(corpus: Corpus, got: str) -> Fault:
    return Fault(
        WHERE, f"{corpus.name} has too few speakers", got=got,
        expected="speakers to test, to validate and to train on, none of them twice",
        do="add speakers, or lower corpus.valid_speakers",
    )  # fmt: skip
