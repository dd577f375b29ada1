"""`skip_connect`: the identity at stride 1; elsewhere two 1x1 convolutions, which lose no cell."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from raysernas.model.fast.node_sum import FastForm, Place, SumBuilder
from raysernas.model.fast.phases import Map, NewMap, Stride, even_and_odd
from raysernas.model.operations.layers import Pointwise
from raysernas.model.operations.operation import Operation


class Halve(nn.Module):
    """ReLU, a 1x1 convolution of the even cells beside one of the odd cells, norm.

    Each convolution makes half of the channels; a single channel comes from the even cells alone.
    """

    def __init__(self, channels_in: int, channels: int, stride: Stride = (2, 2), *, affine: bool) -> None:
        super().__init__()
        self.stride = stride
        self.relu = nn.ReLU()
        self.even = Pointwise(channels_in, channels - channels // 2)
        self.odd = Pointwise(channels_in, channels // 2) if channels > 1 else None
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Map) -> NewMap:
        even, odd = even_and_odd(self.relu(x), self.stride)
        halves = [self.even(even)] if self.odd is None else [self.even(even), self.odd(odd)]
        return self.norm(torch.cat(halves, dim=1))

    def matrix(self, odd: int) -> Float[Tensor, "channel_made channel"]:
        """One of the two convolutions, with rows of zeros for the channels that the other one makes."""
        made = self.odd if odd else self.even
        assert made is not None
        weight = made.matrix()
        missing = self.norm.num_features - len(weight)
        return functional.pad(weight, (0, 0, missing, 0) if odd else (0, 0, 0, missing))


def _skip_connect(channels: int, stride: Stride, affine: bool) -> nn.Module:
    return nn.Identity() if stride == (1, 1) else Halve(channels, channels, stride, affine=affine)


class _Skip(FastForm):
    def add_normed(self, place: Place, builder: SumBuilder) -> None:
        if place.bundle.stride == (1, 1):
            return
        firsts = [
            builder.add_convolutions(place, x, [module.matrix(odd) for module in place.modules])
            for odd, x in enumerate(place.bundle.halves)
        ]
        for i, module in enumerate(place.modules):
            # what one convolution does not make is zero there, so the statistics of both add up
            builder.add_norm(module.norm, *(first + i for first in firsts))

    def add_maps(self, place: Place, builder: SumBuilder) -> None:
        if place.bundle.stride == (1, 1):
            builder.add_maps(place, place.bundle.states)


SKIP_CONNECT = Operation(_skip_connect, _Skip())
