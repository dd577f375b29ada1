"""Racing: is a candidate worse than the best one on the folds that both have been tried on?

In: validation UAs of two candidates by fold and seed. Out: how much worse the one is, and whether that is
enough to give it up. Folds are the pairs of the test: seeds share their training and validation speakers, so
they are averaged inside a fold first. The folds share training speakers too, which
`raysernas.record.resampling` allows for. Knows neither Ray nor Optuna.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raysernas.config.schema import RacingConfig
from raysernas.record.resampling import paired

Scores = Mapping[int, Mapping[int, float]]  # fold -> seed -> validation UA, 0..1


@dataclass(frozen=True, kw_only=True, slots=True)
class RaceResult:
    """A candidate against the best one, on their common folds."""

    pairs: int  # folds
    difference: float  # mean of candidate minus best, in units of UA
    p: float  # one-sided: how likely such a difference is if the candidate is no worse


def compare(candidate: Scores, best: Scores, ratio: float) -> RaceResult:
    """The corrected paired t-test over folds. A fold counts with the mean over the seeds that both have
    there.

    Args:
        ratio: validation utterances over training utterances of a fold.
    """
    common = {
        fold: sorted(candidate[fold].keys() & best[fold].keys())
        for fold in sorted(candidate.keys() & best.keys())
    }
    differences = [
        float(np.mean([candidate[fold][seed] - best[fold][seed] for seed in seeds]))
        for fold, seeds in common.items()
        if seeds
    ]
    found = paired(differences, ratio)
    if found.pairs < 2:
        p = 1.0
    elif found.error == 0:  # the limit of the test
        p = 0.0 if found.difference < 0 else 1.0
    else:
        p = found.above(0)
    return RaceResult(pairs=found.pairs, difference=found.difference, p=p)


def level(racing: RacingConfig, *, folds: int, seeds: int) -> float:
    """The p below which one look gives a candidate up.

    There is a look after each trial from the one that completes `racing.pairs` folds to the last but one:
    after the last, nothing can be saved. Trials go through all folds with the first seed first, so these are
    folds x seeds - pairs looks.
    """
    return racing.p / max(1, folds * seeds - racing.pairs) if racing.looks == "bonferroni" else racing.p


def hopeless(found: RaceResult, racing: RacingConfig, *, folds: int, seeds: int) -> bool:
    """Whether this look gives the candidate up, in a study of so many folds and seeds."""
    return found.pairs >= racing.pairs and found.p < level(racing, folds=folds, seeds=seeds)


def reason(found: RaceResult, best: int) -> str:
    """The reason for giving up a candidate, in words."""
    points = f"{100 * -found.difference:.1f} points of validation UA"
    folds = f"{found.pairs} common folds (p {found.p:.2g})"
    return f"raced out: {points} below candidate {best} on {folds}"
