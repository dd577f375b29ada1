"""Components of variance: unbiased whatever is missing; complete ones give analysis of variance and REML."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis import components as room
from analysis.components import COLUMNS, COMPONENTS, NESTED, components, decomposed
from raysernas.config.files import assign
from raysernas.config.schema import Config
from tests.support.oracles import models

NAN = pytest.approx(math.nan, nan_ok=True)
SPREAD = {
    "fold": 0.06,
    "candidate": 0.05,
    "candidate on fold": 0.05,
    "search_seed": 0.04,
    "retrain_seed": 0.02,
}
KEYS = ("candidate", "fold", "seed", "retrain_seed")


def grid(
    *counts: int, scores: Any = None, draw: int = 0, spread: Mapping[str, float] = SPREAD
) -> pd.DataFrame:
    """The trials of one arm, with so many of each key; scores are drawn with these deviations of each
    component.
    """
    rng = np.random.default_rng(draw)
    rows = pd.DataFrame(np.indices(counts).reshape(4, -1).T, columns=list(KEYS))
    drawn = np.full(len(rows), 0.6)
    for name, columns in COMPONENTS.items():
        codes = rows.groupby(list(columns)).ngroup().to_numpy()
        drawn += spread[name] * rng.standard_normal(codes.max() + 1)[codes]
    return rows.assign(study="s", arm="darts", status="finished", test_ua=drawn if scores is None else scores)


def told(trials: pd.DataFrame, **options: Any) -> dict[str, float]:
    found = components(trials, **options)
    assert list(found.columns) == list(COLUMNS)
    return dict(zip(found["component"], found["variance"], strict=True))


def notes(trials: pd.DataFrame, **options: Any) -> dict[str, str]:
    found = components(trials, **options)
    return dict(zip(found["component"], found["note"], strict=True))


def test_equal_numbers_give_the_analysis_of_variance() -> None:
    """Two ways crossed, two nested in them: mean squares, and what they are expected to be, by hand."""
    c, f, s, r = 4, 6, 3, 2
    trials = grid(c, f, s, r)
    y = trials["test_ua"].to_numpy().reshape(c, f, s, r)
    cells, of_fold, of_candidate, searches = y.mean((2, 3)), y.mean((0, 2, 3)), y.mean((1, 2, 3)), y.mean(3)
    squares = {
        "fold": c * s * r * of_fold.var(ddof=1),
        "candidate": f * s * r * of_candidate.var(ddof=1),
        "both": s
        * r
        * ((cells - of_candidate[:, None] - of_fold + y.mean()) ** 2).sum()
        / ((c - 1) * (f - 1)),
        "search": r * searches.var(axis=2, ddof=1).mean(),
        "retrain": y.var(axis=3, ddof=1).mean(),
    }
    assert told(trials) == {
        "fold": pytest.approx((squares["fold"] - squares["both"]) / (c * s * r)),
        "candidate": pytest.approx((squares["candidate"] - squares["both"]) / (f * s * r)),
        "candidate on fold": pytest.approx((squares["both"] - squares["search"]) / (s * r)),
        "search_seed": pytest.approx((squares["search"] - squares["retrain"]) / r),
        "retrain_seed": pytest.approx(squares["retrain"]),
    }


def test_equal_numbers_give_reml() -> None:
    """One candidate: folds, searches nested in them, retrainings in those; statsmodels' mixed model."""
    trials = grid(1, 8, 3, 3, draw=2)
    model = models.MixedLM.from_formula(
        "test_ua ~ 1", trials, groups="fold", vc_formula={"search": "0 + C(seed)"}, re_formula="1"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its optimiser
        theirs = model.fit(reml=True, method=["powell", "lbfgs"])
    found = told(trials)
    assert found["fold"] == pytest.approx(float(theirs.cov_re.iloc[0, 0]), rel=1e-3)
    assert found["search_seed"] == pytest.approx(float(theirs.vcomp[0]), rel=1e-3)
    assert found["retrain_seed"] == pytest.approx(float(theirs.scale), rel=1e-3)


@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=6), scores=st.randoms())
def test_one_factor_with_unequal_numbers(sizes: list[int], scores) -> None:
    """The textbook's estimator with n0 = (N - sum of n² / N) / (groups - 1)."""
    assume(max(sizes) > 1)
    fold = np.repeat(np.arange(len(sizes)), sizes)
    y = np.array([scores.random() for _ in fold])
    rows = pd.DataFrame({"fold": fold, "run": range(len(fold)), "y": y})
    within = sum(((y[fold == k] - y[fold == k].mean()) ** 2).sum() for k in set(fold)) / (len(y) - len(sizes))
    between = sum(n * (y[fold == k].mean() - y.mean()) ** 2 for k, n in enumerate(sizes)) / (len(sizes) - 1)
    n0 = (len(y) - sum(n * n for n in sizes) / len(y)) / (len(sizes) - 1)
    found = {
        line.component: line for line in decomposed(rows, "y", {"fold": ("fold",), "rest": ("fold", "run")})
    }
    assert found["rest"].variance == pytest.approx(within)
    assert found["fold"].variance == pytest.approx(max(0, (between - within) / n0), abs=1e-9)


@given(
    missing=st.sets(st.integers(0, 2 * 3 * 2 * 2 - 1), max_size=8),
    nested=st.booleans(),
    spread=st.tuples(*[st.floats(0.1, 1)] * 5),
)
def test_the_estimate_is_unbiased_whatever_runs_are_missing(
    missing, nested: bool, spread: tuple[float, ...]
) -> None:
    """Exactly: the estimate is quadratic, so that its mean is its sum over what one level of each component
    adds to the scores.
    """
    rows = grid(2, 3, 2, 2).drop(index=list(missing))
    levels = NESTED if nested else COMPONENTS
    codes = {name: room._codes(rows, columns) for name, columns in levels.items()}
    assume(
        not any(
            room._alike(one, other)
            for name, one in codes.items()
            for also, other in codes.items()
            if name < also
        )
    )
    mean = np.zeros(len(codes))
    for part, own in zip(spread, codes.values(), strict=False):
        for level in range(own.max() + 1):
            mean += room._solved(part * (own == level).astype(float), list(codes.values()))
    if not np.isnan(mean).any():
        assert mean == pytest.approx([part**2 for part, _ in zip(spread, codes, strict=False)], abs=1e-6)


@settings(max_examples=20)
@given(order=st.integers(0, 2**31 - 1))
def test_the_order_of_rows_does_not_matter(order: int) -> None:
    trials = grid(2, 3, 2, 2).drop(index=[3, 4])
    pd.testing.assert_frame_equal(components(trials), components(trials.sample(frac=1, random_state=order)))


def test_one_retrain_seed_joins_it_with_the_search_seed() -> None:
    trials = grid(1, 6, 3, 1)
    found, said = told(trials), notes(trials)
    y = trials["test_ua"].to_numpy().reshape(6, 3)
    assert found == {
        "fold": pytest.approx(y.mean(1).var(ddof=1) - y.var(axis=1, ddof=1).mean() / 3),
        "candidate": NAN,
        "search_seed": NAN,
        "retrain_seed": NAN,
        "residual": pytest.approx(y.var(axis=1, ddof=1).mean()),
    }
    assert said["search_seed"] == "cannot be told apart from retrain seed: see residual"
    assert said["residual"] == "search seed + retrain seed"
    assert said["candidate"] == "1 candidate: the variance is unknown"


def test_one_search_seed_joins_it_with_the_fold() -> None:
    found = told(grid(1, 6, 1, 3))
    assert (found["fold"], found["search_seed"]) == (NAN, NAN)
    assert found["fold + search_seed"] > 0
    assert found["retrain_seed"] > 0


def test_one_seed_of_each_leaves_only_the_sum() -> None:
    trials = grid(1, 6, 1, 1)
    assert told(trials)["residual"] == pytest.approx(trials["test_ua"].var(ddof=1))
    assert [name for name, value in told(trials).items() if not math.isnan(value)] == ["residual"]


def test_one_run_or_none_gives_no_variance() -> None:
    assert all(math.isnan(each) for each in told(grid(1, 1, 1, 1)).values())
    failed = grid(1, 3, 2, 1).assign(status="failed", test_ua=math.nan)
    assert all(math.isnan(each) for each in told(failed).values())
    assert notes(failed)["fold"] == "0 folds: the variance is unknown"


def test_a_negative_estimate_is_given_as_0_with_a_note() -> None:
    """Folds with the same mean, and spread inside."""
    trials = grid(1, 6, 2, 1, scores=[0.4, 0.6] * 6)
    found = components(trials).set_index("component")
    assert (found.loc["fold", "variance"], found.loc["fold", "share"]) == (0, 0)
    assert found.loc["fold", "note"] == "negative estimate (-0.01), given as 0"
    assert found.loc["residual", "share"] == 1


def test_equal_scores_have_no_shares() -> None:
    found = components(grid(1, 6, 2, 2, scores=0.7)).set_index("component")
    assert found.loc[["fold", "search_seed", "retrain_seed"], "variance"].to_list() == [0, 0, 0]
    assert found["share"].isna().all()


def test_shares_are_of_the_known_variance() -> None:
    found = components(grid(2, 6, 2, 2)).dropna(subset="variance")
    assert found["share"].sum() == pytest.approx(1)
    assert found["sd"].to_list() == pytest.approx([math.sqrt(each) for each in found["variance"]])


def test_nested_candidates_belong_to_their_fold() -> None:
    """Candidate 1 of one fold has nothing to do with candidate 1 of another."""
    trials = grid(3, 5, 2, 2)
    configs = {"s": assign(Config(), {"study.protocol": "nested"})}
    found = told(trials, configs=configs)
    renamed = trials.assign(candidate=(trials["candidate"] + trials["fold"]) % 3)
    assert told(renamed, configs=configs) == pytest.approx(found)
    assert told(renamed) != pytest.approx(told(trials))
    assert "candidate on fold" not in found


def test_candidates_that_were_raced_out_are_left_out() -> None:
    trials = grid(3, 5, 2, 1)
    trials.loc[(trials["candidate"] == 2) & (trials["fold"] > 1), "status"] = "raced"
    assert told(trials) == pytest.approx(told(trials[trials["candidate"] < 2]), nan_ok=True)
    assert notes(trials)["residual"].endswith("; without 1 candidate raced out")


def test_seeds_with_repeated_scores_are_not_folds() -> None:
    """Seeds that repeat a fold's score add nothing to the spread of folds but the knowledge that seeds have
    none.
    """
    once = grid(1, 6, 1, 1)
    many = pd.concat([once.assign(seed=seed) for seed in range(4)])
    found = told(many)
    assert found["fold"] == pytest.approx(told(once)["residual"])
    assert found["residual"] == 0
