"""The candidate operations of a cell, one module each: the space of DARTS (arXiv 1806.09055).

In and out: maps [batch, channel, time, band]; a stride (along time, along band) of 2 halves an axis, rounding
up.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from raysernas.model.fast.depthwise import Map, NewMap, Stride, convolve, dense, merge, phases_of, split
from raysernas.model.fast.pointwise_norm import times
from raysernas.record.genotype import OperationName


class Zero(nn.Module):
    """`none`: contributes nothing; in a mixture it only takes its share of the softmax."""

    def __init__(self, stride: Stride) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Map) -> NewMap:
        return torch.zeros_like(x[:, :, :: self.stride[0], :: self.stride[1]])


class Halve(nn.Module):
    """Halve time, band or both without losing a phase: one 1x1 convolution on the even cells, one on the odd
    ones.
    """

    def __init__(self, channels_in: int, channels: int, stride: Stride = (2, 2), *, affine: bool) -> None:
        super().__init__()
        self.stride = stride
        self.relu = nn.ReLU()
        self.even = Pointwise(channels_in, channels - channels // 2)
        self.odd = Pointwise(channels_in, channels // 2) if channels > 1 else None
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Map) -> NewMap:
        even, odd = phases_to_halve(self.relu(x), self.stride)
        halves = [self.even(even)] if self.odd is None else [self.even(even), self.odd(odd)]
        return self.norm(torch.cat(halves, dim=1))

    def matrix(self, odd: int) -> Float[Tensor, "channel_made channel"]:
        """One of the two convolutions, with rows of zeros for the channels that the other one makes."""
        made = self.odd if odd else self.even
        assert made is not None
        weight = made.weight[:, :, 0, 0]
        others = self.norm.num_features - len(weight)
        return functional.pad(weight, (0, 0, others, 0) if odd else (0, 0, 0, others))


def phases_to_halve(x: Map, stride: Stride) -> list[Tensor]:
    """The even and the odd cells along the axes of stride 2, equally many (an odd axis is padded with a
    zero).
    """
    time, band = stride
    # each phase is copied and convolved at stride 1: oneDNN (torch 2.14, CPU) corrupts memory in the backward
    # pass of a channels-last 1x1 convolution of stride 2 with 4 channels
    padded = functional.pad(x, (0, -x.shape[3] % band, 0, -x.shape[2] % time))
    return [dense(x[:, :, ::time, ::band]), dense(padded[:, :, time - 1 :: time, band - 1 :: band])]


class Depthwise(nn.Conv2d):
    """`Conv2d` with a filter for each channel, that keeps the size of the map or halves it; weights and
    results are the same.
    """

    def __init__(self, channels: int, kernel: int, stride: Stride, dilation: int) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)

    def forward(self, input: Map) -> NewMap:
        time, band = self.stride
        if self.dilation == (1, 1):
            return convolve(input, self.weight, (time, band))
        phases = phases_of((input.shape[2], input.shape[3]), (time, band))
        return merge(convolve(split(input[:, :, ::time, ::band], phases), self.weight, (1, 1)), phases)


class Pointwise(nn.Conv2d):
    """A 1x1 `Conv2d` without bias; small batches are multiplied by the faster library as well."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 1, bias=False)

    def forward(self, input: Map) -> NewMap:
        return times(input, self.weight[:, :, 0, 0])


def depthwise(channels: int, kernel: int, stride: Stride, dilation: int, *, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise convolution, 1x1 convolution, norm."""
    return [
        nn.ReLU(),
        Depthwise(channels, kernel, stride, dilation),
        Pointwise(channels, channels),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def pointwise(channels_in: int, channels: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1x1 convolution, norm: fits a state to the width of a cell."""
    return nn.Sequential(nn.ReLU(), Pointwise(channels_in, channels), nn.BatchNorm2d(channels, affine=affine))


def build(operation: OperationName, channels: int, stride: Stride, *, affine: bool) -> nn.Module:
    """One candidate operation: [batch, channel, time, band] to the same, with each axis of stride 2
    halved.
    """
    norm = nn.BatchNorm2d(channels, affine=affine)
    match operation:
        case "none":
            return Zero(stride)
        case "max_pool_3x3":
            return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm)
        case "avg_pool_3x3":
            return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm)
        case "skip_connect":
            return nn.Identity() if stride == (1, 1) else Halve(channels, channels, stride, affine=affine)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(operation[-1])
            twice = [
                *depthwise(channels, kernel, stride, 1, affine=affine),
                *depthwise(channels, kernel, (1, 1), 1, affine=affine),
            ]
            return nn.Sequential(*twice)
        case "dil_conv_3x3" | "dil_conv_5x5":
            return nn.Sequential(*depthwise(channels, int(operation[-1]), stride, 2, affine=affine))
        case _:
            raise ValueError(f"{operation} is no operation on maps")
