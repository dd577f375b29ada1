"""The bilevel search over the supernet: DARTS (arXiv 1806.09055, algorithm 1), of first or second order.

In: the `weights` half and the `alphas` half of the training speakers. Out: a genotype and the history of the search. Every step
first moves the alphas on a batch of their half (Adam), then the weights on a batch of theirs (SGD with momentum). The genotype
is that of the last epoch, or of the epoch before the curvature grew (`collapse`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config import SearchConfig
from raysernas.corpora.features import Batch, Part
from raysernas.learn import bilevel, collapse
from raysernas.learn.bilevel import Ahead, Loss, Objective, Weights, statistics_kept, weights_frozen
from raysernas.learn.curvature import alpha_curvature
from raysernas.learn.meter import peak_mb
from raysernas.learn.mixture import Alphas, mixing, new_alphas, shares
from raysernas.learn.state import Endless, Kept, State, begun
from raysernas.learn.tally import Seen, Tally
from raysernas.learn.training import class_weights, descend, require
from raysernas.model.network import Network
from raysernas.record.genotype import Genotype, Mixtures, Space, choose, entropy, from_json

Entry = dict[str, Any]
Report = Callable[[Entry], object]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found, and how it went."""

    genotype: Genotype
    entropy: float  # of its mixtures: 1 = uniform
    epoch: int  # whose genotype it is
    history: list[Entry]  # for each epoch: losses, scores, entropy, softmaxed alphas, genotype, and what else was watched
    kept: Kept  # the supernet and all else after the last epoch, for `torch.save`


def search(
    network: Network, weights: Part, alphas: Part, config: SearchConfig, space: Space, *, seed: int, report: Report,
    resume: Kept | None = None, keep: Callable[[Kept], object] | None = None,
) -> Searched:  # fmt: skip
    """Search on a supernet.

    Args:
        report: called after each epoch (counted from 1) with its entry of the history, and what is only shown: `timing` and, by
            name, the `shares` of the operations.
        resume: what `keep` was given after an epoch of a search with the same arguments: goes on from there.
        keep: called after each epoch with all that a resumed search needs.

    Raises:
        DivergedError: when a loss is not finite.
        Fault: when a part of another role is given.
    """
    require(weights, "weights")
    require(alphas, "alphas")
    orders = [np.random.default_rng([seed, stream]) for stream in (2, 3)]
    parameters = new_alphas(space, torch.Generator().manual_seed(seed), weights.device)
    loss_of = nn.CrossEntropyLoss(class_weights(weights, network.output.out_features))
    state = begun(network, parameters, loss_of, config, orders[0], Endless(alphas, config.batch, orders[1]))
    if resume is not None:
        state.restore(resume)
    fixed = next(alphas.epoch(config.batch, np.random.default_rng([seed, 4])))  # that the curvature is measured on
    while len(state.history) < config.epochs and _turned(state) is None:
        seen, timing = _epoch(state, weights)
        _note(state, seen | _watched(state, seen["epoch"], fixed) | _found(state, space))
        report(state.history[-1] | {"timing": timing, "shares": shares(state.history[-1]["mixing"], space)})
        if keep is not None:
            keep(state.kept())
    back = _turned(state)
    chosen = state.history[-1 if back is None else back - 1]
    return Searched(from_json(chosen["genotype"]), chosen["entropy"], chosen["epoch"], state.history, state.kept())


def _epoch(state: State, weights: Part) -> tuple[Entry, Entry]:
    """One pass over the weights half: what it saw, and what it took."""
    config, epoch, start = state.config, len(state.history) + 1, time.perf_counter()
    on_weights, on_alphas, errors = Tally(), Tally(), []
    state.network.train()
    for step, batch in enumerate(weights.epoch(config.batch, state.rng)):
        if epoch > config.warmup_epochs and step % config.alphas_every == 0:  # counted anew: every epoch has an alpha step
            held_out = next(state.others)
            if config.difference_error and step == 0:
                errors.append(_error_now(state, batch, held_out))
            on_alphas.add(alpha_step(state, batch, held_out))
        on_weights.add(weight_step(state, batch))
    state.schedule.step()
    classes = state.network.output.out_features
    entry = {"epoch": epoch, **on_weights.means(classes), **on_alphas.means(classes, "alphas_")}
    if errors:
        entry["difference_error"] = errors[0].item()
    return entry, {"step_s": (time.perf_counter() - start) / len(on_weights.losses), "peak_mb": peak_mb(weights.device)}


def alpha_step(state: State, batch: Batch, held_out: Batch) -> Seen:
    """One Adam step on the alphas; leaves every weight, weight gradient, momentum and batch-norm buffer as it was.

    Args:
        batch: of the weights half: what a second order takes the step of the weights on.
        held_out: of the alphas half.
    """
    alphas, validate = state.alphas, Objective(state.network, held_out, state.loss_of)
    if state.config.order == "first":
        with weights_frozen(state.network):
            found = bilevel.first_order(lambda alphas: validate(None, alphas), alphas)
    else:
        with statistics_kept(state.network):
            found = bilevel.second_order(state.config.order, *_bilevel(state, batch, validate))
    for value, gradient in zip(alphas.values(), found.gradients, strict=True):
        value.grad = gradient
    state.by_adam.step()
    return Seen(found.loss, validate.logits, held_out.emotion, nn.utils.get_total_norm(found.gradients))


def weight_step(state: State, batch: Batch) -> Seen:
    """One SGD step on the weights under the current mixtures; leaves the alphas as they were."""
    objective = Objective(state.network, batch, state.loss_of)
    loss = objective(None, {part: value.detach() for part, value in state.alphas.items()})
    norm = descend(loss, state.network, state.by_sgd, state.config.weights_clip)
    return Seen(loss.detach(), objective.logits, batch.emotion, norm)


def _bilevel(state: State, batch: Batch, validate: Loss) -> tuple[Loss, Loss, Weights, Alphas, Ahead, float]:
    """What a second order is taken of."""
    train, named = Objective(state.network, batch, state.loss_of), dict(state.network.named_parameters())
    return train, validate, named, state.alphas, bilevel.ahead_of(state.by_sgd), state.config.difference_scale


def _error_now(state: State, batch: Batch, held_out: Batch) -> Tensor:
    """How far the central difference is from the exact term, at this very step."""
    with statistics_kept(state.network):
        return bilevel.difference_error(*_bilevel(state, batch, Objective(state.network, held_out, state.loss_of)))


def _watched(state: State, epoch: int, fixed: Batch) -> Entry:
    """The curvature, in the epochs in which it is measured."""
    every = state.config.eigenvalue_every
    if every == 0 or epoch % every:
        return {}
    return {"eigenvalue": alpha_curvature(state.network, state.alphas, fixed, state.loss_of)}


def _note(state: State, entry: Entry) -> None:
    """One epoch more in the history, with what it warns of."""
    state.history.append(entry)
    if told := collapse.warnings(state.history, state.config):
        entry["warning"] = "; ".join(told)


def _found(state: State, space: Space) -> Entry:
    """What the alphas have come to: what the history keeps of each epoch besides the steps."""
    mixtures: Mixtures = {part: mixture.cpu().numpy() for part, mixture in mixing(state.alphas, fixed=True).items()}
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
