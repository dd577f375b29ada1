"""What every corpus is made of: utterances with a speaker and an emotion, and remarks on them.

A reader returns a `Release`: everything that is labelled. The catalogue turns it into the `Corpus` of a
study: only the chosen classes, without files that cannot be used.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from raysernas.corpora.channels import Channel

Gender = Literal["female", "male", "unknown"]
# a part of an official split; "" for none
OfficialPart = Literal["", "train", "valid", "test", "test2", "test3"]
RemarkKind = Literal["bad", "left out", "warning"]
Label = Literal["usual", "intended", "perceived"]
# labels of listeners that are classes only if a study names them
NO_AGREEMENT, OTHER = "no_agreement", "other"
UNKNOWN_SPEAKER = ""  # nobody knows who speaks; such utterances are on no side of speaker-disjoint folds


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One labelled stretch of speech; `speaker` is who speaks in it, `end_s` 0 means the end of the file."""

    key: str  # unique in its corpus, the same wherever the corpus lies
    path: str  # of the audio file; for synthetic speech, what to synthesise
    emotion: str  # an English noun
    speaker: str
    raw_label: str = ""  # as the release writes it
    gender: Gender = "unknown"
    session: str = ""
    scenario: str = ""  # how it was elicited, such as improvised
    text: str = ""  # which sentence is spoken, the same for all speakers and emotions; "" = not known
    start_s: float = 0.0
    end_s: float = 0.0
    # the official part, where a corpus has one
    split: OfficialPart = ""
    sample_rate_hz: int = 0  # of the file; known once it has been inspected
    channels: int = 0
    channel: Channel = "mean"  # the sound of the file that is used; known once it has been inspected


@dataclass(frozen=True, slots=True)
class Remark:
    """What the user should know about one file or row.

    bad: an utterance that cannot be used (`corpus.on_bad_file` decides what happens); left out: not used, for
    the reason in the text; warning: used, but worth a look.
    """

    kind: RemarkKind
    subject: str  # the file or row, relative to the root of the corpus
    what: str  # "is cut off: 100 bytes of sound, 400 in its header"
    fix: str  # "download it again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """Published numbers of utterances by some fields of `Utterance`, to compare a release with."""

    title: str  # "four classes by session, excitement counted as happiness"
    source: str
    by: tuple[str, ...]  # fields of Utterance: ("session", "emotion")
    counts: Mapping[tuple[str, ...], int]  # values of these fields -> utterances
    emotions: tuple[str, ...] = ()  # that are counted, after merging; empty = all
    merge: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False  # whether there may be utterances beyond those in `counts`


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedAudio:
    """The published sound of the usual classes: a copy that was cut or resampled has other numbers."""

    source: str
    rates_hz: tuple[int, ...]  # of the released files
    utterances: int = 0  # that the other numbers are of; 0 = they are not known
    hours: float = 0.0
    shortest_s: float = 0.0
    longest_s: float = 0.0


def expected_by(field: str, title: str, source: str, counts: Mapping[str, int]) -> Expected:
    """Published numbers by one field of `Utterance`."""
    by_value = {(value,): count for value, count in counts.items()}
    return Expected(title=title, source=source, by=(field,), counts=by_value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """Everything that a reader finds: all labelled utterances in any order, with or without their audio, and
    the usual choices.
    """

    name: str
    utterances: tuple[Utterance, ...]
    emotions: tuple[str, ...] = ()  # the usual classes; empty = all but no_agreement and other
    # usual with them: emotion -> the emotion that it counts as
    merge: Mapping[str, str] = field(default_factory=dict)
    folds: str = "speaker"  # the usual scheme
    remarks: tuple[Remark, ...] = ()  # on files and rows that gave no utterance
    notes: tuple[str, ...] = ()  # sentences on what the reader inferred or chose
    expected: tuple[Expected, ...] = ()
    audio: PublishedAudio | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """What a study learns from: utterances sorted by key, classes, and a hash of audio and labels."""

    name: str
    emotions: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    fingerprint: str
    merge: Mapping[str, str] = field(default_factory=dict)  # that has been applied
    folds: str = "speaker"  # the usual scheme
    skipped: tuple[Remark, ...] = ()  # bad files that the study goes without (corpus.on_bad_file=skip)
    unlike: tuple[str, ...] = ()  # a sentence on each published table that does not fit
    confounded: tuple[str, ...] = ()  # a sentence on each property that tells the emotion

    @property
    def speakers(self) -> tuple[str, ...]:
        """All known speakers, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances} - {UNKNOWN_SPEAKER}))

    def counts(self) -> dict[str, int]:
        """Utterances of each emotion, in the order of `emotions`."""
        found = Counter(utterance.emotion for utterance in self.utterances)
        return {emotion: found[emotion] for emotion in self.emotions}


def usual_emotions(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """All classes that name an emotion, sorted."""
    return tuple(sorted({utterance.emotion for utterance in utterances} - {NO_AGREEMENT, OTHER}))
