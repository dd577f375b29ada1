"""What an epoch of a search adds up from its own steps: losses, predictions, gradient norms; no pass of its
own.

Everything stays on the device until the epoch ends: no step waits for a number.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from raysernas.record import metrics
from raysernas.training.state import finite


@dataclass(frozen=True, slots=True)
class Seen:
    """What one step saw."""

    loss: Float[Tensor, ""]
    logits: Float[Tensor, "batch emotion"]
    emotion: Int[Tensor, " batch"]
    gradient: Float[Tensor, ""]  # norm, of the weights before it is clipped


@dataclass(slots=True)
class Tally:
    """Of the steps on one half."""

    losses: list[Tensor] = field(default_factory=list)
    predictions: list[Tensor] = field(default_factory=list)
    emotions: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        """One step more."""
        self.losses.append(seen.loss)
        self.predictions.append(seen.logits.argmax(dim=1))
        self.emotions.append(seen.emotion)
        self.gradients.append(seen.gradient)

    def kept(self) -> dict[str, Tensor]:
        """What was added so far, each kind in one tensor; nothing without a step."""
        if not self.losses:
            return {}
        losses, gradients = torch.stack(self.losses), torch.stack(self.gradients)
        return {
            "losses": losses,
            "gradients": gradients,
            "predictions": torch.cat(self.predictions),
            "emotions": torch.cat(self.emotions),
        }

    def restore(self, kept: dict[str, Tensor], device: torch.device) -> None:
        """Take up what `kept` gave."""
        if kept:
            self.losses, self.gradients = (
                [*kept[name].to(device).unbind()] for name in ("losses", "gradients")
            )
            self.predictions, self.emotions = (
                [kept[name].to(device)] for name in ("predictions", "emotions")
            )

    def means(self, classes: int, prefix: str = "") -> dict[str, float]:
        """Mean loss, UA of the utterances as they were seen, mean gradient norm; nothing without a step.

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
