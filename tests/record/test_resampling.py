"""The corrected mean over folds: Nadeau and Bengio's variance, against scipy's t-test and baycomp's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.record.resampling import paired
from tests.support.oracles import correlated, stats

DIFFERENCES = st.lists(st.integers(-500, 500), min_size=2, max_size=12).map(
    lambda told: [each / 1000 for each in told]
)


def spread(values: list[float]) -> bool:
    return len(set(values)) > 1


@given(values=DIFFERENCES.filter(spread))
def test_without_overlap_the_race_is_the_paired_t_test(values: list[float]) -> None:
    found, plain = paired(values, 0.0), stats.ttest_1samp(values, 0)
    assert (found.t, found.df) == (pytest.approx(plain.statistic), plain.df)
    assert found.above(0) == pytest.approx(stats.ttest_1samp(values, 0, alternative="less").pvalue)
    assert found.sd == pytest.approx(np.std(values, ddof=1))


@given(values=DIFFERENCES.filter(spread), runs=st.integers(1, 3))
def test_equal_folds_are_those_of_baycomp(values: list[float], runs: int) -> None:
    """k folds, r times: a ratio of 1 / (k - 1) over r k differences."""
    repeated = np.concatenate([np.asarray(values) * (1 + 0.1 * run) for run in range(runs)])
    theirs = correlated(repeated, np.zeros(len(repeated)), rope=0.02, runs=runs)
    found = paired(repeated, 1 / (len(values) - 1))
    left, same, right = theirs.probs()
    # theirs is of the first being better, from the left
    assert found.below(-0.02) == pytest.approx(right, abs=1e-9)
    assert found.above(0.02) == pytest.approx(left, abs=1e-9)
    assert found.error**2 == pytest.approx(theirs.var)
    assert 1 - found.below(-0.02) - found.above(0.02) == pytest.approx(same, abs=1e-9)


@given(values=DIFFERENCES, ratio=st.floats(0, 2))
def test_the_other_way_round_it_is_the_negative(values: list[float], ratio: float) -> None:
    one, other = paired(values, ratio), paired([-each for each in values], ratio)
    assert one.difference == -other.difference
    assert one.error == other.error
    assert one.above(0.01) == other.below(-0.01) or math.isnan(one.above(0.01))


def test_what_cannot_be_told_is_no_number() -> None:
    assert paired([], 0.2).pairs == 0
    assert math.isnan(paired([], 0.2).difference)
    one = paired([0.1], 0.2)
    assert (one.pairs, one.difference) == (1, 0.1)
    assert all(math.isnan(each) for each in (one.sd, one.error, one.t, one.above(0), one.below(0)))
    unknown = paired([0.1, 0.2], math.nan)
    assert unknown.sd == pytest.approx(0.1 / math.sqrt(2))
    assert all(math.isnan(each) for each in (unknown.error, unknown.t, unknown.above(0)))


def test_rounding_is_no_spread() -> None:
    """0.7 - 0.6 and 0.3 - 0.2 differ by 1e-16, of which a t-test would make a p of nothing."""
    found = paired([0.7 - 0.6, 0.3 - 0.2, 0.1], 0.2)
    assert (found.sd, found.error) == (0, 0)
    assert math.isnan(found.t)
