"""Where the architecture of an arm comes from: found by a supernet, drawn, the best of several draws, or
designed.

In: the resolved configuration of a trial and its data by role. Out: a genotype (None for a hand-designed
arm), what is to be recorded about it, and the state of the search, if there was one. Nothing here asks for
the test part: a house test checks that `trial.py` alone does.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from raysernas.config.arms import ARMS
from raysernas.config.schema import SearchConfig, TrialConfig
from raysernas.features.parts import batch_sizes
from raysernas.model.cost import multiply_adds
from raysernas.model.network import Network
from raysernas.record.genotype import Genotype, all_skip, draw, space
from raysernas.runtime.checkpointing import NoCheckpoint, OpenCheckpoint, StageCheckpoint, mark_restored
from raysernas.runtime.cuda_graphs import step_launcher
from raysernas.runtime.determinism import stream
from raysernas.search import darts
from raysernas.search.found import Found
from raysernas.training.data import Data
from raysernas.training.scratch import network_of, shortly_trained

# passes of an alpha step over its batch of the weights half
AHEAD = {"first": 0, "second_exact": 3, "second_difference": 3}
Report = Callable[[dict[str, Any]], object]


def architecture(
    trial: TrialConfig, data: Data, report: Report, open_checkpoint: OpenCheckpoint = NoCheckpoint
) -> Found:
    """The architecture of the arm.

    Args:
        report: called after each epoch of a search, or after each of several draws.
        open_checkpoint: gives the checkpoint of each training.
    """
    parts = space(trial.network)
    if ARMS[trial.arm].searches:
        found = _searched(trial, data, report, open_checkpoint("search"))
    elif trial.arm == "random":
        found = Found(draw(np.random.default_rng([stream(trial, "draw"), trial.fold]), parts))
    elif trial.arm == "random_search":
        found = _best_drawn(trial, data, report, open_checkpoint)
    else:
        found = Found(all_skip(parts) if trial.arm == "all_skip" else None)
    genotype = found.genotype.to_json() if found.genotype else ""
    nothing = {"search_entropy": float("nan"), "search_multiply_adds": float("nan")}
    return replace(found, facts={"genotype": genotype, **nothing, **found.facts})


def steps(trial: TrialConfig) -> int:
    """How often `architecture` reports, at most: a search may stop early."""
    return (
        trial.search.epochs
        if ARMS[trial.arm].searches
        else trial.checks.draws
        if trial.arm == "random_search"
        else 0
    )


def _searched(trial: TrialConfig, data: Data, report: Report, checkpoint: StageCheckpoint) -> Found:
    supernet = network_of(trial, data, None, "supernet")
    assert isinstance(supernet, Network)
    found = darts.search(
        supernet,
        data.part("weights"),
        data.part("alphas"),
        trial.search,
        space(trial.network),
        seed=stream(trial, "search"),
        report=report,
        checkpoint=checkpoint,
        launch=step_launcher(trial.compute),
    )
    passed = utterances(trial.search, len(data.part("weights")), len(data.part("alphas")), len(found.history))
    facts = {
        "search_entropy": found.entropy,
        "search_epoch": found.epoch,
        "search_multiply_adds": float(passed * multiply_adds(supernet, data.size)),
    }
    return Found(found.genotype, facts, found.history, supernet, found.kept)


def utterances(config: SearchConfig, weights: int, alphas: int, epochs: int) -> int:
    """How many utterances the steps of a search passed through the supernet (forward and back), of halves of
    these sizes.

    An alpha step passes its batch of the alphas half once; the second orders pass the batch of the weights
    half besides: once for the step ahead, and the mixed term costs two.
    """
    steps = batch_sizes(weights, config.batch)
    taken, searching = steps[:: config.alphas_every], max(0, epochs - config.warmup_epochs)
    drawn = batch_sizes(alphas, config.batch)  # of one pass over the alphas half; they go round
    rounds, rest = divmod(searching * len(taken), len(drawn))
    return (
        epochs * weights + searching * sum(taken) * AHEAD[config.order] + rounds * alphas + sum(drawn[:rest])
    )


def _best_drawn(trial: TrialConfig, data: Data, report: Report, open_checkpoint: OpenCheckpoint) -> Found:
    """Random search: the drawn genotype with the best validation UA after a short training (arXiv
    1902.07638).
    """
    rng = np.random.default_rng([stream(trial, "draws"), trial.fold])
    spent, best = 0, (-1.0, Genotype())
    for number in range(trial.checks.draws):
        genotype = draw(rng, space(trial.network))
        checkpoint = open_checkpoint(f"draw-{number}")
        network, fitted = shortly_trained(trial, data, genotype, f"draw {number}", checkpoint)
        spent += multiply_adds(network, data.size) * len(data.part("train")) * trial.checks.draw_epochs
        scores = {"loss": fitted.history[-1]["loss"], "valid_ua": fitted.valid.ua}
        report(
            mark_restored(
                {"epoch": number + 1, **scores, "genotype": genotype.to_json()}, checkpoint.complete
            )
        )
        if fitted.valid.ua > best[0]:
            best = fitted.valid.ua, genotype
    return Found(best[1], {"search_multiply_adds": float(spent)})
