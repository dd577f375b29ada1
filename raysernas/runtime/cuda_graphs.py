"""The GPU's part of a step as one CUDA graph: launched at once instead of kernel by kernel.

A step of a search is thousands of small kernels, which a CPU launches more slowly than a GPU runs them. In:
work that gives tensors and sets gradients, and what it is given. Out: what it gives, bit for bit. The first
time that inputs of some shapes come the work simply runs, so that libraries choose and allocate what they
need; the second time it is recorded; from then on it is replayed. Whatever else the work reads or writes
(weights, alphas, running statistics) has to stay where it is in memory, and the work may not wait for the
device. Gradients hold until the next replay of any work, which may use their memory. Dropout draws what it
would have drawn: a replay takes its numbers from the generator as it stands.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from raysernas.config.schema import ComputeConfig

Work = Callable[..., tuple[Tensor, ...]]


@runtime_checkable
class Run(Protocol):
    """How the work of a step is run."""

    def __call__(
        self, name: str, work: Work, parameters: Sequence[Tensor], *given: Tensor
    ) -> tuple[Tensor, ...]:
        """What the work makes of what it is given.

        Args:
            name: of the work, one for each kind.
            parameters: whose gradients the work sets.
        """
        ...


def eager(name: str, work: Work, parameters: Sequence[Tensor], *given: Tensor) -> tuple[Tensor, ...]:
    """Kernel by kernel."""
    del name, parameters
    return work(*given)


def run_of(compute: ComputeConfig) -> Run:
    """The way that resolved settings ask for."""
    return Graphs() if compute.cuda_graph and compute.device == "cuda" else eager


class Graphs:
    """Records work and replays it; a graph for each kind of work and each shape of what it is given."""

    def __init__(self) -> None:
        self._recorded: dict[tuple[object, ...], _Recorded | None] = {}  # None: has run once
        self._stream = torch.cuda.Stream()
        self._pool = torch.cuda.graph_pool_handle()  # one for all: none of them runs while another one does

    def __call__(
        self, name: str, work: Work, parameters: Sequence[Tensor], *given: Tensor
    ) -> tuple[Tensor, ...]:
        key = (name, *(x.shape for x in given))
        if key not in self._recorded:
            self._recorded[key] = None
            return self._beside(work, *given)
        recorded = self._recorded[key] or _Recorded(work, parameters, given, self._pool)
        self._recorded[key] = recorded
        return recorded.replay(given)

    def _beside(self, work: Work, *given: Tensor) -> tuple[Tensor, ...]:
        """On a stream of its own, as a recording will be: what autograd sets up on one stream waits for that
        one.
        """
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            made = work(*given)
        current.wait_stream(self._stream)
        return made


class _Recorded:
    def __init__(
        self, work: Work, parameters: Sequence[Tensor], given: tuple[Tensor, ...], pool: Any
    ) -> None:
        self.parameters, self.given = parameters, tuple(x.clone() for x in given)
        for each in parameters:
            each.grad = None  # gradients are made anew, in the memory of the graph
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool=pool):
            self.made = work(*self.given)
        self.gradients = [each.grad for each in parameters]

    def replay(self, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for kept, new in zip(self.given, given, strict=True):
            kept.copy_(new)
        self.graph.replay()
        for each, gradient in zip(self.parameters, self.gradients, strict=True):
            each.grad = gradient
        return tuple(x.clone() for x in self.made)  # the next replay overwrites them
