"""What the edges from one source share in training: computed once, when the first of them needs it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from raysernas.model.fast.phases import Map, NewMap, Phases, Stride, dense, even_and_odd, phases_of, split

EPS = 1e-5  # of every norm, as in nn.BatchNorm2d


class NormedPool(NamedTuple):
    """For each source, its pool after the norm, and what the norm has seen."""

    maps: Sequence[Tensor]
    means: Sequence[Tensor]
    variances: Sequence[Tensor]  # unbiased


class Bundle:
    """One or more sources of one stride, side by side in the channels of one map."""

    def __init__(self, states: list[Map], first: int, stride: Stride) -> None:
        self.states, self.first, self.last, self.stride = states, first, first + len(states), stride
        self.whole = states[0] if len(states) == 1 else dense(torch.cat(states, dim=1))
        self._pools: dict[Callable[[Map, Stride], Map], NormedPool] = {}
        phases = phases_of((self.whole.shape[2], self.whole.shape[3]), stride)
        self.phases: Phases | None = phases if phases.several else None

    @cached_property
    def rectified(self) -> Map:
        """ReLU of the sources."""
        return functional.relu(self.whole)

    @cached_property
    def split(self) -> NewMap:
        """The rectified sources in the phases that convolutions of dilation 2 take."""
        even = self.rectified[:, :, :: self.stride[0], :: self.stride[1]]
        return dense(even) if self.phases is None else split(even, self.phases)

    @cached_property
    def halves(self) -> list[Tensor]:
        """The even and the odd cells of the rectified sources; of a single channel only the even ones."""
        return even_and_odd(self.rectified, self.stride)[: 1 + (self.states[0].shape[1] > 1)]

    def normed_pool(self, pool: Callable[[Map, Stride], Map]) -> NormedPool:
        """A pool of each source and its norm."""
        if pool not in self._pools:
            pooled = pool(self.whole, self.stride)
            mean, variance = pooled.new_zeros(2, pooled.shape[1], dtype=at_least_fp32(pooled))
            normed = functional.batch_norm(pooled, mean, variance, training=True, momentum=1.0, eps=EPS)
            count = len(self.states)
            maps = [normed] if count == 1 else [dense(part) for part in normed.chunk(count, dim=1)]
            self._pools[pool] = NormedPool(maps, mean.chunk(count), variance.chunk(count))
        return self._pools[pool]


def at_least_fp32(x: Map) -> torch.dtype:
    """The precision of the statistics and the mixing weights of a map."""
    return torch.promote_types(x.dtype, torch.float32)
