"""The ensemble of a trial: the mean posteriors of its retrainings, scored as the answers of one model.

The record holds its scores in columns of their own (`ensemble_...`, the same in every row of a trial), not in
a row: no mean, deviation or test over rows can take it for a further seed. A trial with one retrain seed has
none. In: posteriors, or rows of the ledger. Out: mean posteriors; rows in which each ensemble stands as if it
were a single retraining. Nothing is chosen by an ensemble: candidates are chosen by their single models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from raysernas.record.metrics import METRICS, Evaluation

PARTS = ("ensemble_valid", "ensemble_test")
MEMBERS = "ensemble_members"  # how many retrainings it is of
SCORES = tuple(f"{part}_{name}" for part in PARTS for name in METRICS)
CONFUSIONS = tuple(f"{part}_confusion" for part in PARTS)
TRIAL = ["arm", "candidate", "fold", "seed"]
SUMMED = ("parameters", "latency_ms", "retrain_s")  # one member is asked, and paid for, after the other


@dataclass(frozen=True, slots=True)
class Ensemble:
    """What a trial records of its ensemble."""

    members: int
    valid: Evaluation
    test: Evaluation


def mean_posteriors(members: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """[utterance, emotion] of the ensemble; the order of the members changes no bit."""
    return np.sort(members, axis=0).sum(axis=0) / len(members)


def name(arm: str, members: int) -> str:
    """How tables call the ensembles of an arm."""
    return f"{arm} (ensemble of {members})"


def without(trials: pd.DataFrame, bad: pd.Series) -> pd.DataFrame:
    """The rows of a ledger without the ensembles of some of them, which are not believed."""
    unknown = {each: trials[each].mask(bad) for each in (MEMBERS, *SCORES)}
    return trials.assign(**unknown, **{each: trials[each].mask(bad, "") for each in CONFUSIONS})


def as_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each trial: its ensemble as if it were a single retraining.

    `valid_` and `test_` columns are those of the ensemble; SUMMED ones are sums over the members. A number
    that the ensemble or one of the members lacks is NaN, and a confusion "".

    Args:
        runs: finished rows, as `soundness.believed` gives them, of trials whose rows are all there.
    """
    each, found = runs.groupby(TRIAL, sort=False), runs.drop_duplicates(TRIAL).set_index(TRIAL)
    sums = {column: each[column].sum().where(each[column].count() == each.size()) for column in SUMMED}
    own = {column.removeprefix("ensemble_"): found[column] for column in (*SCORES, *CONFUSIONS)}
    return found.assign(**own, **sums).reset_index()[runs.columns]
