"""Toy corpora for the tests of folds: speakers in pairs, utterances that are never heard."""

from dataclasses import replace

from hypothesis import strategies as st

from raysernas.corpora.corpus import Corpus, Gender, Utterance

EMOTIONS = ("anger", "neutral", "sadness")


def corpus(
    speakers: int = 6, takes: int = 3, genders: tuple[Gender, ...] = ("female", "male"), name: str = "toy"
) -> Corpus:
    """Speakers 00, 01, ... of whom each two have a session of their own."""
    named = [f"{speaker:02d}" for speaker in range(speakers)]
    sessions = [f"session {speaker // 2}" for speaker in range(speakers)]
    return cast(named, sessions, takes, genders, name)


def cast(
    speakers: list[str],
    sessions: list[str],
    takes: int = 3,
    genders: tuple[Gender, ...] = ("female", "male"),
    name: str = "toy",
) -> Corpus:
    """Named speakers and the session of each."""
    utterances = tuple(
        Utterance(
            key=f"{speaker}-{emotion}-{take}",
            path="",
            emotion=emotion,
            speaker=speaker,
            gender=genders[place % len(genders)],
            session=session,
        )
        for place, (speaker, session) in enumerate(zip(speakers, sessions, strict=True))
        for emotion in EMOTIONS
        for take in range(takes)
    )
    return Corpus(name=name, emotions=EMOTIONS, utterances=utterances, fingerprint="")


def ravdess(takes: int = 2) -> Corpus:
    """Its 24 actors, odd ones male."""
    actors = [f"{actor:02d}" for actor in range(1, 25)]
    return cast(actors, [""] * 24, takes, ("male", "female"), "ravdess")


def iemocap(takes: int = 2) -> Corpus:
    """Its five sessions of a woman and a man."""
    return cast(
        [f"0{s}{letter}" for s in range(1, 6) for letter in "FM"],
        [str(s) for s in range(1, 6) for _ in "FM"],
        takes,
        ("female", "male"),
        "iemocap",
    )


def msp_improv(takes: int = 2) -> Corpus:
    """Its six sessions of a woman and a man."""
    return cast(
        [f"{letter}{s}" for s in range(1, 7) for letter in "FM"],
        [str(s) for s in range(1, 7) for _ in "FM"],
        takes,
        ("female", "male"),
        "msp_improv",
    )


def released(corpus: Corpus, parts: dict[str, list[str]]) -> Corpus:
    """The corpus with official parts, by speaker."""
    part_of = {speaker: part for part, speakers in parts.items() for speaker in speakers}
    rows = tuple(replace(each, split=part_of.get(each.speaker, "")) for each in corpus.utterances)
    return replace(corpus, utterances=rows)


def forgotten(corpus: Corpus, *speakers: str) -> Corpus:
    """The corpus with nobody knowing who talks where some speakers do."""
    rows = tuple(
        replace(each, speaker="") if each.speaker in speakers else each for each in corpus.utterances
    )
    return replace(corpus, utterances=rows)


def speakers(corpus: Corpus, *parts: tuple[int, ...]) -> set[str]:
    """Who is heard."""
    return {corpus.utterances[index].speaker for part in parts for index in part}


def keys(corpus: Corpus, part: tuple[int, ...]) -> set[str]:
    """Which utterances these are, wherever they stand."""
    return {corpus.utterances[index].key for index in part}


corpora = st.builds(
    corpus,
    st.integers(6, 10),
    st.integers(2, 4),
    st.lists(st.sampled_from(["female", "male", "unknown"]), min_size=1, max_size=4).map(tuple),
)
