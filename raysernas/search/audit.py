"""How good was the search itself: its genotypes over time, and how well its supernet ranks genotypes.

In: a trial, its data, the result of its search, and how a network is trained. Out: facts for the record. All
scores are of the validation speakers, and nothing here changes what the search has found.
"""

import json
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.stats import kendalltau

from raysernas.config.schema import TrialConfig
from raysernas.model.network import Network
from raysernas.record.genotype import Genotype, draw, from_json, one_hot, space_of
from raysernas.record.history import HistoryEntry, ReportEpoch
from raysernas.runtime.checkpointing import NoCheckpoint, OpenCheckpoint, StageCheckpoint, mark_restored
from raysernas.runtime.determinism import stream
from raysernas.search.ranking import supernet_scores
from raysernas.training.data import Data
from raysernas.training.model import TrainedModel


@runtime_checkable
class Train(Protocol):
    """Trains the network of a genotype from scratch."""

    def __call__(
        self, genotype: Genotype, purpose: str, checkpoint: StageCheckpoint, *, epochs: int = 0
    ) -> TrainedModel:
        """Args: epochs: 0 = the whole training of the arm. The others: see `training.scratch.train`."""
        ...


@dataclass(frozen=True, slots=True)
class Searched:
    """What the checks look at: the supernet after its search, the history, and how networks are trained."""

    supernet: Network
    history: list[HistoryEntry]
    train: Train


@dataclass(frozen=True, slots=True)
class Rankings:
    """Scores of the same genotypes by the supernet and by training, and how well the two rankings agree."""

    by_supernet: list[float]
    by_training: list[float]

    @property
    def tau(self) -> float:
        """Kendall's tau-b; NaN where one of the two scores is the same for all."""
        found: Any = kendalltau(self.by_supernet, self.by_training)
        return float(found.statistic)


def checks(
    trial: TrialConfig,
    data: Data,
    searched: Searched,
    report: ReportEpoch,
    open_checkpoint: OpenCheckpoint = NoCheckpoint,
) -> dict[str, Any]:
    """What `checks.anytime_every` and `checks.ranking` ask for. Args: report: called `count` times."""
    facts: dict[str, Any] = {}
    if at := _epochs(trial, searched):
        facts["anytime"] = json.dumps(anytime(trial, searched, at, report, open_checkpoint))
    if trial.checks.ranking:
        after = lambda entry: report(entry | {"epoch": len(at) + entry["epoch"]})  # noqa: E731
        scored = ranking(trial, data, searched, after, open_checkpoint)
        facts |= {"ranking_tau": scored.tau, "ranking": json.dumps([scored.by_supernet, scored.by_training])}
    return facts


def count(trial: TrialConfig, searched: Searched) -> int:
    """How often `checks` reports: once for each training."""
    return len(_epochs(trial, searched)) + trial.checks.ranking


def anytime(
    trial: TrialConfig,
    searched: Searched,
    epochs: list[int],
    report: ReportEpoch,
    open_checkpoint: OpenCheckpoint = NoCheckpoint,
) -> list[tuple[int, float]]:
    """(epoch of the search, validation UA of its genotype after the whole retraining) for some epochs.

    Equal genotypes are trained once.
    """
    known: dict[str, float] = {}
    for number, epoch in enumerate(epochs, 1):
        genotype, restored = searched.history[epoch - 1]["genotype"], False
        if genotype not in known:
            checkpoint = open_checkpoint(f"anytime-{epoch}")
            restored, purpose = checkpoint.complete, str(trial.retrain.seeds[0])
            known[genotype] = searched.train(from_json(genotype), purpose, checkpoint).valid.ua
        entry = {"epoch": number, "anytime_epoch": epoch, "valid_ua": known[genotype]}
        report(mark_restored(entry, restored))
    return [(epoch, known[searched.history[epoch - 1]["genotype"]]) for epoch in epochs]


def ranking(
    trial: TrialConfig,
    data: Data,
    searched: Searched,
    report: ReportEpoch,
    open_checkpoint: OpenCheckpoint = NoCheckpoint,
) -> Rankings:
    """Drawn genotypes, scored by the supernet with one-hot mixing weights and by a short training each."""
    rng, parts = np.random.default_rng([stream(trial, "ranking"), trial.fold]), space_of(trial)
    scored = Rankings([], [])
    for number in range(trial.checks.ranking):
        genotype = draw(rng, parts)
        halves = data.part("weights"), data.part("valid")
        scored.by_supernet.append(supernet_scores(searched.supernet, *halves, one_hot(genotype, parts)).ua)
        checkpoint = open_checkpoint(f"ranking-{number}")
        model = searched.train(genotype, f"ranking {number}", checkpoint, epochs=trial.checks.draw_epochs)
        scored.by_training.append(model.valid.ua)
        entry = {"epoch": number + 1, "supernet_ua": scored.by_supernet[-1], "valid_ua": model.valid.ua}
        report(mark_restored(entry, checkpoint.complete))
    return scored


def _epochs(trial: TrialConfig, searched: Searched) -> list[int]:
    every, last = trial.checks.anytime_every, len(searched.history)
    return [epoch for epoch in range(1, last + 1) if every and (epoch % every == 0 or epoch == last)]
