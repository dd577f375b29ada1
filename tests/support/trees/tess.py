"""TESS's folders as released and as copied, without the sound."""

from collections.abc import Iterable
from pathlib import Path

FOLDERS = {  # as in the copy that most people have: no two are spelled by one rule
    "OAF": {
        "angry": "OAF_angry",
        "disgust": "OAF_disgust",
        "fear": "OAF_Fear",
        "happy": "OAF_happy",
        "neutral": "OAF_neutral",
        "ps": "OAF_Pleasant_surprise",
        "sad": "OAF_Sad",
    },
    "YAF": {
        "angry": "YAF_angry",
        "disgust": "YAF_disgust",
        "fear": "YAF_fear",
        "happy": "YAF_happy",
        "neutral": "YAF_neutral",
        "ps": "YAF_pleasant_surprised",
        "sad": "YAF_sad",
    },
}
WORDS = ("back", "bite", *(f"word{number:03d}" for number in range(198)))  # 200 words, most of them stand-ins
TOP = "TESS Toronto emotional speech set data"


def names() -> list[str]:
    """The paths of 2,800 files below the release; one of them is misspelt."""
    paths = [
        f"{folder}/{speaker}_{word}_{emotion}.wav"
        for speaker, folders in FOLDERS.items()
        for emotion, folder in folders.items()
        for word in WORDS
    ]
    paths[paths.index("OAF_neutral/OAF_bite_neutral.wav")] = "OAF_neutral/OA_bite_neutral.wav"
    return paths


def write(folder: Path, paths: Iterable[str]) -> Path:
    """Empty files and a bit of litter."""
    for name in (*paths, "OAF_angry/.DS_Store", "OAF_angry/._OAF_back_angry.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder
