"""Recurrent layers over the true steps of each utterance: LSTM, GRU, RNN, one or more layers, one or both
directions.

Within a cell, sequences are [time, batch, channel]: true steps first, padding after. The backward direction
reads each sequence reversed within its true length, so padding comes last in both directions and affects no
true step. Nothing has to be packed, and lengths stay on their device. Layers of one size that read at the
same time, of several edges or of both directions, run together where that is faster (`fast.loops`).
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from raysernas.model.fast.loops import gru_together, rnn_together

TimeSteps = Float[Tensor, "time batch channel"]
TimeMask = Bool[Tensor, "time batch"]
Order = Int[Tensor, " time_batch"]
RnnCell = Literal["lstm", "gru", "rnn"]
RNN_CELLS: tuple[RnnCell, ...] = get_args(RnnCell)


class _Turn(torch.autograd.Function):
    """Steps in another order. The order is its own inverse, so the gradient is turned too and needs no
    scatter.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.flatten(-3, -2)[..., order, :].unflatten(-2, x.shape[-3:-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return turn(gradients[0], ctx.saved_tensors[0]), None


def turn(
    x: Float[Tensor, "*layer time batch channel"], order: Order
) -> Float[Tensor, "*layer time batch channel"]:
    """Each sequence backwards within its true length. Turned twice it is as before."""
    return _Turn.apply(x, order)  # pyright: ignore[reportReturnType]


def turning(mask: TimeMask) -> Order:
    """The order of all steps of a batch for `turn`: the last true step first, padding where it was."""
    steps, batch = mask.shape
    at = torch.arange(steps, device=mask.device)[:, None]
    within = torch.where(mask, mask.sum(dim=0) - 1 - at, at)
    return rearrange(within * batch + torch.arange(batch, device=mask.device), "time batch -> (time batch)")


def normalised(x: Float[Tensor, "*any channel"]) -> Float[Tensor, "*any channel"]:
    """Each step over its channels, without affine; zeros stay zeros."""
    return functional.layer_norm(x, x.shape[-1:])


class SequenceState:
    """A state of a cell as its candidates read it: normalised and, for the backward direction, reversed."""

    def __init__(self, state: TimeSteps, mask: TimeMask, order: Order) -> None:
        self.mask, self.order = mask, order
        self.x = normalised(state.masked_fill(~mask[:, :, None], 0))

    @cached_property
    def turned(self) -> TimeSteps:
        """Backwards within the true lengths."""
        return turn(self.x, self.order)


class Chain(nn.Module):
    """A stack of recurrent layers of one kind; every layer reads and gives frames of the width.

    With both directions each has half the width, rounded up; of an odd width the last channel is cut off.
    """

    def __init__(self, cell: RnnCell, width: int, layers: int, *, both: bool) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
        self.width, hidden = width, (width + 1) // 2 if both else width
        self.ahead = nn.ModuleList(kind(width, hidden) for _ in range(layers))
        self.back = nn.ModuleList(kind(width, hidden) for _ in range(layers if both else 0))

    def forward(self, frames: SequenceState) -> Float[Tensor, "layer time batch channel"]:
        """The frames after each layer."""
        return chains_together([self], frames)[0]


def chains_together(
    chains: Sequence[Chain], frames: SequenceState
) -> Float[Tensor, "chain layer time batch channel"]:
    """The frames after each layer of each chain. The chains are of one kind, size and depth."""
    width, made = chains[0].width, []
    read = repeat(frames.x, "time batch channel -> chain time batch channel", chain=len(chains))
    turned = repeat(frames.turned, "time batch channel -> chain time batch channel", chain=len(chains))
    for layer in range(len(chains[0].ahead)):
        ahead = [chain.ahead[layer] for chain in chains]
        if chains[0].back:
            back = [chain.back[layer] for chain in chains]
            steps = layers_together([*ahead, *back], torch.cat([read, turned]))
            (one, other), (one_turned, other_turned) = steps.chunk(2), turn(steps, frames.order).chunk(2)
            read = torch.cat([one, other_turned], dim=-1)[..., :width]
            turned = torch.cat([one_turned, other], dim=-1)[..., :width]
        else:
            read = layers_together(ahead, read)
        made.append(read)
    return torch.stack(made, dim=1)


def steps_of(rnn: Any, x: TimeSteps) -> Float[Tensor, "time batch channel_made"]:
    """The outputs of a layer of torch; on a CPU in single precision, as oneDNN has no bf16 LSTM for some
    CPUs.
    """
    if x.is_cuda or not torch.is_autocast_enabled("cpu"):
        return rnn(x)[0]
    with torch.autocast("cpu", enabled=False):
        return rnn(x.to(rnn.weight_hh_l0.dtype))[0]


def layers_one_by_one(
    rnns: list[Any], x: Float[Tensor, "layer time batch channel"]
) -> Float[Tensor, "layer time batch channel_made"]:
    """Layers of torch, each on its own input."""
    return torch.stack([steps_of(rnn, each) for rnn, each in zip(rnns, x, strict=True)])


def layers_together(
    rnns: list[Any], x: Float[Tensor, "layer time batch channel"]
) -> Float[Tensor, "layer time batch channel_made"]:
    """The same, faster where no library has the layer: cuDNN has all three kinds, oneDNN only the LSTM."""
    if x.is_cuda or isinstance(rnns[0], nn.LSTM):
        return layers_one_by_one(rnns, x)
    across_inputs, across_steps, bias_inputs, bias_steps = (
        torch.stack(each) for each in zip(*(rnn.parameters() for rnn in rnns), strict=True)
    )
    # the bias that the reset gate of a GRU scales
    late = rnns[0].hidden_size if isinstance(rnns[0], nn.GRU) else 0
    bias = bias_inputs + functional.pad(bias_steps[:, : bias_steps.shape[1] - late], (0, late))
    inputs = torch.baddbmm(bias[:, None], x.flatten(1, 2), across_inputs.transpose(1, 2)).unflatten(
        1, x.shape[1:3]
    )
    # only the product above is in lower precision: the steps are many and small
    inputs = inputs.to(across_steps.dtype)
    if late:
        return gru_together(inputs, across_steps, bias_steps[:, -late:])
    return rnn_together(inputs, across_steps)
