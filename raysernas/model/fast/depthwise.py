"""Depthwise convolutions that are fast on a CPU: what is slow in oneDNN is written as what is fast there,
with equal results.

In: maps [batch, channel, time, band], channels last, and the weights of a depthwise convolution of kernel 3
or 5. Out: the convolved map. A dilation of 2 becomes a dense convolution on the phases of the map (space to
batch); the weight gradient of a 5x5 kernel is taken in two blocks of three columns, because oneDNN (3.12) is
only fast up to that width.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Map = Float[Tensor, "batch channel time band"]
# of a function that may change their number
NewMap = Float[Tensor, "batch_made channel_made time_made band_made"]
Kernel = Float[Tensor, "channel 1 row column"]
NewKernel = Float[Tensor, "channel 1 row_made column_made"]
Stride = tuple[int, int]  # along time, along band
FAST_WIDTH = 3  # up to this kernel width oneDNN's depthwise weight gradient is fast


class Phases(NamedTuple):
    """How many phases each axis of a map was split into (1 = left whole), and the (time, band) of the merged
    map.
    """

    time: int
    band: int
    size: tuple[int, int]

    @property
    def several(self) -> bool:
        """Whether there is anything to merge."""
        return self.time * self.band > 1


def dense(x: Map) -> Map:
    """Channels last, without gaps."""
    return x.contiguous(memory_format=torch.channels_last)


def phases_of(size: tuple[int, int], stride: Stride) -> Phases:
    """The phases in which a convolution of dilation 2 is dense: both at stride 1, only the even one at stride
    2.
    """
    return Phases(3 - stride[0], 3 - stride[1], (-(-size[0] // stride[0]), -(-size[1] // stride[1])))


def split(x: Map, phases: Phases) -> NewMap:
    """The phases of a map, stacked along the batch clip by clip; odd axes end with a zero, as a convolution
    pads them anyway.
    """
    if not phases.several:
        return dense(x)
    x = functional.pad(x, (0, x.shape[3] % phases.band, 0, x.shape[2] % phases.time))
    pattern = "batch channel (time p) (band q) -> (batch p q) time band channel"
    return rearrange(
        rearrange(x, pattern, p=phases.time, q=phases.band),
        "batch time band channel -> batch channel time band",
    )


def merge(x: Map, phases: Phases) -> NewMap:
    """Undo `split` on a convolved map."""
    if not phases.several:
        return x
    pattern = "(batch p q) channel time band -> batch (time p) (band q) channel"
    whole = rearrange(
        rearrange(x, pattern, p=phases.time, q=phases.band),
        "batch time band channel -> batch channel time band",
    )
    return whole[:, :, : phases.size[0], : phases.size[1]]


def blank(x: Map, phases: Phases) -> Map:
    """Zero the cells that `merge` will cut off, in place."""
    parts = x.unflatten(0, (-1, phases.time, phases.band))
    if phases.size[0] % phases.time:
        parts[:, -1, :, :, -1].zero_()
    if phases.size[1] % phases.band:
        parts[:, :, -1, :, :, -1].zero_()
    return x


def convolve(x: Map, weight: Kernel, stride: Stride) -> NewMap:
    """`conv2d(x, weight, stride=stride, padding=kernel // 2, groups=channels)` of an odd kernel, with a
    faster backward pass.
    """
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    return _DepthwiseFunction.apply(x, weight, stride)  # pyright: ignore[reportReturnType]


class _DepthwiseFunction(torch.autograd.Function):
    """The backward pass is made of differentiable operations, so that second derivatives are right as
    well.
    """

    @staticmethod
    def forward(ctx, x: Map, weight: Kernel, stride: Stride) -> NewMap:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return apply(x, weight, stride)

    @staticmethod
    def backward(ctx, gradient: NewMap) -> tuple[Map | None, Kernel | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        gradient = dense(gradient)
        to_x = input_gradient(x, weight, gradient, ctx.stride) if ctx.needs_input_grad[0] else None
        to_weight = weight_gradient(x, weight, gradient, ctx.stride) if ctx.needs_input_grad[1] else None
        return to_x, to_weight, None


def apply(x: Map, weight: Kernel, stride: Stride) -> NewMap:
    """The convolution as PyTorch has it, in the precision of the map."""
    return functional.conv2d(x, weight.to(x.dtype), None, stride, weight.shape[2] // 2, 1, x.shape[1])


def input_gradient(x: Map, weight: Kernel, gradient: NewMap, stride: Stride) -> Map:
    """Gradient of the input."""
    if stride == (1, 1):
        return apply(gradient, weight.flip(2, 3), stride)
    if x.is_cpu and x.dtype == torch.bfloat16:  # oneDNN (3.12) has no fast way back through a stride in bf16
        return input_gradient(x.float(), weight, gradient.float(), stride).to(x.dtype)
    padding = [weight.shape[2] // 2, weight.shape[3] // 2]
    return torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight.to(x.dtype),
        None,
        stride,
        padding,
        [1, 1],
        False,
        [0, 0],
        x.shape[1],
        [True, False, False],
    )[0]


def weight_gradient(x: Map, weight: Kernel, gradient: NewMap, stride: Stride) -> Kernel:
    """Gradient of the weights, in the precision of the map."""
    weight = weight.to(x.dtype)
    if weight.shape[3] <= FAST_WIDTH or not x.is_cpu:
        return _columns(x, weight, gradient, stride)
    three = weight[:, :, :, :FAST_WIDTH]
    if stride[1] == 1:  # columns 0-2 and 2-4 of the kernel
        # oneDNN is slow where the padding is more than half of the kernel
        x = dense(functional.pad(x, (1, 1)))
        left = _columns(x, three, dense(functional.pad(gradient, (0, 2))), stride)
        right = _columns(x, three, dense(functional.pad(gradient, (2, 0))), stride)
        return torch.cat([left, right[:, :, :, 1:]], dim=3)
    even, odd = dense(x[:, :, :, ::2]), dense(functional.pad(x, (0, x.shape[3] % 2))[:, :, :, 1::2])
    one, other = (_columns(phase, three, gradient, (stride[0], 1)) for phase in (even, odd))
    return torch.stack([one[..., 0], other[..., 0], one[..., 1], other[..., 1], one[..., 2]], dim=3)


def _columns(x: Map, weight: Kernel, gradient: NewMap, stride: Stride) -> NewKernel:
    """Gradient of a (block of a) kernel."""
    padding = [weight.shape[2] // 2, weight.shape[3] // 2]
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, [1, 1], False, [0, 0], x.shape[1], [False, True, False]
    )[1]
