"""Standing: how each candidate has fared so far, kept up to date one ended trial at a time.

Comes in: rows of `ledger.validation`, which hold no test score. Goes out: the outcome of a candidate once all
of its trials have ended, and the verdict of the race. A candidate's value is the mean over folds of the mean
over seeds, as in `summary`; one with a failed or incomplete trial has none. Knows neither Ray nor Optuna.
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

Pair = tuple[int, int]  # fold, seed
Row = Mapping[Any, Any]  # of `ledger.validation`


@dataclass(slots=True)
class Course:
    """One candidate's ended trials."""

    status: dict[Pair, str] = field(default_factory=dict)
    # of the study's objectives, where the trial is whole
    values: dict[Pair, tuple[float, ...]] = field(default_factory=dict)
    scores: dict[int, dict[int, float]] = field(default_factory=dict)  # fold -> seed -> validation UA
    ratios: dict[int, float] = field(default_factory=dict)  # fold -> validation over training utterances
    lost: bool = False  # a trial has no value
    given_up: GivenUp | None = None


class Standing:
    """All candidates of a study."""

    def __init__(self, config: Config):
        self._config, self._study = config, config.study
        self._courses: dict[tuple[CandidateGroup, int], Course] = {}
        self._best: dict[
            CandidateGroup, tuple[float, int]
        ] = {}  # value and number of the best complete candidate

    def folds(self, line: CandidateGroup) -> tuple[int, ...]:
        """Those on which the candidates of a line are tried."""
        return self._study.folds if line.fold is None else (line.fold,)

    def note(self, line: CandidateGroup, key: TrialKey, rows: Iterable[Row]) -> None:
        """A trial has ended; `rows` of it alone, none if nothing is known but that it has."""
        course, pair, rows = self._course(line, key.candidate), (key.fold, key.seed), list(rows)
        course.status[pair] = str(rows[0]["status"]) if rows else "failed"
        wanted = [
            row
            for row in rows
            if row["status"] == "finished" and row["retrain_seed"] in self._config.retrain.seeds
        ]
        values = tuple(_mean([_number(row[name]) for row in wanted]) for name in self._study.objectives)
        if len(wanted) != len(self._config.retrain.seeds) or not all(map(math.isfinite, values)):
            course.lost = True
            return
        course.values[pair] = values
        course.scores.setdefault(key.fold, {})[key.seed] = _mean([_number(row["valid_ua"]) for row in wanted])
        valid, weights, alphas = (_number(wanted[0][name]) for name in ledger.SIZES)
        # no number, and so no verdict, where they are not known
        course.ratios[key.fold] = valid / (weights + alphas)
        self._rank(line, key.candidate)

    def status(self, line: CandidateGroup, key: TrialKey) -> str | None:
        """Of an ended trial."""
        course = self._courses.get((line, key.candidate))
        return course.status.get((key.fold, key.seed)) if course else None

    def outcome(self, line: CandidateGroup, number: int) -> Outcome:
        """Of a candidate, over the folds and seeds of the study."""
        course = self._course(line, number)
        if course.given_up:
            return Outcome("complete", (course.given_up.valid_ua,), raced=True)
        if course.lost:
            return Outcome("failed")
        seeds, folds = self._study.seeds, self.folds(line)
        if len(course.values) < len(seeds) * len(folds):
            return Outcome("running")
        by_fold = [[course.values[fold, seed] for seed in seeds] for fold in folds]
        means = [[_mean(column) for column in zip(*fold, strict=True)] for fold in by_fold]
        return Outcome("complete", tuple(_mean(column) for column in zip(*means, strict=True)))

    def give_up(self, line: CandidateGroup, number: int, why: GivenUp) -> None:
        """The candidate is out of the race."""
        self._course(line, number).given_up = why

    def given_up(self, line: CandidateGroup, number: int) -> GivenUp | None:
        """Why it is, if it is."""
        return self._course(line, number).given_up

    def look(self, line: CandidateGroup, number: int) -> GivenUp | None:
        """Compare a candidate that has not ended with the best complete one: why it is to be given up, if it
        is.
        """
        rules, course = self._study.racing, self._course(line, number)
        if not rules.on or line not in self._best or self.outcome(line, number).state != "running":
            return None
        value, best = self._best[line]
        rival = self._course(line, best)
        ratio = _mean([course.ratios[fold] for fold in course.scores])
        found = racing.compare(course.scores, rival.scores, ratio)
        if not racing.hopeless(found, rules, folds=len(self.folds(line)), seeds=len(self._study.seeds)):
            return None
        return GivenUp(racing.told(found, best), value + found.difference)

    def _course(self, line: CandidateGroup, number: int) -> Course:
        return self._courses.setdefault((line, number), Course())

    def _rank(self, line: CandidateGroup, number: int) -> None:
        found = self.outcome(line, number)
        if self._study.racing.on and found.state == "complete" and not found.raced:
            value, best = self._best.get(line, (-math.inf, 0))
            if (found.values[0], -number) > (value, -best):
                self._best[line] = (found.values[0], number)


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)


def _mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return math.fsum(found) / len(found) if found else math.nan
