"""IEMOCAP: ten actors in five sessions of two, improvising and reading scripts, English; perceived labels.

In: the folder of the release, `IEMOCAP_full_release`, or the one above it. Out: the 10,039 turns that
listeners labelled, with the majority of their votes. Labels come from the files in `dialog/EmoEvaluation`,
not from the folders in it, which hold the votes of single listeners. The speaker is the letter before the
number: in `Ses01F_impro01_M003` it is 01M. The letter after the session only says who wore the markers of the
motion capture, and half of the time the other actor speaks.
Source: Busso et al., IEMOCAP: interactive emotional dyadic motion capture database, Language Resources and
Evaluation 2008.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import (
    NO_AGREEMENT,
    OTHER,
    Expected,
    Gender,
    Label,
    PublishedAudio,
    Release,
    Remark,
    Utterance,
)

NAME = "iemocap"
SESSIONS = ("1", "2", "3", "4", "5")
LABELS = "dialog/EmoEvaluation"
CODES = {
    "ang": "anger",
    "hap": "happiness",
    "sad": "sadness",
    "neu": "neutral",
    "exc": "excitement",
    "fru": "frustration",
    "fea": "fear",
    "sur": "surprise",
    "dis": "disgust",
    "oth": OTHER,
    "xxx": NO_AGREEMENT,
}
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
MERGE = {"excitement": "happiness"}
TURN = re.compile(
    r"(?P<dialogue>Ses0(?P<session>[1-5])[FM]_(?P<kind>impro|script)\w+)_(?P<speaker>[FM])(?:XX)?\d+"
)
NUMBER = r"\d+(?:\.\d+)?"
LINE = re.compile(
    rf"\[\s*{NUMBER}\s*-\s*{NUMBER}\s*\]\s+(?P<turn>\S+)\s+(?P<code>\S+)\s+"
    rf"\[\s*{NUMBER}\s*,\s*{NUMBER}\s*,\s*{NUMBER}\s*\]"
)
SHAPE = "[start - end] turn emotion [valence, activation, dominance]"
NOTES = (
    "An emotion is the majority of the listeners' votes; turns without one are no_agreement.",
    "The speaker is the last letter of a turn's name; the letter after the session is that of the one who "
    "wore markers.",
    "Usual are four classes, with excitement counted as happiness.",
)
# Published: rows of the table in `expected`
BY_SESSION = {  # anger, happiness, excitement, neutral, sadness
    "1": (229, 135, 143, 384, 194),
    "2": (137, 117, 210, 362, 197),
    "3": (240, 135, 151, 320, 305),
    "4": (327, 65, 238, 258, 143),
    "5": (170, 143, 299, 384, 245),
}
# in the order of EMOTIONS
BY_SCENARIO = {"improvised": (289, 947, 1099, 608), "scripted": (814, 689, 609, 476)}
BY_SPEAKER = {
    "01F": 528,
    "01M": 557,
    "02F": 481,
    "02M": 542,
    "03F": 522,
    "03M": 629,
    "04F": 528,
    "04M": 503,
    "05F": 590,
    "05M": 651,
}
SOURCE = "EmoBox (github.com/emo-box/EmoBox), its list of IEMOCAP"
AUDIO = PublishedAudio(
    source=SOURCE, rates_hz=(16_000,), utterances=5_531, hours=6.989, shortest_s=0.58, longest_s=34.14
)


def read(root: Path, label: Label = "usual") -> Release:
    """All labelled turns of the sessions that are there.

    Raises:
        Fault: for a folder without sessions, a session without labels or audio, a file of labels that is no
            text, and intended labels.
    """
    tree.which_label(NAME, label, "perceived")
    release = _release(root)
    there = [number for number in SESSIONS if (release / f"Session{number}").is_dir()]
    utterances: list[Utterance] = []
    remarks: list[Remark] = []
    for number in there:
        session = release / f"Session{number}"
        wav = tree.need_folder(NAME, session, "sentences/wav")
        audio = tree.audio_files(wav, ".wav")
        files = {file.with_suffix(""): file for file in audio}
        lines = [line for file in _label_files(session) for line in _label_lines(root, file, number)]
        found = [_turn(files, wav, *line) for line in lines]
        remarks += (each for each in found if isinstance(each, Remark))
        broken = [line[-1] for line, each in zip(lines, found, strict=True) if isinstance(each, Remark)]
        labelled = [each for each in found if isinstance(each, Utterance)]
        remarks += _unlabelled(root, audio, labelled, broken)
        utterances += labelled
    if not utterances:
        raise tree.unlike(
            NAME,
            root,
            got=f"{len(there)} sessions without a label",
            expected=f"label lines in {LABELS}/*.txt",
        )
    missing = [
        f"Session{number} is not there: its turns and speakers are missing."
        for number in SESSIONS
        if number not in there
    ]
    return Release(
        name=NAME,
        utterances=tuple(utterances),
        emotions=EMOTIONS,
        merge=MERGE,
        folds="session",
        remarks=tuple(remarks),
        notes=(*NOTES, *missing),
        expected=expected(),
        audio=AUDIO,
    )


def expected() -> tuple[Expected, ...]:
    """The published numbers of turns, most of them of the usual four classes."""
    apart = ("anger", "happiness", "excitement", "neutral", "sadness")
    by_session = {
        (number, emotion): n
        for number, row in BY_SESSION.items()
        for emotion, n in zip(apart, row, strict=True)
    }
    merged: dict[tuple[str, ...], int] = {}
    for (number, emotion), count in by_session.items():
        cell = number, MERGE.get(emotion, emotion)
        merged[cell] = merged.get(cell, 0) + count
    by_emotion = {
        (emotion,): sum(n for (_, other), n in merged.items() if other == emotion) for emotion in EMOTIONS
    }
    by_scenario = {
        (kind, emotion): n
        for kind, row in BY_SCENARIO.items()
        for emotion, n in zip(EMOTIONS, row, strict=True)
    }
    four = "5,531 turns of four classes, excitement counted as happiness"
    return (
        _four(four, f"{SOURCE}; SpeechBrain asserts the sum", ("emotion",), by_emotion),
        _four(f"{four}, by session", SOURCE, ("session", "emotion"), merged),
        Expected(
            title="happiness and excitement apart, by session",
            source=SOURCE,
            by=("session", "emotion"),
            counts=by_session,
            emotions=apart,
        ),
        _four(
            f"{four}, by speaker",
            SOURCE,
            ("speaker",),
            {(speaker,): count for speaker, count in BY_SPEAKER.items()},
        ),
        _four(f"{four}, by scenario", SOURCE, ("scenario", "emotion"), by_scenario),
        Expected(
            title="all labelled turns", source="EMO-SUPERB, its table of IEMOCAP", by=(), counts={(): 10_039}
        ),
    )


def _four(title: str, source: str, by: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> Expected:
    return Expected(title=title, source=source, by=by, counts=counts, emotions=EMOTIONS, merge=MERGE)


def _release(root: Path) -> Path:
    """The folder that holds the sessions: `root`, or the release in it."""
    for folder in (root, root / "IEMOCAP_full_release", root / "IEMOCAP"):
        if any((folder / f"Session{number}").is_dir() for number in SESSIONS):
            return folder
    return tree.need_folder(NAME, root, "Session1", "IEMOCAP_full_release/Session1").parent


def _label_files(session: Path) -> list[Path]:
    """The dialogues of a session; `._*.txt` are leftovers of macOS."""
    folder = tree.need_folder(NAME, session, LABELS)
    texts = [file for file in folder.iterdir() if file.suffix.lower() == ".txt" and file.is_file()]
    return sorted(file for file in texts if not file.name.startswith("."))


def _label_lines(root: Path, file: Path, number: str) -> Iterator[tuple[Path, str, str, str]]:
    """File, session, place and text of every label. Lines with the votes of listeners begin with a letter."""
    for count, line in enumerate(tree.text(file, expected="a text of labels").splitlines(), start=1):
        if line.startswith("["):
            yield file, number, f"{tree.relative(file, root)}, line {count}", line.strip()


def _turn(
    files: Mapping[Path, Path], wav: Path, file: Path, number: str, place: str, line: str
) -> Utterance | Remark:
    fit = LINE.fullmatch(line)
    if not fit:
        fix = f"copy the file from the release again; a label is {SHAPE}"
        return Remark("bad", place, f"is no label: {line[:80]!r}", fix)
    code, key = fit["code"], fit["turn"]
    turn = TURN.fullmatch(key)
    if not turn:
        fix = "correct the name; it is like Ses01F_impro01_M003"
        return Remark("bad", place, f"names no turn of IEMOCAP: {key!r}", fix)
    if turn["dialogue"] != file.stem or turn["session"] != number:
        fix = "take the file away if it is a copy, or correct the name"
        return Remark("bad", place, f"names a turn of another dialogue: {key}", fix)
    if code not in CODES:
        what = f"has an emotion that IEMOCAP does not have: {code!r}"
        return Remark("bad", place, what, f"correct it; known are {' '.join(CODES)}")
    gender: Gender = "female" if turn["speaker"] == "F" else "male"
    sound = wav / turn["dialogue"] / key
    return Utterance(
        key=key,
        path=str(files.get(sound, sound.with_suffix(".wav"))),
        emotion=CODES[code],
        raw_label=code,
        speaker=f"0{number}{turn['speaker']}",
        gender=gender,
        session=number,
        scenario="improvised" if turn["kind"] == "impro" else "scripted",
    )


def _unlabelled(
    root: Path, files: Iterable[Path], labelled: list[Utterance], broken: list[str]
) -> Iterator[Remark]:
    """A remark on each recording that no line names, not even a broken one."""
    known = {utterance.path for utterance in labelled}
    named = {turn[0] for line in broken for turn in TURN.finditer(line)}
    for file in files:
        if str(file) not in known and file.stem not in named:
            fix = f"copy {LABELS}/{file.parent.name}.txt from the release again, or take the file away"
            yield Remark("bad", tree.relative(file, root), "has no label", fix)
