"""What a corpus is, whoever recorded it: utterances with a talker and an emotion."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from raysernas.config import Fault

Gender = Literal["female", "male", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One labelled stretch of speech; `speaker` is always the talker, `end_s` 0 means the end of the file."""

    key: str  # unique in its corpus, the same wherever the corpus lies
    path: str  # of the audio file; for synthetic speech, what to synthesise
    emotion: str
    speaker: str
    gender: Gender = "unknown"
    session: str = ""
    start_s: float = 0.0
    end_s: float = 0.0
    split: str = ""  # the official part, where a corpus has one


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Utterances in a fixed order (by key), the list of classes, and a hash of the whole content (audio and labels)."""

    name: str
    emotions: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    fingerprint: str

    @property
    def speakers(self) -> tuple[str, ...]:
        """All talkers, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))

    def counts(self) -> dict[str, int]:
        """Utterances of each emotion, in the order of `emotions`."""
        found = Counter(utterance.emotion for utterance in self.utterances)
        return {emotion: found[emotion] for emotion in self.emotions}


def keep_emotions(corpus: Corpus, emotions: tuple[str, ...]) -> Corpus:
    """The corpus reduced to some of its classes, in the order given; all of them if none is named.

    Raises:
        Fault: for a class that the corpus does not have.
    """
    if not emotions:
        return corpus
    if unknown := [emotion for emotion in emotions if emotion not in corpus.emotions]:
        raise Fault(
            "corpus", f"corpus.emotions names {unknown[0]!r}", got=list(emotions), expected=f"some of {list(corpus.emotions)}",
            do="set corpus.emotions",
        )  # fmt: skip
    kept = tuple(utterance for utterance in corpus.utterances if utterance.emotion in emotions)
    return replace(corpus, emotions=emotions, utterances=kept)
