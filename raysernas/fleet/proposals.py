"""Proposals: what Optuna would try next, given earlier candidates and their outcomes.

In: the settings of the study, the candidates so far and their outcomes. Out: the settings of candidate n. Its
randomness comes from (study.seed, n) alone. One in-memory Optuna study is kept for each group of candidates,
because filling a new one for every proposal takes time that grows with their number. It is filled anew at
each launch, so that nothing but candidates and outcomes matters. Source: Optuna's ask-and-tell interface.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from raysernas.config.identity import flatten, reads
from raysernas.config.schema import Config, StudyConfig, Value

Direction = Literal["maximize", "minimize"]
DIRECTIONS: dict[str, Direction] = {
    "valid_ua": "maximize",
    "parameters": "minimize",
    "latency_ms": "minimize",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a candidate: once it has ended, the value of each of `study.objectives` over all folds
    and seeds.
    """

    state: Literal["running", "failed", "complete"]
    values: tuple[float, ...] = ()
    raced: bool = False  # given up; the values are an estimate of what it would have had


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings of a candidate, and the sampler's own notes about it (such as its population)."""

    settings: dict[str, Any]
    notes: dict[str, Any]


def axes(config: Config, arm: str) -> dict[str, BaseDistribution]:
    """The keys of `study.space` that the arm reads, as Optuna distributions."""
    defaults = flatten(config)
    return {
        key: _axis(axis, defaults[key]) for key, axis in sorted(config.study.space.items()) if reads(arm, key)
    }


def _axis(axis: dict[str, Any], default: Value) -> BaseDistribution:
    if "choices" in axis:
        return CategoricalDistribution(axis["choices"])
    kind = IntDistribution if isinstance(default, int) else FloatDistribution
    return kind(axis["low"], axis["high"], log=bool(axis.get("log", False)))


def directions(study: StudyConfig) -> list[Direction]:
    """Optuna's direction of each objective."""
    return [DIRECTIONS[name] for name in study.objectives]


def optuna_trial(
    proposal: Proposal, distributions: dict[str, BaseDistribution], outcome: Outcome
) -> FrozenTrial:
    """A candidate as an Optuna trial."""
    state, values = optuna_state(outcome)
    return create_trial(
        state=state,
        values=values,
        params=proposal.settings,
        distributions=distributions,
        system_attrs=proposal.notes,
        user_attrs={"raced": True} if outcome.raced else {},
    )


def optuna_state(outcome: Outcome) -> tuple[TrialState, Sequence[float] | None]:
    """An outcome as Optuna's state and values."""
    if outcome.state == "complete":
        return TrialState.COMPLETE, outcome.values
    return (TrialState.FAIL if outcome.state == "failed" else TrialState.RUNNING), None


class Proposals:
    """Optuna's view of one group of candidates, in memory."""

    def __init__(
        self, study: StudyConfig, distributions: dict[str, BaseDistribution], known: Sequence[Proposal]
    ):
        """`known`: the candidates so far, in their order; a reference, not a copy."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it announces every study and trial
        self._settings, self._axes, self._known = study, distributions, known
        self._storage = InMemoryStorage()
        self._study: optuna.Study | None = None
        self._untold: list[int] = []

    def next(
        self, outcome: Callable[[int], Outcome], *, before: int, fixed: Mapping[str, Any] | None = None
    ) -> Proposal:
        """The next candidate, given the outcomes of those numbered below `before`; the others count as
        running.

        Args:
            fixed: settings that are given instead of proposed.
        """
        number = len(self._known)
        # nsga2 would keep parents that it chose from earlier outcomes
        if self._study is None or self._settings.sampler == "nsga2":
            self._study = self._filled()
        study = self._study
        self._tell(study, outcome, before)
        study.sampler = _sampler(self._settings, number)
        if fixed is not None:
            study.enqueue_trial(dict(fixed))
        trial = study.ask(self._axes)
        self._untold.append(number)
        new = self._storage.get_trial(trial._trial_id)
        plain = {key: value.item() if hasattr(value, "item") else value for key, value in new.params.items()}
        return Proposal(plain, dict(new.system_attrs))

    def _filled(self) -> optuna.Study:
        self._storage = InMemoryStorage()
        study = optuna.create_study(storage=self._storage, directions=directions(self._settings))
        study.add_trials([optuna_trial(proposal, self._axes, Outcome("running")) for proposal in self._known])
        self._untold = list(range(len(self._known)))
        return study

    def _tell(self, study: optuna.Study, outcome: Callable[[int], Outcome], before: int) -> None:
        """Tell Optuna the outcomes that are new since the last proposal, in the order of the candidates."""
        left = []
        for number in self._untold:
            found = outcome(number) if number < before else Outcome("running")
            if found.state == "running":
                left.append(number)
                continue
            state, values = optuna_state(found)
            study.tell(number, values, state=state)
        self._untold = left


def _sampler(study: StudyConfig, number: int) -> optuna.samplers.BaseSampler:
    text = f"{study.seed}/{number}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    match study.sampler:
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)  # loads torch, here and nowhere else
        case "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed, population_size=study.generation)
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed)
