"""Units of statistics: what counts as one independent result.

Usually that is a fold. Of folds that hold out a speaker and a text (`corpus.folds=speaker_text`) each speaker
has many: they are no independent results, and a few utterances do not hold every emotion. There the unit is
the test speaker, and the confusions of its folds are added up before any score is computed.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from raysernas.record.metrics import METRICS, Evaluation

SETTING, SCHEME = "corpus.folds", "speaker_text"  # whose folds share their test speakers
RUN = ["arm", "candidate", "fold", "seed", "retrain_seed"]
FOLDS = "unit_folds"  # column: how many folds a row stands for, where these are units


def by_speaker(trials: pd.DataFrame) -> bool:
    """Whether folds are parts of their test speakers."""
    return SETTING in trials and bool((trials[SETTING] == SCHEME).any())


def by_unit(trials: pd.DataFrame, planned: Sequence[int] = ()) -> pd.DataFrame:
    """The finished rows of each unit as one, with the unit's first fold as `fold`: confusions are added up,
    scores follow from them, other numbers are means. Other rows stay, and so does everything where a fold is
    a unit.

    A unit some of whose folds have not finished is left out.

    Args:
        trials: of all arms: they tell whom a fold tests.
        planned: folds; if empty, those of the trials.
    """
    if not by_speaker(trials) or FOLDS in trials:
        return trials
    done = trials[trials["status"] == "finished"]
    speakers = dict(done.drop_duplicates("fold").set_index("fold")["test_speakers"].sort_index())
    names = pd.Series(speakers, dtype=object)
    size, first = names.value_counts(), names.reset_index().groupby(0)["index"].min()
    unit = done["fold"].map(speakers)
    groups = done.assign(fold=unit.map(first), **{FOLDS: 1}).groupby(RUN, sort=False)
    numbers = [str(name) for name in done.select_dtypes("number") if name not in RUN]
    rest = [str(name) for name in done if name not in (*RUN, *numbers)]
    table = groups[rest].first().join(groups[numbers].mean()).join(groups[FOLDS].sum())
    for name in (name for name in rest if name.endswith("_confusion")):
        sums = [pooled([str(text) for text in texts]) for _, texts in groups[name]]
        table[name] = [json.dumps(each.confusion.tolist()) for each in sums]
        part = name.removesuffix("_confusion")
        for metric in METRICS:
            if part != "valid" and f"{part}_{metric}" in table:
                table[f"{part}_{metric}"] = [each.scores[metric] for each in sums]
    whole = (table[FOLDS] == table["test_speakers"].map(size)) & ~table["test_speakers"].isin(
        _beside(planned, speakers)
    )
    return pd.concat([table[whole].reset_index(), trials[trials["status"] != "finished"]], ignore_index=True)


def count(trials: pd.DataFrame, folds: int) -> int:
    """The units of a study of so many folds, as far as its trials show them."""
    return trials["test_speakers"].replace("", np.nan).nunique() if by_speaker(trials) else folds


def pooled(confusions: Sequence[str]) -> Evaluation:
    """All test utterances as one set: the sum of the confusions. Empty if one is missing or has other
    classes.
    """
    found = [np.asarray(json.loads(text or "[]"), dtype=np.int64) for text in confusions]
    alike = len({each.shape for each in found}) == 1 and found[0].ndim == 2
    return Evaluation(
        np.asarray(found).sum(axis=0, dtype=np.int64) if alike else np.zeros((0, 0), dtype=np.int64)
    )


def _beside(planned: Sequence[int], speakers: dict[int, str]) -> set[str]:
    """The speakers whom a fold without a record may test: folds are numbered speaker by speaker."""
    found: set[str] = set()
    for fold in set(planned) - set(speakers):
        before = [each for each in speakers if each < fold]
        after = [each for each in speakers if each > fold]
        found |= {speakers[each] for each in (*before[-1:], *after[:1])}
    return found
