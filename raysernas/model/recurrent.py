"""The recurrent part: frames in time -> one vector for each utterance.

Time is always the second axis. Utterances of a batch do not affect each other.
"""

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from raysernas.model.sequence_rnn import steps_of, turn, turning

FrameSequence = Float[Tensor, "batch time channel"]
Mask = Bool[Tensor, "batch time"]


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


class AttentionPooling(nn.Module):
    """Weighted mean over time with learnt weights (arXiv 1706.00612 for emotion), 0 for padded steps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(channels, channels // 2), nn.Tanh(), nn.Linear(channels // 2, 1))

    def weights(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch time"]:
        """Attention of each step; sums to 1 over the true steps."""
        scores = rearrange(self.score(x), "batch time 1 -> batch time")
        return scores.masked_fill(~mask, float("-inf")).softmax(dim=1)

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel"]:
        return einsum(self.weights(x, mask), x, "batch time, batch time channel -> batch channel")


class MeanPooling(nn.Module):
    """Mean over the true steps."""

    def forward(self, x: FrameSequence, mask: Mask) -> Float[Tensor, "batch channel"]:
        weights = mask.to(x.dtype) / mask.sum(dim=1, keepdim=True)
        return einsum(weights, x, "batch time, batch time channel -> batch channel")
