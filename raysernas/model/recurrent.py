"""The recurrent part: frames in time -> one vector for each utterance.

Time is always the second axis. Utterances of a batch do not affect each other.
"""

from abc import ABC, abstractmethod

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from raysernas.model.sequence_rnn import steps_of, turn, turning

FrameSequence = Float[Tensor, "batch time channel"]
Mask = Bool[Tensor, "batch time"]
SMALLEST_VARIANCE = 1e-5  # keeps the root differentiable where a channel does not change


def true_steps(frames: Int[Tensor, " batch"], halvings: int, steps: int) -> Mask:
    """Which of `steps` time steps hold speech, after `halvings` halvings (rounding up) of `frames` true
    frames.
    """
    left = frames.clamp(min=1)
    for _ in range(halvings):
        left = (left + 1) // 2
    return torch.arange(steps, device=frames.device)[None] < left[:, None]


class Recurrence(nn.Module):
    """Bidirectional LSTM over the true frames of each utterance.

    The backward direction reads each utterance reversed within its true length, so it begins with the last
    true frame and not with padding. Nothing has to be packed, and lengths stay on their device.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.ahead, self.back = nn.LSTM(channels, hidden), nn.LSTM(channels, hidden)
        self.channels = 2 * hidden

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch time hidden"]:
        steps, order = rearrange(x, "batch time channel -> time batch channel"), turning(mask.T)
        ahead, back = steps_of(self.ahead, steps), turn(steps_of(self.back, turn(steps, order)), order)
        both = torch.cat([ahead, back], dim=-1)
        return rearrange(both, "time batch hidden -> batch time hidden")


class TimePooling(nn.Module, ABC):
    """Frames in time -> one vector of `channels` numbers; padded steps do not reach it."""

    channels: int

    @abstractmethod
    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel_made"]:
        """The vector of each utterance."""


class AttentionPooling(TimePooling):
    """Weighted mean over time with learnt weights (arXiv 1706.00612 for emotion), 0 for padded steps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.score = nn.Sequential(nn.Linear(channels, channels // 2), nn.Tanh(), nn.Linear(channels // 2, 1))

    def weights(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch time"]:
        """Attention of each step; sums to 1 over the true steps."""
        scores = rearrange(self.score(x), "batch time 1 -> batch time")
        return scores.masked_fill(~mask, float("-inf")).softmax(dim=1)

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel"]:
        return einsum(self.weights(x, mask), x, "batch time, batch time channel -> batch channel")


class MultiAttentionPooling(TimePooling):
    """Several weighted means over time side by side, each with weights of its own (arXiv 1703.03130)."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.channels = heads * channels
        self.score = nn.Sequential(
            nn.Linear(channels, channels // 2), nn.Tanh(), nn.Linear(channels // 2, heads)
        )

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel_made"]:
        weights = self.score(x).masked_fill(~mask[:, :, None], float("-inf")).softmax(dim=1)
        means = einsum(weights, x, "batch time head, batch time channel -> batch head channel")
        return rearrange(means, "batch head channel -> batch (head channel)")


class MeanPooling(TimePooling):
    """Mean over the true steps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel"]:
        return _mean(x, mask)


class MeanDeviationPooling(TimePooling):
    """Mean and standard deviation over the true steps, side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = 2 * channels

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel_made"]:
        mean = _mean(x, mask)
        square = _mean((x - mean[:, None]).square(), mask)
        return torch.cat([mean, (square + SMALLEST_VARIANCE).sqrt()], dim=1)


TIME_POOLING: dict[str, type[TimePooling]] = {
    "attention": AttentionPooling,
    "multi_attention": MultiAttentionPooling,
    "mean": MeanPooling,
    "mean_deviation": MeanDeviationPooling,
}


def _mean(x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel"]:
    weights = mask.to(x.dtype) / mask.sum(dim=1, keepdim=True)
    return einsum(weights, x, "batch time, batch time channel -> batch channel")
