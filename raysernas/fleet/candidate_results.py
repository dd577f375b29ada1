"""The results of each candidate so far, updated with every trial that ends.

In: rows of `ledger.validation`, which hold no test score. Out: the outcome of a candidate once all of its
trials have ended, and the verdict of the race. A candidate's value is the mean over folds of the mean over
seeds, as in `summary`; a candidate with a failed or incomplete trial has none. Knows neither Ray nor Optuna.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from raysernas.config.schema import Config
from raysernas.fleet import racing
from raysernas.fleet.candidates import GivenUp
from raysernas.fleet.proposals import Outcome
from raysernas.record import ledger
from raysernas.record.files import CandidateGroup, TrialKey

FoldAndSeed = tuple[int, int]
LedgerRow = Mapping[Any, Any]  # of `ledger.validation`


@dataclass(slots=True)
class CandidateTrials:
    """The ended trials of one candidate."""

    status: dict[FoldAndSeed, str] = field(default_factory=dict)
    values: dict[FoldAndSeed, tuple[float, ...]] = field(default_factory=dict)  # of the study's objectives
    scores: dict[int, dict[int, float]] = field(default_factory=dict)  # fold -> seed -> validation UA
    ratios: dict[int, float] = field(default_factory=dict)  # fold -> validation over training utterances
    incomplete: bool = False  # a trial has no value
    given_up: GivenUp | None = None


class CandidateResults:
    """The results of all candidates of a study."""

    def __init__(self, config: Config):
        self._config, self._study = config, config.study
        self._trials: dict[tuple[CandidateGroup, int], CandidateTrials] = {}
        # value and number of the best complete candidate
        self._best: dict[CandidateGroup, tuple[float, int]] = {}

    def folds(self, group: CandidateGroup) -> tuple[int, ...]:
        """The folds on which the candidates of a group are tried."""
        return self._study.folds if group.fold is None else (group.fold,)

    def add(self, group: CandidateGroup, key: TrialKey, rows: Iterable[LedgerRow]) -> None:
        """Add an ended trial. Args: rows: of this trial alone; none if it is only known that it has ended."""
        trials, place, rows = self._of(group, key.candidate), (key.fold, key.seed), list(rows)
        trials.status[place] = str(rows[0]["status"]) if rows else "failed"
        seeds = self._config.retrain.seeds
        whole = [row for row in rows if row["status"] == "finished" and row["retrain_seed"] in seeds]
        values = tuple(_mean([_number(row[name]) for row in whole]) for name in self._study.objectives)
        if len(whole) != len(seeds) or not all(map(math.isfinite, values)):
            trials.incomplete = True
            return
        trials.values[place] = values
        trials.scores.setdefault(key.fold, {})[key.seed] = _mean([_number(row["valid_ua"]) for row in whole])
        valid, weights, alphas = (_number(whole[0][name]) for name in ledger.SIZES)
        # NaN, and so no verdict, where sizes are unknown
        trials.ratios[key.fold] = valid / (weights + alphas)
        self._update_best(group, key.candidate)

    def status(self, group: CandidateGroup, key: TrialKey) -> str | None:
        """The status of an ended trial."""
        trials = self._trials.get((group, key.candidate))
        return trials.status.get((key.fold, key.seed)) if trials else None

    def outcome(self, group: CandidateGroup, number: int) -> Outcome:
        """The outcome of a candidate, over the folds and seeds of the study."""
        trials = self._of(group, number)
        if trials.given_up:
            return Outcome("complete", (trials.given_up.valid_ua,), raced=True)
        if trials.incomplete:
            return Outcome("failed")
        seeds, folds = self._study.seeds, self.folds(group)
        if len(trials.values) < len(seeds) * len(folds):
            return Outcome("running")
        by_fold = [[trials.values[fold, seed] for seed in seeds] for fold in folds]
        means = [[_mean(column) for column in zip(*fold, strict=True)] for fold in by_fold]
        return Outcome("complete", tuple(_mean(column) for column in zip(*means, strict=True)))

    def give_up(self, group: CandidateGroup, number: int, why: GivenUp) -> None:
        """Take a candidate out of the race."""
        self._of(group, number).given_up = why

    def given_up(self, group: CandidateGroup, number: int) -> GivenUp | None:
        """Why a candidate is out of the race, if it is."""
        return self._of(group, number).given_up

    def race(self, group: CandidateGroup, number: int) -> GivenUp | None:
        """Compare a running candidate with the best complete one: why it should be given up, if it should."""
        rules, trials = self._study.racing, self._of(group, number)
        if not rules.enabled or group not in self._best or self.outcome(group, number).state != "running":
            return None
        value, best = self._best[group]
        ratio = _mean([trials.ratios[fold] for fold in trials.scores])
        found = racing.compare(trials.scores, self._of(group, best).scores, ratio)
        if not racing.hopeless(found, rules, folds=len(self.folds(group)), seeds=len(self._study.seeds)):
            return None
        return GivenUp(racing.reason(found, best), value + found.difference)

    def _of(self, group: CandidateGroup, number: int) -> CandidateTrials:
        return self._trials.setdefault((group, number), CandidateTrials())

    def _update_best(self, group: CandidateGroup, number: int) -> None:
        found = self.outcome(group, number)
        if self._study.racing.enabled and found.state == "complete" and not found.raced:
            value, best = self._best.get(group, (-math.inf, 0))
            if (found.values[0], -number) > (value, -best):
                self._best[group] = (found.values[0], number)


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)


def _mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return math.fsum(found) / len(found) if found else math.nan
