"""How loud the speakers of a corpus were recorded, and whether they differ too much for features as they are.

In: utterances that can be used, and what their files hold. Out: a level for each speaker, and a sentence.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Utterance
from raysernas.corpora.inspection import Sound

# dB from the softest to the loudest speaker: 2 in EmoDB, recorded at one gain, and 22 in EMOVO, which was not
WIDE_DB = 8.0
REMEDY = (
    "let validation speakers choose between features.level=as_is and utterance, and between "
    "features.normalisation=train and utterance, as the study of `corpora study` does"
)


def of(rows: Sequence[Utterance], sounds: Mapping[str, Sound]) -> dict[str, float]:
    """Each known speaker's median level in dBFS; a file of several speakers does not count."""
    speakers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        speakers[row.path].add(row.speaker)
    found: dict[str, list[float]] = defaultdict(list)
    for path, (speaker, *others) in speakers.items():
        level_db = sounds[path].loud_db
        if level_db is not None and not others and speaker != UNKNOWN_SPEAKER:
            found[speaker].append(level_db)
    return {speaker: round(median(levels), 1) for speaker, levels in sorted(found.items())}


def wide(levels_db: Mapping[str, float]) -> bool:
    """Whether the speakers differ by more than `WIDE_DB`."""
    return bool(levels_db) and max(levels_db.values()) - min(levels_db.values()) > WIDE_DB


def sentence(levels_db: Mapping[str, float]) -> str:
    """What to know about these levels, and what to do; "" if they are alike."""
    if not wide(levels_db):
        return ""
    softest, loudest = min(levels_db, key=levels_db.__getitem__), max(levels_db, key=levels_db.__getitem__)
    low, high = levels_db[softest], levels_db[loudest]
    return (
        f"the speakers differ by {high - low:.0f} dB in level ({softest}: {low:.0f} dBFS, {loudest}: "
        f"{high:.0f} dBFS): {REMEDY}"
    )
