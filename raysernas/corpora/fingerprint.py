"""One hash of a corpus: it depends on sound and labels, not on where the corpus lies or how it is ordered."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256

from raysernas.corpora.corpus import Utterance


def of(utterances: Iterable[Utterance], hashes: Mapping[str, str]) -> str:
    """SHA-256 over labels and sound of all utterances.

    Args:
        hashes: of the file at each path; the path of a synthetic utterance stands for its sound.
    """
    rows = sorted(
        (
            u.key,
            hashes.get(u.path, u.path),
            u.emotion,
            u.speaker,
            u.gender,
            u.session,
            u.scenario,
            u.start_s,
            u.end_s,
            u.split,
        )
        for u in utterances
    )
    return sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()
