"""MSP-IMPROV's folder as released, without the sound: names, the table of votes, and the litter that lies
between them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import NamedTuple

TURNS = {"T": 652, "R": 620, "S": 4381, "P": 2785}
# A S H N
VOTES = {
    "T": (115, 106, 136, 283),
    "R": (169, 80, 88, 241),
    "S": (470, 633, 1048, 1789),
    "P": (38, 66, 1372, 1164),
}
READ_BY = ("M1", "F2", "M2", "F3", "M3", "F5", "F6")  # actors with read turns
ACTORS = tuple(f"{letter}{session}" for session in "123456" for letter in "FM")
SCENES = tuple(f"S{number:02d}{letter}" for number in range(1, 21) for letter in "AHNS")
LISTENERS = (
    "PQ9-e1; Neutral; Neutral, ; A:3.000000; V:3.000000; D:3.000000; N:4.000000;",
    "PQ9-e1; Neutral; Neutral, ; A:3.000000; V:3.000000; D:3.000000; N:4.000000;",  # the same listener again
    "A2_x; Angry; Frustrated,Angry, ; A:2.000000; V:2.000000; D:NaN; N:NaN;",
    "W17; Other; Other (bored, tired), ; A:4.000000; V:3.000000; D:2.000000; N:5.000000;",
)


class Turn(NamedTuple):
    """One turn and the letter of its majority."""

    scene: str  # S01A
    target: str  # F01
    kind: str  # P
    last: str  # FM01
    letter: str

    @property
    def name(self) -> str:
        return "-".join(self[:4])

    @property
    def line(self) -> str:
        return f"UTD-IMPROV-{self.name}.avi; {self.letter}; A:2.857143; V:3.285714; D:2.857143 ; N:3.428571;"


def all_turns() -> list[Turn]:
    """8,438 turns with the published numbers of emotions in each kind of elicitation; the rest is other or no
    agreement.
    """
    return [*chain.from_iterable(of_kind(kind) for kind in TURNS)]


def of_kind(kind: str) -> Iterator[Turn]:
    """The turns of one elicitation: who may talk in it is as in the release."""
    letters = [letter for letter, n in zip("ASHN", VOTES[kind], strict=True) for _ in range(n)]
    letters += islice(cycle("XXO"), TURNS[kind] - len(letters))
    seen = Counter[tuple[str, str, str]]()
    actors = READ_BY if kind == "R" else ACTORS
    for count, letter in enumerate(letters):
        actor, scene = actors[count % len(actors)], SCENES[count // len(actors) % len(SCENES)]
        own, other = actor[0], "MF"["FM".index(actor[0])]
        if kind == "R":
            pair = own * 2
        elif kind == "T":
            pair = own + other
        else:
            pair = ("FM", "MF")[count // 7 % 2]
        seen[actor, scene, pair] += 1
        yield Turn(scene, f"{own}0{actor[1]}", kind, f"{pair}{seen[actor, scene, pair]:02d}", letter)


def table(turns: Iterable[Turn], end: str = "\n") -> str:
    """The text of Evalution.txt."""
    return "".join(end.join((turn.line, *LISTENERS, "", "")) for turn in turns)


def audio(turn: Turn, session: str = "session") -> str:
    """Where the sound of a turn lies, below the folder of the sessions."""
    return f"{session}{turn.target[2]}/{turn.scene}/{turn.kind}/MSP-IMPROV-{turn.name}.wav"


def write(
    root: Path,
    turns: Iterable[Turn],
    *,
    above: str = "",
    session: str = "session",
    file: str = "Evalution.txt",
) -> Path:
    """The release below `root`; `above` the sessions may lie a folder, `Audio/`."""
    turns = list(turns)
    for folder in {(root / above / audio(turn, session)).parent for turn in turns}:
        folder.mkdir(parents=True, exist_ok=True)
    (root / above / audio(turns[0], session)).with_name("._MSP-IMPROV-S01A-F01-P-FM01.wav").write_bytes(
        b"\x00\x05\x16\x07"
    )
    for turn in turns:
        (root / above / audio(turn, session)).touch()
    (root / above / audio(turns[0], session).replace(".wav", ".avi")).touch()
    (root / file).write_bytes(table(turns).encode())
    (root / f"._{file}").write_bytes(b"\x00\x05\x16\x07")
    (root / "All_human_transcriptions").mkdir(exist_ok=True)
    (root / "All_human_transcriptions" / f"MSP-IMPROV-{turns[0].name}.txt").write_text("How can I not\n")
    return root
