"""Mixed edges: all candidate operations of an edge at once, weighted, and what the edges from one source
share.

In: the states of a cell, the edges into one of its nodes, their mixing weights [edge, operation]. Out: the
node, equal to `sum(mixing[edge, k] * edge.operations[k](source))` to rounding. In training the ReLU, the
phases of dilated convolutions, the pools and their norms are computed once a source; norms before a sum are
folded into it (see `pointwise_norm`); sources of few channels are convolved side by side. In evaluation every
operation is simply applied.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from raysernas.model.fast.depthwise import Map, NewMap, Phases, Stride, convolve, dense, phases_of, split
from raysernas.model.fast.pointwise_norm import rectified
from raysernas.model.fast.sum_layout import Layout, Summand
from raysernas.model.fast.weighted_sum import mixed_sum
from raysernas.model.operations import Halve, build, phases_to_halve
from raysernas.record.genotype import CELL_OPERATIONS, OperationName

Mixing = Float[Tensor, "edge operation"]
EPS = 1e-5  # of every norm, as in nn.BatchNorm2d
# channels that fill a vector of a CPU: fewer are convolved side by side with those of the next source
NARROW = 16
WIDE = 64  # the same where maps are small, and calls cost more than arithmetic
SMALL = 200_000  # numbers in a small map


class Seen(NamedTuple):
    """What norms have seen in a forward pass: for their running statistics."""

    norms: list[nn.BatchNorm2d]
    means: list[Tensor]
    variances: list[Tensor]


class MixedEdge(nn.Module):
    """All operations of `names` at once: `sum(mixing[k] * operations[k](x))`."""

    def __init__(
        self, channels: int, stride: Stride, names: tuple[OperationName, ...] = CELL_OPERATIONS
    ) -> None:
        super().__init__()
        self.names, self.stride = names, stride
        # without affine norms: a scale could undo the mixing weight
        self.operations = nn.ModuleList(build(name, channels, stride, affine=False) for name in names)

    def forward(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        alone = Sources([x], [self.stride])
        made = alone.node([self], mixing[None])
        remember(alone.seen)
        return made

    def plainly(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        """Operation by operation."""
        terms = [
            weight * op(x)
            for weight, op, name in zip(mixing, self.operations, self.names, strict=True)
            if name != "none"
        ]
        return sum_of(terms)


class Bundle:
    """Sources of one stride side by side, and what all edges from them share (made when first asked for)."""

    def __init__(self, states: list[Map], first: int, stride: Stride) -> None:
        self.states, self.first, self.last, self.stride = states, first, first + len(states), stride
        self.whole = states[0] if len(states) == 1 else dense(torch.cat(states, dim=1))
        self._rectified: Map | None = None
        self._split: Map | None = None
        self._halves: list[Tensor] = []
        self._pooled: dict[OperationName, tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]] = {}
        phases = phases_of((self.whole.shape[2], self.whole.shape[3]), stride)
        self.phases: Phases | None = phases if phases.several else None

    def rectified(self) -> Map:
        """ReLU of the sources."""
        if self._rectified is None:
            self._rectified = functional.relu(self.whole)
        return self._rectified

    def split(self) -> NewMap:
        """The rectified sources as convolutions of dilation 2 take them in: in phases."""
        if self._split is None:
            even = self.rectified()[:, :, :: self.stride[0], :: self.stride[1]]
            self._split = dense(even) if self.phases is None else split(even, self.phases)
        return self._split

    def halves(self) -> list[Tensor]:
        """The even and the odd cells of the rectified sources (the latter only if there are channels for
        them).
        """
        if not self._halves:
            self._halves = phases_to_halve(self.rectified(), self.stride)[: 1 + (self.states[0].shape[1] > 1)]
        return self._halves

    def pooled(
        self, name: OperationName, eps: float
    ) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        """Normed pool of each source, its mean and its unbiased variance."""
        if name not in self._pooled:
            maximum = name == "max_pool_3x3"
            pool = (
                functional.max_pool2d(self.whole, 3, self.stride, 1)
                if maximum
                else average(self.whole, self.stride)
            )
            mean, variance = pool.new_zeros(2, pool.shape[1], dtype=at_least_fp32(pool))
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

    def node(self, edges: Sequence[MixedEdge], mixing: Mixing) -> NewMap:
        """The sum of one mixed edge from each state."""
        if not edges[0].training:
            return sum_of(
                [edge.plainly(x, row) for edge, x, row in zip(edges, self.states, mixing, strict=True)]
            )
        # what follows chooses the precision of each product
        with torch.autocast(self.states[0].device.type, enabled=False):
            return Node(edges, self.bundles(), self.seen).made(mixing.to(at_least_fp32(self.states[0])))


class Gathered:
    """The terms of a sum, in the making."""

    def __init__(self) -> None:
        self.terms: list[Summand] = []
        self.rows: list[tuple[int, int]] = []  # (source, operation) of each 1x1 convolution
        self.weights: list[Tensor] = []  # of each, [channel, channel]
        # and the rows whose statistics add up to theirs
        self.norms: list[tuple[nn.BatchNorm2d, tuple[int, ...]]] = []
        self.others: list[tuple[int, int, int]] = []
        self.tensors: list[Tensor] = []
        self._numbers: dict[int, int] = {}

    def number(self, x: Tensor) -> int:
        """Among the tensors; the same one is listed once."""
        if id(x) not in self._numbers:
            self._numbers[id(x)] = len(self.tensors)
            self.tensors.append(x)
        return self._numbers[id(x)]

    def add(
        self,
        bundle: Bundle,
        k: int,
        x: Map,
        kernel: Tensor | None,
        stride: Stride,
        phases: Phases | None,
        matrices: list[Tensor],
    ) -> int:
        """Operation k on a bundle: the number of its first row."""
        first = len(self.rows)
        self.rows.extend((source, k) for source in range(bundle.first, bundle.last))
        self.weights.extend(matrices)
        number = None if kernel is None else self.number(kernel)
        self.terms.append(Summand(first, len(self.rows), self.number(x), number, stride, phases))
        return first

    def add_layers(
        self,
        bundle: Bundle,
        k: int,
        x: Map,
        layers: list[tuple[Any, ...]],
        stride: Stride,
        phases: Phases | None,
    ) -> None:
        """The same from (depthwise convolution, 1x1 convolution, norm) of each edge."""
        kernels = [layer[0].weight for layer in layers]
        kernel = kernels[0] if len(kernels) == 1 else torch.cat(kernels)  # pyright: ignore
        first = self.add(
            bundle, k, x, kernel, stride, phases, [layer[1].weight[:, :, 0, 0] for layer in layers]
        )  # pyright: ignore
        self.norms.extend((layer[2], (first + i,)) for i, layer in enumerate(layers))  # pyright: ignore


class Node:
    """One node in the making: gathers the terms of its sum."""

    def __init__(self, edges: Sequence[MixedEdge], bundles: list[Bundle], seen: Seen) -> None:
        self.edges, self.bundles, self.seen, self.names = edges, bundles, seen, edges[0].names

    def made(self, mixing: Mixing) -> NewMap:
        """The sum of everything."""
        halves, found = self.separable_halves(), Gathered()
        for k, name in enumerate(self.names):
            for bundle in self.bundles:
                operations = self.operations(bundle, k)
                if name.startswith("sep_conv"):
                    layers = [tuple(operation[5:8]) for operation in operations]
                    found.add_layers(bundle, k, halves[k, bundle.first], layers, (1, 1), None)
                elif name.startswith("dil_conv"):
                    layers = [tuple(operation[1:4]) for operation in operations]
                    found.add_layers(bundle, k, bundle.split(), layers, (1, 1), bundle.phases)
                elif name == "skip_connect" and bundle.stride != (1, 1):
                    self.halved(bundle, found, k)
        self.weighted(found)
        weights = torch.stack(found.weights) if found.weights else None
        total, means, variances = mixed_sum(self.layout(found), mixing, weights, found.tensors)
        self.note(found, means, variances)
        return total

    def operations(self, bundle: Bundle, k: int) -> list[Any]:
        """Operation k on the edges from a bundle."""
        return [edge.operations[k] for edge in self.edges[bundle.first : bundle.last]]  # pyright: ignore[reportReturnType]

    def layout(self, found: Gathered) -> Layout:
        """Of the sum of what was gathered."""
        bundle = self.bundles[0]
        batch, channels, *size = bundle.states[0].shape
        time, band = (-(-n // stride) for n, stride in zip(size, bundle.stride, strict=True))
        return Layout(
            tuple(found.terms), tuple(found.rows), tuple(found.others), (batch, channels, time, band), EPS
        )

    def note(self, found: Gathered, means: Tensor, variances: Tensor) -> None:
        """Remember the statistics of the 1x1 convolutions for their norms."""
        for norm, rows in found.norms:
            self.seen.norms.append(norm)
            self.seen.means.append(
                means[rows[0]] if len(rows) == 1 else torch.stack([means[row] for row in rows]).sum(0)
            )
            self.seen.variances.append(
                variances[rows[0]] if len(rows) == 1 else torch.stack([variances[row] for row in rows]).sum(0)
            )

    def separable_halves(self) -> dict[tuple[int, int], Tensor]:
        """What the first half of each separable convolution makes of each bundle, by operation and first
        source.
        """
        found, order = Gathered(), []
        for k, name in enumerate(self.names):
            for bundle in self.bundles if name.startswith("sep_conv") else []:
                layers = [tuple(operation[1:4]) for operation in self.operations(bundle, k)]
                found.add_layers(bundle, k, bundle.rectified(), layers, bundle.stride, None)
                order.append((k, bundle.first))
        if not order:
            return {}
        made, means, variances = rectified(self.layout(found), torch.stack(found.weights), found.tensors)
        self.note(found, means, variances)
        return dict(zip(order, made, strict=True))

    def halved(self, bundle: Bundle, found: Gathered, k: int) -> None:
        """A skip that halves: two 1x1 convolutions, each of which makes some of the channels that are normed
        together.
        """
        halves: list[Halve] = [edge.operations[k] for edge in self.edges[bundle.first : bundle.last]]  # pyright: ignore
        rows = [
            found.add(bundle, k, x, None, (1, 1), None, [halve.matrix(odd) for halve in halves])
            for odd, x in enumerate(bundle.halves())
        ]
        found.norms.extend((halve.norm, tuple(first + i for first in rows)) for i, halve in enumerate(halves))

    def weighted(self, found: Gathered) -> None:
        """Add what is only weighted: pools and skips."""
        for k, name in enumerate(self.names):
            for bundle in self.bundles:
                if name == "skip_connect" and bundle.stride == (1, 1):
                    maps: Sequence[Tensor] = bundle.states
                elif name in ("max_pool_3x3", "avg_pool_3x3"):
                    maps, means, variances = bundle.pooled(name, EPS)
                    self.seen.norms.extend(operation[-1] for operation in self.operations(bundle, k))  # pyright: ignore
                    self.seen.means.extend(means)
                    self.seen.variances.extend(variances)
                else:
                    continue
                found.others.extend((i, k, found.number(x)) for i, x in enumerate(maps, bundle.first))


def at_least_fp32(x: Map) -> torch.dtype:
    """What the statistics and the mixing weights of a map are kept in."""
    return torch.promote_types(x.dtype, torch.float32)


def average(x: Map, stride: Stride) -> NewMap:
    """`avg_pool2d(x, 3, stride, 1, count_include_pad=False)`, on a CPU as a depthwise convolution, which is
    faster there.
    """
    if not x.is_cpu:
        return functional.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    ones = x.new_ones(x.shape[1], 1, 3, 3)
    cells = functional.conv2d(x.new_ones(1, 1, *x.shape[2:]), ones[:1], None, stride, 1)
    return convolve(x, ones, stride) * cells.reciprocal()


def remember(seen: Seen) -> None:
    """Update running statistics as `nn.BatchNorm2d` does in training."""
    for norm, mean, variance in zip(seen.norms, seen.means, seen.variances, strict=True):
        if norm.track_running_stats and norm.running_mean is not None:
            assert norm.running_var is not None
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.add_(1)
            # a norm without momentum keeps the mean over all passes
            share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean, share)
            norm.running_var.lerp_(variance, share)


def sum_of(maps: list[Map]) -> Map:
    """Sum in a fixed order."""
    total = maps[0]
    for other in maps[1:]:
        total = total + other
    return total
