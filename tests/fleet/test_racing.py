"""Laws of racing: a paired test over folds that does not count seeds as folds and allows for shared
training speakers.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raysernas.config.schema import RacingConfig
from raysernas.fleet.racing import RaceResult, compare, hopeless, level, reason

FINITE = st.floats(0, 1)
SCORES = st.dictionaries(
    st.integers(0, 9), st.dictionaries(st.integers(0, 3), FINITE, min_size=1), min_size=1
)


def one_seed(*scores: float) -> dict[int, dict[int, float]]:
    return {fold: {0: score} for fold, score in enumerate(scores)}


def test_without_overlap_the_race_is_the_paired_t_test() -> None:
    worse, best = (0.60, 0.55, 0.71, 0.50), (0.66, 0.65, 0.70, 0.62)
    found = compare(one_seed(*worse), one_seed(*best), 0.0)
    assert found.p == pytest.approx(stats.ttest_rel(worse, best, alternative="less").pvalue)
    assert (found.pairs, found.difference) == (4, pytest.approx(np.mean(worse) - np.mean(best)))


def test_the_variance_is_that_of_nadeau_and_bengio() -> None:
    """Ten folds of one tenth: n_valid / n_train is 1/9, and t shrinks by the root of (1/10 + 1/9) over
    1/10.
    """
    rng = np.random.default_rng(0)
    worse, best = rng.normal(0.6, 0.03, 10), rng.normal(0.63, 0.03, 10)
    plain = stats.ttest_rel(worse, best)
    t = plain.statistic / np.sqrt((1 / 10 + 1 / 9) / (1 / 10))
    assert compare(one_seed(*worse), one_seed(*best), 1 / 9).p == pytest.approx(stats.t.cdf(t, 9))


def test_seeds_are_averaged_inside_a_fold_and_make_no_pairs() -> None:
    many = {0: {0: 0.5, 1: 0.7, 2: 0.6}, 1: {0: 0.4, 1: 0.4, 2: 0.7}}
    best = {0: {0: 0.8, 1: 0.7, 2: 0.9}, 1: {0: 0.5, 1: 0.8, 2: 0.8}}
    own, other = (
        {fold: {0: float(np.mean([*seeds.values()]))} for fold, seeds in each.items()}
        for each in (many, best)
    )
    found, averaged = compare(many, best, 0.2), compare(own, other, 0.2)
    assert found.pairs == averaged.pairs == 2
    assert (found.p, found.difference) == pytest.approx((averaged.p, averaged.difference))


def test_only_what_both_have_is_compared() -> None:
    candidate = {0: {0: 0.5}, 1: {0: 0.5, 1: 0.1}, 2: {1: 0.9}, 3: {0: 0.9}}
    best = {0: {0: 0.6}, 1: {0: 0.7}, 2: {0: 0.0}, 4: {0: 0.0}}
    assert compare(candidate, best, 0.2) == compare(
        {0: {0: 0.5}, 1: {0: 0.5}}, {0: {0: 0.6}, 1: {0: 0.7}}, 0.2
    )


@given(candidate=SCORES, best=SCORES, ratio=st.floats(0, 1), shift=st.floats(0, 0.5))
def test_a_worse_candidate_is_never_less_hopeless(candidate, best, ratio, shift) -> None:
    lower = {
        fold: {seed: score - shift for seed, score in seeds.items()} for fold, seeds in candidate.items()
    }
    assert compare(lower, best, ratio).p <= compare(candidate, best, ratio).p + 1e-6


@given(scores=SCORES, ratio=st.floats(0, 1))
def test_a_candidate_as_good_as_the_best_is_never_given_up(scores, ratio) -> None:
    found = compare(scores, scores, ratio)
    assert found.p >= 0.5
    assert not hopeless(found, RacingConfig(enabled=True, pairs=2, p=0.49, looks="none"), folds=10, seeds=4)


@given(candidate=SCORES, best=SCORES)
def test_more_overlap_is_less_evidence(candidate, best) -> None:
    less, more = compare(candidate, best, 0.1), compare(candidate, best, 0.4)
    assert less.difference >= 0 or np.isnan(less.difference) or less.p <= more.p + 1e-12


def test_one_pair_says_nothing_and_an_unknown_overlap_neither() -> None:
    assert compare(one_seed(0.1), one_seed(0.9), 0.2).p == 1
    assert np.isnan(compare({}, one_seed(0.9), 0.2).difference)
    unknown = compare(one_seed(0.1, 0.2, 0.1), one_seed(0.9, 0.9, 0.8), float("nan"))
    assert not hopeless(unknown, RacingConfig(enabled=True), folds=3, seeds=2)


@pytest.mark.parametrize(
    ("looks", "folds", "seeds", "expected"),
    [("none", 5, 2, 0.1), ("bonferroni", 5, 2, 0.1 / 7), ("bonferroni", 4, 1, 0.1)],
)
def test_all_looks_at_a_candidate_share_one_level(looks, folds, seeds, expected) -> None:
    """Ten trials, three pairs at least: looks after the third to the ninth, which are seven."""
    assert level(RacingConfig(enabled=True, looks=looks), folds=folds, seeds=seeds) == pytest.approx(expected)


def test_a_verdict_needs_the_fewest_pairs() -> None:
    rules = RacingConfig(enabled=True, pairs=4, looks="none")
    assert not hopeless(RaceResult(pairs=3, difference=-0.5, p=0.0), rules, folds=5, seeds=1)
    assert hopeless(RaceResult(pairs=4, difference=-0.5, p=0.0), rules, folds=5, seeds=1)


def test_the_reason_is_given_in_words() -> None:
    text = reason(RaceResult(pairs=3, difference=-0.0812, p=0.0123), 4)
    assert text == "raced out: 8.1 points of validation UA below candidate 4 on 3 common folds (p 0.012)"


def test_without_a_difference_few_candidates_are_given_up() -> None:
    """Independent noise, so that the corrected test is too careful: a candidate is given up no more often
    than `p` says.
    """
    rng, rules, lost = np.random.default_rng(1), RacingConfig(enabled=True, pairs=3, p=0.1), 0
    for _ in range(400):
        mine, best = rng.normal(0.6, 0.05, (2, 6))
        looks = [compare(one_seed(*mine[:count]), one_seed(*best), 1 / 5) for count in range(3, 6)]
        lost += any(hopeless(found, rules, folds=6, seeds=1) for found in looks)
    assert lost / 400 < 0.1
