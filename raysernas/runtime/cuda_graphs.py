"""The GPU's part of a step as one CUDA graph: launched at once instead of kernel by kernel.

A search step is thousands of small kernels, and a CPU launches them more slowly than a GPU runs them. A
launcher takes the work of a step, a function that returns tensors and sets gradients, and its inputs; it
returns what the work returns, bit for bit. The first time that inputs of some shapes come, the work simply
runs, so that libraries choose their algorithms and allocate memory. The second time it is recorded, and from
then on replayed.

Everything else that the work reads or writes (weights, alphas, running statistics) must stay at the same
place in memory, and the work must not wait for the device. Gradients are valid until the next replay of any
work, which may use their memory. Dropout draws the same numbers as without a graph: a replay reads the
generator's current state.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from raysernas.config.schema import ComputeConfig

Work = Callable[..., tuple[Tensor, ...]]


@runtime_checkable
class StepLauncher(Protocol):
    """Runs the work of a step."""

    def __call__(
        self, name: str, work: Work, parameters: Sequence[Tensor], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        """Returns what `work(*inputs)` returns.

        Args:
            name: of this kind of work.
            parameters: whose gradients the work sets.
        """
        ...


def launch_eagerly(
    name: str, work: Work, parameters: Sequence[Tensor], *inputs: Tensor
) -> tuple[Tensor, ...]:
    """Kernel by kernel."""
    del name, parameters
    return work(*inputs)


def step_launcher(compute: ComputeConfig) -> StepLauncher:
    """The launcher that resolved settings ask for."""
    return GraphLauncher() if compute.cuda_graph and compute.device == "cuda" else launch_eagerly


class GraphLauncher:
    """Records work and replays it: one graph for each kind of work and each shape of its inputs."""

    def __init__(self) -> None:
        self._recorded: dict[tuple[object, ...], _RecordedWork | None] = {}  # None: has run once
        self._stream = torch.cuda.Stream()
        self._pool = torch.cuda.graph_pool_handle()  # one for all graphs: no two of them run at once

    def __call__(
        self, name: str, work: Work, parameters: Sequence[Tensor], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        key = (name, *(x.shape for x in inputs))
        if key not in self._recorded:
            self._recorded[key] = None
            return self._run_beside(work, *inputs)
        recorded = self._recorded[key] or _RecordedWork(work, parameters, inputs, self._pool)
        self._recorded[key] = recorded
        return recorded.replay(inputs)

    def _run_beside(self, work: Work, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run on a side stream, as a recording does: autograd ties what it sets up to the stream it ran
        on.
        """
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            outputs = work(*inputs)
        current.wait_stream(self._stream)
        return outputs


class _RecordedWork:
    def __init__(
        self, work: Work, parameters: Sequence[Tensor], inputs: tuple[Tensor, ...], pool: Any
    ) -> None:
        self.parameters, self.inputs = parameters, tuple(x.clone() for x in inputs)
        for each in parameters:
            each.grad = None  # gradients are allocated anew, in the memory of the graph
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool=pool):
            self.outputs = work(*self.inputs)
        self.gradients = [each.grad for each in parameters]

    def replay(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for old, new in zip(self.inputs, inputs, strict=True):
            old.copy_(new)
        self.graph.replay()
        for each, gradient in zip(self.parameters, self.gradients, strict=True):
            each.grad = gradient
        return tuple(x.clone() for x in self.outputs)  # the next replay overwrites them
