"""Who is tested in each fold: all schemes of `corpus.folds` but `file`.

In: a corpus and its settings. Out: for each fold its name, the tested utterances, and the rest, from which
`validation.py` takes the validation part. Schemes by speaker or session leave out utterances of unknown
speakers, because nobody knows which side they belong to.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Corpus
from raysernas.corpora.folds import balance, published, texts

Indices = NDArray[np.int64]  # into corpus.utterances, ascending

FEWEST = 3  # speakers or sessions: one to test, one to validate, one to train on
LONGEST_NAME = 5  # speakers in the name of a fold
NOBODY = -1  # the number of an unknown speaker
WHERE = "folds"
DEALING_SEED = 0  # of the folds of `random`; fixed, so that trials of other seeds have the same folds


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outer:
    """A fold before the validation part is chosen."""

    name: str
    test: Indices
    rest: Indices  # may train or validate
    valid: Indices | None = None  # if the source of the folds gives it; not in `rest`


def outer(corpus: Corpus, config: CorpusConfig, scheme: str) -> tuple[Outer, ...]:
    """The folds of any scheme but `file`, in their order.

    Raises:
        Fault: for a corpus that the scheme cannot be applied to.
    """
    return SCHEMES[scheme](corpus, config)


def speaker_numbers(corpus: Corpus) -> Indices:
    """For each utterance the index of its speaker in `corpus.speakers`, or NOBODY."""
    return _numbers(tuple(utterance.speaker for utterance in corpus.utterances), corpus.speakers)


def sessions(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """The speakers of each session, sessions sorted.

    Raises:
        Fault: for an utterance without a session, or a speaker of two.
    """
    found: dict[str, set[str]] = {}
    for utterance in corpus.utterances:
        if utterance.speaker == UNKNOWN_SPEAKER:
            continue
        if not utterance.session:
            raise Fault(
                WHERE,
                f"{utterance.key} has no session",
                got="folds or a validation part by session",
                expected="a session for every utterance",
                fix="set corpus.folds=speaker, or add the sessions to the corpus",
            )
        found.setdefault(utterance.session, set()).add(utterance.speaker)
    heard = Counter(speaker for speakers in found.values() for speaker in speakers)
    if roaming := sorted(speaker for speaker, count in heard.items() if count > 1):
        raise Fault(
            WHERE,
            "a speaker is heard in two sessions",
            got=", ".join(roaming),
            expected="every speaker in one session only",
            fix="set corpus.folds=speaker, or correct the sessions of the corpus",
        )
    return {session: tuple(sorted(found[session])) for session in sorted(found)}


def session_numbers(corpus: Corpus) -> Indices:
    """For each utterance the index of its session in `sessions(corpus)`, or NOBODY."""
    return _numbers(tuple(utterance.session for utterance in corpus.utterances), tuple(sessions(corpus)))


def by_emotion(corpus: Corpus, indices: Sequence[int]) -> list[list[int]]:
    """The indices of each emotion, in the order of `corpus.emotions`, each sorted by key."""
    found: dict[str, list[int]] = {emotion: [] for emotion in corpus.emotions}
    for index in sorted(indices, key=lambda index: corpus.utterances[index].key):
        found[corpus.utterances[index].emotion].append(index)
    return list(found.values())


def genders(corpus: Corpus) -> dict[str, str]:
    """The gender of each speaker."""
    return {utterance.speaker: utterance.gender for utterance in corpus.utterances}


def name(speakers: Sequence[str]) -> str:
    """A readable name of a group of speakers."""
    if len(speakers) <= LONGEST_NAME:
        return "+".join(speakers)
    shown = LONGEST_NAME - 1  # "+1 more" would hide one in the room of its name
    return f"{'+'.join(speakers[:shown])}+{len(speakers) - shown} more"


def _numbers(values: Sequence[str], known: Sequence[str]) -> Indices:
    places = {value: place for place, value in enumerate(known)}
    return np.fromiter((places.get(value, NOBODY) for value in values), dtype=np.int64, count=len(values))


def _by_speaker(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    return _apart(corpus, [(speaker,) for speaker in corpus.speakers])


def _by_group(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    speakers = _enough_speakers(corpus)
    if config.groups > len(speakers):
        raise Fault(
            WHERE,
            "there are more groups than speakers",
            got=f"corpus.groups={config.groups}, {len(speakers)} speakers",
            expected="at least one speaker in each group",
            fix=f"set corpus.groups to at most {len(speakers)}",
        )
    if config.balance == "emotions":
        return _apart(corpus, balance.groups(corpus, config.groups))
    gender = genders(corpus)
    # dealt in turn, gender by gender
    dealt = sorted(speakers, key=lambda speaker: (gender[speaker], speaker))
    return _apart(corpus, [tuple(sorted(dealt[group :: config.groups])) for group in range(config.groups)])


def _by_speaker_and_text(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    """A fold for each speaker and group of texts. Neither this speaker's other utterances nor anybody's
    utterances of these texts are used.
    """
    speakers, numbers = _enough_speakers(corpus), speaker_numbers(corpus)
    groups = texts.groups(corpus, config.text_groups)
    spoken = np.array([utterance.text for utterance in corpus.utterances])
    found: list[Outer] = []
    for place, speaker in enumerate(speakers):
        own, known = numbers == place, numbers != NOBODY
        for group in groups:
            these = np.isin(spoken, group)
            if (tested := own & these).any():
                title = f"{speaker} {name(group)}"
                rest = np.flatnonzero(known & ~own & ~these)
                found.append(Outer(name=title, test=np.flatnonzero(tested), rest=rest))
    return tuple(found)


def _by_session(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    _enough_speakers(corpus)
    found = sessions(corpus)
    if len(found) < FEWEST:
        raise Fault(
            WHERE,
            "there are too few sessions",
            got=", ".join(found),
            expected="at least 3, one to test, one to validate, one to train on",
            fix="set corpus.folds=speaker",
        )
    return _apart(corpus, list(found.values()), tuple(found))


def _official(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    """The release's own parts. A second or third test part is not used; unknown speakers keep their part."""
    parts = np.array([utterance.split for utterance in corpus.utterances])
    train, valid, test = (np.flatnonzero(parts == part) for part in ("train", "valid", "test"))
    if not len(train) or not len(test):
        counts = Counter(parts.tolist())
        raise Fault(
            WHERE,
            f"{corpus.name} has no official parts for training and test",
            got=", ".join(f"{part or 'no part'} {counts[part]}" for part in sorted(counts)),
            expected="utterances of the parts train and test",
            fix="set corpus.folds=speaker, or another scheme",
        )
    return (Outer(name="official", test=test, rest=train, valid=valid if len(valid) else None),)


def _emobox(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    built_in = sorted((*published.EMOBOX, *published.EMOBOX_BY_SESSION))
    if corpus.name in published.EMOBOX_BY_SESSION:
        return _by_session(corpus, config)
    if corpus.name in published.EMOBOX:
        return _apart(corpus, published.EMOBOX[corpus.name])
    folder = "corpus.folds=file corpus.fold_file=PATH/TO/EmoBox/data/CORPUS"
    if corpus.name in published.EMOBOX_SAME_SPEAKERS:
        raise Fault(
            WHERE,
            f"the folds of EmoBox for {corpus.name} are speaker-dependent: they test speakers that they "
            "train on",
            got="corpus.folds=emobox",
            expected=f"one of {', '.join(built_in)}, where its folds keep speakers apart",
            fix=f"set corpus.folds=speaker_groups; or import its lists: {folder} "
            "corpus.speaker_dependent=true (marks every table)",
        )
    raise Fault(
        WHERE,
        f"there are no folds of EmoBox for {corpus.name} here",
        got="corpus.folds=emobox",
        expected=f"one of {', '.join(built_in)}",
        fix=f"set another scheme, or import its lists: {folder}",
    )


def _luna_jimenez(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    if corpus.name != "ravdess":
        raise Fault(
            WHERE,
            f"there are no folds of Luna-Jiménez for {corpus.name}",
            got="corpus.folds=luna_jimenez",
            expected="ravdess",
            fix="set another scheme",
        )
    tested, validating = zip(*published.LUNA_JIMENEZ, strict=True)
    valid = [fold.test for fold in _apart(corpus, validating)]
    return tuple(
        Outer(name=fold.name, test=fold.test, rest=np.setdiff1d(fold.rest, given), valid=given)
        for fold, given in zip(_apart(corpus, tested), valid, strict=True)
    )


def _published(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    """The folds of the code of arXiv 2305.14402, which omits the official validation part of MSP-Podcast."""
    if corpus.name == "iemocap":
        return _apart(corpus, published.PUBLISHED_IEMOCAP)
    if corpus.name == "msp_improv":
        found = sessions(corpus)
        tested = published.PUBLISHED_MSP_IMPROV
        return _apart(corpus, [found.get(session, ()) for session in tested], tested)
    if corpus.name == "msp_podcast":
        pool = np.array([utterance.split not in ("valid", "test3") for utterance in corpus.utterances])
        return _apart(corpus, _filled(corpus, pool), pool=pool)
    raise Fault(
        WHERE,
        f"the code of arXiv 2305.14402 has no folds for {corpus.name}",
        got="corpus.folds=published",
        expected="one of iemocap, msp_improv, msp_podcast",
        fix="set another scheme",
    )


def _filled(corpus: Corpus, pool: NDArray[np.bool_]) -> list[tuple[str, ...]]:
    """Speakers sorted by name; a new group starts when one holds more than its share."""
    numbers = speaker_numbers(corpus)[pool]
    counts = np.bincount(numbers[numbers != NOBODY], minlength=len(corpus.speakers))
    share = int(counts.sum()) // published.PUBLISHED_MSP_PODCAST
    groups: list[list[str]] = [[]]
    held = 0
    for speaker, count in zip(corpus.speakers, counts.tolist(), strict=True):
        if not count:
            continue
        if held > share:
            groups.append([])
            held = 0
        groups[-1].append(speaker)
        held += count
    return [tuple(group) for group in groups]


def _random(corpus: Corpus, config: CorpusConfig) -> tuple[Outer, ...]:
    """Utterances dealt in turn, emotion by emotion, whoever speaks."""
    generator = np.random.default_rng(DEALING_SEED)
    order = [
        indices[place]
        for indices in by_emotion(corpus, range(len(corpus.utterances)))
        for place in generator.permutation(len(indices))
    ]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.arange(len(order)) % config.groups
    return tuple(
        Outer(
            name=f"random {number + 1}",
            test=np.flatnonzero(group == number),
            rest=np.flatnonzero(group != number),
        )
        for number in range(config.groups)
    )


def _apart(
    corpus: Corpus,
    groups: Sequence[tuple[str, ...]],
    titles: Sequence[str] = (),
    pool: NDArray[np.bool_] | None = None,
) -> tuple[Outer, ...]:
    """A fold for each group of speakers; speakers that the corpus lacks are ignored."""
    speakers, numbers = _enough_speakers(corpus), speaker_numbers(corpus)
    places = {speaker: place for place, speaker in enumerate(speakers)}
    known = numbers != NOBODY if pool is None else (numbers != NOBODY) & pool
    found: list[Outer] = []
    for group, title in zip(groups, titles or [name(group) for group in groups], strict=True):
        tested = np.isin(numbers, [places[speaker] for speaker in group if speaker in places])
        found.append(
            Outer(name=title, test=np.flatnonzero(tested & known), rest=np.flatnonzero(~tested & known))
        )
    return tuple(found)


def _enough_speakers(corpus: Corpus) -> tuple[str, ...]:
    speakers = corpus.speakers
    if len(speakers) < FEWEST:
        raise Fault(
            WHERE,
            f"{corpus.name} has too few speakers to keep them apart",
            got=f"{len(speakers)} ({name(speakers) or 'nobody'})",
            expected="at least 3, one to test, one to validate, one to train on",
            fix="add speakers; without, only corpus.folds=random corpus.speaker_dependent=true is possible, "
            "which marks every table",
        )
    return speakers


SCHEMES: dict[str, Callable[[Corpus, CorpusConfig], tuple[Outer, ...]]] = {
    "speaker": _by_speaker,
    "speaker_groups": _by_group,
    "speaker_text": _by_speaker_and_text,
    "session": _by_session,
    "official": _official,
    "emobox": _emobox,
    "luna_jimenez": _luna_jimenez,
    "published": _published,
    "random": _random,
}
