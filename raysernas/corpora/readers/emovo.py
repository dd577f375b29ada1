"""EMOVO: three women and three men, 14 sentences in seven emotions, Italian.

In: the folder of the release. Out: utterances whose labels come from the names of the files,
`f1/dis-f1-b1.wav` = emotion, actor, sentence. The codes abbreviate Italian words: rab is rabbia, anger, and
pau is paura, fear.
Source: Costantini et al., EMOVO corpus: an Italian emotional speech database, LREC 2014.
"""

import re
from pathlib import Path

from raysernas.corpora.corpus import Gender, Label, PublishedAudio, Release, Utterance, expected_by
from raysernas.corpora.readers import file_names

NAME = "emovo"
EMOTIONS = {
    "rab": "anger",  # rabbia
    "dis": "disgust",  # disgusto
    "pau": "fear",  # paura
    "gio": "happiness",  # gioia
    "neu": "neutral",  # neutrale
    "tri": "sadness",  # tristezza
    "sor": "surprise",  # sorpresa
}
SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")
FILE = re.compile(rf"(?P<code>{'|'.join(EMOTIONS)})-(?P<speaker>[fm][123])-(?P<sentence>[a-z]\d)")
SHAPE = f"emotion ({' '.join(EMOTIONS)}), actor, sentence, as in f1/dis-f1-b1.wav"
NOTES = ("The emotion is the one that was acted.",)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of EMOVO"
EXPECTED = (
    expected_by("emotion", "emotions", SOURCE, dict.fromkeys(EMOTIONS.values(), 84)),
    expected_by("speaker", "actors", SOURCE, dict.fromkeys(SPEAKERS, 98)),
)
AUDIO = PublishedAudio(
    source=SOURCE, rates_hz=(48_000,), utterances=588, hours=0.5098, shortest_s=1.29, longest_s=13.99
)


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings below `root`.

    Raises:
        Fault: for a folder without a file of EMOVO, and perceived labels.
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
    fit = FILE.fullmatch(file.stem)
    if not fit:
        return None
    code, speaker = fit["code"], fit["speaker"]
    gender: Gender = "female" if speaker.startswith("f") else "male"
    return Utterance(
        key=file.stem,
        path=str(file),
        emotion=EMOTIONS[code],
        raw_label=code,
        speaker=speaker,
        gender=gender,
        text=fit["sentence"],
    )
