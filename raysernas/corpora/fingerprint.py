"""What a corpus contains, as one hash: the same wherever it lies and however its rows are ordered, another after any change.

In: the utterances that a reader found. Out: the finished `Corpus`. Hashing gigabytes takes minutes, so the hash of a file is
remembered by its absolute path, size and time of change, in one JSON file of a cache folder.
"""

import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from raysernas.config import Fault
from raysernas.corpora.audio import content_hash
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.record import storage

MEMORY = "audio_hashes.json"
Remembered = dict[str, tuple[int, int, str]]  # absolute path -> size in bytes, time of change in ns, hash
NAMED = 3  # of the broken files; the rest is counted


def finished(name: str, emotions: Sequence[str], utterances: Iterable[Utterance], memory: Path | None) -> Corpus:
    """The corpus of these utterances, sorted by key and with its fingerprint.

    Raises:
        Fault: for two utterances of one key, and for files that are missing or empty.
    """
    ordered = tuple(sorted(utterances, key=lambda utterance: utterance.key))
    repeated = [key for key, count in Counter(utterance.key for utterance in ordered).items() if count > 1]
    if repeated:
        raise Fault(
            "corpus", f"{name} lists {repeated[0]} more than once", got=f"{len(repeated)} repeated utterances",
            expected="every utterance once", do="take the repetitions out",
        )  # fmt: skip
    hashes = file_hashes([utterance.path for utterance in ordered], memory)
    return Corpus(name=name, emotions=tuple(emotions), utterances=ordered, fingerprint=fingerprint(ordered, hashes))


def fingerprint(utterances: Iterable[Utterance], hashes: dict[str, str]) -> str:
    """SHA-256 over labels and sound of all utterances; `hashes` tells the sound of each path."""
    rows = sorted(
        (u.key, hashes[u.path], u.emotion, u.speaker, u.gender, u.session, u.start_s, u.end_s, u.split) for u in utterances
    )
    return sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()


def file_hashes(paths: Iterable[str], memory: Path | None) -> dict[str, str]:
    """Content hash of every file, in parts from the folder `memory`; None remembers and writes nothing.

    Raises:
        Fault: for missing and empty files (all are counted, the first three named), and a memory that cannot be written.
    """
    states = _states(sorted(set(paths)))
    old = _recall(memory)
    new: Remembered = {}
    for path, state in states.items():
        place = os.path.abspath(path)
        size, changed_ns = state.st_size, state.st_mtime_ns
        known = old.get(place)
        new[place] = known if known and known[:2] == (size, changed_ns) else (size, changed_ns, content_hash(path))
    if memory is not None and any(old.get(place) != entry for place, entry in new.items()):
        storage.write_text(memory / MEMORY, json.dumps({**old, **new}, indent=0, sort_keys=True))
    return {path: new[os.path.abspath(path)][2] for path in states}


def _states(paths: Sequence[str]) -> dict[str, os.stat_result]:
    states, broken = {}, []
    for path in paths:
        try:
            states[path] = os.stat(path)
        except OSError:
            broken.append(f"{path} (missing)")
            continue
        if not stat.S_ISREG(states[path].st_mode):
            broken.append(f"{path} (no file)")
        elif states[path].st_size == 0:
            broken.append(f"{path} (0 bytes)")
        elif not os.access(path, os.R_OK):
            broken.append(f"{path} (no permission)")
    if broken:
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        raise Fault(
            "corpus", f"{len(broken)} of {len(paths)} audio files cannot be used", got=", ".join(broken[:NAMED]) + more,
            expected="every file there and readable", do="put the files in their places, or take them out of the corpus",
        )  # fmt: skip
    return states


def _recall(memory: Path | None) -> Remembered:
    """What is remembered; a memory that cannot be understood counts as empty, because it can always be rebuilt."""
    if memory is None:
        return {}
    try:
        plain = json.loads((memory / MEMORY).read_text(encoding="utf-8"))
        return {str(path): (int(size), int(changed_ns), str(digest)) for path, (size, changed_ns, digest) in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
