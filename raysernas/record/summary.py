"""The result tables: the only place where scores of trials are put together.

Seeds are averaged inside a fold first; mean and deviation are then over folds, never over seeds. Pooled scores come from
the sum of the confusions of all test utterances, with the corpus's class list. Within an arm the candidate is chosen by
its mean validation UA; a candidate with a failed or missing trial has no mean.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from raysernas.record import ledger
from raysernas.record.files import StudyFiles, need_config
from raysernas.record.metrics import Evaluation
from raysernas.record.protocol import marks

FEWEST_DRAWS = 10  # random genotypes below which nothing is claimed about `random` (one a fold and seed)
UNIFORM = 0.9  # a search whose edges keep more than this share of their entropy has chosen nothing
REPORTED = (
    "test_ua",
    "test_wa",
    "test_confusion",
    "parameters",
    "search_s",
    "retrain_s",
    "search_entropy",
    "n_skipped",
    "n_unknown",
    "n_unlike",
)
CANDIDATE_COLUMNS = ("arm", "candidate", "trials", "finished", "failed", "valid_ua")
FOLD_COLUMNS = ("arm", "fold", "ua", "wa", "n_test", "runs")
ARM_COLUMNS = (
    *("arm", "candidates", "failed", "candidate", "valid_ua", "folds", "planned_folds", "seeds", "ua", "ua_sd", "wa", "wa_sd"),
    *("pooled_ua", "pooled_wa", "pooled_f1", "parameters", "search_s", "retrain_s"),
    *("entropy", "searches", "uniform", "note"),
)


@dataclass(frozen=True, slots=True)
class Tables:
    """What a study has found so far; the columns are CANDIDATE_COLUMNS, FOLD_COLUMNS and ARM_COLUMNS, scores in 0..1.

    Each table has the column `marks` besides: in what its scores are optimistic, by the words that `marks` explains.
    """

    candidates: pd.DataFrame
    folds: pd.DataFrame
    arms: pd.DataFrame
    marks: dict[str, str] = field(default_factory=dict)


def summary(study: StudyFiles) -> Tables:
    """The tables of a study folder, over the arms, folds and seeds that its study.yaml plans.

    A study.yaml without a list of folds plans the folds that the ledger knows.

    Raises:
        Fault: when the folder is not a study's, or a file of it cannot be read.
    """
    config = need_config(study)
    trials = ledger.table(study)
    trials = trials.reindex(columns=[*trials.columns, *(column for column in REPORTED if column not in trials)])
    folds = config.study.folds or tuple(sorted(int(fold) for fold in set(trials["fold"])))
    planned = trials["fold"].isin(folds) & trials["seed"].isin(config.study.seeds) & trials["arm"].isin(config.study.arms)
    trials = trials[planned & (trials["candidate"] < config.study.candidates)]
    tried = candidates(trials, folds=folds, seeds=config.study.seeds, retrain_seeds=config.retrain.seeds)
    finished = trials[trials["retrain_seed"].isin(config.retrain.seeds) | (trials["status"] == "failed")]
    arms = arm_table(finished, tried, config.study.arms, planned_folds=len(folds))
    told = {name: _most(trials[f"n_{name}"]) for name in ("unknown", "skipped", "unlike")}
    found = marks(config, unknown=told["unknown"], skipped=told["skipped"], unlike=told["unlike"])
    marked = (table.assign(marks=", ".join(found)) for table in (tried, fold_table(finished, winners(tried)), arms))
    return Tables(*marked, marks=found)


def candidates(trials: pd.DataFrame, *, folds: Sequence[int], seeds: Sequence[int], retrain_seeds: Sequence[int]) -> pd.DataFrame:
    """One row for each arm and candidate: `trials` planned, `finished`, `failed`, and mean `valid_ua` if all are finished."""
    rows = []
    planned = len(folds) * len(seeds)
    chosen = trials[trials["fold"].isin(folds) & trials["seed"].isin(seeds)]
    for (arm, candidate), group in chosen.groupby(["arm", "candidate"], sort=True):
        done = group[(group["status"] == "finished") & group["retrain_seed"].isin(retrain_seeds)]
        finished = done.groupby(["fold", "seed"]).ngroups
        complete = len(done) == planned * len(retrain_seeds) and finished == planned and done["valid_ua"].notna().all()
        mean = done.groupby("fold")["valid_ua"].mean().mean() if complete else np.nan
        failed = group[group["status"] == "failed"].groupby(["fold", "seed"]).ngroups
        rows.append((arm, candidate, planned, finished, failed, mean))
    return pd.DataFrame(rows, columns=list(CANDIDATE_COLUMNS))


def winners(table: pd.DataFrame) -> dict[str, int]:
    """The candidate of each arm with the best mean validation UA (the lower number on a tie); arms without one are left out."""
    ranked = table.dropna(subset="valid_ua").sort_values(["arm", "valid_ua", "candidate"], ascending=[True, False, True])
    return dict(zip(*[ranked.drop_duplicates("arm")[column] for column in ("arm", "candidate")], strict=True))


def fold_table(trials: pd.DataFrame, chosen: dict[str, int]) -> pd.DataFrame:
    """Test UA and WA (0..1) of each arm's chosen candidate on each fold, averaged over its `runs` (seeds x retrain seeds)."""
    rows = trials[(trials["candidate"] == trials["arm"].map(chosen)) & (trials["status"] == "finished")]
    rows = rows.assign(n_test=[pooled([text]).total for text in rows["test_confusion"]])
    grouped = rows.groupby(["arm", "fold"], sort=True)
    table = grouped.agg(ua=("test_ua", "mean"), wa=("test_wa", "mean"), n_test=("n_test", "first"), runs=("test_ua", "size"))
    return table.reset_index()[list(FOLD_COLUMNS)]


def arm_table(trials: pd.DataFrame, tried: pd.DataFrame, arms: Sequence[str], *, planned_folds: int = 0) -> pd.DataFrame:
    """One row an arm: its chosen candidate, mean and deviation over folds, pooled scores, size, cost and what to beware of."""
    chosen = winners(tried)
    folds = fold_table(trials, chosen)
    rows = []
    for arm in arms:
        of_arm = tried[tried["arm"] == arm]
        row: dict[str, object] = {"arm": arm, "candidates": len(of_arm), "failed": int(of_arm["failed"].sum())}
        row["planned_folds"] = planned_folds
        if arm in chosen:
            picked = trials[(trials["arm"] == arm) & (trials["candidate"] == chosen[arm]) & (trials["status"] == "finished")]
            best = of_arm[of_arm["candidate"] == chosen[arm]]
            row |= {"candidate": chosen[arm], "valid_ua": float(best["valid_ua"].iloc[0])}
            row |= _scores(folds[folds["arm"] == arm], picked)
        rows.append(row | {"note": _note(row, trials[trials["arm"] == arm])})
    return pd.DataFrame(rows, columns=list(ARM_COLUMNS))


def pooled(confusions: Sequence[str]) -> Evaluation:
    """All test utterances as one set: the sum of the confusions."""
    return Evaluation(np.asarray([json.loads(text) for text in confusions], dtype=np.int64).sum(axis=0, dtype=np.int64))


def _scores(folds: pd.DataFrame, rows: pd.DataFrame) -> dict[str, object]:
    whole = pooled(rows["test_confusion"].tolist())
    return {
        "folds": len(folds),
        "seeds": len(rows[["seed", "retrain_seed"]].drop_duplicates()),
        "ua": folds["ua"].mean(),
        "ua_sd": folds["ua"].std(ddof=1),
        "wa": folds["wa"].mean(),
        "wa_sd": folds["wa"].std(ddof=1),
        "pooled_ua": whole.ua,
        "pooled_wa": whole.wa,
        "pooled_f1": whole.f1,
        "parameters": rows["parameters"].mean(),
        "search_s": rows.drop_duplicates(["fold", "seed"])["search_s"].mean(),
        "retrain_s": rows["retrain_s"].mean(),
        **_searches(rows),
    }


def _most(counts: pd.Series) -> int:
    """The largest of some counts, of which failed trials have none."""
    known = pd.to_numeric(counts).dropna()
    return int(known.max()) if len(known) else 0


def _searches(rows: pd.DataFrame) -> dict[str, object]:
    """Mean entropy at the end of the searches, their number, and how many of them chose nothing."""
    ends = rows.drop_duplicates(["fold", "seed"])["search_entropy"].dropna()
    return {"entropy": ends.mean(), "searches": len(ends), "uniform": int((ends > UNIFORM).sum())}


def _note(row: dict[str, object], trials: pd.DataFrame) -> str:
    notes = []
    if "candidate" not in row:
        reasons = [line for text in trials.loc[trials["status"] == "failed", "reason"] for line in str(text).splitlines()[:1]]
        notes.append(": ".join(["no complete candidate", *reasons[:1]]))
    elif isinstance(row["candidates"], int) and row["candidates"] > 1:
        notes.append("chosen on validation folds that are other folds' test speakers")
    draws = len(trials.loc[trials["status"] == "finished", ["fold", "seed"]].drop_duplicates())
    if row["arm"] == "random" and draws < FEWEST_DRAWS:
        notes.append(f"{draws} draw{'s' if draws != 1 else ''}: too few for a claim, which takes {FEWEST_DRAWS}")
    if row.get("uniform"):
        notes.append(f"search did not leave uniform in {row['uniform']} of {row['searches']} (mean entropy {row['entropy']:.2f})")
    return "; ".join(notes)
