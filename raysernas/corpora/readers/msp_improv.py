"""MSP-IMPROV: twelve actors in six sessions of two, acting, reading and talking between takes, English.

In: the folder of the release, or the one above it. Out: all 8,438 turns, with the majority of the listeners'
votes or, with `intended` labels, the emotion of the scene. The votes are in `Evalution.txt` (spelled like
this), under the names of the videos: `UTD-IMPROV-S01A-F01-P-FM01.avi`. The sound is in
`MSP-IMPROV-S01A-F01-P-FM01.wav`, in any folder. S01 is the sentence, A the intended emotion, F01 the target
actor of the scene and the session, P the elicitation, FM speaker and listener. The speaker is not always the
target actor.
Source: Busso et al., MSP-IMPROV: an acted corpus of dyadic interactions to study emotion perception, IEEE
Transactions on Affective Computing 2017.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
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
    expected_by,
)

NAME = "msp_improv"
FILES = ("Evalution.txt", "Evaluation.txt")
LETTERS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness", "O": OTHER, "X": NO_AGREEMENT}
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
SCENARIOS = {"P": "natural", "R": "target_read", "S": "other_improvised", "T": "target_improvised"}
TARGET_SPEAKS = ("R", "T")  # by design
TURN = re.compile(
    r"(?P<sentence>S\d\d)(?P<intended>[AHNS])-(?P<target>[FM])0(?P<session>[1-6])"
    r"-(?P<kind>[PRST])-(?P<speaker>[FM])[FM]\d+"
)
VALUE = r"(?:-?\d+(?:\.\d+)?|[Nn][Aa][Nn])"
LINE = re.compile(rf"UTD-IMPROV-(?P<turn>\S+?)\.avi\s*;\s*(?P<letter>\w+)\s*(?:;\s*[AVDN]:\s*{VALUE}\s*)+;?")
SHAPE = "UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.86; V:3.29; D:2.86 ; N:3.43;"
SPEAKER_NOTE = (
    "The speaker is the first letter of the last field of a name, with the number of the session; this was "
    "inferred from the counts of files (where the target actor speaks by design, this letter is the "
    "target's) and not compared with the release's README."
)
PERCEIVED_NOTE = "An emotion is the majority of the listeners' votes; turns without one are no_agreement."
INTENDED_NOTE = (
    "An emotion is that of the scene, from the letter in the name; natural turns, spoken between takes and "
    "not acted, have that of their scene too."
)
# Published: utterances of each elicitation
ALL_LABELS = {"natural": 2785, "other_improvised": 4381, "target_improvised": 652, "target_read": 620}
FOUR_CLASSES = {  # in the order of EMOTIONS
    "natural": (38, 1372, 1164, 66),
    "other_improvised": (470, 1048, 1789, 633),
    "target_improvised": (115, 136, 283, 106),
    "target_read": (169, 88, 241, 80),
}
SOURCE = "Busso et al. 2017, tables 3 and 4, as quoted in public code"


def read(root: Path, label: Label = "usual") -> Release:
    """All turns that the table of votes lists.

    Raises:
        Fault: for a folder without the table of votes or without audio, and a table without a turn.
    """
    kind = tree.which_label(NAME, label, "perceived", "intended")
    table, *others = _tables(root)
    what, fix = (
        f"is a second table of votes: {tree.relative(table, root)} is read",
        "take one of the two away",
    )
    remarks = [Remark("left out", tree.relative(other, root), what, fix) for other in others]
    files, doubled = _audio(root, table.parent)
    home = next(
        folder for folder in (table.parent / "Audio", root / "Audio", table.parent) if folder.is_dir()
    )
    lines = list(_lines(root, table))
    found = [_turn(files, home, kind, *line) for line in lines]
    broken = [text for (_, text), each in zip(lines, found, strict=True) if isinstance(each, Remark)]
    utterances = [each for each in found if isinstance(each, Utterance)]
    if not utterances:
        raise tree.unlike(
            NAME, root, got=f"{tree.relative(table, root)} without a turn", expected=f"lines like {SHAPE}"
        )
    remarks += [*doubled, *(each for each in found if isinstance(each, Remark))]
    remarks += [*_unlabelled(root, table, files, utterances, broken), *_against_the_design(utterances)]
    return Release(
        name=NAME,
        utterances=tuple(utterances),
        emotions=EMOTIONS,
        folds="session",
        remarks=tuple(remarks),
        notes=(PERCEIVED_NOTE if kind == "perceived" else INTENDED_NOTE, SPEAKER_NOTE),
        expected=expected(kind),
        audio=PublishedAudio(source="two public descriptions", rates_hz=(44_100, 48_000)),
    )


def expected(kind: Label) -> tuple[Expected, ...]:
    """The published numbers of turns; those of classes are of perceived emotions."""
    turns = expected_by("scenario", "all turns by elicitation", SOURCE, ALL_LABELS)
    if kind == "intended":
        return (turns,)
    cells = {
        (name, emotion): n
        for name, row in FOUR_CLASSES.items()
        for emotion, n in zip(EMOTIONS, row, strict=True)
    }
    sums = {(emotion,): sum(n for (_, other), n in cells.items() if other == emotion) for emotion in EMOTIONS}
    four = "7,798 turns of four classes"
    return (
        Expected(title=four, source=SOURCE, by=("emotion",), counts=sums, emotions=EMOTIONS),
        Expected(
            title=f"{four} by elicitation",
            source=SOURCE,
            by=("scenario", "emotion"),
            counts=cells,
            emotions=EMOTIONS,
        ),
        turns,
    )


def _tables(root: Path) -> list[Path]:
    """All tables of votes, in `root` and one level down; the first is read."""
    below = sorted(folder for folder in root.iterdir() if folder.is_dir()) if root.is_dir() else []
    found = [folder / name for folder in (root, *below) for name in FILES if (folder / name).is_file()]
    return found or [tree.need_file(NAME, root, *FILES)]


def _audio(root: Path, release: Path) -> tuple[dict[str, Path], list[Remark]]:
    """Every audio file by its name, and a remark on each folder with second files of the same names.

    All of `root` is walked only if there is no audio beside the table, because `root` may hold other corpora.
    """
    files: dict[str, Path] = {}
    doubled: dict[str, list[Path]] = defaultdict(list)
    for file in tree.audio_files(release, ".wav") or tree.audio_files(root, ".wav"):
        if files.setdefault(file.stem, file) is not file:
            doubled[tree.relative(file, root).split("/")[0]].append(file)
    if not files:
        raise tree.unlike(
            NAME, root, got="no audio", expected="MSP-IMPROV-*.wav in folders session1 to session6"
        )
    return files, [
        Remark(
            "left out",
            folder,
            f"holds {len(copies)} second files of the same name, such as {tree.relative(copies[0], root)}",
            f"take them away; {tree.relative(files[copies[0].stem], root)} is read",
        )
        for folder, copies in doubled.items()
    ]


def _lines(root: Path, table: Path) -> Iterator[tuple[str, str]]:
    """Place and text of every line with the votes' majority; lines of single listeners begin otherwise."""
    # listeners' own words are in another encoding; all that is read here is ASCII
    for count, line in enumerate(
        tree.text(table, expected="the table of votes", otherwise="latin-1").splitlines(), start=1
    ):
        if line.strip().startswith("UTD-IMPROV"):
            yield f"{tree.relative(table, root)}, line {count}", line.strip()


def _turn(files: dict[str, Path], home: Path, kind: Label, place: str, line: str) -> Utterance | Remark:
    fit = LINE.fullmatch(line)
    if not fit:
        fix = f"copy the file from the release again: {SHAPE}"
        return Remark("bad", place, f"is no majority of votes: {line[:80]!r}", fix)
    turn = TURN.fullmatch(fit["turn"])
    if not turn:
        what = f"names no turn of MSP-IMPROV: {fit['turn']!r}"
        return Remark("bad", place, what, "correct the name; it is like S01A-F01-P-FM01")
    if fit["letter"] not in LETTERS:
        what = f"has an emotion that MSP-IMPROV does not have: {fit['letter']!r}"
        return Remark("bad", place, what, f"correct it; known are {' '.join(LETTERS)}")
    key, session = f"MSP-IMPROV-{fit['turn']}", turn["session"]
    letter = fit["letter"] if kind == "perceived" else turn["intended"]
    gender: Gender = "female" if turn["speaker"] == "F" else "male"
    usual = home / f"session{session}" / f"{turn['sentence']}{turn['intended']}" / turn["kind"] / f"{key}.wav"
    return Utterance(
        key=key,
        path=str(files.get(key, usual)),
        emotion=LETTERS[letter],
        raw_label=letter,
        speaker=f"{turn['speaker']}{session}",
        gender=gender,
        session=session,
        scenario=SCENARIOS[turn["kind"]],
    )


def _unlabelled(
    root: Path, table: Path, files: dict[str, Path], labelled: list[Utterance], broken: list[str]
) -> Iterator[Remark]:
    """A remark on each recording that no line names, not even a broken one."""
    named = {f"MSP-IMPROV-{turn[0]}" for line in broken for turn in TURN.finditer(line)}
    known = {utterance.key for utterance in labelled} | named
    what = f"has no label in {table.name}"
    fix = f"copy {table.name} from the release again, or take the file away"
    for name, file in files.items():
        if name not in known:
            yield Remark("bad", tree.relative(file, root), what, fix)


def _against_the_design(utterances: list[Utterance]) -> Iterator[Remark]:
    """Warnings about names that contradict the design: in turns of some kinds the target actor speaks."""
    for utterance in utterances:
        _, _, _, target, kind, _ = utterance.key.split("-")
        if kind in TARGET_SPEAKS and target[0] != utterance.speaker[0]:
            what = f"is a turn of {target[0]}{target[-1]} by design, and of {utterance.speaker} by its name"
            yield Remark("warning", utterance.key, what, "find out who speaks in it")
