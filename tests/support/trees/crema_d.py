"""CREMA-D's folder as released, without the sound: names, the table of votes and that of the actors."""

from collections.abc import Iterable, Mapping
from itertools import cycle
from pathlib import Path

SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
CODES = ("NEU", "HAP", "SAD", "ANG", "FEA", "DIS")
ACTED = {"ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "NEU": 1087, "SAD": 1271}
HEARD = {"N": 3897, "A": 986, "F": 645, "D": 547, "S": 370, "H": 353}
TIES = 644
# never recorded; 1009's sentence is made up
ABSENT = ("1002_TIE_NEU", "1008_WSI_", "1009_WSI_", "1019_ITH_", "1076_ITS_NEU")
WOMEN = (
    1002,
    1003,
    1004,
    1006,
    1007,
    1008,
    1009,
    1010,
    1012,
    1013,
    1018,
    1020,
    1021,
    1024,
    1025,
    1028,
    1029,
    1030,
    1037,
    1043,
    1046,
    1047,
    1049,
    1052,
    1053,
    1054,
    1055,
    1056,
    1058,
    1060,
    1061,
    1063,
    1072,
    1073,
    1074,
    1075,
    1076,
    1078,
    1079,
    1082,
    1084,
    1089,
    1091,
)
SILENT = "1076_MTI_SAD_XX"
VOTES_OF_FAULTY = {  # of the silent file and of three pairs with one sound
    SILENT: "N",
    "1006_TIE_HAP_XX": "N",
    "1006_TIE_NEU_XX": "N",
    "1013_WSI_DIS_XX": "D",
    "1013_WSI_SAD_XX": "D",
    "1017_IWW_ANG_XX": "N",
    "1017_IWW_FEA_XX": "F",
}
VOTES = "processedResults/summaryTable.csv"
VOTES_HEADER = (
    '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"'
)


def names() -> list[str]:
    """The stems of 7,442 files: one sentence in three levels, the others in one."""
    return [
        name
        for actor in range(1001, 1092)
        for sentence in SENTENCES
        for code in CODES
        for level in (("LO", "MD", "HI") if sentence == "IEO" and code != "NEU" else ("XX",))
        if not (name := f"{actor}_{sentence}_{code}_{level}").startswith(ABSENT)
    ]


def votes() -> dict[str, str]:
    """A vote for each file, as many of each as in the release."""
    left = {**HEARD, "tie": TIES}
    for vote in VOTES_OF_FAULTY.values():
        left[vote] -= 1
    ties = cycle(("A:D", "F:N", "D:F:N:S", "H:N"))
    rest = [next(ties) if vote == "tie" else vote for vote, count in left.items() for _ in range(count)]
    others = [name for name in names() if name not in VOTES_OF_FAULTY]
    return {**VOTES_OF_FAULTY, **dict(zip(others, rest, strict=True))}


def row(number: int, name: str, vote: str) -> str:
    """A line of the table of votes; a tie has as many levels."""
    levels = ":".join("37.2" for _ in vote.split(":"))
    return f'"{number}","{name}","{vote}","{levels}","A:F","30.67:51.00","N","63.5"'


def write(folder: Path, stems: Iterable[str], audio: str = "AudioWAV") -> Path:
    """Empty files in `AudioWAV`, copies in `AudioMP3`, and a bit of litter."""
    for name in (
        *(f"{audio}/{stem}.wav" for stem in stems),
        "AudioMP3/1001_DFA_ANG_XX.mp3",
        f"{audio}/._1001_DFA_ANG_XX.wav",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def write_votes(folder: Path, of: Mapping[str, str], end: str = "\n", start: str = "") -> None:
    """The table of votes, in the order given."""
    path = folder / VOTES
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        VOTES_HEADER,
        *(row(number, name, vote) for number, (name, vote) in enumerate(of.items(), start=1)),
    ]
    path.write_bytes((start + end.join(lines) + end).encode())


def write_actors(folder: Path, actors: Iterable[int] = range(1001, 1092)) -> None:
    """The table of the actors."""
    lines = ['"ActorID","Age","Sex","Race","Ethnicity"']
    lines += [
        f'{actor},51,"{"Female" if actor in WOMEN else "Male"}","Caucasian","Not Hispanic"'
        for actor in actors
    ]
    (folder / "VideoDemographics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
