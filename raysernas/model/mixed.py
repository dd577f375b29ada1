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
from raysernas.model.operations import Halve, build, phases_to_halve
from raysernas.model.pointwise_norm import Layout, rectified
from raysernas.model.weighted_sum import mixed_sum
from raysernas.record.genotype import OPERATIONS, Operation

Mixing = Float[Tensor, "edge operation"]
NARROW = 16  # channels that fill a vector of a CPU: fewer are convolved side by side with those of the next source
EPS = 1e-5  # of every norm, as in nn.BatchNorm2d
WIDE = 64  # the same where maps are small, and calls cost more than arithmetic
SMALL = 200_000  # numbers in a small map


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
        self._halves: list[Tensor] = []
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

    def halves(self) -> list[Tensor]:
        """The even and the odd cells of the rectified sources (the latter only if there are channels for them)."""
        if not self._halves:
            self._halves = phases_to_halve(self.rectified(), self.stride)[: 1 + (self.states[0].shape[1] > 1)]
        return self._halves

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
            return sum_of([edge.plainly(x, row) for edge, x, row in zip(edges, self.states, mixing, strict=True)])
        return Node(edges, self.bundles(), self.seen).made(mixing.to(self.states[0].dtype))


class Terms(NamedTuple):
    """Maps that a 1x1 convolution and a norm take in, in the order in which a sum wants them."""

    maps: list[Tensor]
    phases: list[Phases | None]
    spans: list[tuple[int, int]]  # of the terms in each map
    places: list[tuple[int, int]]  # (source, operation) of each term
    weights: list[Tensor]  # of each term, [channel, channel]
    norms: list[tuple[nn.BatchNorm2d, tuple[int, ...]]]  # with the terms whose statistics add up to theirs

    def add(self, bundle: "Bundle", x: Map, phases: Phases | None, operation: int) -> int:
        """A map whose sources are those of the bundle; the number of its first term."""
        first = len(self.places)
        self.maps.append(x)
        self.phases.append(phases)
        self.places.extend((source, operation) for source in range(bundle.first, bundle.last))
        self.spans.append((first, len(self.places)))
        return first

    def end(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        """What the next term goes through."""
        self.norms.append((norm, (len(self.weights),)))
        self.weights.append(convolution.weight[:, :, 0, 0])


class Node:
    """One node in the making: gathers the terms of its sum."""

    def __init__(self, edges: Sequence[MixedEdge], bundles: list[Bundle], seen: Seen) -> None:
        self.edges, self.bundles, self.seen, self.names = edges, bundles, seen, edges[0].names

    def made(self, mixing: Mixing) -> NewMap:
        """The sum of everything."""
        halves = self.separable_halves()
        terms = Terms([], [], [], [], [], [])
        for k, name in enumerate(self.names):
            for i, bundle in enumerate(self.bundles):
                if name.startswith("sep_conv"):
                    x, phases = convolve(halves[k][i], self.kernels(bundle, k, 5), (1, 1)), None
                elif name.startswith("dil_conv"):
                    x, phases = bundle.dilated(self.kernels(bundle, k, 1)), bundle.phases
                elif name == "skip_connect" and bundle.stride != (1, 1):
                    self.halved(bundle, terms, k)
                    continue
                else:
                    continue
                terms.add(bundle, x, phases, k)
                for operation in self.operations(bundle, k):
                    terms.end(operation[-2], operation[-1])
        others, places = self.weighted()
        weights = torch.stack(terms.weights) if terms.weights else None
        total, means, variances = mixed_sum(self.layout(terms, places), mixing, weights, [*terms.maps, *others])
        self.note(terms, means, variances)
        return total

    def operations(self, bundle: Bundle, k: int) -> list[nn.Sequential]:
        """Operation k on the edges from a bundle."""
        return [edge.operations[k] for edge in self.edges[bundle.first : bundle.last]]  # pyright: ignore[reportReturnType]

    def kernels(self, bundle: Bundle, k: int, i: int) -> Tensor:
        """Weights of layer i of operation k, a depthwise one, side by side."""
        weights = [operation[i].weight for operation in self.operations(bundle, k)]
        return weights[0] if len(weights) == 1 else torch.cat(weights)

    def layout(self, terms: Terms, others: list[tuple[int, int]]) -> Layout:
        bundle = self.bundles[0]
        time, band = (-(-n // stride) for n, stride in zip(bundle.whole.shape[2:], bundle.stride, strict=True))
        count = bundle.whole.shape[0] * time * band
        return Layout(tuple(terms.places), tuple(terms.spans), tuple(terms.phases), tuple(others), count, EPS)

    def note(self, terms: Terms, means: Tensor, variances: Tensor) -> None:
        """Remember the statistics of the terms for their norms."""
        for norm, parts in terms.norms:
            self.seen.norms.append(norm)
            self.seen.means.append(means[parts[0]] if len(parts) == 1 else means[list(parts)].sum(0))
            self.seen.variances.append(variances[parts[0]] if len(parts) == 1 else variances[list(parts)].sum(0))

    def separable_halves(self) -> dict[int, list[Tensor]]:
        """What the first halves of the separable convolutions make of each bundle."""
        separable = [k for k, name in enumerate(self.names) if name.startswith("sep_conv")]
        if not separable:
            return {}
        terms = Terms([], [], [], [], [], [])
        for k in separable:
            for bundle in self.bundles:
                terms.add(bundle, convolve(bundle.rectified(), self.kernels(bundle, k, 1), bundle.stride), None, k)
                for operation in self.operations(bundle, k):
                    terms.end(operation[2], operation[3])
        made, means, variances = rectified(self.layout(terms, []), torch.stack(terms.weights), terms.maps)
        self.note(terms, means, variances)
        count = len(self.bundles)
        return {k: made[i * count : (i + 1) * count] for i, k in enumerate(separable)}

    def halved(self, bundle: Bundle, terms: Terms, k: int) -> None:
        """A skip that halves: two 1x1 convolutions, each of which makes some of the channels that are normed together."""
        operations = [edge.operations[k] for edge in self.edges[bundle.first : bundle.last]]
        numbers = []
        for odd, x in enumerate(bundle.halves()):
            numbers.append(terms.add(bundle, x, None, k))
            for halve in operations:
                assert isinstance(halve, Halve)
                terms.weights.append(halve.matrix(odd))
        for i, halve in enumerate(operations):
            terms.norms.append((halve.norm, tuple(first + i for first in numbers)))

    def weighted(self) -> tuple[list[Tensor], list[tuple[int, int]]]:
        """Maps that are only weighted, with their (source, operation): pools and skips."""
        maps, places = [], []
        for k, name in enumerate(self.names):
            for bundle in self.bundles:
                numbers = range(bundle.first, bundle.last)
                if name == "skip_connect" and bundle.stride == (1, 1):
                    maps += bundle.states
                elif name in ("max_pool_3x3", "avg_pool_3x3"):
                    pools, means, variances = bundle.pooled(name, EPS)
                    maps += pools
                    self.seen.norms.extend(operation[-1] for operation in self.operations(bundle, k))
                    self.seen.means.extend(means)
                    self.seen.variances.extend(variances)
                else:
                    continue
                places += [(i, k) for i in numbers]
        return maps, places


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
