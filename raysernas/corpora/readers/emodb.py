"""The Berlin database of emotional speech (EmoDB) as it was released: 535 files, ten actors, seven emotions, German.

In: its folder, or the folder `wav` in it. Out: a corpus whose labels all come from the names of the files, `03a01Fa.wav` =
speaker 03, text a01, emotion F, version a. The letters abbreviate German words: A is Angst, fear, and W is Ärger, anger.
Source: Burkhardt et al., A database of German emotional speech, Interspeech 2005.
"""

import re
from pathlib import Path

from raysernas.config import Fault
from raysernas.corpora import fingerprint
from raysernas.corpora.corpus import Corpus, Gender, Utterance

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
NAME = re.compile(rf"(?P<speaker>{'|'.join(FEMALE + MALE)})[ab]\d\d(?P<letter>[{''.join(EMOTIONS)}])[a-z]")


def read(root: Path, memory: Path | None) -> Corpus:
    """All recordings under `root`; `memory` is the folder in which file hashes are remembered.

    Raises:
        Fault: for a folder that is missing or without recordings, and a file whose name is not one of EmoDB's.
    """
    folder = root / "wav" if (root / "wav").is_dir() else root
    if not folder.is_dir():
        raise Fault(
            "corpus", f"there is no folder {root}", got=str(root), expected="the folder of EmoDB, which has wav/ in it",
            do="set corpus.root=PATH/TO/emodb",
        )  # fmt: skip
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".wav" and not file.name.startswith("."))
    if not files:
        raise Fault(
            "corpus", f"{root} holds no recordings", got="0 files *.wav", expected="the 535 files of EmoDB in wav/",
            do="set corpus.root=PATH/TO/emodb",
        )  # fmt: skip
    return fingerprint.finished("emodb", sorted(EMOTIONS.values()), [_utterance(file) for file in files], memory)


def _utterance(file: Path) -> Utterance:
    fit = NAME.fullmatch(file.stem)
    if not fit:
        raise Fault(
            "corpus", f"{file.name} is not a name of EmoDB", got=str(file),
            expected=f"speaker, text, emotion ({''.join(sorted(EMOTIONS))}), version, as in 03a01Fa.wav",
            do="take the file out of the folder, or read the folder as a manifest",
        )  # fmt: skip
    speaker = fit["speaker"]
    gender: Gender = "female" if speaker in FEMALE else "male"
    return Utterance(key=file.stem, path=str(file), emotion=EMOTIONS[fit["letter"]], speaker=speaker, gender=gender)
