"""Tests, intervals and effect sizes against scipy, statsmodels, baycomp and published numbers; what cannot be
told is no number.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import bootstrap, effect_sizes, fewest_p, holm, interval, p_value, practical
from raysernas.record.resampling import paired
from tests.benchmarks.calibration import alarms
from tests.support.oracles import correlated, describe, multipletests, stats

DIFFERENCES = st.lists(st.integers(-500, 500), min_size=2, max_size=12).map(
    lambda told: [each / 1000 for each in told]
)
SPREAD = DIFFERENCES.filter(lambda told: len(set(told)) > 1)
NAN = pytest.approx(math.nan, nan_ok=True)


@given(values=SPREAD, level=st.floats(0.5, 0.99))
def test_without_overlap_p_and_interval_are_those_of_the_t_test(values: list[float], level: float) -> None:
    found, plain = paired(values, 0.0), stats.ttest_1samp(values, 0)
    assert p_value(found) == pytest.approx(plain.pvalue)
    assert interval(found, level) == pytest.approx(describe(values).tconfint_mean(1 - level))


@given(values=SPREAD, ratio=st.floats(0, 2), level=st.floats(0.5, 0.999))
def test_interval_and_p_say_the_same(values: list[float], ratio: float, level: float) -> None:
    """Nothing is inside the interval of a level exactly when p is above the rest."""
    found = paired(values, ratio)
    low, high = interval(found, level)
    p = p_value(found)
    assert low <= 0 <= high or p <= 1 - level + 1e-9
    assert not low < 0 < high or p >= 1 - level - 1e-9
    assert (low + high) / 2 == pytest.approx(found.difference, abs=1e-12)


def test_a_worked_example() -> None:
    """Ten folds of a tenth: s² (1/10 + 1/9), 9 degrees of freedom, worked by hand."""
    values = [0.02, 0.05, -0.01, 0.03, 0.04, 0.00, 0.06, 0.01, 0.02, 0.03]
    found = paired(values, 1 / 9)
    assert found.difference == pytest.approx(0.025)
    assert found.sd == pytest.approx(math.sqrt(0.00425 / 9))
    assert found.error == pytest.approx(math.sqrt(0.00425 / 9 * (1 / 10 + 1 / 9)))
    assert found.t == pytest.approx(2.503, abs=1e-3)
    assert p_value(found) == pytest.approx(0.0337, abs=1e-4)
    assert interval(found, 0.95) == (pytest.approx(0.0024, abs=1e-4), pytest.approx(0.0476, abs=1e-4))


@given(values=SPREAD, rope=st.floats(0.001, 0.1))
def test_the_posterior_is_that_of_baycomp(values: list[float], rope: float) -> None:
    found = paired(values, 1 / (len(values) - 1))
    worse, same, better = practical(found, rope)
    left, middle, right = correlated(np.asarray(values), np.zeros(len(values)), rope=rope).probs()
    assert (better, worse) == (pytest.approx(left, abs=1e-9), pytest.approx(right, abs=1e-9))
    assert same == pytest.approx(middle, abs=1e-9)
    assert worse + same + better == pytest.approx(1)


@settings(max_examples=10)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@given(p=st.lists(st.floats(0, 1) | st.just(math.nan), max_size=20), order=st.randoms())
def test_holm_leaves_unknown_ones_out_and_does_not_mind_the_order(p: list[float], order) -> None:
    found = holm(p)
    known = [each for each in p if not math.isnan(each)]
    assert found[~np.isnan(p)] == pytest.approx(holm(known))
    assert np.isnan(found[np.isnan(p)]).all()
    places = list(range(len(p)))
    order.shuffle(places)
    assert holm([p[place] for place in places]) == pytest.approx(found[places], nan_ok=True)


@pytest.mark.parametrize("pairs", range(1, 12))
def test_what_wilcoxon_can_reach(pairs: int) -> None:
    """The test of differences that all point one way, without ties."""
    assert fewest_p(pairs) == pytest.approx(stats.wilcoxon(np.arange(1, pairs + 1), method="exact").pvalue)
    assert (fewest_p(pairs) < 0.05) == (pairs > 5)


@pytest.mark.parametrize("pairs", [3, 5, 10, 40])
def test_the_corrected_effect_size_is_right_on_average(pairs: int) -> None:
    """Of normal differences of effect 0.8, d_z times root n is a noncentral t, whose mean scipy knows."""
    effect = 0.8
    expected = stats.nct.mean(pairs - 1, effect * math.sqrt(pairs)) / math.sqrt(pairs)  # of d_z
    one, other = effect_sizes(paired(np.arange(pairs, dtype=float), 0.3))
    assert other / one * expected == pytest.approx(effect)
    assert one == pytest.approx(np.mean(np.arange(pairs)) / np.std(np.arange(pairs), ddof=1))


def test_too_few_folds_or_no_spread_have_no_effect_size() -> None:
    for values in ([0.1], [0.1, 0.3], [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]):
        assert effect_sizes(paired(values, 0.2)) == (NAN, NAN)


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.1], [0.0, 0.0, 0.0]])
def test_one_fold_or_no_spread_has_no_p(values: list[float]) -> None:
    found = paired(values, 0.2)
    assert math.isnan(p_value(found))
    assert interval(found, 0.95) == (NAN, NAN)
    assert practical(found, 0.01) == (NAN, NAN, NAN)


def test_the_bootstrap_is_that_of_scipy() -> None:
    """Other draws, so that the ends differ by what 40,000 draws leave open."""
    one, other = np.random.default_rng(1).normal(0.6, 0.1, (2, 24))
    theirs = stats.bootstrap(
        (one, other),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        paired=True,
        method="percentile",
        n_resamples=40_000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert bootstrap(one - other, level=0.95, draws=40_000, seed=0) == pytest.approx(
        (theirs.low, theirs.high), abs=0.02 * width
    )


def test_the_bootstrap_is_blocked_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.linspace(-0.1, 0.3, 7)
    whole = bootstrap(values, level=0.9, draws=1000, seed=3)
    monkeypatch.setattr("analysis.statistics.BLOCK", 70)
    assert bootstrap(values, level=0.9, draws=1000, seed=3) == pytest.approx(whole)


@given(values=DIFFERENCES)
def test_the_bootstrap_the_other_way_round_is_the_negative(values: list[float]) -> None:
    low, high = bootstrap(values, level=0.95, draws=200, seed=0)
    assert bootstrap([-each for each in values], level=0.95, draws=200, seed=0) == pytest.approx(
        (-high, -low)
    )
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_one_speaker_has_no_interval() -> None:
    assert bootstrap([0.2], level=0.95, draws=10, seed=0) == (NAN, NAN)


@pytest.mark.slow
@pytest.mark.parametrize(("way", "folds"), [("learnt", 5), ("learnt", 10), ("assumed", 5), ("assumed", 10)])
def test_false_alarms_are_as_rare_as_is_said(way: str, folds: int) -> None:
    """Two equally good recognisers, 1,500 times: within 4 standard errors of 0.05, or below; and seeds are no
    folds.
    """
    found, error = alarms(way, 1500, folds, 10, seed=1), math.sqrt(0.05 * 0.95 / 1500)
    assert found["corrected"] < 0.05 + 4 * error
    assert found["seeds as folds"] > 0.3
    if way == "assumed":
        assert found["corrected"] > 0.05 - 4 * error
        assert found["t-test"] > 0.05 + 4 * error
