"""The layout of a sum of operations: which tensors each summand reads, and where its mixing weight stands.

The tensors are maps [batch, channel, time, band] and the kernels of depthwise convolutions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from raysernas.model.fast.depthwise import apply
from raysernas.model.fast.phases import Map, Phases, Stride, blank


@dataclass(frozen=True, slots=True)
class Summand:
    """One operation on some sources side by side, up to the input of its 1x1 convolutions."""

    first: int  # its range among the stacked 1x1 convolutions, one for each source
    last: int
    map: int  # number of its input among the tensors
    kernel: int | None  # number of the kernel of its depthwise convolution, if it has one
    stride: Stride
    phases: Phases | None  # those that its input is split into

    @property
    def own(self) -> slice:
        """Its range among the stacked 1x1 convolutions."""
        return slice(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a sum adds up: summands that end with a 1x1 convolution and a norm, and complete maps."""

    summands: tuple[Summand, ...]
    convolutions: tuple[tuple[int, int], ...]  # (source, operation) of each 1x1 convolution
    maps: tuple[tuple[int, int, int], ...]  # (source, operation, number among the tensors)
    size: tuple[int, int, int, int]  # of the sum
    eps: float

    @property
    def count(self) -> int:
        """Cells of the sum."""
        return self.size[0] * self.size[2] * self.size[3]

    def places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where the mixing weights of the 1x1 convolutions stand: their sources, their operations."""
        return _places(self.convolutions, device)


@lru_cache(maxsize=1024)  # copied to a device once: a copy in every step would wait for the device
def _places(convolutions: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, Tensor]:
    sources, operations = torch.tensor(convolutions, device=device).unbind(1)
    return sources, operations


def convolved(layout: Layout, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The input of the 1x1 convolutions of each summand."""
    return [_convolved(summand, tensors) for summand in layout.summands]


def _convolved(summand: Summand, tensors: Sequence[Tensor]) -> Map:
    x = tensors[summand.map]
    if summand.kernel is None:
        return x
    made = apply(x, tensors[summand.kernel], summand.stride)
    return blank(made, summand.phases) if summand.phases else made
