"""`Results` made by hand: what a report is made of, without a study folder.

The frames are drawn at random and are consistent (folds of arms, speakers of folds). Everything in them says
that it is simulated.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.loading import Results
from analysis.report.build import FRAMES
from analysis.selection import CandidateSelection
from analysis.study import Study
from raysernas.config.files import assign
from raysernas.config.schema import Config

ARMS: tuple[str, ...] = ("darts", "random", "cnn_lstm_attention")
EMOTIONS = ("anger", "boredom", "disgust", "fear", "joy", "neutral", "sadness")
STUDY = "simulated"
SELECTIONS = ("nested", "flat", "oracle")


def by_hand(
    *,
    arms: Sequence[str] = ARMS,
    folds: int = 5,
    seeds: int = 2,
    candidates: int = 2,
    emotions: Sequence[str] = EMOTIONS,
    marks: dict[str, str] | None = None,
    answers: Sequence[str] = ("The answer.", "How sure it is."),
    failed: float = 0.05,
    reason: str = "simulated: the loss is not finite",
    epochs: int = 8,
    seed: int = 0,
    study: str = STUDY,
) -> Results:
    """A study of so many trials."""
    rng = np.random.default_rng(seed)
    plan = {
        "study.name": "simulated",
        "study.arms": list(arms),
        "study.folds": list(range(folds)),
        "study.candidates": candidates,
        "study.seeds": list(range(seeds)),
        "corpus.emotions": list(emotions),
        "corpus.name": "emodb",
    }
    trials = _trials(rng, arms, folds, seeds, candidates, failed, reason).assign(study=study)
    frames = dict.fromkeys(FRAMES, pd.DataFrame())
    frames |= _scored(rng, trials, arms, folds, emotions, ", ".join(marks or {}))
    frames |= {"pairs": _pairs(rng, arms, folds), "histories": _histories(rng, arms, folds, epochs)}
    frames |= _spent(rng, trials, arms, folds * seeds)
    kinds = ["best", *["sure"] * len(answers)][: len(answers)]
    frames["answers"] = pd.DataFrame({"kind": kinds, "sentence": list(answers)})
    trials = trials.assign(emotions=json.dumps(list(emotions)), test_confusion=_confusion(rng, len(emotions)))
    chosen = frames["chosen"].assign(study=study)
    return changed(
        Results((Study(study, study, assign(Config(), plan), trials, ()),)),
        **{name: frame.assign(study=study) for name, frame in frames.items()},
        choices={study: [CandidateSelection(name, pd.DataFrame(), chosen) for name in SELECTIONS]},
        cards={study: {"corpus": "emodb, simulated", "folds": "speaker"}},
        marked={(study, name): marks or {} for name in SELECTIONS},
        remarks=("All of this is simulated.",),
        history_remarks=(),
    )


def changed(results: Results, **values: Any) -> Results:
    """The same, with some frames or other properties replaced."""
    copy = replace(results)
    vars(copy).update({**vars(results), "unavailable": {}, **values})
    return copy


def together(one: Results, other: Results) -> Results:
    """Two studies made by hand in one; without answers, marks and cards."""
    both = {name: pd.concat([getattr(each, name) for each in (one, other)]) for name in FRAMES}
    both["answers"] = pd.DataFrame()
    choices = one.choices | other.choices
    marked = {key: {} for key in [*one.marked, *other.marked]}
    found = Results((*one.members, *other.members))
    return changed(found, **both, choices=choices, marked=marked, cards={}, remarks=(), history_remarks=())


def _confusion(rng: np.random.Generator, size: int) -> str:
    return json.dumps((rng.integers(0, 20, (size, size)) + 60 * np.eye(size, dtype=int)).tolist())


def _scored(
    rng: np.random.Generator,
    trials: pd.DataFrame,
    arms: Sequence[str],
    folds: int,
    emotions: Sequence[str],
    marks: str,
) -> dict[str, pd.DataFrame]:
    """What the trials of candidate 0, which every selection has chosen, are worth."""
    first = trials[(trials["status"] == "finished") & (trials["candidate"] == 0)]
    each = _each(first, ["arm", "fold"]).assign(candidate=0)
    shares = {name: rng.random(len(arms) * len(emotions)) for name in ("recall", "precision", "f1")}
    grid = pd.MultiIndex.from_product([arms, emotions], names=["arm", "emotion"]).to_frame(index=False)
    heard = first[["arm", "fold"]].drop_duplicates()
    names, ua = [f"simulated-{fold}" for fold in heard["fold"]], rng.uniform(0.4, 0.9, len(heard))
    return {
        "chosen": each,
        "folds": each.drop(columns="valid_ua"),
        "arms": _arms(each, folds, trials).assign(marks=marks),
        "classes": grid.assign(selection="nested", n=40, runs=2, **shares),
        "speakers": heard.assign(
            selection="nested", speaker=names, folds=heard["fold"].astype(str), n=40, runs=2, ua=ua, wa=ua
        ),
    }


def _spent(
    rng: np.random.Generator, trials: pd.DataFrame, arms: Sequence[str], runs: int
) -> dict[str, pd.DataFrame]:
    """What they cost, and what their scores vary with."""
    prices = {
        "parameters": ("parameters", "mean"),
        "seconds": ("search_s", "mean"),
        "valid_ua": ("valid_ua", "mean"),
    }
    tried = (
        trials[trials["status"] == "finished"]
        .groupby(["arm", "candidate"], sort=False)
        .agg(**prices)
        .reset_index()
    )
    of_arms = tried.drop_duplicates("arm").assign(
        chosen=True, ua=[0.5 + 0.05 * i for i in range(tried["arm"].nunique())]
    )
    purposes = pd.MultiIndex.from_product(
        [arms, ("search", "retrain", "test", "features")], names=["arm", "purpose"]
    )
    sources = ("fold", "search_seed", "retrain_seed", "candidate", "residual")
    parts = pd.MultiIndex.from_product([arms, sources], names=["arm", "component"]).to_frame(index=False)
    cost = purposes.to_frame(index=False)
    both = pd.concat([of_arms, tried.assign(chosen=False, ua=np.nan)], ignore_index=True)
    return {
        "cost": cost.assign(device="cpu", trials=runs, seconds=rng.uniform(100, 9000, len(cost)), share=0.25),
        "pareto": both.assign(latency_ms=2.0),
        "components": parts.assign(
            levels=5, variance=1e-4, sd=rng.uniform(0, 0.05, len(parts)), share=0.25, note=""
        ),
    }


def _trials(
    rng: np.random.Generator,
    arms: Sequence[str],
    folds: int,
    seeds: int,
    candidates: int,
    failed: float,
    reason: str,
) -> pd.DataFrame:
    grid = pd.MultiIndex.from_product(
        [arms, range(candidates), range(folds), range(seeds)], names=["arm", "candidate", "fold", "seed"]
    )
    table, count = grid.to_frame(index=False), len(grid)
    bad = rng.random(count) < failed
    level = table["arm"].map({arm: 0.55 + 0.05 * i for i, arm in enumerate(arms)}).to_numpy()
    scores = np.clip(
        level + 0.03 * (table["fold"].to_numpy() % 7 - 3) + rng.normal(0, 0.02, (3, count)), 0, 1
    )
    measured = {
        "valid_ua": scores[0],
        "test_ua": scores[1],
        "test_wa": scores[2],
        "parameters": rng.integers(30_000, 90_000, count).astype(float),
        "search_s": rng.uniform(10, 200, count),
        "retrain_s": rng.uniform(10, 90, count),
        "retrain.lr": rng.uniform(1e-4, 1e-2, count),
    }
    known = {name: np.where(bad, np.nan, values) for name, values in measured.items()}
    names = [f"{row.arm}-c{row.candidate:03d}-f{row.fold}-s{row.seed}" for row in table.itertuples()]
    return table.assign(
        trial=names,
        retrain_seed=0,
        status=np.where(bad, "failed", "finished"),
        failure=np.where(bad, "not_a_number", ""),
        reason=np.where(bad, reason, ""),
        n_test=50,
        lacks="",
        genotype_digest="0a1b2c3d",
        planned=True,
        **{"corpus.name": "emodb"},
        **known,
    )


def _each(finished: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    scores = {
        "ua": ("test_ua", "mean"),
        "wa": ("test_wa", "mean"),
        "f1": ("test_wa", "mean"),
        "valid_ua": ("valid_ua", "mean"),
        "n_test": ("n_test", "first"),
        "lacks": ("lacks", "first"),
    }
    table = finished.groupby(by, sort=False).agg(**scores).reset_index()
    return pd.concat([table.assign(selection=selection) for selection in SELECTIONS], ignore_index=True)


def _arms(folds: pd.DataFrame, planned: int, trials: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for (selection, arm), group in folds.groupby(["selection", "arm"], sort=False):
        own = trials[trials["arm"] == arm]
        ranked = group.sort_values("ua")
        best, worst = ranked.iloc[-1], ranked.iloc[0]
        scores = {f"{name}": group[name].mean() for name in ("ua", "wa", "f1")} | {
            f"{name}_sd": group[name].std() for name in ("ua", "wa", "f1")
        }
        rows.append(
            {
                "selection": selection,
                "arm": arm,
                "folds": len(group),
                "planned_folds": planned,
                "seeds": 2,
                **scores,
                "pooled_ua": scores["ua"] + 0.01,
                "pooled_wa": scores["wa"] + 0.01,
                "pooled_f1": scores["f1"],
                "best_fold": best["fold"],
                "best_ua": best["ua"],
                "worst_fold": worst["fold"],
                "worst_ua": worst["ua"],
                "candidates": own["candidate"].nunique(),
                "failed": int((own["status"] == "failed").sum()),
                "raced": 0,
                "parameters": own["parameters"].mean(),
                "latency_ms": 2.0,
                "search_s": own["search_s"].mean(),
                "retrain_s": own["retrain_s"].mean(),
                "entropy": np.nan if str(arm).startswith("cnn") else 0.7,
                "note": "4 draws: too few for a claim, which takes 10" if arm == "random" else "",
                "marks": "",
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["selection", "arm", "ua", "planned_folds"])


def _pairs(rng: np.random.Generator, arms: Sequence[str], folds: int) -> pd.DataFrame:
    rows = []
    for i, arm in enumerate(arms):
        for other in arms[i + 1 :]:
            mean, half = rng.normal(0, 0.05), rng.uniform(0.02, 0.12)
            rows.append(
                {
                    "selection": "nested",
                    "arm_a": arm,
                    "arm_b": other,
                    "folds": folds,
                    "difference": mean,
                    "sd": half / 2,
                    "nb_t": 1.0,
                    "nb_df": folds - 1,
                    "nb_p": rng.random(),
                    "holm_p": 1.0,
                    "ci_low": mean - half,
                    "ci_high": mean + half,
                    "rope": 0.01,
                    "p_worse": 0.2,
                    "p_same": 0.3,
                    "p_better": 0.5,
                    "boot_low": mean - half / 2,
                    "boot_high": mean + half / 2,
                    "effect": 0.4,
                    "wins": 2,
                    "losses": 3,
                    "verdict": "nothing can be concluded",
                }
            )
    return pd.DataFrame(rows)


def _histories(rng: np.random.Generator, arms: Sequence[str], folds: int, epochs: int) -> pd.DataFrame:
    rows = [
        {
            "trial": f"{arm}-c000-f{fold}-s0",
            "arm": arm,
            "fold": fold,
            "stage": stage,
            "epoch": epoch,
            "loss": 2 - epoch / epochs + rng.normal(0, 0.1),
            "valid_ua": 0.3 + 0.4 * epoch / epochs + rng.normal(0, 0.03),
            "ua": 0.3 + 0.5 * epoch / epochs,
            "entropy": 1 - 0.3 * epoch / epochs,
        }
        for arm in arms
        for fold in range(folds)
        for stage in ("search", "retrain")
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows)
