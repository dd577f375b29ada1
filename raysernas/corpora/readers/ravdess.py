"""RAVDESS, the speech without video: 24 actors, two sentences, eight emotions, 1,440 files, English.

In: the folder that holds `Actor_01` to `Actor_24`, or one above it. Out: utterances whose labels come from
the names of the files, `03-01-06-01-02-01-12.wav` = audio only, speech, emotion, intensity, statement,
repetition, actor. Song and video are left out. A common copy holds every file twice, in `Actor_01` and in
`audio_speech_actors_01-24/Actor_01`: the second is left out.
Source: Livingstone and Russo, The Ryerson audio-visual database of emotional speech and song, PLoS ONE 2018.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import Gender, Label, PublishedAudio, Release, Remark, Utterance, expected_by
from raysernas.corpora.readers import file_names

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
    r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<code>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])"
    rf"-(?P<actor>{'|'.join(SPEAKERS)})"
)
SPEECH = "03-01-"  # audio only, speech
SHAPE = (
    "modality, channel, emotion, intensity, statement, repetition, actor, as in "
    "Actor_12/03-01-06-01-02-01-12.wav"
)
NOTES = (
    "The emotion is the one that was acted.",
    "Only speech without pictures is read (names that begin with 03-01).",
)
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of RAVDESS"
EXPECTED = (
    expected_by("emotion", "emotions", SOURCE, dict.fromkeys(EMOTIONS.values(), 192) | {"neutral": 96}),
    expected_by("speaker", "actors", SOURCE, dict.fromkeys(SPEAKERS, 60)),
)
AUDIO = PublishedAudio(
    source=SOURCE, rates_hz=(48_000,), utterances=1_440, hours=1.4803, shortest_s=2.94, longest_s=5.27
)


def read(root: Path, label: Label = "usual") -> Release:
    """All speech below `root`, every file once.

    Raises:
        Fault: for a folder without speech of RAVDESS, and perceived labels.
    """
    files = tree.audio_files(root, ".wav", ".mp4") if root.is_dir() else []
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
        files=files,
        other=_is_other,
        key=lambda file: file.stem,
    )
    return replace(release, remarks=(*release.remarks, *_left_out(files, root)))


def _is_other(file: Path) -> bool:
    """Song or video."""
    sound, named = file.suffix.lower() == ".wav", FILE.fullmatch(file.stem)
    return not sound or (named is not None and not file.stem.startswith(SPEECH))


def _utterance(file: Path) -> Utterance | None:
    fit = FILE.fullmatch(file.stem)
    if not fit or _is_other(file):
        return None
    code, actor = fit["code"], fit["actor"]
    gender: Gender = "male" if int(actor) % 2 else "female"
    return Utterance(
        key=file.stem,
        path=str(file),
        emotion=EMOTIONS[code],
        raw_label=code,
        speaker=actor,
        gender=gender,
        text=fit["statement"],
    )


def _left_out(files: Sequence[Path], root: Path) -> list[Remark]:
    named = [file for file in files if FILE.fullmatch(file.stem) and _is_other(file)]
    if not named:
        return []
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    what = f"is song or video; only speech without pictures is read: {len(named)} left out"
    return [Remark("left out", tree.relative(named[0], root) + more, what, "nothing; it is another task")]
