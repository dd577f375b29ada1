"""The Berlin database of emotional speech (EmoDB): 535 files, ten actors, seven emotions, German.

In: its folder, or the folder `wav` in it. Out: utterances whose labels come from the names of the files,
`03a01Fa.wav` = speaker 03, text a01, emotion F, version a. The letters abbreviate German words: A is Angst,
fear, and W is Wut, anger.
Source: Burkhardt et al., A database of German emotional speech, Interspeech 2005.
"""

import re
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.corpora import tree
from raysernas.corpora.corpus import Gender, Label, PublishedAudio, Release, Utterance, expected_by
from raysernas.corpora.readers import file_names

NAME = "emodb"
EMOTIONS = {
    "W": "anger",  # Wut
    "L": "boredom",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "fear",  # Angst
    "F": "happiness",  # Freude
    "N": "neutral",
    "T": "sadness",  # Trauer
}
FEMALE = ("08", "09", "13", "14", "16")
MALE = ("03", "10", "11", "12", "15")
FILE = re.compile(
    rf"(?P<speaker>{'|'.join(FEMALE + MALE)})(?P<text>[ab]\d\d)(?P<letter>[{''.join(EMOTIONS)}])[a-z]"
)
SHAPE = f"speaker, text, emotion ({''.join(sorted(EMOTIONS))}), version, as in 03a01Fa.wav"
FILES = 535
NOTES = (
    "The emotion is the one that was acted; the release keeps what at least 80 % of the listeners "
    "recognised.",
    "Read as the release of 535 files. The 281 others of version 2.0 have such names too; only the number of "
    "files shows that they are there.",
)
SOURCE = "counted in the 535 files of the release"
BY_EMOTION = {
    "anger": 127,
    "boredom": 81,
    "disgust": 46,
    "fear": 69,
    "happiness": 71,
    "neutral": 79,
    "sadness": 62,
}
BY_SPEAKER = {
    "03": 49,
    "08": 58,
    "09": 43,
    "10": 38,
    "11": 55,
    "12": 35,
    "13": 61,
    "14": 69,
    "15": 56,
    "16": 71,
}
EXPECTED = (
    expected_by("emotion", "emotions", SOURCE, BY_EMOTION),
    expected_by("speaker", "speakers", SOURCE, BY_SPEAKER),
)
AUDIO = PublishedAudio(
    source=SOURCE, rates_hz=(16_000,), utterances=535, hours=0.4131, shortest_s=1.23, longest_s=8.98
)


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings in `root`.

    Raises:
        Fault: for a folder without a file of EmoDB, more files than the release has, and perceived labels.
    """
    folder = root / "wav" if (root / "wav").is_dir() else root
    release = file_names.read(
        NAME,
        root,
        label,
        _utterance,
        shape=SHAPE,
        emotions=EMOTIONS.values(),
        notes=NOTES,
        expected=EXPECTED,
        audio=AUDIO,
        files=tree.audio_files(folder, ".wav") if folder.is_dir() else (),
        fix="take the file out of the folder, or read the folder as a manifest",
    )
    if (count := len({utterance.key for utterance in release.utterances})) > FILES:
        raise Fault(
            "corpus",
            f"{root} is not EmoDB as it was released",
            got=f"{count} files with names of EmoDB",
            expected=f"{FILES}; version 2.0 adds 281 that fewer listeners recognised, and results on it "
            "compare with no others",
            fix="take the files of version 2.0 out of the folder, or read it as a manifest",
        )
    return release


def _utterance(file: Path) -> Utterance | None:
    fit = FILE.fullmatch(file.stem)
    if not fit:
        return None
    speaker, letter = fit["speaker"], fit["letter"]
    gender: Gender = "female" if speaker in FEMALE else "male"
    return Utterance(
        key=file.stem,
        path=str(file),
        emotion=EMOTIONS[letter],
        raw_label=letter,
        speaker=speaker,
        gender=gender,
        text=fit["text"],
    )
