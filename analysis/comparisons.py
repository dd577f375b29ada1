"""Which of two arms is better, by how much and how sure: every pair of arms of a study.

In: the frames `folds` (seeds are averaged inside each fold and never counted as folds), `speakers` and
    `trials`.
Out: the frames `pairs` and `over_random`. Scores in 0..1, NaN = unknown. Differences are of test UA on the
folds that both arms have. The p values of one study and selection are one family for Holm. The relative
improvement over the mean random architecture is that of Yang et al. (2020, arXiv 1912.12522).
"""

import math
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import columns, finished
from analysis.statistics import FloatArray, bootstrap, effect_sizes, holm, interval, p_value, practical
from analysis.wording import FORBIDDEN, NO_EVIDENCE, SURE, ahead, few_draws, verdict
from raysernas.config.fault import Fault
from raysernas.record.resampling import paired
from raysernas.record.summary import count_draws

LEVEL = 1 - SURE  # of intervals
ROPE = 0.01  # of UA: a smaller difference counts as none
DRAWS, SEED = 10_000, 0  # of the bootstrap
DIGITS = 12  # of a difference; the rest is rounding error
FAMILY = ["study", "selection"]
PAIR_COLUMNS = columns(
    "study selection arm_a arm_b folds difference sd ratio nb_t nb_df nb_p holm_p ci_low ci_high "
    "rope p_worse p_same p_better speakers boot_difference boot_low boot_high "
    "effect effect_hedges wins losses ahead verdict"
)
RANDOM_COLUMNS = columns("study selection arm folds draws ua random_ua improvement beaten note")


def pairs(
    folds: pd.DataFrame,
    speakers: pd.DataFrame | None = None,
    trials: pd.DataFrame | None = None,
    *,
    rope: float = ROPE,
) -> pd.DataFrame:
    """One row for each pair of arms of a study and selection, in the order of their names; none for a single
    arm.

    `difference` is the mean of arm_a minus arm_b over the `folds` that both have, `sd` its deviation over
    them. `nb_t`, `nb_df`, `nb_p`: the two-sided test of Nadeau and Bengio with n_test / n_train = `ratio`;
    `holm_p` after Holm; `ci_low`, `ci_high`: its interval. `p_worse`, `p_same`, `p_better`: the probability
    that arm_a is worse by more than `rope`, within it, or better. `boot_difference`: the mean of the
    differences of `speakers`, with a percentile interval from `boot_low` to `boot_high`. `effect`: d_z,
    `effect_hedges` without its bias. `wins`, `losses`: folds. `ahead`: the arm that may be called better,
    empty if neither may. `verdict`: all of it in words.

    Args:
        trials: to count the draws of `random`; without them each run of a fold counts as one.

    Raises:
        Fault: when an arm has several rows of one fold, or of one speaker.
    """
    rows = []
    for family, group in folds.groupby(FAMILY, sort=True):
        scores, ratios = _by_arm(group, "fold", "ua"), _by_arm(_ratios(group), "fold", "ratio")
        of_speakers = _speakers(speakers, family)
        found = [
            _pair(scores[[a, b]], ratios[[a, b]], of_speakers, rope)
            for a, b in combinations(scores.columns, 2)
        ]
        adjusted = holm([row["nb_p"] for row in found])
        tested, drawn = int(np.isfinite(adjusted).sum()), draws(group, trials)
        for row, p in zip(found, adjusted, strict=True):
            row |= dict(zip(FAMILY, family, strict=True)) | {"holm_p": float(p)}
            rows.append(
                row | {"ahead": ahead(row, drawn), "verdict": verdict(row, tested=tested, drawn=drawn)}
            )
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def draws(folds: pd.DataFrame, trials: pd.DataFrame | None) -> int:
    """The random architectures behind the scores of `random`: one for each fold and seed.

    Without trials: the runs of all folds, which is the most there can be.
    """
    own = folds[folds["arm"] == "random"]
    if trials is None:
        return int(own["runs"].sum())
    return count_draws(_of_chosen(own, trials))


def over_random(folds: pd.DataFrame, trials: pd.DataFrame | None = None) -> pd.DataFrame:
    """What each arm gains over the mean random architecture of the same space, on the folds that both have.

    `improvement` is (ua - random_ua) / random_ua. `beaten` is the share of random draws that a run of the arm
    beats on the same fold (a tie counts half); it needs the trials. With too few `draws` both are NaN, and
    `note` says so. Studies without the arm `random` have no rows.
    """
    rows = []
    for family, group in folds.groupby(FAMILY, sort=True):
        scores, drawn = _by_arm(group, "fold", "ua"), draws(group, trials)
        for arm in [each for each in scores.columns if each != "random" and "random" in scores]:
            both = scores[[arm, "random"]].dropna()
            own, other = (float(both[name].mean()) if len(both) else math.nan for name in (arm, "random"))
            gain, beaten, note = math.nan, math.nan, few_draws(drawn)
            if not note and len(both) and other > 0:
                gain, beaten = (own - other) / other, _beaten(group, trials, arm)
            elif not note:
                note = "random architectures have a UA of 0" if len(both) else "no fold in common"
            if family[1] == FORBIDDEN:
                note = "; ".join(filter(None, [NO_EVIDENCE, note]))
            rows.append((*family, arm, len(both), drawn, own, other, gain, beaten, note))
    return pd.DataFrame(rows, columns=list(RANDOM_COLUMNS))


def _of_chosen(folds: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The finished runs behind some rows of `folds`, of the candidate that was chosen for each."""
    keys = ["study", "arm", "fold", "candidate"]
    return finished(trials).merge(folds[keys].drop_duplicates(), on=keys)


def _beaten(folds: pd.DataFrame, trials: pd.DataFrame | None, arm: str) -> float:
    """The share of (run, draw) pairs in which the run is better, averaged over folds; retrain seeds are
    averaged first.
    """
    if trials is None:
        return math.nan
    runs = _of_chosen(folds[folds["arm"].isin([arm, "random"])], trials)
    runs = runs.groupby(["arm", "fold", "seed"])["test_ua"].mean().dropna().round(DIGITS)
    shares = []
    for _, group in runs.groupby("fold"):
        own, other = (
            group[group.index.get_level_values("arm") == name].to_numpy() for name in (arm, "random")
        )
        if len(own) and len(other):
            shares.append(float((np.sign(own[:, None] - other[None, :]) + 1).mean() / 2))
    return float(np.mean(shares)) if shares else math.nan


def _by_arm(rows: pd.DataFrame, unit: str, column: str) -> pd.DataFrame:
    """[fold or speaker, arm]: a column, both sorted."""
    twice = rows[rows.duplicated([unit, "arm"])]
    if len(twice):
        first = twice.iloc[0]
        raise Fault(
            "comparisons",
            f"{first['arm']} has several rows of {unit} {first[unit]}",
            got=f"{len(twice)} rows too many",
            expected=f"one row for each arm and {unit}, with seeds averaged inside it",
            fix="pass the frames `folds` and `speakers` unchanged",
        )
    return rows.pivot(index=unit, columns="arm", values=column).sort_index().sort_index(axis=1)


def _ratios(folds: pd.DataFrame) -> pd.DataFrame:
    """Test over training utterances; NaN where either is unknown."""
    train = pd.to_numeric(folds["n_train"]).where(lambda count: count > 0)
    return folds.assign(ratio=pd.to_numeric(folds["n_test"]) / train)


def _speakers(speakers: pd.DataFrame | None, family: Sequence[Hashable]) -> pd.DataFrame:
    """UA by speaker and arm."""
    if speakers is None or speakers.empty:
        return pd.DataFrame()
    own = speakers[(speakers["study"] == family[0]) & (speakers["selection"] == family[1])]
    return _by_arm(own, "speaker", "ua")


def _differences(scores: pd.DataFrame) -> FloatArray:
    """First column minus second, where both are known, in row order."""
    both = scores.dropna().to_numpy(dtype=np.float64)
    return (both[:, 0] - both[:, 1]).round(DIGITS)


def _pair(
    scores: pd.DataFrame, ratios: pd.DataFrame, of_speakers: pd.DataFrame, rope: float
) -> dict[str, Any]:
    """The numbers of one pair; `scores` and `ratios` have a column for each of the two arms."""
    arms, differences = list(scores.columns), _differences(scores)
    common = ratios.loc[scores.dropna().index].mean(axis=1)
    ratio = float(common.mean(skipna=False)) if len(differences) else math.nan
    found = paired(differences, ratio)
    own = _differences(of_speakers[arms]) if set(arms) <= set(of_speakers.columns) else np.empty(0)
    row = {"arm_a": arms[0], "arm_b": arms[1], "folds": found.pairs, "rope": rope, "speakers": len(own)}
    row |= {"difference": found.difference, "sd": found.sd, "ratio": ratio}
    row |= {"nb_t": found.t, "nb_df": max(0, found.df), "nb_p": p_value(found)}
    row["ci_low"], row["ci_high"] = interval(found, LEVEL)
    row["p_worse"], row["p_same"], row["p_better"] = practical(found, rope)
    row["boot_difference"] = float(own.mean()) if len(own) else math.nan
    row["boot_low"], row["boot_high"] = bootstrap(own, level=LEVEL, draws=DRAWS, seed=SEED)
    row["effect"], row["effect_hedges"] = effect_sizes(found)
    return row | {"wins": int((differences > 0).sum()), "losses": int((differences < 0).sum())}
