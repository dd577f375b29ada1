"""Cells of the convolutional part: with mixed edges in a search, with chosen edges in the final network.

The space of DARTS (arXiv 1806.09055) and of arXiv 2305.14402: any operation on any edge, in any order. Maps
are [batch, channel, time, band]. Reduction cells halve time, band or both (rounding up) on the edges from
their two inputs.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.fast.phases import Map, NewMap, Stride
from raysernas.model.mixed import MixedEdge, Sources, sum_of
from raysernas.model.operations.layers import pointwise
from raysernas.model.operations.members import build
from raysernas.model.operations.skip_connect import Halve
from raysernas.record.genotype import CELL_OPERATIONS, Cell, CellKind, OperationName, sources

BOTH: Stride = (2, 2)


class SearchCell(nn.Module):
    """Every edge mixes all operations; the output is the concatenation of the nodes."""

    def __init__(
        self,
        kind: CellKind,
        nodes: int,
        before: tuple[int, int],
        channels: int,
        *,
        halved_before: bool,
        halves: Stride = BOTH,
        names: tuple[OperationName, ...] = CELL_OPERATIONS,
    ) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.nodes = nodes
        self.inputs = _inputs(before, channels, halves, halved_before=halved_before, affine=False)
        self.strides = [_stride(kind, source, halves) for source in range(nodes + 1)]
        self.edges = nn.ModuleList(
            MixedEdge(channels, self.strides[source], names) for _, source in sources(nodes)
        )

    def forward(
        self, before: Float[Tensor, "batch _ _ _"], last: Map, mixing: Float[Tensor, "edge operation"]
    ) -> NewMap:
        states = Sources([self.inputs[0](before), self.inputs[1](last)], self.strides)
        edge = 0
        for node in range(self.nodes):
            edges = range(edge, edge + node + 2)  # the edges into a node are numbered one after another
            edge = edges.stop
            into: list[Any] = [self.edges[i] for i in edges]
            states.states.append(states.node(into, mixing[edges.start : edges.stop]))
        states.statistics.update()
        return torch.cat(states.states[2:], dim=1)


class ChosenCell(nn.Module):
    """Only the edges of a genotype."""

    def __init__(
        self,
        kind: CellKind,
        genes: Cell,
        before: tuple[int, int],
        channels: int,
        *,
        halved_before: bool,
        halves: Stride = BOTH,
    ) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.genes = genes
        self.inputs = _inputs(before, channels, halves, halved_before=halved_before, affine=True)
        self.strides = [_stride(kind, source, halves) for source in range(len(genes) + 1)]
        self.edges = nn.ModuleList(
            build(gene.operation, channels, self.strides[gene.source], affine=True)
            for node in genes
            for gene in node
        )

    def forward(self, before: Float[Tensor, "batch _ _ _"], last: Map, drop_path: float) -> NewMap:
        states = [self.inputs[0](before), self.inputs[1](last)]
        edges = iter(self.edges)
        for node in self.genes:
            drawn = [(next(edges), states[gene.source]) for gene in node]
            states.append(sum_of([_drop(edge, edge(x), drop_path, self) for edge, x in drawn]))
        return torch.cat(states[2:], dim=1)


def _inputs(
    before: tuple[int, int], channels: int, halves: Stride, *, halved_before: bool, affine: bool
) -> nn.ModuleList:
    """Fit the outputs of the two cells before to this one; the older is the larger if the newer was
    halved.
    """
    if halved_before:
        older: nn.Module = Halve(before[0], channels, halves, affine=affine)
    else:
        older = pointwise(before[0], channels, affine=affine)
    return nn.ModuleList([older, pointwise(before[1], channels, affine=affine)])


def _stride(kind: CellKind, source: int, halves: Stride) -> Stride:
    return halves if kind == "reduction" and source < 2 else (1, 1)


def _drop(edge: nn.Module, x: Map, rate: float, cell: nn.Module) -> Map:
    """Drop-path: zero a whole edge for a random share of the clips; an identity is never dropped."""
    if not cell.training or rate == 0 or isinstance(edge, nn.Identity):
        return x
    keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device, dtype=x.dtype) >= rate
    return x * keep / (1 - rate)
