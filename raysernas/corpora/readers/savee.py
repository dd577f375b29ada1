"""SAVEE: four men, seven emotions, 480 sentences, English.

In: the folder of the release, which has `AudioData/DC/a01.wav`, or a flat copy with `DC_a01.wav`. Out:
utterances whose labels come from the names of files and folders: the speaker, then the emotion in one or two
letters and the number of the sentence. Sentences 01 to 03 are the same for all emotions. Sentences 04 and 05
of an emotion are spoken again as neutral 04 to 15; names do not tell which is which, so all of them count as
one text.
Source: Haq and Jackson, Multimodal emotion recognition, in: Machine Audition, 2010.
"""

import re
from pathlib import Path

from raysernas.corpora.corpus import Label, PublishedAudio, Release, Utterance, expected_by
from raysernas.corpora.readers import file_names

NAME = "savee"
EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
COMMON, TWICE, TWICE_NEUTRAL = 3, 5, 15  # the last sentence of each kind, see above
SPEAKERS = ("DC", "JE", "JK", "KL")
FILE = re.compile(rf"(?P<speaker>{'|'.join(SPEAKERS)})_(?P<code>sa|su|[adfhn])(?P<sentence>\d\d)")
SHAPE = (
    f"AudioData/SPEAKER/CODE01.wav or SPEAKER_CODE01.wav, with speakers {' '.join(SPEAKERS)} and codes "
    f"{' '.join(EMOTIONS)}"
)
NOTES = ("The emotion is the one that was acted.",)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of SAVEE"
EXPECTED = (
    expected_by("emotion", "emotions", SOURCE, dict.fromkeys(EMOTIONS.values(), 60) | {"neutral": 120}),
    expected_by("speaker", "speakers", SOURCE, dict.fromkeys(SPEAKERS, 120)),
)
AUDIO = PublishedAudio(
    source=SOURCE, rates_hz=(44_100,), utterances=480, hours=0.5119, shortest_s=1.63, longest_s=7.14
)


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings below `root`, in either layout.

    Raises:
        Fault: for a folder without a file of SAVEE, and perceived labels.
    """
    return file_names.read(
        NAME,
        root,
        label,
        _utterance,
        shape=SHAPE,
        emotions=EMOTIONS.values(),
        notes=NOTES,
        expected=EXPECTED,
        audio=AUDIO,
    )


def _utterance(file: Path) -> Utterance | None:
    key = file.stem if "_" in file.stem else f"{file.parent.name}_{file.stem}"
    fit = FILE.fullmatch(key)
    if not fit:
        return None
    code = fit["code"]
    return Utterance(
        key=key,
        path=str(file),
        emotion=EMOTIONS[code],
        raw_label=code,
        speaker=fit["speaker"],
        gender="male",
        text=_text(code, int(fit["sentence"])),
    )


def _text(code: str, sentence: int) -> str:
    if sentence <= COMMON:
        return f"{sentence:02d}"
    return "twice" if sentence <= (TWICE_NEUTRAL if code == "n" else TWICE) else f"{code}{sentence:02d}"
