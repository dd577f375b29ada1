"""Racing: is a candidate worse than the best one on the folds that both have been tried on?

Comes in: validation UAs of two candidates by fold and seed. Goes out: by how much the one is worse, and
whether that is enough to give it up. Pairs are folds: seeds share their training and validation speakers, so
they are averaged inside a fold first. The folds themselves share training speakers, which
`raysernas.record.resampling` allows for. Knows neither Ray nor Optuna.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raysernas.config.schema import RacingConfig
from raysernas.record.resampling import paired

Scores = Mapping[int, Mapping[int, float]]  # fold -> seed -> validation UA, 0..1


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A candidate against the best one, on their common folds."""

    pairs: int  # folds
    difference: float  # mean of candidate minus best, in units of UA
    p: float  # one-sided: how likely such a difference is if the candidate is no worse


def compare(candidate: Scores, best: Scores, ratio: float) -> Comparison:
    """The corrected paired t-test over folds, each the mean over the seeds that both have there.

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
    return Comparison(pairs=found.pairs, difference=found.difference, p=p)


def level(racing: RacingConfig, *, folds: int, seeds: int) -> float:
    """The p below which one look gives a candidate up.

    A look is taken after each trial from the one that completes the fewest pairs to the last but one: after
    the last there is nothing to save. Trials go through all folds with the first seed first, so that these
    are folds x seeds - pairs looks.
    """
    return racing.p / max(1, folds * seeds - racing.pairs) if racing.looks == "bonferroni" else racing.p


def hopeless(found: Comparison, racing: RacingConfig, *, folds: int, seeds: int) -> bool:
    """Whether a look gives the candidate up, in a study of so many folds and seeds."""
    return found.pairs >= racing.pairs and found.p < level(racing, folds=folds, seeds=seeds)


def told(found: Comparison, best: int) -> str:
    """The reason in words."""
    return (
        f"raced out: {100 * -found.difference:.1f} points of validation UA below candidate {best} on "
        f"{found.pairs} common folds "
        f"(p {found.p:.2g})"
    )
