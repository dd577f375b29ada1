"""Mixed edges: all candidate operations of an edge at once, weighted, and what the edges from one source share.

In: the states of a cell, the edges into one of its nodes, their mixing weights [edge, operation]. Out: the node, equal to
`sum(mixing[edge, k] * edge.operations[k](source))` to rounding. In training the ReLU, the phases of dilated convolutions, the pools
and their norms are computed once a source; norms before a sum are folded into it (see `pointwise_norm`); sources of few channels
are convolved side by side. In evaluation every operation is simply applied.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from raysernas.model.depthwise import Map, NewMap, Phases, Stride, blank, convolve, dense, phases_of, split
from raysernas.model.operations import build
from raysernas.model.pointwise_norm import Layout, rectified
from raysernas.model.weighted_sum import mixed_sum
from raysernas.record.genotype import OPERATIONS, Operation

Mixing = Float[Tensor, "edge operation"]
NARROW = 16  # channels that fill a vector of a CPU: fewer are convolved side by side with those of the next source
EPS = 1e-5  # of every norm, as in nn.BatchNorm2d
SMALL = 400_000  # numbers in a map below which calls cost more than arithmetic


class Seen(NamedTuple):
    """What norms have seen in a forward pass: for their running statistics."""

    norms: list[nn.BatchNorm2d]
    means: list[Tensor]
    variances: list[Tensor]


class MixedEdge(nn.Module):
    """All operations of `names` at once: `sum(mixing[k] * operations[k](x))`."""

    def __init__(self, channels: int, stride: Stride, names: tuple[Operation, ...] = OPERATIONS) -> None:
        super().__init__()
        self.names, self.stride = names, stride
        # without affine norms: a scale could undo the mixing weight
        self.operations = nn.ModuleList(build(name, channels, stride, affine=False) for name in names)

    def forward(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        return Sources([x], [self.stride]).node([self], mixing[None])

    def plainly(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        """Operation by operation."""
        terms = [weight * op(x) for weight, op, name in zip(mixing, self.operations, self.names, strict=True) if name != "none"]
        return sum_of(terms)


class Bundle:
    """Sources of one stride side by side, and what all edges from them share (made when first asked for)."""

    def __init__(self, states: list[Map], first: int, stride: Stride) -> None:
        self.states, self.first, self.last, self.stride = states, first, first + len(states), stride
        self.whole = states[0] if len(states) == 1 else dense(torch.cat(states, dim=1))
        self._rectified: Map | None = None
        self._split: Map | None = None
        self._pooled: dict[Operation, tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]] = {}
        phases = phases_of((self.whole.shape[2], self.whole.shape[3]), stride)
        self.phases: Phases | None = phases if phases.several else None

    def rectified(self) -> Map:
        """ReLU of the sources."""
        if self._rectified is None:
            self._rectified = functional.relu(self.whole)
        return self._rectified

    def dilated(self, weight: Tensor) -> NewMap:
        """Depthwise convolution of dilation 2, still in phases."""
        if self._split is None:
            even = self.rectified()[:, :, :: self.stride[0], :: self.stride[1]]
            self._split = dense(even) if self.phases is None else split(even, self.phases)
        made = convolve(self._split, weight, (1, 1))
        return made if self.phases is None else blank(made, self.phases)

    def pooled(self, name: Operation, eps: float) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        """Normed pool of each source, its mean and its unbiased variance."""
        if name not in self._pooled:
            pool = (
                functional.max_pool2d(self.whole, 3, self.stride, 1) if name == "max_pool_3x3" else average(self.whole, self.stride)
            )
            mean, variance = pool.new_zeros(2, pool.shape[1])
            normed = functional.batch_norm(pool, mean, variance, training=True, momentum=1.0, eps=eps)
            parts = len(self.states)
            maps = [normed] if parts == 1 else [dense(part) for part in normed.chunk(parts, dim=1)]
            self._pooled[name] = maps, mean.chunk(parts), variance.chunk(parts)
        return self._pooled[name]


class Sources:
    """The states of a cell, from which its nodes are made one after another."""

    def __init__(self, states: list[Map], strides: list[Stride]) -> None:
        self.states, self.strides = states, strides
        self.seen = Seen([], [], [])
        self._bundles: dict[tuple[int, int], Bundle] = {}

    def bundles(self) -> list[Bundle]:
        """All states, in pairs if they are narrow or small."""
        width, number = self.states[0].shape[1], self.states[-1].numel()
        pairs = 2 * width <= NARROW or number <= SMALL
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

    def node(self, edges: Sequence[MixedEdge], mixing: Mixing) -> NewMap:
        """The sum of one mixed edge from each state."""
        if not edges[0].training:
            return sum_of([edge.plainly(x, row) for edge, x, row in zip(edges, self.states, mixing, strict=True)])
        return Node(edges, self.bundles(), self.seen).made(mixing.to(self.states[0].dtype))


class Node:
    """One node in the making: gathers the terms of its sum."""

    def __init__(self, edges: Sequence[MixedEdge], bundles: list[Bundle], seen: Seen) -> None:
        self.edges, self.bundles, self.seen, self.names = edges, bundles, seen, edges[0].names
        self.places = tuple((bundle.first, bundle.last) for bundle in bundles)
        self.columns = [k for k, name in enumerate(self.names) if name.startswith(("sep_conv", "dil_conv"))]

    def layer(self, column: int, i: int) -> list[nn.Module]:
        """Layer i of an operation on every edge."""
        return [edge.operations[column][i] for edge in self.edges]  # pyright: ignore[reportIndexIssue]

    def kernels(self, column: int, i: int) -> list[Tensor]:
        """Weights of a depthwise layer, side by side for each bundle."""
        layers = self.layer(column, i)
        return [
            layers[first].weight if last - first == 1 else torch.cat([layer.weight for layer in layers[first:last]])  # pyright: ignore
            for first, last in self.places
        ]

    def matrices(self, columns: list[int], layers: list[int]) -> Tensor:
        """Weights of 1x1 convolutions: [operation, source, channel, channel]."""
        weights = [layer.weight for k, i in zip(columns, layers, strict=True) for layer in self.layer(k, i)]
        stacked = torch.stack(weights)  # pyright: ignore[reportArgumentType]
        return stacked[:, :, :, 0, 0].unflatten(0, (len(columns), len(self.edges)))

    def note(self, columns: list[int], layers: list[int], means: Tensor, variances: Tensor) -> None:
        """Remember statistics [operation, source, channel] for the norms of the layers."""
        norms = [norm for k, i in zip(columns, layers, strict=True) for norm in self.layer(k, i)]
        self.seen.norms.extend(norms)  # pyright: ignore[reportArgumentType]
        self.seen.means.extend(means.flatten(0, 1))
        self.seen.variances.extend(variances.flatten(0, 1))

    def made(self, mixing: Mixing) -> NewMap:
        """The sum of everything."""
        maps, phases = self.convolved()
        others, places = self.weighted()
        layout = self.layout(maps, phases, places)
        layers = [_last(self.edges[0].operations[k], nn.Conv2d) for k in self.columns]
        weights = self.matrices(self.columns, layers) if self.columns else None
        total, means, variances = mixed_sum(layout, mixing, weights, [*maps, *others])
        if self.columns:
            self.note(self.columns, [i + 1 for i in layers], means, variances)
        return total

    def layout(
        self, maps: list[Tensor], phases: list[Phases | None], others: list[tuple[int, int]], columns: list[int] | None = None
    ) -> Layout:
        bundle = self.bundles[0]
        size = [-(-n // stride) for n, stride in zip(bundle.whole.shape[2:], bundle.stride, strict=True)]
        count = bundle.whole.shape[0] * size[0] * size[1]
        return Layout(tuple(columns or self.columns), self.places, tuple(phases), tuple(others), count, EPS)

    def convolved(self) -> tuple[list[Tensor], list[Phases | None]]:
        """The maps before the last 1x1 convolution of each operation, bundle by bundle."""
        separable = [k for k in self.columns if self.names[k].startswith("sep_conv")]
        halves: dict[int, list[Tensor]] = {}
        if separable:
            maps = [
                convolve(bundle.rectified(), kernel, bundle.stride)
                for k in separable
                for bundle, kernel in zip(self.bundles, self.kernels(k, 1), strict=True)
            ]
            matrices = self.matrices(separable, [2] * len(separable))
            made, means, variances = rectified(self.layout(maps, [None] * len(maps), [], separable), matrices, maps)
            self.note(separable, [3] * len(separable), means, variances)
            halves = {k: made[i * len(self.bundles) : (i + 1) * len(self.bundles)] for i, k in enumerate(separable)}
        maps, phases = [], []
        for k in self.columns:
            if k in halves:
                maps += [convolve(x, kernel, (1, 1)) for x, kernel in zip(halves[k], self.kernels(k, 5), strict=True)]
                phases += [None] * len(self.bundles)
            else:
                maps += [bundle.dilated(kernel) for bundle, kernel in zip(self.bundles, self.kernels(k, 1), strict=True)]
                phases += [bundle.phases for bundle in self.bundles]
        return maps, phases

    def weighted(self) -> tuple[list[Tensor], list[tuple[int, int]]]:
        """Maps that are only weighted, with their (source, operation): pools and skips."""
        maps, places = [], []
        for k, name in enumerate(self.names):
            if name == "skip_connect":
                for bundle in self.bundles:
                    for source, x in enumerate(bundle.states, bundle.first):
                        maps.append(self.edges[source].operations[k](x))
                        places.append((source, k))
            elif name in ("max_pool_3x3", "avg_pool_3x3"):
                for bundle in self.bundles:
                    for i, (x, mean, variance) in enumerate(zip(*bundle.pooled(name, EPS), strict=True), bundle.first):
                        maps.append(x)
                        places.append((i, k))
                        self.seen.norms.append(self.edges[i].operations[k][1])  # pyright: ignore
                        self.seen.means.append(mean)
                        self.seen.variances.append(variance)
        return maps, places


def _last(operation: nn.Module, kind: type[nn.Module]) -> int:
    """The place of the last layer of a kind."""
    return max(i for i, layer in enumerate(operation.children()) if isinstance(layer, kind))


def average(x: Map, stride: Stride) -> NewMap:
    """`avg_pool2d(x, 3, stride, 1, count_include_pad=False)`, on a CPU as a depthwise convolution, which is faster there."""
    if not x.is_cpu:
        return functional.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    ones = x.new_ones(x.shape[1], 1, 3, 3)
    cells = functional.conv2d(x.new_ones(1, 1, *x.shape[2:]), ones[:1], None, stride, 1)
    return convolve(x, ones, stride) * cells.reciprocal()


def remember(seen: Seen) -> None:
    """Update running statistics as `nn.BatchNorm2d` does in training."""
    kept = [i for i, norm in enumerate(seen.norms) if norm.track_running_stats and norm.running_mean is not None]
    if not kept:
        return
    norms = [seen.norms[i] for i in kept]
    torch._foreach_add_([norm.num_batches_tracked for norm in norms], 1)
    for momentum in {norm.momentum for norm in norms}:
        same = [i for i in kept if seen.norms[i].momentum == momentum]
        for values, name in ((seen.means, "running_mean"), (seen.variances, "running_var")):
            kept_values = [getattr(seen.norms[i], name) for i in same]
            torch._foreach_lerp_(kept_values, [values[i] for i in same], momentum)


def sum_of(maps: list[Map]) -> Map:
    """Sum in a fixed order."""
    total = maps[0]
    for other in maps[1:]:
        total = total + other
    return total
