"""TESS: two women, 200 words in seven emotions each, 2,800 files, English.

In: the folder of the release, or one above it. Out: utterances whose labels come from the names of the files,
`OAF_back_angry.wav` = speaker, word, emotion; `ps` is a pleasant surprise. The names of folders differ
between copies and do not count. A common copy holds every file twice, in `TESS Toronto emotional speech set
data` and in a folder of that name in it: the second is left out.
Source: Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), Borealis 2020.
"""

import re
from dataclasses import replace
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import Label, PublishedAudio, Release, Remark, Utterance, expected_by
from raysernas.corpora.readers import file_names

NAME = "tess"
EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "ps": "surprise",
}
SPEAKERS = ("OAF", "YAF")  # the older and the younger one
MISSPELT = {"OA_bite_neutral": "OAF_bite_neutral"}
FILE = re.compile(rf"(?P<speaker>{'|'.join(SPEAKERS)})_(?P<word>[^_]+)_(?P<code>{'|'.join(EMOTIONS)})")
SHAPE = f"speaker ({' '.join(SPEAKERS)}), word, emotion ({' '.join(EMOTIONS)}), as in OAF_back_angry.wav"
NOTES = (
    "The emotion is the one that was acted.",
    "Pleasant surprise (ps) is read as surprise.",
    "There are only two speakers: if one is held out, the other is all that is left for training.",
)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of TESS"
EXPECTED = (
    expected_by("emotion", "emotions", SOURCE, dict.fromkeys(EMOTIONS.values(), 400)),
    expected_by("speaker", "speakers", SOURCE, dict.fromkeys(SPEAKERS, 1400)),
)
AUDIO = PublishedAudio(
    source=SOURCE, rates_hz=(24_414, 96_000), utterances=2_800, hours=1.5984, shortest_s=1.25, longest_s=2.98
)


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings below `root`, every file once.

    Raises:
        Fault: for a folder without a file of TESS, and perceived labels.
    """
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
        key=_key,
    )
    paths = [Path(utterance.path) for utterance in release.utterances]
    misspelt = [_misspelt(path, root) for path in paths if path.stem in MISSPELT]
    return replace(release, remarks=(*release.remarks, *misspelt))


def _key(file: Path) -> str:
    return MISSPELT.get(file.stem, file.stem)


def _utterance(file: Path) -> Utterance | None:
    key = _key(file)
    fit = FILE.fullmatch(key)
    if not fit:
        return None
    code, speaker = fit["code"], fit["speaker"]
    return Utterance(
        key=key,
        path=str(file),
        emotion=EMOTIONS[code],
        raw_label=code,
        speaker=speaker,
        gender="female",
        text=fit["word"],
    )


def _misspelt(file: Path, root: Path) -> Remark:
    what = f"is misspelt in the release; it is read as {_key(file)}"
    return Remark("warning", tree.relative(file, root), what, "nothing, or listen to it")
