"""TESS: two women, 200 words in seven emotions each, 2,800 files, English.

In: the folder of the release, or one above it. Out: utterances whose labels come from the names of the files,
`OAF_back_angry.wav` = speaker, word, emotion; `ps` is a pleasant surprise. Folders are spelled differently
from copy to copy and tell nothing. A copy that many use holds every file twice, in `TESS Toronto emotional
speech set data` and in a folder of that name in it: the second is left out.
Source: Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), Borealis 2020.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import Expected, Label, Release, Remark, Utterance

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
    "There are two speakers only: with one of them held out, the other is all that is learned from.",
)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of TESS"


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings below `root`, every file once.

    Raises:
        Fault: for a folder without a file of TESS, and perceived labels.
    """
    tree.which_label(NAME, label, "intended")
    tree.need_folder(NAME, root)
    files = tree.audio_files(root, ".wav")
    named = [file for file in files if FILE.fullmatch(_key(file))]
    if not named:
        names = ", ".join(tree.relative(file, root) for file in files[:3])
        raise tree.unlike(NAME, root, got=f"{len(files)} files *.wav {names}".strip(), expected=SHAPE)
    kept, copies = tree.once(named, root, _key)
    expected = (
        Expected(
            title="emotions",
            source=SOURCE,
            by=("emotion",),
            counts={(name,): 400 for name in EMOTIONS.values()},
        ),
        Expected(
            title="speakers", source=SOURCE, by=("speaker",), counts={(name,): 1400 for name in SPEAKERS}
        ),
    )
    remarks = (*_unnamed(files, root), *copies, *_misspelt(kept, root))
    emotions, utterances = tuple(sorted(EMOTIONS.values())), tuple(_utterance(file) for file in kept)
    return Release(
        name=NAME, utterances=utterances, emotions=emotions, remarks=remarks, notes=NOTES, expected=expected
    )


def _key(file: Path) -> str:
    return MISSPELT.get(file.stem, file.stem)


def _utterance(file: Path) -> Utterance:
    speaker, _, code = _key(file).split("_")
    return Utterance(
        key=_key(file),
        path=str(file),
        emotion=EMOTIONS[code],
        raw_label=code,
        speaker=speaker,
        gender="female",
    )


def _misspelt(files: Sequence[Path], root: Path) -> list[Remark]:
    return [
        Remark(
            kind="doubtful",
            subject=tree.relative(file, root),
            what=f"is misspelt in the release; it is read as {_key(file)}",
            fix="nothing, or listen to it",
        )
        for file in files
        if file.stem in MISSPELT
    ]


def _unnamed(files: Sequence[Path], root: Path) -> list[Remark]:
    return [
        Remark(
            kind="bad",
            subject=tree.relative(file, root),
            what=f"is not a name of TESS: {SHAPE}",
            fix="mend the name, or take the file out of the folder",
        )
        for file in files
        if not FILE.fullmatch(_key(file))
    ]
