"""The folds of a corpus: who is tested, who validates, who trains, and how a search halves the training part.

In: a corpus and its settings. Out: its folds, and a `Split` of indices for one of them. The scheme decides
who is tested (`schemes.py`, `fold_file.py`), a rule decides who validates (`validation.py`), and the seed
decides only how the rest is halved: one half trains the weights of a search, the other the alphas. No speaker
is on two sides unless the user allows it, because speaker-dependent scores are 5 to 25 points too high.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Corpus
from raysernas.corpora.folds import fold_file, schemes, validation
from raysernas.corpora.folds.fold_file import Fold
from raysernas.corpora.folds.schemes import NOBODY, WHERE, Indices, Outer
from raysernas.record import storage

GIVEN = "usual"  # the rule of folds with a validation part of their own


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Indices into `corpus.utterances`, ascending. Training (weights and alphas), valid and test share no
    speaker.
    """

    weights: tuple[int, ...]
    alphas: tuple[int, ...]
    valid: tuple[int, ...]
    test: tuple[int, ...]


def of(corpus: Corpus, config: CorpusConfig) -> tuple[Fold, ...]:
    """All folds of the corpus.

    Raises:
        Fault: when scheme or rule do not suit the corpus, for an empty part, and a speaker on two sides.
    """
    return _complete(corpus, config)[1]


def names(corpus: Corpus, config: CorpusConfig) -> tuple[str, ...]:
    """A name for each fold: its tested session or speakers, or the name in its list.

    Raises:
        Fault: when the scheme does not suit the corpus.
    """
    return tuple(fold.name for fold in _outer(corpus, config))


def scheme(corpus: Corpus, config: CorpusConfig) -> str:
    """The scheme of the folds: `corpus.folds`, or the usual one of the corpus."""
    return corpus.folds if config.folds == "usual" else config.folds


def rule(corpus: Corpus, config: CorpusConfig) -> str:
    """How the validation part is chosen, in words.

    Raises:
        Fault: when the scheme does not suit the corpus.
    """
    chosen = _rule(corpus, config, _outer(corpus, config))
    if chosen == GIVEN:
        return "given by the corpus" if scheme(corpus, config) == "official" else "given by the list"
    balanced = ", emotions balanced" if chosen == "speakers" and config.balance == "emotions" else ""
    return (
        f"{chosen}({config.valid_fraction:g}){balanced}" if chosen in ("speakers", "utterances") else chosen
    )


def resolved(config: CorpusConfig, corpus: Corpus) -> CorpusConfig:
    """The settings with all that depends on the corpus: the scheme, the rule, and the hash of the folds.

    Raises:
        Fault: when the folds do not match `corpus.folds_hash`.
    """
    chosen, complete = _complete(corpus, config)
    return replace(
        config, folds=scheme(corpus, config), valid=chosen, folds_hash=_hash_of(corpus, config, complete)
    )


def split(corpus: Corpus, config: CorpusConfig, fold: int, seed: int) -> Split:
    """The parts of one fold; `seed` only decides which utterances train the weights and which the alphas.

    Raises:
        Fault: for a fold that does not exist, folds that do not match `corpus.folds_hash`, and for all that
            `of` and `halved` refuse.
    """
    found = of(corpus, config)
    _hash_of(corpus, config, found)
    if not 0 <= fold < len(found):
        raise Fault(
            WHERE,
            f"there is no fold {fold}",
            got=fold,
            expected=f"0 to {len(found) - 1}, for corpus.folds={scheme(corpus, config)}",
            fix="name other folds",
        )
    return halved(corpus, config, found[fold], fold, seed)


def halved(corpus: Corpus, config: CorpusConfig, fold: Fold, number: int, seed: int) -> Split:
    """The parts of a fold, its training part halved.

    Args:
        number: of the fold, so that every fold is halved differently.

    Raises:
        Fault: for too few speakers, or an emotion that one of the halves lacks.
    """
    generator = np.random.default_rng([seed, number])
    if config.halves == "speaker":
        weights, alphas = _halves_by_speaker(corpus, fold, generator)
    else:
        weights, alphas = _halves_by_utterance(corpus, fold.train, generator)
    parts = Split(weights=weights, alphas=alphas, valid=fold.valid, test=fold.test)
    check_disjoint(corpus, parts, speaker_dependent=config.speaker_dependent)
    _check_emotions(corpus, config, parts, f"fold {number} ({fold.name})")
    return parts


def check_disjoint(corpus: Corpus, split: Split, *, speaker_dependent: bool = False) -> None:
    """Refuse a split with an utterance in two parts or, unless that is allowed, a speaker on two sides.

    Raises:
        Fault: with the sides and the speakers.
    """
    parts = {
        part: np.array(getattr(split, part), dtype=np.int64)
        for part in ("weights", "alphas", "valid", "test")
    }
    numbers = schemes.speaker_numbers(corpus)
    _refuse_shared(corpus, numbers, parts, speaker_dependent=True)
    sides = {
        "training": np.concatenate([parts["weights"], parts["alphas"]]),
        "valid": parts["valid"],
        "test": parts["test"],
    }
    _refuse_shared(corpus, numbers, sides, speaker_dependent)


def _hash_of(corpus: Corpus, config: CorpusConfig, found: Sequence[Fold]) -> str:
    """The hash of the folds; refuses one that does not match `corpus.folds_hash`."""
    of_these = fold_file.hash_of(corpus, found)
    if config.folds_hash and config.folds_hash != of_these:
        raise Fault(
            WHERE,
            "these are other folds than the ones this study began with",
            got=of_these,
            expected=config.folds_hash,
            fix="restore corpus.fold_file and the corpus, or begin a study under another study.name",
        )
    return of_these


def _complete(corpus: Corpus, config: CorpusConfig) -> tuple[str, tuple[Fold, ...]]:
    """The rule, and the checked folds."""
    numbers, found = schemes.speaker_numbers(corpus), _outer(corpus, config)
    for fold in found:
        _refuse_shared(corpus, numbers, {"training": fold.rest, "test": fold.test}, config.speaker_dependent)
    chosen = _rule(corpus, config, found)
    given = [fold.valid for fold in found if fold.valid is not None]
    valid = given if chosen == GIVEN else validation.parts(corpus, config, chosen, found)
    folds: list[Fold] = []
    for number, (fold, validating) in enumerate(zip(found, valid, strict=True)):
        train = np.setdiff1d(fold.rest, validating, assume_unique=True) if chosen != GIVEN else fold.rest
        sides = {"training": train, "valid": validating, "test": fold.test}
        _check_filled(corpus, config, f"fold {number} ({fold.name})", sides)
        _refuse_shared(corpus, numbers, sides, config.speaker_dependent)
        indices = {
            part: tuple(side.tolist()) for part, side in zip(fold_file.PARTS, sides.values(), strict=True)
        }
        folds.append(Fold(name=fold.name, **indices))
    return chosen, tuple(folds)


def _outer(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    """The folds before the validation part is chosen."""
    chosen = scheme(corpus, config)
    if chosen == "random" and not config.speaker_dependent:
        raise _dependent("folds=random")
    if chosen != "file":
        return schemes.outer(corpus, config, chosen)
    listed = fold_file.read(storage.place(config.fold_file), corpus)
    given = any(fold.valid for fold in listed)
    return tuple(
        Outer(
            name=fold.name,
            test=np.array(fold.test, dtype=np.int64),
            rest=np.array(fold.train, dtype=np.int64),
            valid=np.array(fold.valid, dtype=np.int64) if given else None,
        )
        for fold in listed
    )


def _rule(corpus: Corpus, config: CorpusConfig, found: Sequence[Outer]) -> str:
    """The rule that chooses who validates, or GIVEN."""
    if all(fold.valid is not None for fold in found):
        if config.valid != GIVEN:
            raise Fault(
                WHERE,
                "the folds come with a validation part of their own",
                got=f"corpus.valid={config.valid}",
                expected="usual",
                fix="set corpus.valid=usual, or another corpus.folds",
            )
        return GIVEN
    chosen = (
        validation.usual(corpus, scheme(corpus, config), found) if config.valid == "usual" else config.valid
    )
    if chosen == "utterances" and not config.speaker_dependent:
        raise _dependent("valid=utterances")
    return chosen


def _dependent(setting: str) -> Fault:
    return Fault(
        WHERE,
        f"corpus.{setting} lets a speaker be trained on and tested or validated",
        got="speaker_dependent: false",
        expected="speakers on one side only, or your word that they are not: such scores are 5 to 25 points "
        "too high",
        fix="set another scheme or rule, or corpus.speaker_dependent=true, which marks every table",
    )


def _check_filled(corpus: Corpus, config: CorpusConfig, fold: str, sides: Mapping[str, Indices]) -> None:
    if empty := [side for side, indices in sides.items() if not len(indices)]:
        got = ", ".join(f"{side} {len(indices)}" for side, indices in sides.items())
        raise Fault(
            WHERE,
            f"{fold}: nobody is in {empty[0]}",
            got=f"corpus.folds={scheme(corpus, config)}, utterances: {got}",
            expected="utterances to train on, to validate and to test",
            fix="set another corpus.folds or corpus.valid",
        )


def _refuse_shared(
    corpus: Corpus, numbers: Indices, sides: Mapping[str, Indices], speaker_dependent: bool
) -> None:
    """Refuse an utterance on two sides and, unless that is allowed, a known speaker."""
    used = {side: _flags(len(corpus.utterances), indices) for side, indices in sides.items()}
    for one, other in combinations(sides, 2):
        if (used[one] & used[other]).any():
            both = np.flatnonzero(used[one] & used[other])
            raise Fault(
                WHERE,
                f"an utterance is in {one} and in {other}",
                got=corpus.utterances[both[0]].key,
                expected="every utterance in one part only",
                fix="correct the list of the folds",
            )
    if speaker_dependent:
        return
    size = int(numbers.max(initial=NOBODY)) + 2  # NOBODY is the last
    heard = {side: _flags(size, numbers[indices]) for side, indices in sides.items()}
    for one, other in combinations(sides, 2):
        both = np.flatnonzero((heard[one] & heard[other])[:NOBODY])
        if len(both):
            shared = [corpus.speakers[number] for number in both]
            raise Fault(
                WHERE,
                f"a speaker is heard in {one} and in {other}",
                got=schemes.name(shared),
                expected="every speaker on one side only",
                fix="correct the speakers (and sessions) of the corpus, or set "
                "corpus.speaker_dependent=true, which marks every table",
            )


def _flags(size: int, places: Indices) -> NDArray[np.bool_]:
    flags = np.zeros(size, dtype=bool)
    flags[places] = True
    return flags


def _halves_by_utterance(
    corpus: Corpus, training: Sequence[int], generator: np.random.Generator
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Each emotion shuffled and halved; odd utterances go to the halves in turn."""
    halves: tuple[list[int], list[int]] = ([], [])
    odd = 0
    for indices in schemes.by_emotion(corpus, training):
        shuffled = [indices[place] for place in generator.permutation(len(indices))]
        halves[odd].extend(shuffled[0::2])
        halves[1 - odd].extend(shuffled[1::2])
        odd ^= len(indices) % 2
    return tuple(sorted(halves[0])), tuple(sorted(halves[1]))


def _halves_by_speaker(
    corpus: Corpus, fold: Fold, generator: np.random.Generator
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Speakers shuffled and dealt in turn, gender by gender; of unknown speakers, utterances are halved."""
    heard: dict[str, list[int]] = {}
    for index in fold.train:
        heard.setdefault(corpus.utterances[index].speaker, []).append(index)
    unknown = heard.pop(UNKNOWN_SPEAKER, [])
    if len(heard) < 2:
        sides = {"test": fold.test, "valid": fold.valid, "training": fold.train}
        speakers_of = {
            side: sorted({corpus.utterances[index].speaker for index in indices})
            for side, indices in sides.items()
        }
        raise validation.too_few(
            corpus, ", ".join(f"{side} {schemes.name(speakers)}" for side, speakers in speakers_of.items())
        )
    genders = schemes.genders(corpus)
    shuffled: list[str] = generator.permutation(sorted(heard)).tolist()
    dealt = sorted(shuffled, key=lambda speaker: genders[speaker])
    halves = _halves_by_utterance(corpus, unknown, generator)
    weights, alphas = (
        tuple(sorted([*rest, *(index for speaker in dealt[half::2] for index in heard[speaker])]))
        for half, rest in enumerate(halves)
    )
    return weights, alphas


def _check_emotions(corpus: Corpus, config: CorpusConfig, parts: Split, fold: str) -> None:
    for half, indices in (("weights", parts.weights), ("alphas", parts.alphas)):
        present = {corpus.utterances[index].emotion for index in indices}
        if missing := [emotion for emotion in corpus.emotions if emotion not in present]:
            rest = [emotion for emotion in corpus.emotions if emotion not in missing]
            advice = "set corpus.halves=utterance, or " if config.halves == "speaker" else ""
            raise Fault(
                WHERE,
                f"{fold}: the half `{half}` has no {missing[0]!r}",
                got=f"missing: {', '.join(missing)}",
                expected="every emotion in both halves of the training part",
                fix=f"{advice}set corpus.emotions=[{','.join(rest)}]",
            )
