"""Scores of the chosen candidates: on each fold, over all folds, for each emotion and each speaker.

In: the trials of one study and a selection. Out: frames. Seeds and retrain seeds are averaged inside a fold
first; means and deviations are then over folds. Pooled scores come from the sum of all confusions. Means,
sums and notes are computed by `raysernas.record.summary` wherever it has them, so that no number has two
sources.
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.frames import columns, joined
from analysis.selection import HEADLINE, CandidateSelection, folds_of
from raysernas.config.schema import Config
from raysernas.record import summary
from raysernas.record.ensembles import MEMBERS
from raysernas.record.metrics import METRICS, Evaluation, evaluate
from raysernas.record.soundness import confusions
from raysernas.record.units import by_unit

FOLD_COLUMNS = (
    *("study", "selection", "arm", "fold", "candidate", *METRICS, "ua_seed_sd"),
    *columns(
        "n_test lacks n_train n_valid runs parameters latency_ms search_s retrain_s search_mb retrain_mb"
    ),
)
ARM_COLUMNS = (
    *("study", "selection", "arm", "folds", "planned_folds", "runs", *summary.SCORE_COLUMNS),
    *columns("best_fold best_ua worst_fold worst_ua valid_ua candidate candidates failed raced"),
    *columns("parameters latency_ms search_s retrain_s entropy note marks"),
)
HEADLINE_COLUMNS = (
    *("study", "arm", "folds", "runs", *summary.SCORE_COLUMNS),
    *("parameters", "search_s", "retrain_s", "entropy", "marks"),
)
ENSEMBLE_COLUMNS = (
    *("study", "selection", "arm", "of", "members", "folds", "planned_folds", "runs", *summary.SCORE_COLUMNS),
    *columns("member_ua gain valid_ua candidate parameters latency_ms search_s retrain_s entropy marks"),
)
CLASS_COLUMNS = columns("study selection arm emotion n runs recall precision f1")
SPEAKER_COLUMNS = ("study", "selection", "arm", "speaker", "folds", "n", "runs", *METRICS)
SEEN = ("arm", "candidate", "fold", "seed", "retrain_seed", "status", "reason")
OF_TRIAL = ("search_s", "search_mb")  # counted once, however many retrain seeds share them
OF_RUN = ("n_train", "n_valid", "parameters", "latency_ms", "retrain_s", "retrain_mb")
ENDS = ("best_fold", "best_ua", "worst_fold", "worst_ua")


def picked(trials: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The finished and planned rows whose candidates were chosen."""
    done = trials[(trials["status"] == "finished") & trials["planned"]]
    wanted = pd.MultiIndex.from_frame(chosen[["study", "arm", "fold", "candidate"]])
    return done[pd.MultiIndex.from_frame(done[["study", "arm", "fold", "candidate"]]).isin(wanted)]


def folds(trials: pd.DataFrame, choice: CandidateSelection) -> pd.DataFrame:
    """FOLD_COLUMNS, one row for each arm and fold. Numbers are means over its `runs` (seeds x retrain seeds).

    `ua_seed_sd` is the deviation over the runs. A number that one of the runs lacks is NaN. `n_test` counts
    the tested utterances, `n_train` those that the tested models were trained on.
    """
    rows = picked(by_unit(trials), choice.chosen)
    best = {
        f"{arm}-f{fold}": number
        for arm, fold, number in choice.chosen[["arm", "fold", "candidate"]].itertuples(index=False)
    }
    table = summary.fold_table(rows, best)
    runs = rows.groupby(["arm", "fold"])
    searches = rows.drop_duplicates(["arm", "fold", "seed"]).groupby(["arm", "fold"])
    more = {"ua_seed_sd": runs["test_ua"].std(ddof=1).where(runs["test_ua"].count() == runs.size())}
    more |= {name: _strict(runs, name) for name in OF_RUN}
    more |= {name: _strict(searches, name) for name in OF_TRIAL}
    table = table.join(pd.DataFrame(more), on=["arm", "fold"]).merge(choice.chosen, on=["arm", "fold"])
    table["n_test"] = table["n_test"].where(table["n_test"] > 0)
    return table[list(FOLD_COLUMNS)]


def _strict(groups: Any, name: str) -> pd.Series:
    """The mean of a column; NaN for a group in which a row lacks it."""
    return groups[name].mean().where(groups[name].count() == groups.size())


def arms(
    trials: pd.DataFrame, choice: CandidateSelection, of_folds: pd.DataFrame, config: Config
) -> pd.DataFrame:
    """ARM_COLUMNS, one row for each arm of the study, in its order, with or without a result. `marks` are
    empty here.

    Args:
        of_folds: what `folds` gives for this choice.
    """
    # without the settings: many copies are made of it
    planned = trials[trials["planned"]].reindex(columns=[*SEEN, *summary.REPORTED])
    table = summary.arm_table(
        planned, choice.tried, config.study.arms, planned_folds=len(folds_of(planned, config))
    )
    # in a nested study an arm has no score before each fold has a candidate
    whole = table.loc[table["folds"].notna(), "arm"]
    of_folds = of_folds[of_folds["arm"].isin(whole)]
    by_arm = of_folds.groupby("arm")
    means = {"latency_ms": _strict(by_arm, "latency_ms")}
    means["valid_ua"] = choice.chosen.groupby("arm")["valid_ua"].mean()
    ends = pd.DataFrame([_ends(arm, group) for arm, group in by_arm], columns=["arm", *ENDS]).set_index("arm")
    table = table.drop(columns="valid_ua").join(pd.DataFrame(means), on="arm").join(ends, on="arm")
    table["valid_ua"] = table["valid_ua"].where(table["arm"].isin(whole))
    return table.assign(study=name_of(trials), selection=choice.name, marks="")[list(ARM_COLUMNS)]


def ensembles(trials: pd.DataFrame, choice: CandidateSelection, config: Config) -> pd.DataFrame:
    """ENSEMBLE_COLUMNS, one row for each arm whose chosen trials have ensembles: `summary.ensemble_table`.

    An ensemble is the mean posterior of the retrain seeds of a trial. It is no run of its arm `of`, and no
    pair is tested with it; `gain` is how far its UA is above `member_ua`, the arm's. `marks` are empty here.
    """
    planned = trials[trials["planned"]].reindex(columns=[*SEEN, *summary.REPORTED])
    if planned[MEMBERS].isna().all():
        return pd.DataFrame(columns=list(ENSEMBLE_COLUMNS))
    count = len(folds_of(planned, config))
    of_arms = summary.arm_table(planned, choice.tried, config.study.arms, planned_folds=count)
    table = summary.ensemble_table(planned, choice.tried, of_arms)
    gain = table["ua"] - table["member_ua"]
    whole = table.assign(gain=gain, study=name_of(trials), selection=choice.name, marks="")
    return whole[list(ENSEMBLE_COLUMNS)]


def headline(of_arms: pd.DataFrame, of_ensembles: pd.DataFrame) -> pd.DataFrame:
    """HEADLINE_COLUMNS, one row for each arm and for its ensembles, the best first: the table of a paper."""
    both = joined([of_arms, of_ensembles], ("selection", *HEADLINE_COLUMNS))
    nested = both[both["selection"] == HEADLINE]
    return nested[list(HEADLINE_COLUMNS)].sort_values("ua", ascending=False, kind="stable", ignore_index=True)


def _ends(arm: object, group: pd.DataFrame) -> tuple[object, ...]:
    """The best and the worst fold of an arm (on a tie the lower number); NaN if a fold has no score."""
    if group["ua"].isna().any():
        return arm, np.nan, np.nan, np.nan, np.nan
    ranked = group.sort_values(["ua", "fold"], ascending=[False, True])
    worst = group.sort_values(["ua", "fold"]).iloc[0]
    return arm, ranked["fold"].iloc[0], ranked["ua"].iloc[0], worst["fold"], worst["ua"]


def name_of(trials: pd.DataFrame) -> str:
    """The name of the study of some trials; empty if there are none."""
    return str(trials["study"].iloc[0]) if len(trials) else ""


def confusion(rows: pd.DataFrame) -> pd.DataFrame:
    """The sum of the confusions of some runs, in utterances x runs: index `truth`, columns `prediction`.

    Empty if there is no run, or if the confusion of one is missing or has other emotions.
    """
    emotions = rows["emotions"].unique()
    each = confusions(rows["test_confusion"].tolist())
    names: list[str] = json.loads(emotions[0] or "[]") if len(emotions) == 1 else []
    if not each or any(one is None or len(one) != len(names) for one in each):
        names, counts = [], np.zeros((0, 0), dtype=np.int64)
    else:
        counts = np.asarray(each).sum(axis=0)
    return pd.DataFrame(
        counts, index=pd.Index(names, name="truth"), columns=pd.Index(names, name="prediction")
    )


def classes(trials: pd.DataFrame, choice: CandidateSelection) -> pd.DataFrame:
    """CLASS_COLUMNS, one row for each arm and emotion, from the pooled confusion.

    `n` counts the test utterances of the emotion; `runs` networks were tested on each. Recall is NaN for an
    emotion that does not occur, precision for one that is never predicted, F1 for one that is neither.
    """
    found = []
    for arm, rows in picked(trials, choice.chosen).groupby("arm"):
        table, runs = confusion(rows), len(rows[["seed", "retrain_seed"]].drop_duplicates())
        counts = table.to_numpy()
        truth, taken, hits = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
        shares = {
            "recall": Evaluation(counts).recalls,
            "precision": _share(hits, taken),
            "f1": _share(2 * hits, truth + taken),
        }
        whole = {"emotion": table.index, "n": truth / max(runs, 1), "runs": runs, **shares}
        found.append(pd.DataFrame(whole).assign(study=name_of(trials), selection=choice.name, arm=arm))
    return joined(found, CLASS_COLUMNS)


def _share(above: npt.NDArray[np.int64], below: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)


def speakers(decisions: pd.DataFrame, choice: CandidateSelection, study: str) -> pd.DataFrame:
    """SPEAKER_COLUMNS, one row for each arm and test speaker, from all decisions on the speaker's utterances.

    `folds` names the folds that test the speaker, `n` counts the utterances; `runs` networks were tested on
    each. UA is over the emotions that the speaker's utterances have.

    Args:
        decisions: as `predictions.decisions` gives them for the chosen trials; runs without them are left
            out.
    """
    found = []
    for (arm, speaker), rows in decisions.groupby(["arm", "speaker"]):
        names = sorted({*rows["emotion"], *rows["predicted"]})
        truth, taken = (
            pd.Categorical(rows[name], categories=names).codes for name in ("emotion", "predicted")
        )
        scores = evaluate(truth, taken, len(names)).scores
        row = {"study": study, "selection": choice.name, "arm": arm, "speaker": speaker}
        row |= {"folds": ", ".join(str(fold) for fold in sorted(set(rows["fold"])))}
        row |= {"n": rows["key"].nunique(), "runs": len(rows[["seed", "retrain_seed"]].drop_duplicates())}
        found.append(row | scores)
    return pd.DataFrame(found, columns=list(SPEAKER_COLUMNS))
