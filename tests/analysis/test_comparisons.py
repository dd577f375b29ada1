"""Pairs of arms: differences are paired over folds, not seeds; order does not matter; no verdict claims too
much.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import comparisons
from analysis.comparisons import PAIR_COLUMNS, RANDOM_COLUMNS, SEED, draws, over_random, pairs
from analysis.statistics import bootstrap
from raysernas.config.fault import Fault
from tests.support.oracles import correlated, multipletests, stats

NAN = pytest.approx(math.nan, nan_ok=True)
SCORES = st.lists(
    st.lists(st.integers(0, 1000).map(lambda told: told / 1000), min_size=4, max_size=4),
    min_size=2,
    max_size=8,
)
ARMS = ("cnn", "darts", "lstm", "random")
FEW = 200  # draws of the bootstrap, which is tested in its own room


@pytest.fixture(scope="module", autouse=True)
def _few_draws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons, "DRAWS", FEW)
        yield


def folds(scores: Mapping[str, Sequence[float]], **columns: Any) -> pd.DataFrame:
    """The frame `folds` of one study: the UAs of each arm, fold by fold."""
    rows = [
        {
            "study": "s",
            "selection": "nested",
            "arm": arm,
            "fold": fold,
            "candidate": 0,
            "ua": ua,
            "n_test": 40,
            "n_train": 320,
        }
        for arm, told in scores.items()
        for fold, ua in enumerate(told)
    ]
    return pd.DataFrame(rows).assign(**{"runs": 2, **columns})


def speakers(scores: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    rows = [(arm, f"speaker-{n:02d}", ua) for arm, told in scores.items() for n, ua in enumerate(told)]
    return pd.DataFrame(rows, columns=["arm", "speaker", "ua"]).assign(study="s", selection="nested")


def runs(scores: Mapping[str, Sequence[Sequence[float]]], *, retrain_seeds: int = 1) -> pd.DataFrame:
    """The frame `trials`: arm -> fold -> the test UA of each seed."""
    rows = [
        {
            "study": "s",
            "arm": arm,
            "fold": fold,
            "candidate": 0,
            "seed": seed,
            "retrain_seed": again,
            "test_ua": ua,
        }
        for arm, told in scores.items()
        for fold, seeds in enumerate(told)
        for seed, ua in enumerate(seeds)
        for again in range(retrain_seeds)
    ]
    return pd.DataFrame(rows).assign(status="finished", planned=True)


def only(frame: pd.DataFrame) -> Any:
    """Its single row."""
    assert len(frame) == 1
    return frame.iloc[0]


GOOD, BAD = (0.70, 0.75, 0.72, 0.78, 0.71, 0.74), (0.60, 0.66, 0.65, 0.67, 0.60, 0.66)


def test_a_pair_agrees_with_independent_computations() -> None:
    row = only(pairs(folds({"cnn": BAD, "darts": GOOD})))
    differences = np.array(BAD) - np.array(GOOD)
    plain = stats.ttest_rel(BAD, GOOD)
    t = plain.statistic / math.sqrt((1 / 6 + 1 / 8) / (1 / 6))
    assert (row["arm_a"], row["arm_b"], row["folds"], row["nb_df"]) == ("cnn", "darts", 6, 5)
    assert (row["difference"], row["sd"], row["ratio"]) == pytest.approx(
        (differences.mean(), differences.std(ddof=1), 1 / 8)
    )
    assert (row["nb_t"], row["nb_p"]) == pytest.approx((t, 2 * stats.t.sf(abs(t), 5)))
    half = stats.t.ppf(0.975, 5) * differences.std(ddof=1) * math.sqrt(1 / 6 + 1 / 8)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(
        (differences.mean() - half, differences.mean() + half)
    )
    assert (row["wins"], row["losses"], row["effect"]) == (
        0,
        6,
        pytest.approx(differences.mean() / differences.std(ddof=1)),
    )


def test_equal_folds_agree_with_baycomp() -> None:
    """Six folds of a sixth, nobody left to validate: the ratio is 1/5."""
    row = only(pairs(folds({"cnn": BAD, "darts": GOOD}, n_train=200), rope=0.05))
    better, same, worse = correlated(np.array(BAD), np.array(GOOD), rope=0.05).probs()
    assert (row["p_better"], row["p_same"], row["p_worse"]) == pytest.approx((better, same, worse))


def test_unequal_folds_use_their_own_sizes() -> None:
    told = folds({"cnn": BAD, "darts": GOOD})
    told["n_test"] = [10, 20, 30, 40, 50, 60] * 2
    told["n_train"] = 350 - told["n_test"]
    expected = np.mean([size / (350 - size) for size in (10, 20, 30, 40, 50, 60)])
    assert only(pairs(told))["ratio"] == pytest.approx(expected)


@settings(max_examples=10)
@given(scores=SCORES)
def test_the_p_values_of_a_study_are_one_family(scores: list[list[float]]) -> None:
    """By names in their order; a pair without a p is not of the family."""
    found = pairs(folds(dict(zip(ARMS, np.array(scores).T.tolist(), strict=True))))
    assert list(found.columns) == list(PAIR_COLUMNS)
    assert list(zip(found["arm_a"], found["arm_b"], strict=True)) == list(combinations(ARMS, 2))
    known = found.dropna(subset="nb_p")
    assert known["holm_p"].to_list() == pytest.approx(
        multipletests(known["nb_p"], method="holm")[1] if len(known) else []
    )
    assert found.loc[found["nb_p"].isna(), "holm_p"].isna().all()


@settings(max_examples=10)
@given(scores=SCORES, order=st.randoms())
def test_the_order_of_rows_does_not_matter(scores: list[list[float]], order) -> None:
    told = folds(dict(zip(ARMS, np.array(scores).T.tolist(), strict=True)))
    heard = speakers(dict(zip(ARMS, np.array(scores).T.tolist(), strict=True)))
    mixed = [frame.sample(frac=1, random_state=order.randrange(2**31)) for frame in (told, heard)]
    pd.testing.assert_frame_equal(pairs(told, heard), pairs(*mixed))


@settings(max_examples=10)
@given(scores=SCORES)
def test_swapping_the_arms_changes_the_signs(scores: list[list[float]]) -> None:
    """Renamed, so that the second arm comes first: every number has its opposite, and the verdict names the
    same arm.
    """
    mine, yours, *_ = np.array(scores).T.tolist()
    one, other = (
        only(pairs(folds(told), speakers(told)))
        for told in ({"ann": mine, "bob": yours}, {"bob": mine, "ann": yours})
    )
    for name in ("difference", "nb_t", "boot_difference", "effect", "effect_hedges"):
        assert one[name] == pytest.approx(-other[name], nan_ok=True)
    for name in ("sd", "nb_p", "holm_p", "p_same"):
        assert one[name] == pytest.approx(other[name], nan_ok=True)
    for low, high in (("ci_low", "ci_high"), ("boot_low", "boot_high")):
        assert (one[low], one[high]) == pytest.approx((-other[high], -other[low]), nan_ok=True)
    assert (one["p_worse"], one["wins"]) == pytest.approx((other["p_better"], other["losses"]), nan_ok=True)
    if one["difference"] and "same for all" not in one["verdict"]:  # which names both in their order
        renamed = re.sub("ann|bob", lambda name: {"ann": "bob", "bob": "ann"}[name[0]], other["verdict"])
        assert one["verdict"] == renamed


def test_several_rows_of_one_fold_are_refused() -> None:
    """As would be a frame with a row for each seed."""
    told = folds({"cnn": BAD, "darts": GOOD})
    with pytest.raises(Fault, match="cnn has several rows of fold 0\n  got: 12 rows too many"):
        pairs(pd.concat([told, told]))


def test_studies_and_selections_are_families_of_their_own() -> None:
    told = pd.concat(
        [
            folds({"cnn": BAD, "darts": GOOD}, selection=name).assign(study=study)
            for study in "st"
            for name in ("flat", "nested")
        ]
    )
    found = pairs(told)
    assert list(zip(found["study"], found["selection"], strict=True)) == [
        ("s", "flat"),
        ("s", "nested"),
        ("t", "flat"),
        ("t", "nested"),
    ]
    assert (found["holm_p"] == found["nb_p"]).all()


def test_only_scored_folds_of_both_are_compared() -> None:
    told = folds({"cnn": [0.5, 0.6, math.nan, 0.7], "darts": [0.6, math.nan, 0.7, 0.9]})
    row = only(pairs(told[~((told["arm"] == "cnn") & (told["fold"] == 4))]))
    assert (row["folds"], row["difference"]) == (2, pytest.approx(-0.15))


def test_the_bootstrap_is_over_speakers_that_both_arms_have() -> None:
    own = np.random.default_rng(0).uniform(0.5, 0.9, (2, 12))
    heard = speakers({"cnn": own[0], "darts": own[1]})
    row = only(pairs(folds({"cnn": BAD, "darts": GOOD}), heard.drop(index=[0, 13])))
    expected = (own[0] - own[1])[2:]
    assert (row["speakers"], row["boot_difference"]) == (10, pytest.approx(expected.mean()))
    ends = bootstrap(expected, level=0.95, draws=FEW, seed=SEED)
    assert (row["boot_low"], row["boot_high"]) == pytest.approx(ends)


# --- words


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (GOOD, BAD, "cnn is 9.3 points of UA ahead of darts (95 % interval 7.1 to 11.6, p < 0.001)"),
        (
            GOOD,
            (0.69, 0.76, 0.71, 0.77, 0.72, 0.74),
            "nothing can be concluded: cnn is 0.2 points of UA ahead of darts, but that may",
        ),
        (
            [0.70, 0.71, 0.72],
            [0.701, 0.709, 0.7205],
            "cnn and darts are the same for practical purposes: less than 1 point",
        ),
        (
            [0.7],
            [0.6],
            "nothing can be concluded: one common fold has no spread (cnn is 10.0 points of UA ahead of "
            "darts)",
        ),
        ([0.7, 0.6, 0.5], [0.7, 0.6, 0.5], "nothing can be concluded: the scores are equal on all 3 folds"),
        (
            [0.7, 0.6],
            [0.6, 0.5],
            "nothing can be concluded: the difference is the same on all 2 folds (cnn is 10.0 points of UA",
        ),
        ([math.nan], [0.5], "nothing can be concluded: the arms have no scored fold in common"),
        ([0.6, 0.7], [0.7, 0.6], "nothing can be concluded: cnn and darts are level (95 % interval"),
    ],
)
def test_the_verdict(first: list[float], second: list[float], said: str) -> None:
    assert only(pairs(folds({"cnn": first, "darts": second})))["verdict"].startswith(said)


def test_five_folds_cannot_reach_significance_with_wilcoxon() -> None:
    told = "; no Wilcoxon test of 5 folds can reach p < 0.05 (at best 0.062)"
    five = {"cnn": [0.5, 0.9, 0.7, 0.6, 0.8], "darts": [0.6, 0.7, 0.8, 0.5, 0.7]}
    assert only(pairs(folds(five)))["verdict"].endswith(told)
    assert (
        told.replace("5 f", "6 f")
        not in only(pairs(folds({arm: [*ua, 0.6] for arm, ua in five.items()})))["verdict"]
    )


def test_the_verdict_mentions_few_speakers() -> None:
    heard = {"cnn": [0.5, 0.6, 0.7], "darts": [0.6, 0.7, 0.9]}
    said = only(pairs(folds({"cnn": BAD, "darts": GOOD}), speakers(heard)))["verdict"]
    assert said.endswith("; only 3 speakers (the bootstrap interval needs 10)")
    many = {arm: [*ua] * 4 for arm, ua in heard.items()}
    assert "speakers" not in only(pairs(folds({"cnn": BAD, "darts": GOOD}), speakers(many)))["verdict"]


def test_unknown_sizes_give_no_p_and_a_reason() -> None:
    for unknown in ({"n_train": math.nan}, {"n_test": math.nan}, {"n_train": 0}):
        row = only(pairs(folds({"cnn": BAD, "darts": GOOD}, **unknown)))
        assert (row["nb_p"], row["holm_p"], row["ci_low"], row["p_same"]) == (NAN, NAN, NAN, NAN)
        assert row["verdict"].startswith(
            "nothing can be concluded: the number of training or test utterances is unknown"
        )


def test_a_choice_by_test_scores_is_no_evidence() -> None:
    row = only(pairs(folds({"cnn": BAD, "darts": GOOD}, selection="oracle")))
    assert (row["ahead"], only(pairs(folds({"cnn": BAD, "darts": GOOD})))["ahead"]) == ("", "darts")
    assert row["verdict"].startswith(
        "no evidence, because the candidates were chosen by test scores: darts is 9.3 points"
    )


def test_one_arm_and_no_row_make_no_pair() -> None:
    for told in (folds({"cnn": GOOD}), folds({"cnn": GOOD}).iloc[:0]):
        assert pairs(told).empty
        assert list(pairs(told).columns) == list(PAIR_COLUMNS)


# --- random architectures


def test_nine_random_draws_are_too_few_for_a_claim() -> None:
    """Three folds and three seeds; retrained twice they are no more."""
    told = folds({"darts": [0.8, 0.82, 0.85], "random": [0.6, 0.61, 0.62]}, runs=6)
    trials = runs({arm: [[0.7] * 3] * 3 for arm in ("darts", "random")}, retrain_seeds=2)
    assert draws(told, trials) == 9
    assert only(pairs(told, trials=trials))["verdict"].startswith(
        "nothing can be concluded: only 9 random draws (a claim needs 10)"
    )
    row = only(over_random(told, trials))
    assert (row["improvement"], row["beaten"], row["draws"]) == (NAN, NAN, 9)
    assert row["note"] == "only 9 random draws (a claim needs 10)"


def test_the_gain_over_the_mean_random_architecture() -> None:
    told = folds({"darts": [0.8, 0.9], "random": [0.6, 0.65], "cnn": [0.5, 0.75]})
    seeds = {
        "darts": [[0.8] * 5, [0.9] * 5],
        "random": [[0.5, 0.6, 0.8, 0.9, 0.2], [0.1, 0.2, 0.3, 0.4, 0.5]],
    }
    found = over_random(told, runs(seeds))
    assert list(found.columns) == list(RANDOM_COLUMNS)
    assert found["arm"].to_list() == ["cnn", "darts"]
    assert found["improvement"].to_list() == pytest.approx([0.0, (0.85 - 0.625) / 0.625])
    shares = [
        stats.mannwhitneyu(own, other).statistic / 25 for own, other in zip(*seeds.values(), strict=True)
    ]
    assert found["beaten"].to_list() == [NAN, pytest.approx(np.mean(shares))]  # cnn has no trials here
    assert found["note"].to_list() == ["", ""]


def test_only_runs_of_the_chosen_candidate_are_draws() -> None:
    told = folds({"darts": [0.8, 0.9], "random": [0.6, 0.65]})
    trials = runs({"random": [[0.5] * 5, [0.6] * 5]})
    others = [
        trials.assign(candidate=1),
        trials.assign(status="failed", seed=9),
        trials.assign(planned=False, seed=8),
    ]
    assert draws(told, pd.concat([trials, *others])) == 10


def test_a_gain_by_test_scores_is_no_evidence() -> None:
    told = folds({"darts": GOOD, "random": BAD}, selection="oracle")
    assert only(over_random(told))["note"] == (
        "no evidence, because the candidates were chosen by test scores"
    )


def test_without_random_architectures_there_is_no_gain() -> None:
    assert over_random(folds({"darts": GOOD, "cnn": BAD})).empty
    apart = folds({"darts": [0.8, 0.9, math.nan], "random": [math.nan, math.nan, 0.5]}, runs=10)
    assert only(over_random(apart))["note"] == "no fold in common"
    assert (
        only(over_random(folds({"darts": GOOD, "random": [0.0] * 6})))["note"]
        == "random architectures have a UA of 0"
    )
