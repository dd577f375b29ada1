"""Units of statistics: what counts as one independent result.

Usually that is a fold. Of folds that hold out a speaker and a text (`corpus.folds=speaker_text`) each speaker
has many: they are no independent results, and a few utterances do not hold every emotion. There the unit is
the test speaker, and the confusions of its folds are added up.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from raysernas.record.metrics import METRICS, Evaluation

BY_SPEAKER = "speaker_text"  # the scheme whose folds share their test speakers
RUN = ["arm", "fold", "seed", "retrain_seed"]


def by_unit(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each unit of each run: `fold` is the first fold of the unit, confusions are sums, test
    scores follow from them, all other numbers are means. Nothing changes where every fold is a unit.

    Args:
        runs: finished runs of chosen candidates, one row for each fold.
    """
    if "corpus.folds" not in runs or not (runs["corpus.folds"] == BY_SPEAKER).any():
        return runs
    first = runs.groupby("test_speakers")["fold"].transform("min")
    groups = runs.assign(fold=first).groupby(RUN, sort=False)
    numbers = [name for name in runs.select_dtypes("number") if name not in RUN]
    rest = [name for name in runs if name not in (*RUN, *numbers)]
    table = groups[rest].first().join(groups[numbers].mean())
    for part in ("test", "valid"):
        sums = [pooled(texts.tolist()) for _, texts in groups[f"{part}_confusion"]]
        table[f"{part}_confusion"] = [json.dumps(each.confusion.tolist()) for each in sums]
        if part == "test":
            table = table.assign(**{f"test_{name}": [each.scores[name] for each in sums] for name in METRICS})
    return table.reset_index()[list(runs)]


def count(trials: pd.DataFrame, folds: int) -> int:
    """The units of a study of so many folds, as far as its trials show them."""
    if "corpus.folds" not in trials or not (trials["corpus.folds"] == BY_SPEAKER).any():
        return folds
    return trials["test_speakers"].dropna().nunique()


def pooled(confusions: Sequence[str]) -> Evaluation:
    """All test utterances as one set: the sum of the confusions. Empty if one is missing or has other
    classes.
    """
    found = [np.asarray(json.loads(text or "[]"), dtype=np.int64) for text in confusions]
    alike = len({each.shape for each in found}) == 1 and found[0].ndim == 2
    return Evaluation(
        np.asarray(found).sum(axis=0, dtype=np.int64) if alike else np.zeros((0, 0), dtype=np.int64)
    )
