"""SAVEE: four men, seven emotions, 480 sentences, English.

In: the folder of the release, which has `AudioData/DC/a01.wav`, or a flat copy with `DC_a01.wav`. Out:
utterances whose labels come from the names of files and folders: the speaker, then the emotion in one or two
letters and the number of the sentence.
Source: Haq and Jackson, Multimodal emotion recognition, in: Machine Audition, 2010.
"""

import re
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import Expected, Label, Release, Utterance

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
SPEAKERS = ("DC", "JE", "JK", "KL")
FILE = re.compile(rf"(?P<speaker>{'|'.join(SPEAKERS)})_(?P<code>sa|su|[adfhn])(?P<sentence>\d\d)")
SHAPE = (
    f"AudioData/SPEAKER/CODE01.wav or SPEAKER_CODE01.wav, with speakers {' '.join(SPEAKERS)} and codes "
    f"{' '.join(EMOTIONS)}"
)
NOTES = ("The emotion is the one that was acted.",)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of SAVEE"


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings below `root`, in either layout.

    Raises:
        Fault: for a folder without a file of SAVEE, and perceived labels.
    """
    tree.which_label(NAME, label, "intended")
    tree.need_folder(NAME, root)
    files = tree.audio_files(root, ".wav")
    utterances, remarks = tree.named(
        NAME, root, files, _utterance, shape=SHAPE, fix="mend the name, or take the file out of the folder"
    )
    by_emotion = {(emotion,): 120 if emotion == "neutral" else 60 for emotion in EMOTIONS.values()}
    expected = (
        Expected(title="emotions", source=SOURCE, by=("emotion",), counts=by_emotion),
        Expected(
            title="speakers", source=SOURCE, by=("speaker",), counts={(speaker,): 120 for speaker in SPEAKERS}
        ),
    )
    emotions = tuple(sorted(EMOTIONS.values()))
    return Release(
        name=NAME, utterances=utterances, emotions=emotions, remarks=remarks, notes=NOTES, expected=expected
    )


def _utterance(file: Path) -> Utterance | None:
    key = file.stem if "_" in file.stem else f"{file.parent.name}_{file.stem}"
    fit = FILE.fullmatch(key)
    if not fit:
        return None
    code = fit["code"]
    return Utterance(
        key=key, path=str(file), emotion=EMOTIONS[code], raw_label=code, speaker=fit["speaker"], gender="male"
    )
