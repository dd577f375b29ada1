"""The bilevel search: first-order DARTS (arXiv 1806.09055, equation 7 with xi = 0) over the supernet.

In: the `weights` half and the `alphas` half of the training speakers. Out: the genotype of the last epoch and its history.
Every step first moves the alphas on a batch of their half (Adam), then the weights on a batch of theirs (SGD with momentum).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config import SearchConfig
from raysernas.corpora.features import Batch, Part
from raysernas.learn.training import class_weights, descend, finite, require
from raysernas.model.network import Network
from raysernas.record.genotype import Genotype, Mixtures, Space, choose, entropy, from_json
from raysernas.record.genotype import Part as GenotypePart

Alphas = dict[GenotypePart, Tensor]
Report = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found, and how it went."""

    genotype: Genotype
    entropy: float  # of the mixtures at the end: 1 = uniform
    history: list[dict[str, Any]]  # for each epoch: losses, entropy, softmaxed alphas, genotype


def search(
    network: Network, weights: Part, alphas: Part, config: SearchConfig, space: Space, *, seed: int, report: Report
) -> Searched:
    """Search on a supernet.

    Args:
        report: called after each epoch (counted from 1) with its entry of the history.

    Raises:
        DivergedError: when a loss is not finite.
        Fault: when a part of another role is given.
    """
    require(weights, "weights")
    require(alphas, "alphas")
    rngs = [np.random.default_rng([seed, stream]) for stream in (2, 3)]
    parameters = new_alphas(space, torch.Generator().manual_seed(seed), weights.device)
    loss_of = nn.CrossEntropyLoss(class_weights(weights, network.output.out_features))
    by_sgd, by_adam = optimizers(network, parameters, config)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(by_sgd, config.epochs, eta_min=config.weights_lr_min)
    others = chain.from_iterable(alphas.epoch(config.batch, rngs[1]) for _ in repeat(None))
    history = []
    for epoch in range(1, config.epochs + 1):
        network.train()
        losses: dict[str, list[Tensor]] = {"alphas": [], "weights": []}
        for batch in weights.epoch(config.batch, rngs[0]):
            losses["alphas"].append(alpha_step(network, parameters, next(others), loss_of, by_adam))
            losses["weights"].append(weight_step(network, parameters, batch, loss_of, by_sgd, config.weights_clip))
        schedule.step()
        history.append(
            {"epoch": epoch, "loss": finite(losses["weights"]), "alphas_loss": finite(losses["alphas"])} | _found(parameters, space)
        )
        report(history[-1])
    last = history[-1]
    return Searched(from_json(last["genotype"]), last["entropy"], history)


def optimizers(network: Network, alphas: Alphas, config: SearchConfig) -> tuple[torch.optim.SGD, torch.optim.Adam]:
    """Of the weights and of the alphas."""
    return (
        torch.optim.SGD(
            network.parameters(), lr=config.weights_lr, momentum=config.weights_momentum, weight_decay=config.weights_decay
        ),
        torch.optim.Adam(
            alphas.values(), lr=config.alphas_lr, betas=(config.alphas_beta1, 0.999), weight_decay=config.alphas_decay
        ),
    )


def _found(alphas: Alphas, space: Space) -> dict[str, Any]:
    """The state of a search: what its history keeps of each epoch besides the losses."""
    mixtures: Mixtures = {part: mixture.cpu().numpy() for part, mixture in mixing(alphas, fixed=True).items()}
    return {
        "entropy": entropy(mixtures),
        "genotype": choose(mixtures, space).to_json(),
        "mixing": {part: mixture.tolist() for part, mixture in mixtures.items()},
    }


def new_alphas(space: Space, generator: torch.Generator, device: torch.device | None = None) -> Alphas:
    """[edge, operation] for each part of a space, near zero: every operation starts with the same share."""

    def near_zero(shape: tuple[int, int]) -> Tensor:
        return (1e-3 * torch.randn(shape, generator=generator)).to(device).requires_grad_()

    return {part: near_zero((len(choice.edges), len(choice.operations))) for part, choice in space.items()}


def mixing(alphas: Alphas, *, fixed: bool = False) -> Alphas:
    """Softmaxed alphas: what the edges weigh their operations with."""
    return {part: (value.detach() if fixed else value).softmax(dim=-1) for part, value in alphas.items()}


def alpha_step(network: Network, alphas: Alphas, batch: Batch, loss_of: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    """One Adam step on the alphas; leaves every weight, weight gradient and batch-norm buffer as it was."""
    with weights_frozen(network):
        loss = loss_of(network(batch.features, batch.frames, mixing(alphas)), batch.emotion)
        for value, gradient in zip(alphas.values(), torch.autograd.grad(loss, list(alphas.values())), strict=True):
            value.grad = gradient
    optimizer.step()
    return loss.detach()


def weight_step(
    network: Network, alphas: Alphas, batch: Batch, loss_of: nn.Module, optimizer: torch.optim.Optimizer, clip: float
) -> Tensor:
    """One SGD step on the weights under the current mixtures; leaves the alphas as they were."""
    loss = loss_of(network(batch.features, batch.frames, mixing(alphas, fixed=True)), batch.emotion)
    descend(loss, network, optimizer, clip)
    return loss.detach()


@contextmanager
def weights_frozen(network: Network) -> Iterator[None]:
    """No gradient to the weights (equal alpha gradients, 1.8 times faster: benchmarks/alpha_pass), no batch-norm statistics."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for parameter in network.parameters():
            parameter.requires_grad_(True)
        for norm in norms:
            norm.track_running_stats = True
