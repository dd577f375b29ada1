"""Metrics of an epoch of a search, from the steps that it takes anyway: loss, UA, gradient norm.

Everything stays on the device until the epoch ends: no step waits for a number.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from raysernas.record import metrics
from raysernas.training.losses import finite


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one step gives to the metrics of its epoch."""

    loss: Float[Tensor, ""]
    logits: Float[Tensor, "batch emotion"]
    emotion: Int[Tensor, " batch"]
    gradient: Float[Tensor, ""]  # norm, of the weights before it is clipped


@dataclass(slots=True)
class EpochMetrics:
    """Of the steps on one half so far."""

    losses: list[Tensor] = field(default_factory=list)
    predictions: list[Tensor] = field(default_factory=list)
    emotions: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def add(self, step: StepOutput) -> None:
        """Count a step."""
        self.losses.append(step.loss)
        self.predictions.append(step.logits.argmax(dim=1))
        self.emotions.append(step.emotion)
        self.gradients.append(step.gradient)

    def state_dict(self) -> dict[str, Tensor]:
        """What was added so far, each kind in one tensor; empty without a step."""
        if not self.losses:
            return {}
        return {
            "losses": torch.stack(self.losses),
            "gradients": torch.stack(self.gradients),
            "predictions": torch.cat(self.predictions),
            "emotions": torch.cat(self.emotions),
        }

    def load_state_dict(self, saved: dict[str, Tensor], device: torch.device) -> None:
        """Take up what `state_dict` gave."""
        if saved:
            on_device = {name: value.to(device) for name, value in saved.items()}
            self.losses, self.gradients = [*on_device["losses"].unbind()], [*on_device["gradients"].unbind()]
            self.predictions, self.emotions = [on_device["predictions"]], [on_device["emotions"]]

    def means(self, classes: int, prefix: str = "") -> dict[str, float]:
        """Mean loss, UA over the utterances as the steps predicted them, mean gradient norm; empty without a
        step.

        Raises:
            DivergedError: when a loss is not finite.
        """
        if not self.losses:
            return {}
        truth, predicted = (torch.cat(each).cpu().numpy() for each in (self.emotions, self.predictions))
        return {
            f"{prefix}loss": finite(self.losses),
            f"{prefix}ua": metrics.evaluate(truth, predicted, classes).ua,
            f"{prefix}gradient": torch.stack(self.gradients).mean().item(),
        }
