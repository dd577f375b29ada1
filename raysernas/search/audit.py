"""How good was the search itself: its genotypes over time, and how well its supernet ranks genotypes. For
arms with a supernet.

In: a trial, its data and what the search left. Out: facts for the record. All scores are of the validation
speakers, and nothing here changes what the search has found.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from raysernas.config.schema import TrialConfig
from raysernas.record.genotype import draw, from_json, one_hot, space
from raysernas.runtime.checkpointing import NoCheckpoint, OpenCheckpoint, mark_restored
from raysernas.runtime.determinism import stream
from raysernas.search.found import Found
from raysernas.search.ranking import supernet_scores
from raysernas.training.data import Data
from raysernas.training.scratch import shortly_trained, trained

Report = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Scored:
    """Genotypes with two scores each, and how alike the two rank them."""

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
    found: Found,
    report: Report,
    open_checkpoint: OpenCheckpoint = NoCheckpoint,
) -> dict[str, Any]:
    """What `checks.anytime_every` and `checks.ranking` ask for; nothing where the arm has no supernet.

    Args:
        report: called after each of `steps` trainings.
        open_checkpoint: gives the checkpoint of each training.
    """
    facts: dict[str, Any] = {}
    if found.supernet is None:
        return facts
    if at := _epochs(trial, found):
        facts["anytime"] = json.dumps(anytime(trial, data, found, at, report, open_checkpoint))
    if trial.checks.ranking:
        scored = ranking(
            trial,
            data,
            found,
            lambda entry: report(entry | {"epoch": len(at) + entry["epoch"]}),
            open_checkpoint,
        )
        facts |= {"ranking_tau": scored.tau, "ranking": json.dumps([scored.by_supernet, scored.by_training])}
    return facts


def steps(trial: TrialConfig, found: Found) -> int:
    """How often `checks` reports."""
    return 0 if found.supernet is None else len(_epochs(trial, found)) + trial.checks.ranking


def anytime(
    trial: TrialConfig,
    data: Data,
    found: Found,
    epochs: list[int],
    report: Report,
    open_checkpoint: OpenCheckpoint = NoCheckpoint,
) -> list[tuple[int, float]]:
    """(epoch of the search, validation UA of its genotype after the whole retraining), for some epochs; equal
    genotypes are trained once."""
    known: dict[str, float] = {}
    for number, epoch in enumerate(epochs):
        genotype, restored = found.history[epoch - 1]["genotype"], False
        if genotype not in known:
            checkpoint = open_checkpoint(f"anytime-{epoch}")
            restored, purpose = checkpoint.complete, str(trial.retrain.seeds[0])
            known[genotype] = trained(trial, data, from_json(genotype), purpose, lambda _: None, checkpoint)[
                1
            ].valid.ua
        report(
            mark_restored(
                {"epoch": number + 1, "anytime_epoch": epoch, "valid_ua": known[genotype]}, restored
            )
        )
    return [(epoch, known[found.history[epoch - 1]["genotype"]]) for epoch in epochs]


def ranking(
    trial: TrialConfig,
    data: Data,
    found: Found,
    report: Report,
    open_checkpoint: OpenCheckpoint = NoCheckpoint,
) -> Scored:
    """Drawn genotypes, scored by the supernet with their one-hot mixing weights and by a short training of
    their own.
    """
    assert found.supernet is not None
    rng, parts = np.random.default_rng([stream(trial, "ranking"), trial.fold]), space(trial.network)
    scored = Scored([], [])
    for number in range(trial.checks.ranking):
        genotype = draw(rng, parts)
        scores = supernet_scores(
            found.supernet, data.part("weights"), data.part("valid"), one_hot(genotype, parts)
        )
        scored.by_supernet.append(scores.ua)
        checkpoint = open_checkpoint(f"ranking-{number}")
        scored.by_training.append(
            shortly_trained(trial, data, genotype, f"ranking {number}", checkpoint)[1].valid.ua
        )
        report(
            mark_restored(
                {"epoch": number + 1, "supernet_ua": scores.ua, "valid_ua": scored.by_training[-1]},
                checkpoint.complete,
            )
        )
    return scored


def _epochs(trial: TrialConfig, found: Found) -> list[int]:
    every = trial.checks.anytime_every
    return [
        epoch
        for epoch in range(1, len(found.history) + 1)
        if every and (epoch % every == 0 or epoch == len(found.history))
    ]
