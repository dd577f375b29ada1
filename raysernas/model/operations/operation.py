"""The type of a candidate operation on maps: how its module is built, and how it joins a fused sum."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from raysernas.model.fast.node_sum import FastForm
from raysernas.model.fast.phases import Stride


@dataclass(frozen=True, slots=True)
class Operation:
    """A candidate operation of a cell."""

    # (channels, stride, affine) -> a module that keeps the channels of a map [batch, channel, time, band] and
    # halves each axis of stride 2, rounding up. It ends with a norm without scale and shift unless `affine`.
    build: Callable[[int, Stride, bool], nn.Module]
    # how a supernet computes it in training; None: its module is applied to each source by itself
    fast: FastForm | None = None
