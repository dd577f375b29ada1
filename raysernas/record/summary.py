"""The result tables: the only place where scores of trials are aggregated.

Seeds are averaged within a fold first; mean and standard deviation are then over folds, never over seeds.
Pooled scores come from the sum of the confusions of all test utterances, with the corpus's class list. In
each arm (nested: on each of its folds) the candidate with the best mean validation UA is chosen. A candidate
with a failed, raced or missing trial has no mean.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from raysernas.config.schema import Config
from raysernas.record import ensembles, ledger, soundness, units
from raysernas.record.files import StudyFiles, need_config
from raysernas.record.metrics import METRICS
from raysernas.record.protocol import COUNTED, PROVENANCE, marks
from raysernas.record.units import by_unit, pooled

FEWEST_DRAWS = 10  # random genotypes needed for a claim about `random` (one for each fold and seed)
UNIFORM = 0.9  # share of its entropy above which a search has chosen nothing
REPORTED = (
    "valid_ua",
    *(f"test_{name}" for name in METRICS),
    *("test_confusion", "parameters", "latency_ms", "search_s", "retrain_s", "search_entropy"),
    *("n_skipped", "n_unknown", "n_unlike", "n_confounded", "n_known_texts", "emotions", "valid_confusion"),
    *("corpus.folds", "test_speakers"),
    *(ensembles.MEMBERS, *ensembles.SCORES, *ensembles.CONFUSIONS),
    *PROVENANCE,
)
ALL_FOLDS = -1  # stands for a fold in the rows of candidates that are compared over all folds
GROUP = ["arm", "group", "candidate"]
CANDIDATE_COLUMNS = ("arm", "fold", "candidate", "trials", "finished", "failed", "raced", "valid_ua")
FOLD_COLUMNS = ("arm", "fold", *METRICS, "n_test", "runs", "lacks")
# of an arm: mean and standard deviation over folds, then the scores of all test utterances as one set
SCORE_COLUMNS = (
    *(column for name in METRICS for column in (name, f"{name}_sd")),
    *(f"pooled_{name}" for name in METRICS),
)
ARM_COLUMNS = (
    *("arm", "candidates", "failed", "raced", "candidate", "valid_ua", "folds", "planned_folds", "runs"),
    *SCORE_COLUMNS,
    *("parameters", "search_s", "retrain_s", "entropy", "searches", "uniform", "note"),
)
ENSEMBLE_COLUMNS = (*ARM_COLUMNS, "of", "members", "member_ua", "latency_ms")


@dataclass(frozen=True, slots=True)
class Tables:
    """The results of a study so far, in CANDIDATE_COLUMNS, FOLD_COLUMNS, ARM_COLUMNS and ENSEMBLE_COLUMNS.

    `pareto` holds the non-dominated candidates, by validation only, if the study has several objectives. Each
    table also has the column `marks`: short warnings about its scores, which `marks` explains.
    """

    candidates: pd.DataFrame
    folds: pd.DataFrame
    arms: pd.DataFrame
    ensembles: pd.DataFrame
    pareto: pd.DataFrame = field(default_factory=pd.DataFrame)
    marks: dict[str, str] = field(default_factory=dict)


def summary(study: StudyFiles, trials: pd.DataFrame | None = None) -> Tables:
    """The tables of a study, over the arms, folds and seeds that its study.yaml plans.

    If study.yaml lists no folds, those of the ledger are taken.

    Args:
        trials: the ledger as `soundness.believed` gives it, if it has been read already.

    Raises:
        Fault: when the folder is not a study's, or a file of it cannot be read.
    """
    config = need_config(study)
    if trials is None:
        trials, _ = soundness.believed(ledger.table(study), config.corpus.emotions)
    trials = trials.reindex(
        columns=[*trials.columns, *(column for column in REPORTED if column not in trials)]
    )
    folds = config.study.folds or tuple(sorted(int(fold) for fold in set(trials["fold"])))
    planned = (
        trials["fold"].isin(folds)
        & trials["seed"].isin(config.study.seeds)
        & trials["arm"].isin(config.study.arms)
    )
    trials = trials[planned & (trials["candidate"] < config.study.candidates)]
    nested = config.study.protocol == "nested"
    tried = candidates(
        trials, folds=folds, seeds=config.study.seeds, retrain_seeds=config.retrain.seeds, nested=nested
    )
    finished = trials[trials["retrain_seed"].isin(config.retrain.seeds) | (trials["status"] == "failed")]
    finished = by_unit(finished, folds)
    arms = arm_table(finished, tried, config.study.arms, planned_folds=len(folds))
    found = marks_of(config, trials)
    best = pareto(finished, tried, config.study.objectives)
    of_folds, together = fold_table(finished, winners(tried)), ensemble_table(finished, tried, arms)
    marked = (table.assign(marks=", ".join(found)) for table in (tried, of_folds, arms, together, best))
    return Tables(*marked, marks=found)


def marks_of(config: Config, trials: pd.DataFrame) -> dict[str, str]:
    """`protocol.marks` of a study, with what its planned trials have recorded in the columns REPORTED."""
    counts = {name: _most(trials[f"n_{name}"]) for name in COUNTED}
    ended = trials[(trials["status"] == "finished") & trials["retrain_seed"].isin(config.retrain.seeds)]
    recorded = {name: ended[name].mask(ended[name] == "") for name in PROVENANCE if name != "commit"}
    mixed = [name for name in PROVENANCE if recorded.get(name, ended[name]).nunique() > 1]
    return marks(config, **counts, mixed=mixed)


def candidates(
    trials: pd.DataFrame,
    *,
    folds: Sequence[int],
    seeds: Sequence[int],
    retrain_seeds: Sequence[int],
    nested: bool = False,
) -> pd.DataFrame:
    """CANDIDATE_COLUMNS, one row for each arm and candidate (nested: and fold; else `fold` is ALL_FOLDS).

    `trials` are those planned; `valid_ua` is the mean, if all of them have finished.
    """
    planned = (1 if nested else len(folds)) * len(seeds)
    chosen = trials[trials["fold"].isin(folds) & trials["seed"].isin(seeds)]
    chosen = chosen.assign(group=chosen["fold"] if nested else ALL_FOLDS)
    done = chosen[(chosen["status"] == "finished") & chosen["retrain_seed"].isin(retrain_seeds)]
    table = pd.DataFrame(index=chosen.groupby(GROUP).size().index).assign(trials=planned)
    for word, rows in {
        "finished": done,
        **{word: chosen[chosen["status"] == word] for word in ("failed", "raced")},
    }.items():
        each = rows.drop_duplicates([*GROUP, "fold", "seed"]).groupby(GROUP).size()
        table[word] = each.reindex(table.index, fill_value=0)
    scores = done.groupby(GROUP)["valid_ua"].agg(["size", "count"]).reindex(table.index, fill_value=0)
    runs = planned * len(retrain_seeds)
    complete = (scores["size"] == runs) & (scores["count"] == runs) & (table["finished"] == planned)
    table["valid_ua"] = _mean_over_folds(done, complete[complete].index).reindex(table.index)
    return table.reset_index().rename(columns={"group": "fold"})[list(CANDIDATE_COLUMNS)]


def _mean_over_folds(done: pd.DataFrame, groups: pd.Index) -> pd.Series:
    """Mean validation UA of complete candidates: over the runs of each fold first."""
    by_fold = done.groupby([*GROUP, "fold"])["valid_ua"].mean().reset_index("fold", drop=True)
    complete = by_fold[by_fold.index.isin(groups)].to_numpy(dtype=float)
    folds = len(complete) // max(len(groups), 1)  # that many rows follow one another
    return pd.Series(
        complete.reshape(len(groups), folds).mean(axis=1) if folds else np.nan, groups, dtype=float
    )


def winners(table: pd.DataFrame) -> dict[str, int]:
    """The candidate with the best mean validation UA (the lower number on a tie) of each arm that has one.

    The keys are arms, or `ARM-fN` for fold N of an arm if the protocol is nested.
    """
    # the last bits depend on the order of summation
    ranked = table.dropna(subset="valid_ua").round({"valid_ua": 12})
    ranked = ranked.sort_values(["arm", "fold", "valid_ua", "candidate"], ascending=[True, True, False, True])
    return {
        _group_name(row): int(row["candidate"])
        for row in ranked.drop_duplicates(["arm", "fold"]).to_dict("records")
    }


def pareto(trials: pd.DataFrame, tried: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The Pareto front of the complete candidates of each arm (nested: arm and fold).

    Columns `arm`, `fold`, `candidate` and the objectives, each the mean over folds of the mean over seeds.
    Empty for one objective.
    """
    names, kept = list(objectives), []
    for (arm, fold), group in (
        tried.dropna(subset="valid_ua").groupby(["arm", "fold"]) if len(names) > 1 else ()
    ):
        nested = fold != ALL_FOLDS
        rows = trials[
            (trials["arm"] == arm)
            & (trials["status"] == "finished")
            & ((trials["fold"] == fold) | (not nested))
        ]
        rows = rows[rows["candidate"].isin(group["candidate"])]
        means = rows.groupby(["candidate", "fold"])[names].mean().groupby("candidate").mean().dropna()
        gains = means * [1 if name == "valid_ua" else -1 for name in names]  # larger is better
        better = gains.to_numpy()
        for number, own, values in zip(means.index, better, means.to_numpy(), strict=True):
            if not ((better >= own).all(axis=1) & (better > own).any(axis=1)).any():
                kept.append((arm, fold, number, *values))
    return pd.DataFrame(kept, columns=["arm", "fold", "candidate", *(names if len(names) > 1 else ())])


def fold_table(trials: pd.DataFrame, chosen: dict[str, int]) -> pd.DataFrame:
    """Test scores of each arm's chosen candidate on each fold, averaged over its `runs` (seeds x
    retrain seeds). `lacks`: the emotions without an utterance there, over which UA is no mean.
    """
    return _on_folds(_picked(trials, chosen))


def _on_folds(rows: pd.DataFrame) -> pd.DataFrame:
    """FOLD_COLUMNS of some runs."""
    rows = rows.assign(
        n_test=[pooled([text]).total for text in rows["test_confusion"]],
        lacks=[_lacks(*texts) for texts in rows[["emotions", "test_confusion", "valid_confusion"]].values],
    )
    grouped = rows.groupby(["arm", "fold"], sort=True)
    table = grouped.agg(n_test=("n_test", "first"), runs=("test_ua", "size"), lacks=("lacks", "first"))
    for name in METRICS:  # no mean over only those runs that happen to have a score
        scores = grouped[f"test_{name}"]
        table[name] = scores.mean().where(scores.count() == table["runs"])
    return table.reset_index()[list(FOLD_COLUMNS)]


def _lacks(emotions: str, test: str, valid: str) -> str:
    """The emotions that the test and validation parts lack, in words."""
    found, names = [], list[str]()
    for part, text in (("test", test), ("validation", valid)):
        with suppress(ValueError):
            names = list(json.loads(emotions or "[]"))
        counts = pooled([text]).confusion.sum(axis=1)
        missing = [name for name, count in zip(names, counts, strict=False) if not count]
        found += [f"{part}: {', '.join(missing)}"] * bool(missing)
    return "; ".join(found)


def arm_table(
    trials: pd.DataFrame, tried: pd.DataFrame, arms: Sequence[str], *, planned_folds: int = 0
) -> pd.DataFrame:
    """ARM_COLUMNS, one row for each arm: its chosen candidate, scores, size, cost and a warning note.

    If the protocol is nested, `candidate` is known only if it is the same on all folds, and there are no
    scores before every fold has a candidate.
    """
    chosen = winners(tried)
    trials = by_unit(trials)
    folds = fold_table(trials, chosen)
    rows = []
    for arm in arms:
        of_arm = tried[tried["arm"] == arm]
        row: dict[str, object] = {
            "arm": arm,
            "candidates": of_arm["candidate"].nunique(),
            "planned_folds": units.count(trials, planned_folds),
        }
        row |= {name: int(of_arm[name].sum()) for name in ("failed", "raced")}
        best = of_arm[
            [chosen.get(_group_name(each)) == each["candidate"] for each in of_arm.to_dict("records")]
        ]
        if len(best) and (len(best) == planned_folds or (best["fold"] == ALL_FOLDS).all()):
            picked = _picked(trials[trials["arm"] == arm], chosen)
            same = best["candidate"].iloc[0] if best["candidate"].nunique() == 1 else np.nan
            row |= {"candidate": same, "valid_ua": float(best["valid_ua"].mean())}
            row |= _scores(folds[folds["arm"] == arm], picked)
        rows.append(row | {"note": _note(row, trials[trials["arm"] == arm])})
    return pd.DataFrame(rows, columns=list(ARM_COLUMNS))


def ensemble_table(trials: pd.DataFrame, tried: pd.DataFrame, arms: pd.DataFrame) -> pd.DataFrame:
    """ENSEMBLE_COLUMNS, one row for each arm with a result whose trials have ensembles: the scores of these.

    The candidates are those of the arm, chosen by its single models. Seeds are averaged within a fold, and a
    score is unknown if one trial has no ensemble. `of` is the arm, `member_ua` its UA; `parameters`,
    `latency_ms` and `retrain_s` are sums over the `members`.

    Args:
        arms: what `arm_table` gives.
    """
    chosen, rows, trials = winners(tried), [], by_unit(trials)
    for row in arms[arms["folds"].notna()].to_dict("records"):
        picked = _picked(trials[trials["arm"] == row["arm"]], chosen)
        members = picked[ensembles.MEMBERS].max()
        if pd.isna(members):
            continue
        own = ensembles.as_runs(picked)
        folds, valid = _on_folds(own), own.groupby("fold")["valid_ua"]
        found = {"arm": ensembles.name(row["arm"], int(members)), "of": row["arm"], "members": int(members)}
        found |= {"valid_ua": valid.mean().where(valid.count() == valid.size()).mean(skipna=False)}
        found |= {"member_ua": row["ua"], "latency_ms": own["latency_ms"].mean(skipna=False), "note": ""}
        rows.append({**row, **_scores(folds, own), **found})
    return pd.DataFrame(rows, columns=list(ENSEMBLE_COLUMNS))


def _group_name(row: Mapping[Hashable, Any]) -> str:
    return row["arm"] if row["fold"] == ALL_FOLDS else f"{row['arm']}-f{row['fold']}"


def _picked(trials: pd.DataFrame, chosen: dict[str, int]) -> pd.DataFrame:
    """The finished trials of the chosen candidates."""
    names = zip(trials["arm"], trials["fold"], strict=True)
    wanted = pd.Series(
        [chosen.get(arm, chosen.get(f"{arm}-f{fold}")) for arm, fold in names],
        index=trials.index,
        dtype=float,
    )
    return trials[(trials["candidate"] == wanted) & (trials["status"] == "finished")]


def _scores(folds: pd.DataFrame, rows: pd.DataFrame) -> dict[str, object]:
    whole = pooled(rows["test_confusion"].tolist())
    return {
        "folds": len(folds),
        "runs": len(rows[["seed", "retrain_seed"]].drop_duplicates()),
        **{name: folds[name].mean(skipna=False) for name in METRICS},
        **{f"{name}_sd": folds[name].std(ddof=1, skipna=False) for name in METRICS},
        **{f"pooled_{name}": score for name, score in whole.scores.items()},
        "parameters": rows["parameters"].mean(),
        "search_s": rows.drop_duplicates(["fold", "seed"])["search_s"].mean(),
        "retrain_s": rows["retrain_s"].mean(),
        **_searches(rows),
    }


def count_draws(runs: pd.DataFrame) -> int:
    """The random architectures behind some runs: one for each fold and seed."""
    each = runs.drop_duplicates(["fold", "seed"])
    return int(each[units.FOLDS].sum()) if units.FOLDS in each else len(each)


def _most(counts: pd.Series) -> int:
    """The largest count; failed trials have none."""
    known = pd.to_numeric(counts).dropna()
    return int(known.max()) if len(known) else 0


def _searches(rows: pd.DataFrame) -> dict[str, object]:
    """Mean entropy at the end of the searches, their number, and how many chose nothing."""
    ends = rows.drop_duplicates(["fold", "seed"])["search_entropy"].dropna()
    return {"entropy": ends.mean(), "searches": len(ends), "uniform": int((ends > UNIFORM).sum())}


def _note(row: dict[str, object], trials: pd.DataFrame) -> str:
    notes = []
    if "candidate" not in row:
        reasons = [
            line
            for text in trials.loc[trials["status"] == "failed", "reason"]
            for line in str(text).splitlines()[:1]
        ]
        notes.append(": ".join(["no complete candidate", *reasons[:1]]))
    if row["raced"]:
        trials_raced = f"{row['raced']} trial{'s' if row['raced'] != 1 else ''}"
        notes.append(f"{trials_raced} of candidates that were given up did not run to the end")
    draws = count_draws(trials[trials["status"] == "finished"])
    if row["arm"] == "random" and draws < FEWEST_DRAWS:
        notes.append(
            f"{draws} draw{'s' if draws != 1 else ''}: too few for a claim, which takes {FEWEST_DRAWS}"
        )
    if row.get("uniform"):
        notes.append(
            f"search did not leave uniform in {row['uniform']} of {row['searches']} (mean entropy "
            f"{row['entropy']:.2f})"
        )
    return "; ".join(notes)
