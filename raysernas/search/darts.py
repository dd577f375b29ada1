"""The bilevel search over the supernet: DARTS (arXiv 1806.09055, algorithm 1), of first or second order.

In: the `weights` half and the `alphas` half of the training speakers. Out: a genotype and the history of the
search. Every step first moves the alphas on a batch of their half (Adam), then the weights on a batch of
theirs (SGD with momentum). The genotype is that of the last epoch, or of the epoch before the curvature grew
(`collapse`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config.schema import SearchConfig
from raysernas.features.parts import Batch, Part
from raysernas.model.network import Network
from raysernas.record.genotype import Genotype, MixingWeights, Space, choose, entropy, from_json
from raysernas.runtime.checkpointing import NoCheckpoint, SavedState, StageCheckpoint, replay
from raysernas.runtime.cuda_graphs import StepLauncher, launch_eagerly
from raysernas.runtime.resource_meter import peak_mb
from raysernas.search import bilevel, collapse
from raysernas.search.alphas import Alphas, mixing, new_alphas, shares
from raysernas.search.bilevel import Ahead, Loss, Objective, Weights, statistics_kept, weights_frozen
from raysernas.search.curvature import alpha_curvature
from raysernas.search.epoch_metrics import Seen
from raysernas.search.state import Running, State, begun
from raysernas.training.batches import Endless, Pass
from raysernas.training.fit import require
from raysernas.training.state import backpropagate, class_weights

Entry = dict[str, Any]
Report = Callable[[Entry], object]
# loss, logits, norm of the gradient that was set (before it is clipped)
Backward = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found, and how it went."""

    genotype: Genotype
    entropy: float  # of its mixtures: 1 = uniform
    epoch: int  # whose genotype it is
    # for each epoch: losses, scores, entropy, softmaxed alphas, genotype, and what else was watched
    history: list[Entry]
    kept: SavedState  # the supernet and all else after the last epoch, for `torch.save`


def search(
    network: Network,
    weights: Part,
    alphas: Part,
    config: SearchConfig,
    space: Space,
    *,
    seed: int,
    report: Report,
    checkpoint: StageCheckpoint | None = None,
    launch: StepLauncher = launch_eagerly,
) -> Searched:
    """Search on a supernet.

    Args:
        report: called after each epoch (counted from 1) with its entry of the history, and what is only
            shown: `timing` and, by name, the `shares` of the operations.
        checkpoint: where the state of the search is saved. A search that an earlier attempt began with the
            same arguments continues from there, and first reports the earlier epochs again.
        launch: how the GPU's part of a step is launched.

    Raises:
        DivergedError: when a loss is not finite.
        Fault: when a part of another role is given.
    """
    require(weights, "weights")
    require(alphas, "alphas")
    checkpoint = checkpoint or NoCheckpoint()
    orders = [np.random.default_rng([seed, stream]) for stream in (2, 3)]
    parameters = new_alphas(space, torch.Generator().manual_seed(seed), weights.device)
    loss_of = nn.CrossEntropyLoss(class_weights(weights, network.output.out_features))
    state = begun(
        network, parameters, loss_of, config, orders[0], Endless(alphas, config.batch, orders[1]), launch
    )
    if checkpoint.restored is not None:
        state.restore(checkpoint.restored, weights)
        replay([_shown(*of, space) for of in zip(state.history, state.timings, strict=True)], report)
    # that the curvature is measured on
    fixed = next(alphas.epoch(config.batch, np.random.default_rng([seed, 4])))
    while len(state.history) < config.epochs and _turned(state) is None:
        seen, timing = _epoch(state, weights, checkpoint)
        _note(state, seen | _watched(state, seen["epoch"], fixed) | _found(state, space), timing)
        report(_shown(state.history[-1], timing, space))
    checkpoint.finish(state.under_way)
    back = _turned(state)
    chosen = state.history[-1 if back is None else back - 1]
    return Searched(
        from_json(chosen["genotype"]), chosen["entropy"], chosen["epoch"], state.history, state.kept()
    )


def _epoch(state: State, weights: Part, checkpoint: StageCheckpoint) -> tuple[Entry, Entry]:
    """One pass over the weights half, or what is left of it: what the whole pass saw, and what it took."""
    config, epoch = state.config, len(state.history) + 1
    running = state.running = state.running or Running(Pass(weights, config.batch, state.rng))
    state.network.train()
    for step, batch in enumerate(running.batches, start=running.batches.taken):
        # counted anew: every epoch has an alpha step
        if epoch > config.warmup_epochs and step % config.alphas_every == 0:
            held_out = next(state.others)
            if config.difference_error and step == 0:
                running.errors.append(_error_now(state, batch, held_out))
            running.on_alphas.add(alpha_step(state, batch, held_out))
        running.on_weights.add(weight_step(state, batch))
        checkpoint.step(state.under_way)
    state.schedule.step()
    classes, taken = state.network.output.out_features, running.batches.taken
    entry = {
        "epoch": epoch,
        **running.on_weights.means(classes),
        **running.on_alphas.means(classes, "alphas_"),
    }
    if running.errors:
        entry["difference_error"] = running.errors[0].item()
    return entry, {
        "step_s": (time.perf_counter() - running.began) / taken,
        "peak_mb": peak_mb(weights.device),
    }


def alpha_step(state: State, batch: Batch, held_out: Batch) -> Seen:
    """One Adam step on the alphas; leaves every weight, momentum and batch-norm buffer as it was, and weight
    gradients too, unless it is a graph, which may have written over them: the next weight step makes them
    anew.

    Args:
        batch: of the weights half: what a second order takes the step of the weights on.
        held_out: of the alphas half.
    """
    alphas = [*state.alphas.values()]
    # the others put random states back, and look a changing rate ahead
    launch = state.launch if state.config.order == "first" else launch_eagerly
    loss, logits, norm = launch(
        "alphas", lambda *given: _alpha_gradients(state, batch, Batch(*given)), alphas, *held_out.tensors
    )
    state.by_adam.step()
    return Seen(loss, logits, held_out.emotion, norm)


def weight_step(state: State, batch: Batch) -> Seen:
    """One SGD step on the weights under the current mixtures; leaves the alphas as they were."""
    weights = [*state.network.parameters()]
    loss, logits, norm = state.launch(
        "weights", lambda *given: _weight_gradients(state, Batch(*given)), weights, *batch.tensors
    )
    state.by_sgd.step()
    return Seen(loss, logits, batch.emotion, norm)


def _alpha_gradients(state: State, batch: Batch, held_out: Batch) -> Backward:
    """Sets the gradient of the alphas."""
    alphas, validate = state.alphas, Objective(state.network, held_out, state.loss_of)
    if state.config.order == "first":
        with weights_frozen(state.network):
            found = bilevel.first_order(lambda alphas: validate(None, alphas), alphas)
    else:
        with statistics_kept(state.network):
            found = bilevel.second_order(state.config.order, *_bilevel(state, batch, validate))
    for value, gradient in zip(alphas.values(), found.gradients, strict=True):
        value.grad = gradient
    return found.loss, validate.logits, nn.utils.get_total_norm(found.gradients)


def _weight_gradients(state: State, batch: Batch) -> Backward:
    """Sets the gradient of the weights, clipped."""
    objective = Objective(state.network, batch, state.loss_of)
    loss = objective(None, {part: value.detach() for part, value in state.alphas.items()})
    norm = backpropagate(loss, state.network, state.config.weights_clip)
    return loss.detach(), objective.logits, norm


def _bilevel(state: State, batch: Batch, validate: Loss) -> tuple[Loss, Loss, Weights, Alphas, Ahead, float]:
    """What a second order is taken of."""
    train, named = Objective(state.network, batch, state.loss_of), dict(state.network.named_parameters())
    return train, validate, named, state.alphas, bilevel.ahead_of(state.by_sgd), state.config.difference_scale


def _error_now(state: State, batch: Batch, held_out: Batch) -> Tensor:
    """How far the central difference is from the exact term, at this very step."""
    with statistics_kept(state.network):
        return bilevel.difference_error(
            *_bilevel(state, batch, Objective(state.network, held_out, state.loss_of))
        )


def _watched(state: State, epoch: int, fixed: Batch) -> Entry:
    """The curvature, in the epochs in which it is measured."""
    every = state.config.eigenvalue_every
    if every == 0 or epoch % every:
        return {}
    return {"eigenvalue": alpha_curvature(state.network, state.alphas, fixed, state.loss_of)}


def _note(state: State, entry: Entry, timing: Entry) -> None:
    """The running epoch has ended: one more in the history, with what it warns of."""
    state.running = None
    state.history.append(entry)
    state.timings.append(timing)
    if told := collapse.warnings(state.history, state.config):
        entry["warning"] = "; ".join(told)


def _shown(entry: Entry, timing: Entry, space: Space) -> Entry:
    """An entry of the history with what is only shown."""
    return entry | {"timing": timing, "shares": shares(entry["mixing"], space)}


def _found(state: State, space: Space) -> Entry:
    """What the alphas have come to: what the history keeps of each epoch besides the steps."""
    mixtures: MixingWeights = {
        part: mixture.cpu().numpy() for part, mixture in mixing(state.alphas, fixed=True).items()
    }
    genotype = choose(mixtures, space).to_json()
    return {
        "entropy": entropy(mixtures),
        "entropies": {part: entropy({part: mixture}) for part, mixture in mixtures.items()},
        **collapse.gene_counts(genotype, state.history[-1]["genotype"] if state.history else None),
        "none": collapse.share(mixtures, space, "none"),
        "genotype": genotype,
        "mixing": {part: mixture.tolist() for part, mixture in mixtures.items()},
    }


def _turned(state: State) -> int | None:
    """The epoch to go back to, once a search that stops by the curvature has to."""
    stops = state.config.stop == "eigenvalue" and state.history
    return collapse.grown_since(state.history, state.config) if stops else None
