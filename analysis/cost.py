"""What a study cost: seconds by purpose, and the Pareto fronts of accuracy against size, latency and time.

In: the trials of one study and its headline selection. Out: frames. Nothing is left out of the sum: other
candidates, and trials that failed or were raced out, were paid for too. Seconds that were not recorded are
NaN, and a note says so.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.frames import columns, joined
from analysis.selection import CandidateSelection
from analysis.tables import name_of, picked
from raysernas.config.schema import Config
from raysernas.record import summary
from raysernas.record.soundness import SECONDS

OF_RUN = ("retrain_s", "test_s")  # paid for each retrain seed; the other stages once a trial
COST_COLUMNS = columns("study arm purpose device trials seconds device_s share note")
PARETO_COLUMNS = columns(
    "study arm fold candidate chosen valid_ua ua parameters latency_ms seconds "
    "front_parameters front_latency_ms front_seconds"
)
PRICES = ("parameters", "latency_ms", "seconds")


def cost(trials: pd.DataFrame, choice: CandidateSelection, config: Config) -> pd.DataFrame:
    """COST_COLUMNS, one row for each arm, purpose and device.

    `trials` counts the trials, `seconds` is wall-clock time, `device_s` multiplies it by the threads (CPU) or
    by the share of a GPU, `share` is the part of the arm's known seconds. The purposes `features` to `test`
    are of the chosen trials; `other candidates` are finished trials that were not chosen, `beyond the plan`
    those that study.yaml no longer plans. A failed trial has the seconds of its last attempt, if that
    recorded them; a trial that was raced out has none. `note` counts the trials without seconds.
    """
    each = per_trial(trials).assign(device=_device(trials))
    chosen = set(picked(trials, choice.chosen)["trial"])
    rows = []
    for (arm, device), group in each.groupby(["arm", "device"], sort=False):
        finished, planned = group["status"] == "finished", group["planned"]
        own = group[group["trial"].isin(chosen) & finished & planned]
        parts = {name.removesuffix("_s"): own[name] for name in SECONDS} if len(own) else {}
        other = group[finished & planned & ~group["trial"].isin(chosen)]
        parts |= {
            "other candidates": other["seconds"],
            "beyond the plan": group.loc[finished & ~planned, "seconds"],
        }
        parts |= {status: group.loc[group["status"] == status, "seconds"] for status in ("failed", "raced")}
        rows += [
            _spent(str(arm), str(device), name, seconds) for name, seconds in parts.items() if len(seconds)
        ]
    frame = pd.DataFrame(rows, columns=["arm", "device", "purpose", "trials", "seconds", "note"])
    factor = frame["device"].map(
        {"cpu": config.compute.threads, "cuda": config.study.resources.gpus_per_trial}
    )
    whole = frame.groupby("arm")["seconds"].transform("sum")
    return frame.assign(
        study=name_of(trials),
        device_s=frame["seconds"] * factor.astype(float),
        share=frame["seconds"] / whole,
    )[list(COST_COLUMNS)]


def per_trial(trials: pd.DataFrame) -> pd.DataFrame:
    """One row a trial with its SECONDS (retraining and test summed over retrain seeds) and their sum
    `seconds`.

    A stage that any row lacks is NaN, and so is the sum; an arm without a stage has 0 there. A trial that did
    not finish has the `seconds` of its last attempt, if they were recorded.
    """
    runs = trials.groupby("trial", sort=False)
    frame = runs[["study", "arm", "candidate", "fold", "seed", "status", "planned"]].first()
    frame = frame.assign(planned=runs["planned"].any())
    for name in SECONDS:
        total = runs[name].sum(min_count=1) if name in OF_RUN else runs[name].first()
        frame[name] = total.where(runs[name].count() == runs.size())
    whole = frame[list(SECONDS)].sum(axis=1, skipna=False)
    return frame.assign(
        seconds=whole.where(frame["status"] == "finished", runs["failed_s"].first())
    ).reset_index()


def pareto(
    trials: pd.DataFrame, choice: CandidateSelection, of_arms: pd.DataFrame, tried: pd.DataFrame
) -> pd.DataFrame:
    """PARETO_COLUMNS, one row for each arm with a result (`chosen`) and for each complete candidate (not
    `chosen`).

    An arm has the headline's test UA. It is on a front if no other arm is at least as good in UA and price
    and better in one of them. A candidate has validation UA only, and is compared with the candidates of all
    arms (nested: on the same fold), because nothing may be chosen by test scores. `seconds` is the mean of a
    trial; `candidate` is NaN where each fold has its own.

    Args:
        of_arms: what `tables.arms` gives for the choice.
        tried: the candidates, of the flat selection if there is one.
    """
    done = trials[(trials["status"] == "finished") & trials["planned"]]
    each = per_trial(done)
    whole = of_arms[of_arms["ua"].notna()]
    own = each[each["trial"].isin(picked(trials, choice.chosen)["trial"])].groupby("arm")["seconds"]
    of_arm = whole.assign(
        chosen=True, fold=np.nan, seconds=whole["arm"].map(own.mean().where(own.count() == own.size()))
    )
    tried = tried.dropna(subset="valid_ua")
    one_each = (tried["fold"] == summary.ALL_FOLDS).all()
    keys = ["arm", "candidate"] if one_each else ["arm", "fold", "candidate"]
    means = done.groupby(keys)[["parameters", "latency_ms"]].mean()
    means = means.join(each.groupby(keys)["seconds"].mean()).reset_index()
    rows = tried.merge(means, on=keys).assign(chosen=False, ua=np.nan, study=name_of(trials))
    of_candidate = [_fronts(group, "valid_ua") for _, group in rows.groupby("fold")]
    table = joined(
        [one.reindex(columns=list(PARETO_COLUMNS)) for one in (_fronts(of_arm, "ua"), *of_candidate)],
        PARETO_COLUMNS,
    )
    return table.assign(fold=table["fold"].where(table["fold"] != summary.ALL_FOLDS))


def front(gain: npt.NDArray[np.float64], price: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which points are on the Pareto front: no other gains at least as much for at most the same price and is
    better in one of them. A point with NaN never is.
    """
    known = ~(np.isnan(gain) | np.isnan(price))
    best, ahead = np.zeros(len(gain), dtype=bool), -np.inf
    order = np.lexsort((-gain, price))
    for group in np.split(order, np.flatnonzero(np.diff(price[order])) + 1):
        top = [place for place in group if known[place]]
        largest = max((gain[place] for place in top), default=-np.inf)
        if largest > ahead:
            best[[place for place in top if gain[place] == largest]] = True
            ahead = largest
    return best


def _fronts(table: pd.DataFrame, gain: str) -> pd.DataFrame:
    gains = table[gain].to_numpy(dtype=float)
    return table.assign(
        **{f"front_{price}": front(gains, table[price].to_numpy(dtype=float)) for price in PRICES}
    )


def _spent(arm: str, device: str, purpose: str, seconds: pd.Series) -> tuple[object, ...]:
    unknown = int(seconds.isna().sum())
    trials = "1 trial" if len(seconds) == 1 else f"{len(seconds)} trials"
    rest = f"; the others took {seconds.sum():.0f} s" if unknown < len(seconds) else ""
    note = f"seconds of {unknown} of {trials} are not recorded{rest}" if unknown else ""
    return arm, device, purpose, len(seconds), seconds.sum(skipna=False), note


def _device(trials: pd.DataFrame) -> Sequence[str]:
    first = trials.drop_duplicates("trial")
    return (
        first["compute.device"].fillna("").astype(str).tolist()
        if "compute.device" in first
        else [""] * len(first)
    )
