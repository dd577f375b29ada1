"""RAVDESS, its speech without pictures: 24 actors, two sentences, eight emotions, 1,440 files, English.

In: the folder that holds `Actor_01` to `Actor_24`, or one above it. Out: utterances whose labels come from
the names of the files, `03-01-06-01-02-01-12.wav` = audio only, speech, emotion, intensity, statement,
repetition, actor. Song and video are left out. A copy that many use holds every file twice, in `Actor_01` and
in `audio_speech_actors_01-24/Actor_01`: the second is left out.
Source: Livingstone and Russo, The Ryerson audio-visual database of emotional speech and song, PLoS ONE 2018.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import Expected, Gender, Label, Release, Remark, Utterance

NAME = "ravdess"
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
SPEAKERS = tuple(f"{number:02d}" for number in range(1, 25))
FILE = re.compile(
    r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<code>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-(?P<repetition>0[12])"
    rf"-(?P<actor>{'|'.join(SPEAKERS)})"
)
SHAPE = (
    "modality, channel, emotion, intensity, statement, repetition, actor, as in "
    "Actor_12/03-01-06-01-02-01-12.wav"
)
NOTES = (
    "The emotion is the one that was acted.",
    "Only speech without pictures is read (names that begin with 03-01).",
)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of RAVDESS"


def read(root: Path, label: Label = "usual") -> Release:
    """All speech below `root`, every file once.

    Raises:
        Fault: for a folder without speech of RAVDESS, and perceived labels.
    """
    tree.which_label(NAME, label, "intended")
    tree.need_folder(NAME, root)
    files = tree.audio_files(root, ".wav", ".mp4")
    speech = [file for file in files if _is_speech(file)]
    if not speech:
        names = ", ".join(tree.relative(file, root) for file in files[:3])
        raise tree.unlike(
            NAME, root, got=f"{len(files)} files *.wav or *.mp4 {names}".strip(), expected=f"speech: {SHAPE}"
        )
    kept, copies = tree.once(speech, root)
    other = [file for file in files if FILE.fullmatch(file.stem) and not _is_speech(file)]
    by_emotion = {(emotion,): 96 if emotion == "neutral" else 192 for emotion in EMOTIONS.values()}
    expected = (
        Expected(title="emotions", source=SOURCE, by=("emotion",), counts=by_emotion),
        Expected(
            title="actors", source=SOURCE, by=("speaker",), counts={(speaker,): 60 for speaker in SPEAKERS}
        ),
    )
    return Release(
        name=NAME,
        utterances=tuple(_utterance(file) for file in kept),
        emotions=tuple(sorted(EMOTIONS.values())),
        remarks=(*_unnamed(files, root), *copies, *_no_speech(other, root)),
        notes=NOTES,
        expected=expected,
    )


def _is_speech(file: Path) -> bool:
    fit = FILE.fullmatch(file.stem)
    return (
        file.suffix.lower() == ".wav"
        and fit is not None
        and (fit["modality"], fit["channel"]) == ("03", "01")
    )


def _utterance(file: Path) -> Utterance:
    _, _, code, _, _, _, actor = file.stem.split("-")
    gender: Gender = "male" if int(actor) % 2 else "female"
    return Utterance(
        key=file.stem, path=str(file), emotion=EMOTIONS[code], raw_label=code, speaker=actor, gender=gender
    )


def _no_speech(files: Sequence[Path], root: Path) -> list[Remark]:
    if not files:
        return []
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    what = f"is song or video; only speech without pictures is read: {len(files)} left out"
    return [
        Remark(
            kind="left out",
            subject=tree.relative(files[0], root) + more,
            what=what,
            fix="nothing; it is another task",
        )
    ]


def _unnamed(files: Sequence[Path], root: Path) -> list[Remark]:
    return [
        Remark(
            kind="bad",
            subject=tree.relative(file, root),
            what=f"is not a name of RAVDESS: {SHAPE}",
            fix="mend the name, or take the file out of the folder",
        )
        for file in files
        if file.suffix.lower() == ".wav" and not FILE.fullmatch(file.stem)
    ]
