"""Tests, intervals and effect sizes of the differences between two arms, as pure functions of numbers.

In: one difference for each fold (or speaker), seeds averaged inside it first. Out: numbers; NaN if there are
too few differences, or they have no spread. `raysernas.record.resampling` allows for folds that share
training speakers. Sources: Holm (1979); Corani and Benavoli (2015) and Benavoli et al. (2017, arXiv
1606.04316) on the correlated Bayesian t test; Hedges (1981).
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, stdtr, stdtrit

from raysernas.record.resampling import Paired

BLOCK = 1_000_000  # numbers that the bootstrap draws at once
FloatArray = npt.NDArray[np.float64]


def p_value(found: Paired) -> float:
    """The two-sided p value of no difference."""
    return float(2 * stdtr(found.df, -abs(found.t))) if found.error > 0 else math.nan


def interval(found: Paired, level: float) -> tuple[float, float]:
    """The t interval that contains the true difference in a share `level` of studies."""
    if not found.error > 0:
        return math.nan, math.nan
    half = float(stdtrit(found.df, (1 + level) / 2)) * found.error
    return found.difference - half, found.difference + half


def practical(found: Paired, rope: float) -> tuple[float, float, float]:
    """Posterior probabilities of a difference below -rope, within -rope..rope, and above rope."""
    worse, better = found.below(-rope), found.above(rope)
    return worse, max(0.0, 1 - worse - better) if math.isfinite(worse) else math.nan, better


def effect_sizes(found: Paired) -> tuple[float, float]:
    """Mean over deviation (d_z), and the same without the bias of few folds (Hedges); NaN without a spread or
    under three folds.
    """
    if not (found.sd > 0 and found.pairs > 2):
        return math.nan, math.nan
    standardised, half = found.difference / found.sd, found.df / 2
    unbiased = math.exp(gammaln(half) - gammaln(half - 0.5)) / math.sqrt(half)
    return standardised, standardised * unbiased


def holm(p: Sequence[float] | FloatArray) -> FloatArray:
    """Step-down adjusted p values of one family; NaN stays NaN and does not count as a test."""
    values = np.asarray(p, dtype=np.float64)
    adjusted, known = np.full(len(values), np.nan), np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * values[order]))
    return adjusted


def fewest_p(pairs: int) -> float:
    """The smallest two-sided p that a Wilcoxon signed-rank test of so many pairs can reach."""
    return min(1.0, 2.0 ** (1 - pairs))


def bootstrap(
    differences: Sequence[float] | FloatArray, *, level: float, draws: int, seed: int
) -> tuple[float, float]:
    """Percentile interval of the mean when speakers are drawn with replacement, each with all utterances.

    Args:
        differences: one for each speaker, in an order that does not depend on that of a table.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return math.nan, math.nan
    rng, means, size = np.random.default_rng(seed), [], max(1, BLOCK // len(values))
    for start in range(0, draws, size):
        drawn = rng.integers(len(values), size=(min(size, draws - start), len(values)))
        means.append(values[drawn].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
