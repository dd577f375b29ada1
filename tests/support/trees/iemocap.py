"""IEMOCAP's folder as released, without the sound: names, label files, listeners' files and the litter that
lies between them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

ALL = 10_039
BY_SESSION = {  # of the labels ang, hap, exc, neu, sad
    1: (229, 135, 143, 384, 194),
    2: (137, 117, 210, 362, 197),
    3: (240, 135, 151, 320, 305),
    4: (327, 65, 238, 258, 143),
    5: (170, 143, 299, 384, 245),
}
BY_SPEAKER = {
    "1F": 528,
    "1M": 557,
    "2F": 481,
    "2M": 542,
    "3F": 522,
    "3M": 629,
    "4F": 528,
    "4M": 503,
    "5F": 590,
    "5M": 651,
}
IMPROVISED = {"ang": 289, "hap": 947, "exc": 947, "neu": 1099, "sad": 608}  # hap and exc together
FOUR_CLASSES = {"ang": 1103, "hap": 1636, "exc": 1636, "neu": 1708, "sad": 1084}
MALE_IN_F = 2546  # turns of men in dialogues whose name says F
FEMALE_IN_F = 2395
IMPRO = ("impro01", "impro02", "impro03", "impro04", "impro05a", "impro05b", "impro06", "impro07", "impro08")
SCRIPT = (
    "script01_1",
    "script01_1b",
    "script01_2",
    "script01_3",
    "script02_1",
    "script02_2",
    "script03_1",
    "script03_2",
)
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
VOTES = (
    "C-E2: Neutral; ()",
    "C-E3: Anger; Frustration; ()",
    "C-F1: Sadness; ()",
    "C-M1: Excited; (happy)",
    "A-E3: val 3; act 2; dom  2; ()",
    "A-F1: val 3; act 3; dom  ; ()",
)


class Turn(NamedTuple):
    """One turn of a dialogue and the code of its majority."""

    dialogue: str  # Ses01F_impro01
    end: str  # M003
    code: str

    @property
    def name(self) -> str:
        return f"{self.dialogue}_{self.end}"

    @property
    def line(self) -> str:
        return f"[6.2901 - 8.2357]\t{self.name}\t{self.code}\t[2.5000, 2.5000, 2.5000]"


def spread(part: int, whole: int, index: int) -> bool:
    """True for `part` of the indices 0 to `whole` - 1, evenly spread."""
    return (index + 1) * part // whole > index * part // whole


def all_turns() -> list[Turn]:
    """10,039 turns; those of the four classes have the published numbers by session, speaker and scenario."""
    codes = [
        (session, code)
        for session, row in BY_SESSION.items()
        for code, n in zip(IMPROVISED, row, strict=True)
        for _ in range(n)
    ]
    in_session, in_class = Counter[int](), Counter[str]()
    drawn: list[tuple[int, str, str, bool]] = []
    for session, code in codes:
        kind = "hap" if code == "exc" else code
        women = BY_SPEAKER[f"{session}F"]
        speaker = "F" if spread(women, women + BY_SPEAKER[f"{session}M"], in_session[session]) else "M"
        drawn.append((session, speaker, code, spread(IMPROVISED[kind], FOUR_CLASSES[kind], in_class[kind])))
        in_session[session] += 1
        in_class[kind] += 1
    rest = zip(
        cycle((1, 2, 3, 4, 5)),
        cycle("FM"),
        cycle(("xxx", "fru", "xxx", "fea", "sur", "dis", "oth")),
        cycle((True, True, False)),
    )
    drawn += islice(rest, ALL - len(drawn))
    return list(named(drawn))


def named(drawn: list[tuple[int, str, str, bool]]) -> Iterable[Turn]:
    """Dialogues and numbers for turns (session, speaker, code, improvised)."""
    spoken = Counter(speaker for _, speaker, _, _ in drawn)
    in_f = {"F": FEMALE_IN_F, "M": MALE_IN_F}
    seen, taken, numbers = Counter[str](), Counter[str](), Counter[str]()
    for session, speaker, code, improvised in drawn:
        prefix = "F" if spread(in_f[speaker], spoken[speaker], seen[speaker]) else "M"
        seen[speaker] += 1
        start, parts = f"Ses0{session}{prefix}", IMPRO if improvised else SCRIPT
        dialogue = f"{start}_{parts[taken[f'{start}{improvised}'] % len(parts)]}"
        taken[f"{start}{improvised}"] += 1
        yield Turn(dialogue, f"{speaker}{numbers[dialogue + speaker]:03d}", code)
        numbers[dialogue + speaker] += 1


def evaluation(turns: Iterable[Turn], end: str = "\n") -> str:
    """The label file of a dialogue."""
    blocks = [end.join((turn.line, *VOTES)) for turn in turns]
    return (end * 2).join((HEADER, *blocks, ""))


def write(root: Path, turns: Iterable[Turn], *, end: str = "\n", mark: bytes = b"") -> Path:
    """The release below `root`; `end` ends the lines, and `mark` begins the label files."""
    dialogues: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        dialogues[turn.dialogue].append(turn)
    for dialogue, own in dialogues.items():
        session = root / f"Session{dialogue[4]}"
        labels, wav = session / "dialog" / "EmoEvaluation", session / "sentences" / "wav" / dialogue
        for folder in (
            wav,
            session / "dialog" / "transcriptions",
            *(labels / name for name in ("Categorical", "Attribute")),
        ):
            folder.mkdir(parents=True, exist_ok=True)
        (labels / f"{dialogue}.txt").write_bytes(mark + evaluation(own, end).encode())
        (labels / f"._{dialogue}.txt").write_bytes(b"\x00\x05\x16\x07\xff\xfe")
        (labels / "Categorical" / f"{dialogue}_e2_cat.txt").write_text(
            "".join(f"{turn.name} :Neutral; ()\n" for turn in own)
        )
        (labels / "Attribute" / f"{dialogue}.txt").write_text(evaluation(own))
        (session / "dialog" / "transcriptions" / f"{dialogue}.txt").write_text(
            f"{own[0].name} [006.2901-008.2357]: Excuse me.\n"
        )
        (wav / f"._{own[0].name}.wav").write_bytes(b"\x00\x05\x16\x07")
        (wav / ".DS_Store").write_bytes(b"\x00")
        for turn in own:
            (wav / f"{turn.name}.wav").touch()
    (root / "README.txt").write_text("IEMOCAP\n")
    return root
