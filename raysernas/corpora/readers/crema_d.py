"""CREMA-D: 91 actors, twelve sentences, six emotions, 7,442 files, English; acted and perceived labels.

In: the folder of the release, the one above it, or `AudioWAV` in it. Out: utterances, `1001_DFA_ANG_XX.wav` =
actor, sentence, acted emotion, level. What listeners heard in the sound alone is the VoiceVote in
`processedResults/summaryTable.csv`; it agrees with the acted emotion for 42 % of the files. Genders are in
`VideoDemographics.csv`. The copies in `AudioMP3` are not read.
Source: Cao et al., CREMA-D: crowd-sourced emotional multimodal actors dataset, IEEE Transactions on Affective
Computing 2014.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.corpora import tree
from raysernas.corpora.corpus import (
    NO_AGREEMENT,
    Gender,
    Label,
    PublishedAudio,
    Release,
    Remark,
    Utterance,
    expected_by,
)
from raysernas.corpora.readers.file_names import CORRECT_NAME

NAME = "crema_d"
AUDIO, VOTES, ACTORS = "AudioWAV", "processedResults/summaryTable.csv", "VideoDemographics.csv"
CODES = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
LETTERS = {code[0]: emotion for code, emotion in CODES.items()}
VOTE = re.compile("[{0}](:[{0}])*".format("".join(LETTERS)))  # A:D is a tie
GENDERS: dict[str, Gender] = {"female": "female", "male": "male"}
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
FILE = re.compile(
    rf"(?P<actor>10(?:0[1-9]|[1-8]\d|9[01]))_(?:{'|'.join(SENTENCES)})"
    rf"_(?P<code>{'|'.join(CODES)})_(?:LO|MD|HI|XX)"
)
SHAPE = f"actor, sentence, emotion ({' '.join(CODES)}), level, as in {AUDIO}/1001_DFA_ANG_XX.wav"
MISSPELT = {"1040_ITH_SAD_X": "1040_ITH_SAD_XX"}  # until 2022
SAME = (
    ("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"),
    ("1013_WSI_DIS_XX", "1013_WSI_SAD_XX"),
    ("1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
)
LEFT_OUT = {
    "1076_MTI_SAD_XX": "holds no sound",
    **{
        one: f"is reported in public code to hold the same sound as {two}, under another label"
        for pair in SAME
        for one, two in (pair, pair[::-1])
    },
}
INTENDED = {"anger": 1270, "disgust": 1270, "fear": 1270, "happiness": 1270, "neutral": 1086, "sadness": 1269}
PERCEIVED = {
    "anger": 986,
    "disgust": 545,
    "fear": 644,
    "happiness": 353,
    "neutral": 3893,
    "sadness": 370,
    NO_AGREEMENT: 644,
}
SOUND = PublishedAudio(
    source="EmoBox (github.com/emo-box/EmoBox), its list of CREMA-D",
    rates_hz=(16_000,),
    utterances=7_435,
    hours=5.252,
    shortest_s=1.27,
    longest_s=5.0,
)
TITLES: dict[Label, str] = {
    "intended": "acted emotions",
    "perceived": "majorities of those who heard the sound alone",
}
NOTES: dict[Label, str] = {
    "intended": "The emotion is the one that was acted; listeners heard another one in most files "
    "(corpus.label=perceived).",
    "perceived": "The emotion is the one that most listeners heard in the sound alone (VoiceVote); a tie is "
    "no_agreement.",
}


def read(root: Path, label: Label = "usual") -> Release:
    """All recordings; with perceived labels also missing ones that the table of votes lists.

    Raises:
        Fault: for a folder without a file of CREMA-D, perceived labels without the table of votes, and a
            table that cannot be read.
    """
    label = tree.which_label(NAME, label, "intended", "perceived")
    tree.need_folder(NAME, root)
    files = tree.audio_files(
        tree.first(root, (AUDIO, f"CREMA-D/{AUDIO}", "."), os.path.isdir) or root, ".wav"
    )
    named, remarks = _named(files, root)
    if not named:
        raise tree.unlike(NAME, root, got=tree.some(files, root), expected=SHAPE)
    audio = min(named.values()).parent
    genders = _genders(audio)
    if label == "intended":
        votes = {key: _code(key) for key in named}
    else:
        votes, bad = _votes(audio)
        remarks = [*remarks, *bad, *_unlisted(named, votes, root)]
    counts = INTENDED if label == "intended" else PERCEIVED
    title = f"{TITLES[label]}, without the {len(LEFT_OUT)} of 7,442 files that are left out"
    utterances = tuple(
        Utterance(
            key=key,
            path=str(named.get(key, audio / f"{key}.wav")),
            emotion=_emotion(vote),
            raw_label=vote,
            speaker=key[:4],
            gender=genders.get(key[:4], "unknown"),
            text=key[5:8],
        )
        for key, vote in votes.items()
        if key not in LEFT_OUT
    )
    return Release(
        name=NAME,
        utterances=utterances,
        emotions=tuple(sorted(CODES.values())),
        folds="speaker_groups",
        remarks=tuple(remarks),
        notes=(NOTES[label], *_unknown({utterance.speaker for utterance in utterances} - genders.keys())),
        expected=(expected_by("emotion", title, "counted in the release", counts),),
        audio=SOUND,
    )


def _named(files: Sequence[Path], root: Path) -> tuple[dict[str, Path], list[Remark]]:
    """The files by their correct names, and remarks on names."""
    named: dict[str, Path] = {}
    remarks: list[Remark] = []
    for file in sorted(files, key=lambda file: (file.stem in MISSPELT, file)):
        key, subject = MISSPELT.get(file.stem, file.stem), tree.relative(file, root)
        if not FILE.fullmatch(key):
            remarks.append(Remark("bad", subject, f"is not a name of {NAME}: {SHAPE}", CORRECT_NAME))
        elif (first := named.setdefault(key, file)) != file:
            what = f"is a second copy of {tree.relative(first, root)}"
            remarks.append(Remark("left out", subject, what, "nothing; every file is read once"))
        elif key in LEFT_OUT:
            remarks.append(Remark("left out", subject, LEFT_OUT[key], "nothing; the release has no other"))
        elif file.stem in MISSPELT:
            what = f"is misspelt in older copies of the release; it is read as {key}"
            remarks.append(Remark("warning", subject, what, "nothing"))
    return named, remarks


def _code(key: str) -> str:
    return key.split("_")[2]


def _emotion(vote: str) -> str:
    """The emotion of a code in a name (ANG), of a majority (A), or of a tie (A:D)."""
    return NO_AGREEMENT if ":" in vote else LETTERS[vote[0]]


def _votes(audio: Path) -> tuple[dict[str, str], list[Remark]]:
    """The majority of the votes on the sound alone, by file, and remarks on bad rows."""
    table = _table(audio, VOTES)
    if table is None:
        raise Fault(
            "corpus",
            f"{audio.parent} has no table of what listeners heard",
            got="corpus.label=perceived",
            expected=f"a file {VOTES}",
            fix="copy it from the release, or set corpus.label=intended",
        )
    votes: dict[str, str] = {}
    remarks: list[Remark] = []
    for number, (name, vote) in enumerate(_rows(table, "FileName", "VoiceVote"), start=2):
        key = MISSPELT.get(name, name)
        if not FILE.fullmatch(key):
            what = f"names no file of CREMA-D: {name!r}"
        elif not VOTE.fullmatch(vote):
            what = f"has a vote for {key} that CREMA-D does not have: {vote!r}"
        elif votes.setdefault(key, vote) != vote:
            what = f"lists {key} a second time, with another vote"
        else:
            continue
        fix = "copy the table from the release again"
        remarks.append(Remark("bad", f"{VOTES}, row {number}", what, fix))
    return votes, remarks


def _unlisted(named: Mapping[str, Path], votes: Mapping[str, str], root: Path) -> list[Remark]:
    what, fix = f"is not listed in {VOTES}", "copy the table from the release again, or take the file away"
    missing = (file for key, file in named.items() if key not in votes and key not in LEFT_OUT)
    return [Remark("bad", tree.relative(file, root), what, fix) for file in missing]


def _genders(audio: Path) -> dict[str, Gender]:
    table = _table(audio, ACTORS)
    rows = _rows(table, "ActorID", "Sex") if table else []
    return {actor: GENDERS[sex.lower()] for actor, sex in rows if sex.lower() in GENDERS}


def _unknown(actors: Iterable[str]) -> list[str]:
    """A note on the actors whose gender is unknown."""
    named = sorted(actors)
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return [f"{ACTORS} does not tell the gender of {', '.join(named[:3])}{more}."] if named else []


def _table(audio: Path, name: str) -> Path | None:
    """A table of the release, if it exists."""
    beside = audio.parent if audio.name == AUDIO else audio
    return tree.first(beside, (name, Path(name).name), os.path.isfile)


def _rows(table: Path, *columns: str) -> list[list[str]]:
    """Some columns of a table, without outer blanks."""
    whole = tree.text(table, expected="a table, CSV in UTF-8")
    try:
        rows = list(csv.DictReader(io.StringIO(whole, newline="")))
    except csv.Error as error:
        fix = "copy it from the release again"
        raise Fault(
            "corpus", f"{table} cannot be read", got=str(error), expected="a table, CSV in UTF-8", fix=fix
        ) from error
    header = list(rows[0]) if rows else []
    if lacking := [column for column in columns if column not in header]:
        raise Fault(
            "corpus",
            f"{table} has no column {lacking[0]!r}",
            got=", ".join(map(str, header)) or "no rows",
            expected=", ".join(columns),
            fix="copy it from the release again",
        )
    return [[(row[column] or "").strip() for column in columns] for row in rows]
