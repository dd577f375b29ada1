"""Depthwise convolutions that are fast on a CPU, with the results of PyTorch's.

In: maps [batch, channel, time, band], channels last, and kernels of 3x3, 5x5, 3x1 or 5x1. Out: the convolved
map. What is slow in oneDNN is expressed by what is fast there: a dilation of 2 becomes a dense convolution on
the phases of the map (space to batch, see `phases`), and the weight gradient of a 5x5 kernel is taken in two
blocks of three columns, because oneDNN (3.12) is only fast up to that width.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from raysernas.model.fast.phases import Map, NewMap, Stride, dense

Kernel = Float[Tensor, "channel 1 row column"]
NewKernel = Float[Tensor, "channel 1 row_made column_made"]
FAST_WIDTH = 3  # up to this kernel width oneDNN's depthwise weight gradient is fast


def convolve(x: Map, weight: Kernel, stride: Stride) -> NewMap:
    """`conv2d(x, weight, stride=stride, padding=kernel // 2, groups=channels)` with a faster backward pass.

    The kernel is odd.
    """
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    return _DepthwiseFunction.apply(x, weight, stride)  # pyright: ignore[reportReturnType]


class _DepthwiseFunction(torch.autograd.Function):
    """Its backward pass consists of differentiable operations, so second derivatives are exact too."""

    @staticmethod
    def forward(ctx, x: Map, weight: Kernel, stride: Stride) -> NewMap:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return apply(x, weight, stride)

    @staticmethod
    def backward(ctx, gradient: NewMap) -> tuple[Map | None, Kernel | None, None]:  # pyright: ignore
        x, weight = ctx.saved_tensors
        gradient = dense(gradient)
        to_x = input_gradient(x, weight, gradient, ctx.stride) if ctx.needs_input_grad[0] else None
        to_weight = weight_gradient(x, weight, gradient, ctx.stride) if ctx.needs_input_grad[1] else None
        return to_x, to_weight, None


def apply(x: Map, weight: Kernel, stride: Stride) -> NewMap:
    """The convolution by PyTorch, in the precision of the map."""
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    return functional.conv2d(x, weight.to(x.dtype), None, stride, padding, 1, x.shape[1])


def input_gradient(x: Map, weight: Kernel, gradient: NewMap, stride: Stride) -> Map:
    """Gradient of the input."""
    if stride == (1, 1):
        return apply(gradient, weight.flip(2, 3), stride)
    if x.is_cpu and x.dtype == torch.bfloat16:  # oneDNN (3.12) has no fast backward pass for strides in bf16
        return input_gradient(x.float(), weight, gradient.float(), stride).to(x.dtype)
    padding = [weight.shape[2] // 2, weight.shape[3] // 2]
    shape, wanted = (stride, padding, [1, 1], False, [0, 0], x.shape[1]), [True, False, False]
    return torch.ops.aten.convolution_backward(gradient, x, weight.to(x.dtype), None, *shape, wanted)[0]


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
    """Gradient of a kernel, or of some of its columns."""
    padding = [weight.shape[2] // 2, weight.shape[3] // 2]
    shape, wanted = (stride, padding, [1, 1], False, [0, 0], x.shape[1]), [False, True, False]
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, *shape, wanted)[1]
