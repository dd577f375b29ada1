"""What a corpus contains, as one hash: the same wherever it lies and however its rows are ordered, another
after any change.

In: utterances and the hash of each of their files. Out: SHA-256.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256

from raysernas.corpora.corpus import Utterance


def of(utterances: Iterable[Utterance], hashes: Mapping[str, str]) -> str:
    """SHA-256 over labels and sound of all utterances; `hashes` tells the sound of each path (a synthetic
    path tells its own).
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
