"""The terms of a sum of operations: their inputs, and how these are worked off in parts that stay in a processor's cache.

In: maps [batch, channel, time, band] and the weights of depthwise convolutions. Out: the convolved maps, a few clips at a time; they
are made again whenever they are needed, which is faster than to read them from memory, and needs none.
"""

from dataclasses import dataclass

from torch import Tensor

from raysernas.model.depthwise import Map, NewMap, Phases, Stride, apply, blank

CACHED = 250_000  # numbers of a map that stay in the cache of a core together with what is made of them (1 MB)


@dataclass(frozen=True, slots=True)
class Term:
    """A map that a 1x1 convolution and a norm take in, for one operation on some sources side by side."""

    first: int  # of its rows in the stacked 1x1 convolutions: one row a source
    last: int
    given: int  # number of the input among all tensors
    kernel: int | None  # number of the weights of its depthwise convolution, if it has one
    stride: Stride
    phases: Phases | None  # in which it is convolved


@dataclass(frozen=True, slots=True)
class Layout:
    """Which terms a sum has: first those that end with a 1x1 convolution and a norm, then those that are only weighted."""

    terms: tuple[Term, ...]
    rows: tuple[tuple[int, int], ...]  # (source, operation) of each 1x1 convolution
    others: tuple[tuple[int, int, int], ...]  # (source, operation, number of the map) of what is only weighted
    size: tuple[int, int, int, int]  # of the sum
    eps: float

    @property
    def count(self) -> int:
        """Cells of the sum."""
        return self.size[0] * self.size[2] * self.size[3]

    def places(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mixing weights of the 1x1 convolutions."""
        return [source for source, _ in self.rows], [operation for _, operation in self.rows]

    def parts(self) -> list[slice]:
        """The clips, a few at a time."""
        _, channels, time, band = self.size
        widest = max((term.last - term.first for term in self.terms), default=1)
        clips = max(1, CACHED // (channels * widest * time * band))
        return [slice(i, min(i + clips, self.size[0])) for i in range(0, self.size[0], clips)]


def cut(x: Map, part: slice, phases: Phases | None) -> Map:
    """Some clips of a map that may be in phases."""
    times = phases.time * phases.band if phases else 1
    return x[part.start * times : part.stop * times]


def convolved(term: Term, tensors: tuple[Tensor, ...], part: slice) -> NewMap:
    """The map of a term for some clips."""
    x = cut(tensors[term.given], part, term.phases)
    if term.kernel is None:
        return x
    made = apply(x, tensors[term.kernel], term.stride)
    return blank(made, term.phases) if term.phases else made
