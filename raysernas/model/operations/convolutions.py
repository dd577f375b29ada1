"""Separable convolutions (two depthwise separable ones in a row) and dilated ones (a single one, dilation 2).

In training, sources of few channels are convolved side by side, and every norm is folded into the 1x1
convolution before it.
"""

from collections import OrderedDict

from torch import nn

from raysernas.model.fast.node_sum import FastForm, Place, SumBuilder
from raysernas.model.fast.phases import Map, NewMap, Stride
from raysernas.model.operations.layers import Depthwise, Pointwise
from raysernas.model.operations.operation import Operation


class DepthwiseSeparable(nn.Module):
    """ReLU, depthwise convolution, 1x1 convolution, norm."""

    def __init__(self, channels: int, kernel: int, stride: Stride, dilation: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.depthwise = Depthwise(channels, kernel, stride, dilation)
        self.pointwise = Pointwise(channels, channels)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Map) -> NewMap:
        return self.norm(self.pointwise(self.depthwise(self.relu(x))))


def separable(kernel: int) -> Operation:
    """The separable convolution of this kernel; its first half has the stride."""

    def build(channels: int, stride: Stride, affine: bool) -> nn.Module:
        first = DepthwiseSeparable(channels, kernel, stride, 1, affine)
        second = DepthwiseSeparable(channels, kernel, (1, 1), 1, affine)
        return nn.Sequential(OrderedDict(first=first, second=second))

    return Operation(build, _Separable())


def dilated(kernel: int) -> Operation:
    """The dilated convolution of this kernel."""

    def build(channels: int, stride: Stride, affine: bool) -> nn.Module:
        return DepthwiseSeparable(channels, kernel, stride, 2, affine)

    return Operation(build, _Dilated())


class _Separable(FastForm):
    def add_first_half(self, place: Place, builder: SumBuilder) -> None:
        layers = [module.first for module in place.modules]
        builder.add_separable(place, place.bundle.rectified, layers, place.bundle.stride)

    def add_normed(self, place: Place, builder: SumBuilder) -> None:
        layers = [module.second for module in place.modules]
        builder.add_separable(place, builder.first_half(place), layers)


class _Dilated(FastForm):
    def add_normed(self, place: Place, builder: SumBuilder) -> None:
        bundle = place.bundle
        builder.add_separable(place, bundle.split, place.modules, phases=bundle.phases)
