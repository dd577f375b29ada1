"""Which candidate represents an arm: two choices by validation, and a forbidden one by test scores.

`nested`: on each outer fold the candidate with the best mean validation UA of that fold alone. This is the
headline. `flat`: one candidate for all folds, by its mean over them. It is optimistic, because validation
speakers of one fold are test speakers of another. `oracle`: on each fold the best test UA. No study may
report it; it shows how much a better choice could have gained. A candidate counts only when all of its
planned trials have finished. The nested and the flat choice see no test column (`validation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.frames import columns
from raysernas.config.schema import Config
from raysernas.record import summary

NESTED, FLAT, ORACLE = "nested", "flat", "oracle"
HEADLINE = NESTED
CHOSEN_COLUMNS = columns("study selection arm fold candidate valid_ua")
LEAKY, BY_TEST = "leaky proposals", "chosen by test scores"
MEANINGS = {  # mark of a selection -> in what way its scores are odd
    LEAKY: "candidates were proposed, or raced out, by the validation speakers of all folds, and these are "
    "test "
    "speakers of other folds. Choosing on each fold alone does not undo that; study.protocol=nested does",
    BY_TEST: "forbidden as a result: the best test score of each fold, which only bounds what a choice can "
    "gain",
}


@dataclass(frozen=True, slots=True)
class CandidateSelection:
    """What one way of choosing (`name`) has chosen in one study.

    `tried`: every candidate as `summary.candidates` gives it, with the score it is ranked by. `chosen`:
    CHOSEN_COLUMNS, one row for each arm and fold; `valid_ua` is the mean over the candidate's runs on that
    fold.
    """

    name: str
    tried: pd.DataFrame
    chosen: pd.DataFrame


def choices(trials: pd.DataFrame, config: Config) -> list[CandidateSelection]:
    """Every selection that a study permits. A nested study has no flat one: its folds have candidates of
    their own.

    Args:
        trials: of one study, as `study.read` gives them.
    """
    seen = validation(trials)
    flat = [] if config.study.protocol == "nested" else [chosen_by_validation(seen, config, FLAT)]
    return [chosen_by_validation(seen, config, NESTED), *flat, chosen_by_test(trials, config)]


def validation(trials: pd.DataFrame) -> pd.DataFrame:
    """The planned trials without any column that a test has filled: all that a choice may see."""
    return trials.loc[trials["planned"], [name for name in trials if not of_test(str(name))]]


def of_test(column: str) -> bool:
    """Whether a column of the ledger comes from the test."""
    return "test" in column.split("_")


def chosen_by_validation(seen: pd.DataFrame, config: Config, name: str) -> CandidateSelection:
    """The `nested` or the `flat` choice.

    Raises:
        ValueError: for a frame that shows test scores.
    """
    if shown := [column for column in seen if of_test(str(column))]:
        raise ValueError(f"a choice may not see {shown[0]}")
    return _selection(seen, seen, config, name)


def chosen_by_test(trials: pd.DataFrame, config: Config) -> CandidateSelection:
    """The `oracle`."""
    planned = trials[trials["planned"]]
    return _selection(planned.assign(valid_ua=planned["test_ua"]), validation(trials), config, ORACLE)


def marks(config: Config, name: str, found: dict[str, str]) -> dict[str, str]:
    """Mark -> meaning in the tables of a selection.

    Args:
        found: marks of the study, as `summary.marks_of` gives them; `optimistic` concerns the flat choice
            only.
    """
    study = config.study
    kept = {mark: meaning for mark, meaning in found.items() if mark != "optimistic" or name == FLAT}
    several = study.candidates > 1 and study.protocol == "flat" and len(study.folds) != 1
    informed = study.sampler != "random" or study.racing.enabled
    more = [LEAKY] if several and informed and name != FLAT else []
    more += [BY_TEST] if name == ORACLE else []
    return kept | {mark: MEANINGS[mark] for mark in more}


def folds_of(trials: pd.DataFrame, config: Config) -> tuple[int, ...]:
    """The folds that a study plans; if it names none, those of its ledger."""
    return config.study.folds or tuple(sorted({int(fold) for fold in trials["fold"]}))


def labelled(trials: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The trials with a column `chosen`: the selections that took their candidate on their fold."""
    keys = ["study", "arm", "fold", "candidate"]
    if chosen.empty:
        return trials.assign(chosen="")
    words = (
        chosen.groupby(keys)["selection"]
        .agg(lambda found: " ".join(name for name in (NESTED, FLAT, ORACLE) if name in set(found)))
        .rename("chosen")
        .reset_index()
    )
    found = trials[keys].merge(words, on=keys, how="left")["chosen"].fillna("").to_numpy()
    counts = (trials["status"] == "finished") & trials.get("planned", True)
    return trials.assign(chosen=pd.Series(found, trials.index).where(counts, ""))


def best_searches(trials: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """For each study and arm with genotypes, the headline's row with the best validation UA (on a tie the
    first).
    """
    rows = labelled(trials, chosen)
    of_headline = [HEADLINE in str(words).split() for words in rows["chosen"]]
    rows = rows[pd.Series(of_headline, rows.index, dtype=bool) & (rows["genotype"].fillna("") != "")]
    order = ["valid_ua", "trial", "retrain_seed"]
    ranked = rows.sort_values(order, ascending=[False, True, True], kind="stable")
    return ranked.drop_duplicates(["study", "arm"]).sort_values(["study", "arm"])


def _selection(ranked: pd.DataFrame, seen: pd.DataFrame, config: Config, name: str) -> CandidateSelection:
    folds = folds_of(seen, config)
    tried = summary.candidates(
        ranked,
        folds=folds,
        seeds=config.study.seeds,
        retrain_seeds=config.retrain.seeds,
        nested=name != FLAT,
    )
    return CandidateSelection(name, tried, _chosen(seen, summary.winners(tried), folds, name))


def _chosen(seen: pd.DataFrame, best: dict[str, int], folds: Sequence[int], name: str) -> pd.DataFrame:
    """One row for each arm and fold with a candidate."""
    finished = seen[seen["status"] == "finished"]
    scores = finished.groupby(["arm", "fold", "candidate"])["valid_ua"].mean()
    rows = []
    for arm in sorted({str(arm) for arm in seen["arm"]}):
        for fold in folds:
            number = best.get(arm, best.get(f"{arm}-f{fold}"))
            if number is not None:
                score = scores.get((arm, fold, number))
                rows.append((seen["study"].iloc[0], name, arm, fold, number, score))
    frame = pd.DataFrame(rows, columns=list(CHOSEN_COLUMNS))
    return frame.astype({"valid_ua": float, "fold": int, "candidate": int})
