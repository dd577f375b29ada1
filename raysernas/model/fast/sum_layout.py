"""The terms of a sum of operations: what each takes in, and which 1x1 convolution it ends with.

In: maps [batch, channel, time, band] and the weights of depthwise convolutions. Out: the convolved maps.
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
    """A map that a 1x1 convolution and a norm take in, for one operation on some sources side by side."""

    first: int  # of its rows in the stacked 1x1 convolutions: one row a source
    last: int
    given: int  # number of the input among all tensors
    kernel: int | None  # number of the weights of its depthwise convolution, if it has one
    stride: Stride
    phases: Phases | None  # in which it is convolved


@dataclass(frozen=True, slots=True)
class Layout:
    """Which terms a sum has: first those that end with a 1x1 convolution and a norm, then those that are only
    weighted.
    """

    summands: tuple[Summand, ...]
    rows: tuple[tuple[int, int], ...]  # (source, operation) of each 1x1 convolution
    # (source, operation, number of the map) of what is only weighted
    weighted: tuple[tuple[int, int, int], ...]
    size: tuple[int, int, int, int]  # of the sum
    eps: float

    @property
    def count(self) -> int:
        """Cells of the sum."""
        return self.size[0] * self.size[2] * self.size[3]

    def places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Rows and columns of the mixing weights of the 1x1 convolutions."""
        return _places(self.rows, device)


@lru_cache(maxsize=1024)  # copied to a device once: a copy in every step would wait for it
def _places(rows: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, Tensor]:
    sources, operations = torch.tensor(rows, device=device).unbind(1)
    return sources, operations


def convolved(layout: Layout, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The maps of all terms."""
    return [_convolved(term, tensors) for term in layout.summands]


def _convolved(term: Summand, tensors: Sequence[Tensor]) -> Map:
    x = tensors[term.given]
    if term.kernel is None:
        return x
    made = apply(x, tensors[term.kernel], term.stride)
    return blank(made, term.phases) if term.phases else made
