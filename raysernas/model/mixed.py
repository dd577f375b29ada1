"""Mixed edges: all candidate operations of an edge at once, weighted and summed.

In: the states of a cell, the edges into one of its nodes, their mixing weights [edge, operation]. Out: the
node, `sum(mixing[edge, k] * edge.operations[k](source))`. In training, operations with a fast form are fused
(`fast.node_sum`, equal to rounding). All others, and all operations in evaluation, are computed as the sum
says.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.fast.bundle import Bundle, at_least_fp32
from raysernas.model.fast.node_sum import NormStatistics, node_sum
from raysernas.model.fast.phases import Map, NewMap, Stride
from raysernas.model.operations.members import operation
from raysernas.model.operations.none import Zero
from raysernas.record.genotype import CELL_OPERATIONS, OperationName

# channels that fill a vector of a CPU: fewer are convolved side by side with those of the next source
NARROW = 16
WIDE = 64  # the same where maps are small, and calls cost more than arithmetic
SMALL = 200_000  # numbers in a small map


class MixedEdge(nn.Module):
    """All operations of `names` at once: `sum(mixing[k] * operations[k](x))`."""

    def __init__(
        self, channels: int, stride: Stride, names: tuple[OperationName, ...] = CELL_OPERATIONS
    ) -> None:
        super().__init__()
        self.names, self.stride = names, stride
        candidates = [operation(name) for name in names]
        self.forms = [candidate.fast for candidate in candidates]
        # without affine norms: a scale could undo the mixing weight
        self.operations = nn.ModuleList(candidate.build(channels, stride, False) for candidate in candidates)

    def forward(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        sources = Sources([x], [self.stride])
        made = sources.node([self], mixing[None])
        sources.statistics.update()
        return made


class Sources:
    """The states of a cell, from which its nodes are made one after another."""

    def __init__(self, states: list[Map], strides: list[Stride]) -> None:
        self.states, self.strides = states, strides
        self.statistics = NormStatistics()
        self._bundles: dict[tuple[int, int], Bundle] = {}

    def node(self, edges: Sequence[MixedEdge], mixing: Float[Tensor, "edge operation"]) -> NewMap:
        """The sum of one mixed edge from each state."""
        if not edges[0].training:
            per_edge = (_plain(edge, x, row) for edge, x, row in zip(edges, self.states, mixing, strict=True))
            return sum_of([sum_of(maps) for maps in per_edge])
        # the fused sum chooses the precision of each product itself
        with torch.autocast(self.states[0].device.type, enabled=False):
            modules = [edge.operations for edge in edges]
            weights = mixing.to(at_least_fp32(self.states[0]))
            fused = node_sum(edges[0].forms, modules, self._bundled(), weights, self.statistics)
        maps = [] if fused is None else [fused]
        if None in edges[0].forms:
            for edge, x, row in zip(edges, self.states, mixing, strict=True):
                maps += _plain(edge, x, row, fused=True)
        return sum_of(maps)

    def _bundled(self) -> list[Bundle]:
        """All states, in pairs if they are narrow or small."""
        width, number = self.states[0].shape[1], self.states[-1].numel()
        pairs = 2 * width <= (NARROW if number > SMALL else WIDE)
        chosen = []
        first = 0
        while first < len(self.states):
            last = first + 1
            if pairs and last < len(self.states) and self.strides[first] == self.strides[last]:
                last += 1
            if (first, last) not in self._bundles:
                self._bundles[first, last] = Bundle(self.states[first:last], first, self.strides[first])
            chosen.append(self._bundles[first, last])
            first = last
        return chosen


def _plain(
    edge: MixedEdge, x: Map, mixing: Float[Tensor, " operation"], *, fused: bool = False
) -> list[NewMap]:
    """Each operation of an edge by itself, weighted; where a fused sum has been made, only the rest."""
    return [
        weight * module(x)
        for weight, module, form in zip(mixing, edge.operations, edge.forms, strict=True)
        if not isinstance(module, Zero) and not (fused and form is not None)
    ]


def sum_of(maps: list[Map]) -> Map:
    """Sum in a fixed order."""
    total = maps[0]
    for other in maps[1:]:
        total = total + other
    return total
