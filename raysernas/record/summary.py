"""The result tables: the only place where scores of trials are put together.

Seeds are averaged inside a fold first; mean and deviation are then over folds, never over seeds. Pooled scores come from
the sum of the confusions of all test utterances, with the corpus's class list. Within an arm the candidate is chosen by
its mean validation UA; a candidate with a failed or missing trial has no mean.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from raysernas.record.metrics import Evaluation

UNIFORM = 0.9  # a search whose edges keep more than this share of their entropy has chosen nothing


def candidates(trials: pd.DataFrame, *, folds: Sequence[int], seeds: Sequence[int], retrain_seeds: Sequence[int]) -> pd.DataFrame:
    """One row for each arm and candidate: `trials` planned, `finished`, `failed`, and mean `valid_ua` if all are finished."""
    rows = []
    planned = len(folds) * len(seeds)
    chosen = trials[trials["fold"].isin(folds) & trials["seed"].isin(seeds)]
    for (arm, candidate), group in chosen.groupby(["arm", "candidate"], sort=True):
        done = group[(group["status"] == "finished") & group["retrain_seed"].isin(retrain_seeds)]
        finished = done.groupby(["fold", "seed"]).ngroups
        complete = finished == planned and len(done) == planned * len(retrain_seeds)
        mean = done.groupby("fold")["valid_ua"].mean().mean() if complete else np.nan
        failed = group[group["status"] == "failed"].groupby(["fold", "seed"]).ngroups
        rows.append(
            {"arm": arm, "candidate": candidate, "trials": planned, "finished": finished, "failed": failed, "valid_ua": mean}
        )
    return pd.DataFrame(rows, columns=["arm", "candidate", "trials", "finished", "failed", "valid_ua"])


def winners(table: pd.DataFrame) -> dict[str, int]:
    """The candidate of each arm with the best mean validation UA (the lower number on a tie); arms without one are left out."""
    ranked = table.dropna(subset="valid_ua").sort_values(["arm", "valid_ua", "candidate"], ascending=[True, False, True])
    return dict(zip(*[ranked.drop_duplicates("arm")[column] for column in ("arm", "candidate")], strict=True))


def fold_table(trials: pd.DataFrame, chosen: dict[str, int]) -> pd.DataFrame:
    """Test UA and WA (0..1) of each arm's chosen candidate on each fold, seeds averaged."""
    rows = trials[trials["candidate"] == trials["arm"].map(chosen)]
    rows = rows[rows["status"] == "finished"]
    grouped = rows.groupby(["arm", "fold"], sort=True)
    return grouped.agg(
        ua=("test_ua", "mean"), wa=("test_wa", "mean"), n_test=("n_test", "first"), runs=("test_ua", "size")
    ).reset_index()


def arm_table(trials: pd.DataFrame, tried: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """One row an arm: its chosen candidate, mean and deviation over folds, pooled scores, size, cost and what to beware of."""
    chosen = winners(tried)
    folds = fold_table(trials, chosen)
    rows = []
    for arm in arms:
        of_arm = tried[tried["arm"] == arm]
        row: dict[str, object] = {"arm": arm, "candidates": len(of_arm), "failed": int(of_arm["failed"].sum())}
        if arm in chosen:
            picked = trials[(trials["arm"] == arm) & (trials["candidate"] == chosen[arm]) & (trials["status"] == "finished")]
            best = of_arm[of_arm["candidate"] == chosen[arm]]
            row |= {"candidate": chosen[arm], "valid_ua": float(best["valid_ua"].iloc[0])}
            row |= _scores(folds[folds["arm"] == arm], picked)
        rows.append(row | {"note": _note(arm, row, trials[trials["arm"] == arm])})
    return pd.DataFrame(rows)


def pooled(confusions: Sequence[str]) -> Evaluation:
    """All test utterances as one set: the sum of the confusions."""
    return Evaluation(np.sum([json.loads(text) for text in confusions], axis=0, dtype=np.int64))


def _scores(folds: pd.DataFrame, rows: pd.DataFrame) -> dict[str, object]:
    whole = pooled(rows["test_confusion"].tolist())
    return {
        "folds": len(folds),
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
        "entropy": rows["search_entropy"].mean(),
    }


def _note(arm: str, row: dict[str, object], trials: pd.DataFrame) -> str:
    notes = []
    if "candidate" not in row:
        reasons = trials.loc[trials["status"] == "failed", "reason"]
        notes.append(f"no complete candidate{': ' + reasons.iloc[0].splitlines()[0] if len(reasons) else ''}")
    elif isinstance(row["candidates"], int) and row["candidates"] > 1:
        notes.append("chosen on validation folds that are other folds' test speakers")
    if isinstance(level := row.get("entropy"), float) and level > UNIFORM:
        notes.append(f"search did not leave uniform (entropy {level:.2f})")
    return "; ".join(notes)
