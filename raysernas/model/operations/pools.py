"""Pools of 3x3, each followed by a norm.

In training, the pool of a source and its norm are computed once for all edges from it.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn
from torch.nn import functional

from raysernas.model.fast.depthwise import convolve
from raysernas.model.fast.node_sum import FastForm, Place, SumBuilder
from raysernas.model.fast.phases import Map, NewMap, Stride
from raysernas.model.operations.operation import Operation

Pool = Callable[[Map, Stride], NewMap]


def _max_pool(channels: int, stride: Stride, affine: bool) -> nn.Module:
    return _normed(nn.MaxPool2d(3, stride, 1), channels, affine)


def _average_pool(channels: int, stride: Stride, affine: bool) -> nn.Module:
    return _normed(nn.AvgPool2d(3, stride, 1, count_include_pad=False), channels, affine)


def _normed(pool: nn.Module, channels: int, affine: bool) -> nn.Module:
    return nn.Sequential(OrderedDict(pool=pool, norm=nn.BatchNorm2d(channels, affine=affine)))


class _SharedPool(FastForm):
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def add_maps(self, place: Place, builder: SumBuilder) -> None:
        maps, means, variances = place.bundle.normed_pool(self.pool)
        for module, mean, variance in zip(place.modules, means, variances, strict=True):
            builder.statistics.add(module.norm, mean, variance)
        builder.add_maps(place, maps)


def maximum(x: Map, stride: Stride) -> NewMap:
    """The maximum of 3x3 cells."""
    return functional.max_pool2d(x, 3, stride, 1)


def average(x: Map, stride: Stride) -> NewMap:
    """The mean of 3x3 cells, padding left out; on a CPU by a depthwise convolution, which is faster there."""
    if not x.is_cpu:
        return functional.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    ones = x.new_ones(x.shape[1], 1, 3, 3)
    cells = functional.conv2d(x.new_ones(1, 1, *x.shape[2:]), ones[:1], None, stride, 1)
    return convolve(x, ones, stride) * cells.reciprocal()


MAX_POOL = Operation(_max_pool, _SharedPool(maximum))
AVERAGE_POOL = Operation(_average_pool, _SharedPool(average))
