"""Which of two arms is ahead, by how much, how sure, and when nothing can be concluded: every pair of arms of
a study.

In: the frames `folds` (seeds averaged inside each fold: seeds are never folds), `speakers` and `trials`. Out:
the frames `pairs` and `over_random`. Scores in 0..1, NaN = not known. Differences are of test UA on the folds
that both arms have; the p values of one study and selection are one family. The relative improvement over the
mean random architecture is that of Yang et al. (2020, arXiv 1912.12522).
"""

import math
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.runs import finished
from analysis.statistics import bootstrap, effect_sizes, holm, interval, p_value, practical
from analysis.wording import FORBIDDEN, SURE, ahead, few_draws, verdict
from raysernas.config.fault import Fault
from raysernas.record.resampling import paired

LEVEL = 1 - SURE  # of intervals
ROPE = 0.01  # of UA: a difference that nobody would notice
DRAWS, SEED = 10_000, 0  # of the bootstrap
DIGITS = 12  # of a difference; what is smaller is rounding
FAMILY = ["study", "selection"]
PAIR_COLUMNS = (
    *(
        "study",
        "selection",
        "arm_a",
        "arm_b",
        "folds",
        "difference",
        "sd",
        "ratio",
        "nb_t",
        "nb_df",
        "nb_p",
        "holm_p",
    ),
    *(
        "ci_low",
        "ci_high",
        "rope",
        "p_worse",
        "p_same",
        "p_better",
        "speakers",
        "boot_difference",
        "boot_low",
        "boot_high",
    ),
    *("effect", "effect_hedges", "wins", "losses", "ahead", "verdict"),
)
RANDOM_COLUMNS = (
    "study",
    "selection",
    "arm",
    "folds",
    "draws",
    "ua",
    "random_ua",
    "improvement",
    "beaten",
    "note",
)
Floats = npt.NDArray[np.float64]


def pairs(
    folds: pd.DataFrame,
    speakers: pd.DataFrame | None = None,
    trials: pd.DataFrame | None = None,
    *,
    rope: float = ROPE,
) -> pd.DataFrame:
    """One row for each pair of arms of a study and selection, in the order of their names; none for a single
    arm.

    `difference` is the mean of arm_a minus arm_b over `folds` common folds, `sd` over them; `nb_t`, `nb_df`,
    `nb_p` the two-sided test with n_test / n_train = `ratio`; `ci_low`, `ci_high` its interval; `p_worse`,
    `p_same`, `p_better` how probable arm_a is worse by more than `rope`, neither, better by more;
    `boot_difference` the mean over `speakers` of their own differences, with a percentile interval; `effect`
    d_z; `wins` and `losses` folds; `ahead` the arm that may be called better, empty if neither may; `verdict`
    all of it in words.

    Args:
        trials: to count the draws of `random`; without them, each run of a fold counts as one.

    Raises:
        Fault: when an arm has several rows of one fold, or of one speaker.
    """
    rows = []
    for family, group in folds.groupby(FAMILY, sort=True):
        scores, ratios = _table(group, "fold", "ua"), _table(_ratios(group), "fold", "ratio")
        heard = _speakers(speakers, family)
        found = [
            _pair(scores[[a, b]], ratios[[a, b]], heard, rope) for a, b in combinations(scores.columns, 2)
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
    """Random architectures behind the scores of `random` in one study and selection: one a fold and seed.

    Without trials, the runs of all folds: as many as there may be at most.
    """
    own = folds[folds["arm"] == "random"]
    if trials is None:
        return int(own["runs"].sum())
    return len(_of_chosen(own, trials)[["fold", "seed"]].drop_duplicates())


def over_random(folds: pd.DataFrame, trials: pd.DataFrame | None = None) -> pd.DataFrame:
    """What each arm gains over the mean random architecture of the same space, on the folds that both have.

    `improvement` is (ua - random_ua) / random_ua; `beaten` the share of random draws that a run of the arm
    beats on the same fold (a tie is half), which takes the trials. Without enough `draws` both are NaN, and
    `note` says so. Studies without the arm `random` have no rows.
    """
    rows = []
    for family, group in folds.groupby(FAMILY, sort=True):
        scores, drawn = _table(group, "fold", "ua"), draws(group, trials)
        for arm in [each for each in scores.columns if each != "random" and "random" in scores]:
            both = scores[[arm, "random"]].dropna()
            own, other = (float(both[name].mean()) if len(both) else math.nan for name in (arm, "random"))
            row: dict[str, Any] = dict(zip(FAMILY, family, strict=True)) | {
                "arm": arm,
                "folds": len(both),
                "draws": drawn,
            }
            row |= {
                "ua": own,
                "random_ua": other,
                "improvement": math.nan,
                "beaten": math.nan,
                "note": few_draws(drawn),
            }
            if not row["note"] and len(both) and other > 0:
                row |= {"improvement": (own - other) / other, "beaten": _beaten(group, trials, arm)}
            elif not row["note"]:
                row["note"] = "no fold in common" if not len(both) else "random architectures have a UA of 0"
            if row["selection"] == FORBIDDEN:
                row["note"] = "; ".join(
                    ["no evidence, as candidates were chosen by test scores", row["note"]]
                ).removesuffix("; ")
            rows.append(row)
    return pd.DataFrame(rows, columns=list(RANDOM_COLUMNS))


def _of_chosen(folds: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The finished runs behind some rows of `folds`: those of the candidate that was chosen for each."""
    keys = ["study", "arm", "fold", "candidate"]
    return finished(trials).merge(folds[keys].drop_duplicates(), on=keys)


def _beaten(folds: pd.DataFrame, trials: pd.DataFrame | None, arm: str) -> float:
    """Over folds, the mean share of (run, draw) of which the run is better; each averaged over its retrain
    seeds.
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


def _table(rows: pd.DataFrame, line: str, column: str) -> pd.DataFrame:
    """A column by line (fold or speaker) and arm, both sorted."""
    twice = rows[rows.duplicated([line, "arm"])]
    if len(twice):
        first = twice.iloc[0]
        raise Fault(
            "comparisons",
            f"{first['arm']} has several rows of {line} {first[line]}",
            got=f"{len(twice)} rows too many",
            expected=f"one row for each arm and {line}, with seeds averaged inside it",
            fix="give the frames `folds` and `speakers` as they are made",
        )
    return rows.pivot(index=line, columns="arm", values=column).sort_index().sort_index(axis=1)


def _ratios(folds: pd.DataFrame) -> pd.DataFrame:
    """Test over training utterances; NaN where either is not known."""
    train = pd.to_numeric(folds["n_train"]).where(lambda count: count > 0)
    return folds.assign(ratio=pd.to_numeric(folds["n_test"]) / train)


def _speakers(speakers: pd.DataFrame | None, family: Sequence[Hashable]) -> pd.DataFrame:
    """UA by speaker and arm."""
    if speakers is None or speakers.empty:
        return pd.DataFrame()
    own = speakers[(speakers["study"] == family[0]) & (speakers["selection"] == family[1])]
    return _table(own, "speaker", "ua")


def _differences(scores: pd.DataFrame) -> Floats:
    """First column minus second, where both are known, in the order of the rows."""
    both = scores.dropna().to_numpy(dtype=np.float64)
    return (both[:, 0] - both[:, 1]).round(DIGITS)


def _pair(scores: pd.DataFrame, ratios: pd.DataFrame, heard: pd.DataFrame, rope: float) -> dict[str, Any]:
    """The numbers of one pair; both tables have a column for each arm."""
    arms, differences = list(scores.columns), _differences(scores)
    ratio = (
        float(ratios.loc[scores.dropna().index].mean(axis=1).mean(skipna=False))
        if len(differences)
        else math.nan
    )
    found = paired(differences, ratio)
    own = _differences(heard[arms]) if set(arms) <= set(heard.columns) else np.empty(0)
    row: dict[str, Any] = {
        "arm_a": arms[0],
        "arm_b": arms[1],
        "folds": found.pairs,
        "difference": found.difference,
    }
    row |= {
        "sd": found.sd,
        "ratio": ratio,
        "nb_t": found.t,
        "nb_df": max(0, found.df),
        "nb_p": p_value(found),
        "rope": rope,
    }
    row |= dict(zip(("ci_low", "ci_high"), interval(found, LEVEL), strict=True))
    row |= dict(zip(("p_worse", "p_same", "p_better"), practical(found, rope), strict=True))
    row |= {"speakers": len(own), "boot_difference": float(own.mean()) if len(own) else math.nan}
    row |= dict(
        zip(("boot_low", "boot_high"), bootstrap(own, level=LEVEL, draws=DRAWS, seed=SEED), strict=True)
    )
    row |= dict(zip(("effect", "effect_hedges"), effect_sizes(found), strict=True))
    return row | {"wins": int((differences > 0).sum()), "losses": int((differences < 0).sum())}
