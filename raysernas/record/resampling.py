"""The mean of paired differences over folds that share training speakers, and how uncertain it is.

In: a difference for each fold (seeds averaged within the fold first, because they share its speakers), and
how much of the corpus is held out. Out: mean, standard deviation and standard error. A plain paired t-test
treats folds as independent; its variance is replaced by that of Nadeau and Bengio (2003, eq. 9): s² (1/J +
n_held_out / n_train) for J folds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

NO_SPREAD = 1e-9  # a deviation below this share of the mean is rounding: all differences are equal


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """Differences on the same folds; NaN where there are too few folds."""

    pairs: int  # folds
    difference: float  # mean
    sd: float  # of the differences, ddof 1; 0 if all are equal
    error: float  # corrected standard error of the mean; NaN where the ratio is unknown

    @property
    def df(self) -> int:
        """Degrees of freedom of `t`."""
        return self.pairs - 1

    @property
    def t(self) -> float:
        """The mean in standard errors; NaN if the differences do not vary."""
        return self.difference / self.error if self.error > 0 else math.nan

    def above(self, value: float) -> float:
        """Probability of a true difference above `value`: Student's t around the mean, with the corrected
        error.

        At 0 it is the one-sided p value of a difference below 0, and, without prior knowledge, the posterior
        of Corani and Benavoli (2015).
        """
        return float(stdtr(self.df, (self.difference - value) / self.error)) if self.error > 0 else math.nan

    def below(self, value: float) -> float:
        """Probability of a true difference below `value`."""
        return float(stdtr(self.df, (value - self.difference) / self.error)) if self.error > 0 else math.nan


def paired(differences: Sequence[float] | npt.NDArray[np.floating], ratio: float) -> Paired:
    """The corrected mean over folds.

    Args:
        differences: one for each fold, finite.
        ratio: held-out utterances over training utterances of a fold (where folds are unequal, the mean of
            their ratios).
    """
    values = np.asarray(differences, dtype=np.float64)
    pairs = len(values)
    mean = float(values.mean()) if pairs else math.nan
    if pairs < 2:
        return Paired(pairs=pairs, difference=mean, sd=math.nan, error=math.nan)
    sd = float(values.std(ddof=1))
    sd = 0.0 if sd <= NO_SPREAD * abs(mean) else sd
    return Paired(pairs=pairs, difference=mean, sd=sd, error=sd * math.sqrt(1 / pairs + ratio))
