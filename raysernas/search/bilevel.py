"""The gradient of the validation loss in the alphas, with weights that respond to the alphas.

Source: DARTS (arXiv 1806.09055, section 2.3). In: the losses on both halves as functions of (weights,
    alphas).
Out: a `Hypergradient`. Nothing else changes: no weight, gradient, momentum or batch-norm statistic.

First order (equation 6 with xi = 0) takes the weights as they are. Second order unrolls one step of the
weights, w' = w - xi (momentum v + dL_train/dw + decay w), and applies the chain rule (equation 7):

    dL_val(w', alphas)/dalphas - xi d/dalphas [dL_train(w, alphas)/dw . u],   u = dL_val/dw'

The unrolled step is that of the authors' code: xi is the current learning rate of the weights and v their
momentum buffer, so it is the next step of SGD without gradient clipping. The mixed term is computed exactly
by a second backward pass, or by a central difference (equation 8) over the weights w +- eps u. Both passes of
the difference use the dropout masks of the pass that gave dL_train/dw. With masks of their own, the
difference of two masks would hide the difference of two weights.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from raysernas.features.parts import Batch
from raysernas.model.sequence import twice_differentiable
from raysernas.runtime.determinism import random_state, set_random_state
from raysernas.search.alphas import Alphas
from raysernas.search.relaxations.relaxation import Relaxation

NamedWeights = Mapping[str, Tensor]
Loss = Callable[[NamedWeights, Alphas], Tensor]
Second = Literal["second_exact", "second_difference"]


@dataclass(frozen=True, slots=True)
class Hypergradient:
    """The gradient in each part's alphas, and the loss of the validation batch at the weights that it was
    taken at.
    """

    loss: Tensor
    gradients: list[Tensor]
    mixed: list[Tensor] = field(default_factory=list)  # d/dalphas [dL_train/dw . u] of a second order


@dataclass(slots=True)
class Objective:
    """Loss of a supernet on a batch as a function of weights and alphas; keeps the logits of its last use."""

    network: nn.Module
    batch: Batch
    loss_of: nn.Module
    relaxation: Relaxation
    penalized: bool = False  # by the relaxation: in the loss of an alpha step
    logits: Tensor = field(default_factory=lambda: torch.empty(0))

    def __call__(self, weights: NamedWeights | None, alphas: Alphas) -> Tensor:
        """Args: weights: None for those that the network has."""
        mixing = self.relaxation.weights(alphas)
        inputs = self.batch.features, self.batch.frames, mixing, self.batch.functionals
        logits = (
            self.network(*inputs) if weights is None else functional_call(self.network, dict(weights), inputs)
        )
        self.logits = logits.detach()
        loss = self.loss_of(logits, self.batch.emotion)
        penalty = self.relaxation.penalty(alphas) if self.penalized else None
        return loss if penalty is None else loss + penalty


@dataclass(frozen=True, slots=True)
class UnrolledStep:
    """The step of the weights that a second order unrolls."""

    rate: float  # xi
    momentum: float
    decay: float
    velocity: list[Tensor] | None  # momentum buffer of each weight; None before the first step

    def __call__(self, weights: list[Tensor], weight_gradients: list[Tensor]) -> list[Tensor]:
        """New tensors: w'. Args: weight_gradients: dL_train/dw."""
        direction = torch._foreach_add(weight_gradients, weights, alpha=self.decay)  # pyright: ignore
        if self.velocity is not None:
            direction = torch._foreach_add(direction, self.velocity, alpha=self.momentum)  # pyright: ignore
        return moved(weights, direction, -self.rate)


def moved(weights: list[Tensor], along: list[Tensor] | tuple[Tensor, ...], by: float) -> list[Tensor]:
    """New tensors w + by * along, laid out in memory as the weights are.

    Convolutions pass the layout of their weights on, and dropout draws its masks in the order of memory:
    weights in another layout would see other masks.
    """
    new = [weight.detach().clone() for weight in weights]
    torch._foreach_add_(new, along, alpha=by)  # pyright: ignore[reportPrivateImportUsage]
    return new


def unrolled_step_of(optimizer: torch.optim.SGD) -> UnrolledStep:
    """The next step of an optimiser that has one group of parameters."""
    (group,) = optimizer.param_groups
    found = [optimizer.state[weight].get("momentum_buffer") for weight in group["params"]]
    velocity = [
        torch.zeros_like(weight) if v is None else v for v, weight in zip(found, group["params"], strict=True)
    ]
    moves = any(v is not None for v in found)
    return UnrolledStep(group["lr"], group["momentum"], group["weight_decay"], velocity if moves else None)


def first_order(validate: Callable[[Alphas], Tensor], alphas: Alphas) -> Hypergradient:
    """The weights are taken as they are."""
    loss = validate(alphas)
    return Hypergradient(loss.detach(), _gradients(loss, list(alphas.values())))


def second_order(
    order: Second,
    train: Loss,
    validate: Loss,
    weights: NamedWeights,
    alphas: Alphas,
    unroll: UnrolledStep,
    scale: float,
) -> Hypergradient:
    """The weights are unrolled by one step.

    Args:
        weights: leaves that require a gradient; they are only read.
        scale: of the central difference: its step is eps = scale / |u|.
    """
    if order == "second_exact":
        return _exact(train, validate, weights, alphas, unroll)
    return _difference(train, validate, weights, alphas, unroll, scale)


def _exact(
    train: Loss, validate: Loss, weights: NamedWeights, alphas: Alphas, unroll: UnrolledStep
) -> Hypergradient:
    with twice_differentiable():
        loss = train(weights, alphas)
    weight_gradients = _gradients(loss, list(weights.values()), create_graph=True)
    loss, direct, u = _at_unrolled_weights(
        validate, weights, alphas, unroll, [weight_gradient.detach() for weight_gradient in weight_gradients]
    )
    pairs = [
        (weight_gradient, part)
        for weight_gradient, part in zip(weight_gradients, u, strict=True)
        if weight_gradient.requires_grad
    ]
    mixed = [torch.zeros_like(value) for value in alphas.values()]
    if pairs:  # none where no slope depends on the alphas
        inner, along = zip(*pairs, strict=True)
        mixed = list(torch.autograd.grad(inner, list(alphas.values()), along, materialize_grads=True))
    return _corrected(loss, direct, mixed, unroll.rate)


def _difference(
    train: Loss, validate: Loss, weights: NamedWeights, alphas: Alphas, unroll: UnrolledStep, scale: float
) -> Hypergradient:
    device = next(iter(weights.values())).device
    fixed: Alphas = {part: value.detach() for part, value in alphas.items()}
    before = random_state(device)
    weight_gradients = _gradients(train(weights, fixed), list(weights.values()))
    loss, direct, u = _at_unrolled_weights(validate, weights, alphas, unroll, weight_gradients)
    after = random_state(device)
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(u)))  # pyright: ignore
    # stays on the device; u = 0 gives a difference of 0
    eps = scale / norm.clamp_min(torch.finfo(norm.dtype).tiny)
    shift = torch._foreach_mul(u, eps)  # pyright: ignore[reportPrivateImportUsage]

    def alpha_gradients_at(by: float) -> list[Tensor]:
        set_random_state(before, device)
        loss = train(dict(zip(weights, moved(list(weights.values()), shift, by), strict=True)), alphas)
        return _gradients(loss, list(alphas.values()))

    above, below = alpha_gradients_at(1.0), alpha_gradients_at(-1.0)
    set_random_state(after, device)
    mixed = [(p - n) / (2 * eps) for p, n in zip(above, below, strict=True)]
    return _corrected(loss, direct, mixed, unroll.rate)


def _at_unrolled_weights(
    validate: Loss,
    weights: NamedWeights,
    alphas: Alphas,
    unroll: UnrolledStep,
    weight_gradients: list[Tensor],
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Validation loss at w', its gradient in the alphas, its gradient u in w'."""
    new = [
        w.requires_grad_() for w in unroll([weight.detach() for weight in weights.values()], weight_gradients)
    ]
    loss = validate(dict(zip(weights, new, strict=True)), alphas)
    found = _gradients(loss, [*alphas.values(), *new])
    return loss.detach(), found[: len(alphas)], found[len(alphas) :]


def _corrected(loss: Tensor, direct: list[Tensor], mixed: list[Tensor], rate: float) -> Hypergradient:
    return Hypergradient(loss, [d - rate * m for d, m in zip(direct, mixed, strict=True)], mixed)


def _gradients(loss: Tensor, of: list[Tensor], *, create_graph: bool = False) -> list[Tensor]:
    return list(torch.autograd.grad(loss, of, create_graph=create_graph, materialize_grads=True))


def difference_error(
    train: Loss, validate: Loss, weights: NamedWeights, alphas: Alphas, unroll: UnrolledStep, scale: float
) -> Tensor:
    """Relative error |difference - exact| / |exact| of the mixed term; the random state is put back."""
    device = next(iter(weights.values())).device
    before = random_state(device)
    found = []
    for order in ("second_exact", "second_difference"):
        mixed = second_order(order, train, validate, weights, alphas, unroll, scale).mixed
        found.append(torch.cat([value.flatten() for value in mixed]))
        set_random_state(before, device)
    return torch.linalg.vector_norm(found[1] - found[0]) / torch.linalg.vector_norm(found[0])


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norms use the batch but keep their running statistics: only a step of the weights updates
    them.
    """
    norms = [module for module in network.modules() if getattr(module, "track_running_stats", False)]
    for norm in norms:
        setattr(norm, "track_running_stats", False)  # noqa: B010 - any module that has it
    try:
        yield
    finally:
        for norm in norms:
            setattr(norm, "track_running_stats", True)  # noqa: B010


@contextmanager
def frozen_weights(network: nn.Module) -> Iterator[None]:
    """No gradients for the weights, and frozen statistics.

    The gradients of the alphas are equal and 1.8 times faster to compute (tests/benchmarks/alpha_pass.py).
    """
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    try:
        with frozen_statistics(network):
            yield
    finally:
        for parameter in network.parameters():
            parameter.requires_grad_(True)
