"""The bilevel search over the supernet: DARTS (arXiv 1806.09055, algorithm 1), of first or second order.

In: the `weights` half and the `alphas` half of the training speakers. Out: a genotype and the history of the
search. Each step first moves the alphas on a batch of their half (Adam), then the weights on a batch of
theirs (SGD with momentum). How alphas become mixing weights is the relaxation's matter. The genotype is that
of the last epoch, or that of the epoch before the curvature grew (`collapse`).
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config.schema import SearchConfig
from raysernas.features.parts import Batch, Part
from raysernas.model.network import Network
from raysernas.record.genotype import Genotype, MixingWeights, Space, choose, entropy, from_json
from raysernas.record.history import HistoryEntry, ReportEpoch
from raysernas.runtime.checkpointing import NoCheckpoint, SavedState, StageCheckpoint, replay
from raysernas.runtime.cuda_graphs import StepLauncher, launch_eagerly
from raysernas.runtime.resource_meter import peak_mb
from raysernas.search import bilevel, collapse
from raysernas.search.alphas import Alphas, named_weights, new_alphas
from raysernas.search.bilevel import (
    Loss,
    NamedWeights,
    Objective,
    UnrolledStep,
    frozen_statistics,
    frozen_weights,
)
from raysernas.search.curvature import alpha_curvature
from raysernas.search.epoch_metrics import StepOutput
from raysernas.search.relaxations.members import RELAXATIONS
from raysernas.search.relaxations.relaxation import Relaxation
from raysernas.search.state import RunningEpoch, SearchState, new_search
from raysernas.training.batches import EndlessBatches, EpochBatches
from raysernas.training.evaluation import require
from raysernas.training.losses import backpropagate, class_weights


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found, and how it went."""

    genotype: Genotype
    entropy: float  # of the mixing weights: 1 = uniform
    epoch: int  # whose genotype it is
    history: list[
        HistoryEntry
    ]  # for each epoch: losses, scores, entropy, mixing weights, genotype and diagnostics
    state: SavedState  # the supernet and all else after the last epoch, for `torch.save`


def search(
    network: Network,
    weights: Part,
    alphas: Part,
    config: SearchConfig,
    space: Space,
    *,
    seed: int,
    report: ReportEpoch,
    checkpoint: StageCheckpoint | None = None,
    launch: StepLauncher = launch_eagerly,
) -> SearchResult:
    """Search on a supernet.

    Args:
        report: called after each epoch (counted from 1) with its entry of the history and with what is only
            shown: `timing` and, by name, the `shares` of the operations.
        checkpoint: of this stage. A search that an earlier attempt began with the same arguments
            continues from there and first reports its epochs again.
        launch: how the GPU's part of a step is launched.

    Raises:
        DivergedError: when a loss is not finite.
        Fault: when a part of another role is given.
    """
    require(weights, "weights")
    require(alphas, "alphas")
    checkpoint = checkpoint or NoCheckpoint()
    rngs = [np.random.default_rng([seed, stream]) for stream in (2, 3)]
    state = new_search(
        network,
        new_alphas(space, torch.Generator().manual_seed(seed), weights.device),
        RELAXATIONS[config.relaxation](space, config, seed),
        nn.CrossEntropyLoss(class_weights(weights, network.output.out_features)),
        config,
        rngs[0],
        EndlessBatches(alphas, config.batch, rngs[1]),
        launch,
    )
    if checkpoint.restored is not None:
        state.load_state_dict(checkpoint.restored, weights)
        replay([_shown(*of, space) for of in zip(state.history, state.timings, strict=True)], report)
    fixed = next(alphas.epoch(config.batch, np.random.default_rng([seed, 4])))  # for the curvature
    while len(state.history) < config.epochs and _stopped_at(state) is None:
        entry, timing = _epoch(state, weights, checkpoint)
        entry |= _curvature(state, entry["epoch"], fixed) | _derived(state, space)
        _finish_epoch(state, entry, timing)
        report(_shown(entry, timing, space))
    checkpoint.finish(state.checkpoint)
    back = _stopped_at(state)
    chosen = state.history[-1 if back is None else back - 1]
    genotype = from_json(chosen["genotype"])
    return SearchResult(genotype, chosen["entropy"], chosen["epoch"], state.history, state.state_dict())


def _epoch(
    state: SearchState, weights: Part, checkpoint: StageCheckpoint
) -> tuple[HistoryEntry, HistoryEntry]:
    """One pass over the weights half, or what is left of it: metrics of the whole pass, and its timing."""
    config, epoch = state.config, len(state.history) + 1
    running = state.running = state.running or RunningEpoch(EpochBatches(weights, config.batch, state.rng))
    state.network.train()
    for step, batch in enumerate(running.batches, start=running.batches.taken):
        # the count begins anew with each epoch, so that every epoch has an alpha step
        if epoch > config.warmup_epochs and step % config.alphas_every == 0:
            held_out = next(state.alpha_batches)
            if config.difference_error and step == 0:
                running.errors.append(_difference_error(state, batch, held_out))
            running.on_alphas.add(alpha_step(state, batch, held_out))
        running.on_weights.add(weight_step(state, batch))
        checkpoint.step(state.checkpoint)
    state.schedule.step()
    classes = state.network.output.out_features
    entry = {
        "epoch": epoch,
        **running.on_weights.means(classes),
        **running.on_alphas.means(classes, "alphas_"),
    }
    if running.errors:
        entry["difference_error"] = running.errors[0].item()
    seconds = time.perf_counter() - running.began
    return entry, {"step_s": seconds / running.batches.taken, "peak_mb": peak_mb(weights.device)}


def alpha_step(state: SearchState, batch: Batch, held_out: Batch) -> StepOutput:
    """One Adam step on the alphas. Weights, momenta and batch-norm buffers stay as they are.

    Weight gradients stay too, except in a CUDA graph, which may overwrite them: the next weight step computes
    them anew.

    Args:
        batch: of the weights half; a second order unrolls the step of the weights on it.
        held_out: of the alphas half.
    """
    state.relaxation.begin_step("alphas", state.progress)
    alphas = [*state.alphas.values()]
    # a second order puts random states back and reads a changing learning rate, which no graph can
    launch = state.launch if state.config.order == "first" else launch_eagerly

    def work(*given: Tensor) -> tuple[Tensor, ...]:
        return _alpha_gradients(state, batch, Batch(*given))

    loss, logits, norm = launch("alphas", work, alphas, *held_out.tensors)
    state.alpha_optimizer.step()
    return StepOutput(loss, logits, held_out.emotion, norm)


def weight_step(state: SearchState, batch: Batch) -> StepOutput:
    """One SGD step on the weights under the current mixing weights; the alphas stay as they are."""
    state.relaxation.begin_step("weights", state.progress)
    weights = [*state.network.parameters()]

    def work(*given: Tensor) -> tuple[Tensor, ...]:
        return _weight_gradients(state, Batch(*given))

    loss, logits, norm = state.launch("weights", work, weights, *batch.tensors)
    state.weight_optimizer.step()
    return StepOutput(loss, logits, batch.emotion, norm)


def _alpha_gradients(state: SearchState, batch: Batch, held_out: Batch) -> tuple[Tensor, ...]:
    """Sets the gradients of the alphas; loss, logits and the norm of the gradient."""
    alphas, validate = state.alphas, Objective(*_supernet(state, held_out), penalized=True)
    if state.config.order == "first":
        with frozen_weights(state.network):
            found = bilevel.first_order(lambda alphas: validate(None, alphas), alphas)
    else:
        with frozen_statistics(state.network):
            found = bilevel.second_order(state.config.order, *_bilevel(state, batch, validate))
    for value, gradient in zip(alphas.values(), found.gradients, strict=True):
        value.grad = gradient
    return found.loss, validate.logits, nn.utils.get_total_norm(found.gradients)


def _weight_gradients(state: SearchState, batch: Batch) -> tuple[Tensor, ...]:
    """Sets the gradients of the weights, clipped; loss, logits and the norm before clipping."""
    objective = Objective(*_supernet(state, batch))
    loss = objective(None, {part: value.detach() for part, value in state.alphas.items()})
    norm = backpropagate(loss, state.network, state.config.weights_clip)
    return loss.detach(), objective.logits, norm


def _supernet(state: SearchState, batch: Batch) -> tuple[nn.Module, Batch, nn.Module, Relaxation]:
    return state.network, batch, state.loss_of, state.relaxation


def _bilevel(
    state: SearchState, batch: Batch, validate: Loss
) -> tuple[Loss, Loss, NamedWeights, Alphas, UnrolledStep, float]:
    """The arguments of a second order."""
    train, named = Objective(*_supernet(state, batch)), dict(state.network.named_parameters())
    unroll = bilevel.unrolled_step_of(state.weight_optimizer)
    return train, validate, named, state.alphas, unroll, state.config.difference_scale


def _difference_error(state: SearchState, batch: Batch, held_out: Batch) -> Tensor:
    """How far the central difference is from the exact term, at this very step."""
    with frozen_statistics(state.network):
        return bilevel.difference_error(*_bilevel(state, batch, Objective(*_supernet(state, held_out))))


def _curvature(state: SearchState, epoch: int, fixed: Batch) -> HistoryEntry:
    """The curvature in the alphas, in the epochs in which it is measured."""
    every = state.config.eigenvalue_every
    if every == 0 or epoch % every:
        return {}
    return {"eigenvalue": alpha_curvature(Objective(*_supernet(state, fixed)), state.alphas)}


def _derived(state: SearchState, space: Space) -> HistoryEntry:
    """What the alphas stand for now: mixing weights, their entropy, and the genotype derived from them."""
    derived = state.relaxation.derived_from(state.alphas)
    weights: MixingWeights = {part: value.cpu().numpy() for part, value in derived.items()}
    genotype = choose(weights, space).to_json()
    return {
        "entropy": entropy(weights),
        "entropies": {part: entropy({part: value}) for part, value in weights.items()},
        **collapse.gene_counts(genotype, state.history[-1]["genotype"] if state.history else None),
        "none": collapse.share(weights, space, "none"),
        "genotype": genotype,
        "mixing": {part: value.tolist() for part, value in weights.items()},
    }


def _finish_epoch(state: SearchState, entry: HistoryEntry, timing: HistoryEntry) -> None:
    """Append the epoch to the history, with its warnings."""
    state.running = None
    state.history.append(entry)
    state.timings.append(timing)
    if warnings := collapse.warnings(state.history, state.config):
        entry["warning"] = "; ".join(warnings)


def _shown(entry: HistoryEntry, timing: HistoryEntry, space: Space) -> HistoryEntry:
    """An entry of the history with what is only shown."""
    return entry | {"timing": timing, "shares": named_weights(entry["mixing"], space)}


def _stopped_at(state: SearchState) -> int | None:
    """The epoch to return to, once a search that stops by the curvature has to stop."""
    stops = state.config.stop == "eigenvalue" and state.history
    return collapse.grown_since(state.history, state.config) if stops else None
