"""Which candidate stands for an arm: chosen on validation speakers, in two ways, and in one forbidden way as
a bound.

`nested`: on each outer fold the candidate with the best mean validation UA of that fold alone: the headline.
`flat`: one candidate for all folds, by its mean over them; optimistic, because validation speakers of one
fold are test speakers of another. `oracle`: on each fold the best test UA, which no study may report as its
result; it bounds what a better choice could have brought. A candidate counts only when all of its planned
trials have finished. Nested and flat choices are made from `validation`, without test columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from raysernas.config.schema import Config
from raysernas.record import summary

NESTED, FLAT, ORACLE = "nested", "flat", "oracle"
HEADLINE = NESTED
CHOSEN_COLUMNS = ("study", "selection", "arm", "fold", "candidate", "valid_ua")
MEANT = {  # mark of a selection -> in what its scores are odd
    "leaky proposals": (
        "candidates were proposed, or given up, by the validation speakers of all folds, who are test "
        "speakers of others; choosing "
        "on each fold apart does not undo that, study.protocol=nested does"
    ),
    "chosen by test scores": "forbidden as a result: the best test score of each fold, which only bounds "
    "what a choice can bring",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What one selection of one study has come to.

    `tried`: every candidate, as `summary.candidates` gives it, by what it is ranked by. `chosen`:
    CHOSEN_COLUMNS, one row for each arm and fold, `valid_ua` the mean of the candidate's runs on that fold.
    """

    selection: str
    tried: pd.DataFrame
    chosen: pd.DataFrame


def choices(trials: pd.DataFrame, config: Config) -> list[Choice]:
    """Every selection that a study permits; one whose candidates are others on each fold (nested) has no flat
    one.

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
    """Whether a column of the ledger is of the test."""
    return "test" in column.split("_")


def chosen_by_validation(seen: pd.DataFrame, config: Config, selection: str) -> Choice:
    """The `nested` or the `flat` choice.

    Raises:
        ValueError: for a frame that shows test scores.
    """
    if shown := [name for name in seen if of_test(str(name))]:
        raise ValueError(f"a choice may not see {shown[0]}")
    return _choice(seen, seen, config, selection)


def chosen_by_test(trials: pd.DataFrame, config: Config) -> Choice:
    """The `oracle`."""
    planned = trials[trials["planned"]]
    return _choice(planned.assign(valid_ua=planned["test_ua"]), validation(trials), config, ORACLE)


def marks(config: Config, selection: str, found: dict[str, str]) -> dict[str, str]:
    """Mark -> sentence for the tables of a selection: those of the study, with what the selection mends or
    adds.

    Args:
        found: marks of the study, as `summary.marks_of` gives them, in which `optimistic` is meant of the
            flat choice.
    """
    kept = {mark: told for mark, told in found.items() if mark != "optimistic" or selection == FLAT}
    study = config.study
    told = study.candidates > 1 and study.protocol == "flat" and len(study.folds) != 1
    proposed = study.sampler != "random" or study.racing.on
    extra = ["leaky proposals"] if told and proposed and selection != FLAT else []
    return kept | {
        mark: MEANT[mark] for mark in [*extra, *(["chosen by test scores"] if selection == ORACLE else [])]
    }


def folds_of(trials: pd.DataFrame, config: Config) -> tuple[int, ...]:
    """The folds that a study plans; one that names none plans those of its ledger."""
    return config.study.folds or tuple(sorted({int(fold) for fold in trials["fold"]}))


def _choice(ranked: pd.DataFrame, seen: pd.DataFrame, config: Config, selection: str) -> Choice:
    folds, seeds, again = folds_of(seen, config), config.study.seeds, config.retrain.seeds
    tried = summary.candidates(
        ranked, folds=folds, seeds=seeds, retrain_seeds=again, nested=selection != FLAT
    )
    best = summary.winners(tried)
    return Choice(selection, tried, _chosen(seen, best, folds, selection))


def _chosen(seen: pd.DataFrame, best: dict[str, int], folds: Sequence[int], selection: str) -> pd.DataFrame:
    """Every arm and fold with a candidate."""
    finished = seen[seen["status"] == "finished"]
    scores = finished.groupby(["arm", "fold", "candidate"])["valid_ua"].mean()
    rows = []
    for arm in sorted({str(arm) for arm in seen["arm"]}):
        for fold in folds:
            number = best.get(arm, best.get(f"{arm}-f{fold}"))
            if number is not None:
                rows.append(
                    (seen["study"].iloc[0], selection, arm, fold, number, scores.get((arm, fold, number)))
                )
    return pd.DataFrame(rows, columns=list(CHOSEN_COLUMNS)).astype(
        {"valid_ua": float, "fold": int, "candidate": int}
    )
