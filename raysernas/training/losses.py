"""Losses of training, and what is checked about them: class weights, label smoothing, finite values."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from raysernas.config.fault import Fault
from raysernas.features.parts import Part


class DivergedError(Fault):
    """A loss or a posterior that is not a number."""

    def __init__(self, what: str, got: object) -> None:
        fix = "lower the learning rate or the clip of this stage"
        super().__init__("training", what, got=got, expected="finite numbers", fix=fix)


class CrossEntropy(nn.Module):
    """`nn.CrossEntropyLoss` with weights and label smoothing that does not wait for the device.

    That of torch 2.11 counts labels, which does.
    """

    def __init__(self, weight: Tensor, smoothing: float) -> None:
        super().__init__()
        self.weight, self.smoothing = weight, smoothing

    def forward(
        self, logits: Float[Tensor, "batch emotion"], emotion: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        logs = logits.log_softmax(dim=1)
        loss = functional.nll_loss(logs, emotion, self.weight)
        if not self.smoothing:
            return loss
        even = -(logs * self.weight).sum(dim=1).sum() / self.weight[emotion].sum()
        return (1 - self.smoothing) * loss + self.smoothing / logs.shape[1] * even


def backpropagate(loss: Tensor, network: nn.Module, clip: float) -> Tensor:
    """Set the gradients of the weights and clip their norm; the norm before clipping is returned."""
    network.zero_grad()
    loss.backward()
    return nn.utils.clip_grad_norm_(network.parameters(), clip)


def class_weights(part: Part, classes: int) -> Tensor:
    """Inverse frequency of each class in a part, 1 on average over its utterances; 0 for a missing class."""
    counts = np.bincount(part.emotion, minlength=classes)
    weights = np.divide(len(part), counts * (counts > 0).sum(), out=np.zeros(classes), where=counts > 0)
    return torch.tensor(weights, dtype=torch.get_default_dtype(), device=part.device)


def finite(losses: list[Tensor]) -> float:
    """Mean of the losses of an epoch, read from the device once."""
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean):
        raise DivergedError(f"the loss became {mean}", mean)
    return mean
