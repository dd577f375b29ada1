"""Whether something else than the voice tells the emotion: who speaks, or how a file was recorded.

In: the utterances of a study. Out: a sentence for each such property. A network that learns to know the
speaker or the microphone then looks as if it knew the emotion, and a fold by speaker lacks emotions.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from raysernas.corpora.corpus import Utterance

PROPERTIES = {  # field of Utterance -> how it is called
    "speaker": "who speaks",
    "gender": "the gender of the speaker",
    "session": "the session",
    "sample_rate_hz": "the sample rate of the file",
    "channels": "the number of channels of the file",
}
UNKNOWN = ("", "unknown", 0)
CONFOUNDED = 0.5  # share of the guessing errors that the property avoids


def of(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """A sentence on each property that tells the emotion of most utterances."""
    found: list[str] = []
    for name, words in PROPERTIES.items():
        rows = [(getattr(row, name), row.emotion) for row in utterances if getattr(row, name) not in UNKNOWN]
        told, guessed = foretold(rows)
        if guessed < 1 and (told - guessed) / (1 - guessed) >= CONFOUNDED:
            found.append(
                f"{words} tells the emotion of {100 * told:.0f} % of the utterances "
                f"(the most frequent emotion is that of {100 * guessed:.0f} %)"
            )
    return tuple(found)


def foretold(rows: Sequence[tuple[object, str]]) -> tuple[float, float]:
    """Share of the rows whose emotion is the most frequent one of the *other* rows with their value, and the
    share of the most frequent emotion.

    Its own row does not count, or a value that stands once would tell everything. Such a row, for which there
    are no others, counts as guessed. Ties share.
    """
    groups: dict[object, Counter[str]] = defaultdict(Counter)
    for value, emotion in rows:
        groups[value][emotion] += 1
    total = Counter(emotion for _, emotion in rows)
    guessed = max(total.values(), default=0) / max(len(rows), 1)
    hits = 0.0
    for counts in groups.values():
        for emotion, count in counts.items():
            best = max((other for name, other in counts.items() if name != emotion), default=0)
            ties = sum(other == best for name, other in counts.items() if name != emotion)
            if not best and count == 1:
                hits += guessed
            elif count - 1 > best:
                hits += count
            elif count - 1 == best:
                hits += count / (1 + ties)
    return hits / max(len(rows), 1), guessed
