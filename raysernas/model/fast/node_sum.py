"""A node of a search cell in training: the fused sum of its operations, without a map for each of them.

In: the bundles of its sources, the fast form of each operation and its modules, the mixing weights. Out: the
node, equal to the sum of the plain operations to rounding, and the statistics of their norms. ReLUs, phases
and pools are shared by all edges from a source, and norms are folded into the sum (`pointwise_norm`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.fast.bundle import EPS, Bundle
from raysernas.model.fast.phases import Map, NewMap, Phases, Stride
from raysernas.model.fast.pointwise_norm import rectified
from raysernas.model.fast.sum_layout import Layout, Summand
from raysernas.model.fast.weighted_sum import mixed_sum

SummandKey = tuple[int, int]  # (source, operation)


class NormStatistics:
    """What norms see in a forward pass, kept until its end."""

    def __init__(self) -> None:
        self._seen: list[tuple[nn.BatchNorm2d, Tensor, Tensor]] = []

    def add(self, norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
        """A norm has seen maps of this mean and unbiased variance [channel]."""
        self._seen.append((norm, mean, variance))

    def update(self) -> None:
        """Update running statistics as `nn.BatchNorm2d` does in training."""
        for norm, mean, variance in self._seen:
            if norm.track_running_stats and norm.running_mean is not None:
                assert norm.running_var is not None
                assert norm.num_batches_tracked is not None
                norm.num_batches_tracked.add_(1)
                # a norm without momentum keeps the mean over all forward passes
                share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
                norm.running_mean.lerp_(mean, share)
                norm.running_var.lerp_(variance, share)


@dataclass(frozen=True, slots=True)
class Place:
    """One operation on the sources of one bundle."""

    column: int  # the number of the operation, and its column in the mixing weights
    bundle: Bundle
    modules: list[Any]  # those of the operation on the edge from each source

    @property
    def key(self) -> SummandKey:
        """The first source and the operation."""
        return self.bundle.first, self.column


class SumBuilder:
    """Collects what a sum adds up."""

    def __init__(self, statistics: NormStatistics, first_halves: Mapping[SummandKey, Map]) -> None:
        self.statistics = statistics
        self._first_halves = first_halves
        self.summands: list[Summand] = []
        self._convolutions: list[SummandKey] = []  # of each 1x1 convolution
        self._matrices: list[Tensor] = []  # of each of them, [channel, channel]
        self._norms: list[tuple[nn.BatchNorm2d, tuple[int, ...]]] = []  # and the convolutions before each
        self._maps: list[tuple[int, int, int]] = []
        self._tensors: list[Tensor] = []
        self._numbers: dict[int, int] = {}

    def first_half(self, place: Place) -> Map:
        """The result of the first half of a separable convolution."""
        return self._first_halves[place.key]

    def add_convolutions(
        self,
        place: Place,
        x: Map,
        matrices: list[Tensor],
        kernel: Tensor | None = None,
        stride: Stride = (1, 1),
        phases: Phases | None = None,
    ) -> int:
        """A 1x1 convolution of each source, after a depthwise convolution if there is a kernel.

        Returns:
            The number of the convolution of the first source. Its norm has to be added too.
        """
        first = len(self._convolutions)
        self._convolutions.extend(
            (source, place.column) for source in range(place.bundle.first, place.bundle.last)
        )
        self._matrices.extend(matrices)
        number = None if kernel is None else self._number(kernel)
        self.summands.append(Summand(first, len(self._convolutions), self._number(x), number, stride, phases))
        return first

    def add_norm(self, norm: nn.BatchNorm2d, *convolutions: int) -> None:
        """The norm of a convolution, or of the sum of several that make different channels."""
        self._norms.append((norm, convolutions))

    def add_separable(
        self,
        place: Place,
        x: Map,
        layers: Sequence[Any],
        stride: Stride = (1, 1),
        phases: Phases | None = None,
    ) -> None:
        """A depthwise convolution, a 1x1 convolution and a norm of each source.

        Args:
            x: the sources side by side, rectified.
            layers: for each source a module with `depthwise`, `pointwise` and `norm`.
        """
        kernels = [layer.depthwise.weight for layer in layers]
        kernel = kernels[0] if len(kernels) == 1 else torch.cat(kernels)
        matrices = [layer.pointwise.matrix() for layer in layers]
        first = self.add_convolutions(place, x, matrices, kernel, stride, phases)
        for i, layer in enumerate(layers):
            self.add_norm(layer.norm, first + i)

    def add_maps(self, place: Place, maps: Sequence[Map]) -> None:
        """A map from each source, which is multiplied by its mixing weight and added."""
        for source, x in enumerate(maps, place.bundle.first):
            self._maps.append((source, place.column, self._number(x)))

    def rectified(self, bundles: list[Bundle]) -> dict[SummandKey, Map]:
        """Instead of the sum: the ReLU of each summand, by its first source and its operation."""
        if not self.summands:
            return {}
        made, *seen = rectified(self._layout(bundles), torch.stack(self._matrices), self._tensors)
        self._note(*seen)
        keys = [self._convolutions[summand.first] for summand in self.summands]
        return dict(zip(keys, made, strict=True))

    def total(self, bundles: list[Bundle], mixing: Float[Tensor, "edge operation"]) -> Map | None:
        """The sum; None if there is nothing to add."""
        if not self.summands and not self._maps:
            return None
        weights = torch.stack(self._matrices) if self._matrices else None
        total, *seen = mixed_sum(self._layout(bundles), mixing, weights, self._tensors)
        self._note(*seen)
        return total

    def _layout(self, bundles: list[Bundle]) -> Layout:
        batch, channels, *size = bundles[0].states[0].shape
        time, band = (-(-n // stride) for n, stride in zip(size, bundles[0].stride, strict=True))
        size_made = (batch, channels, time, band)
        return Layout(tuple(self.summands), tuple(self._convolutions), tuple(self._maps), size_made, EPS)

    def _note(self, means: Tensor, variances: Tensor) -> None:
        for norm, numbers in self._norms:
            of_each = ([values[number] for number in numbers] for values in (means, variances))
            seen = (each[0] if len(each) == 1 else torch.stack(each).sum(0) for each in of_each)
            self.statistics.add(norm, *seen)

    def _number(self, x: Tensor) -> int:
        """The number of a tensor among those of the sum, where each stands once."""
        if id(x) not in self._numbers:
            self._numbers[id(x)] = len(self._tensors)
            self._tensors.append(x)
        return self._numbers[id(x)]


class FastForm:
    """How an operation joins a fused sum. This one adds nothing; subclasses override what they need."""

    def add_first_half(self, place: Place, builder: SumBuilder) -> None:
        """Add what is convolved, normed and rectified before it is convolved again."""

    def add_normed(self, place: Place, builder: SumBuilder) -> None:
        """Add what ends with a 1x1 convolution and a norm."""

    def add_maps(self, place: Place, builder: SumBuilder) -> None:
        """Add maps that need only their mixing weights."""


def node_sum(
    forms: Sequence[FastForm | None],
    modules: Sequence[nn.ModuleList],
    bundles: list[Bundle],
    mixing: Float[Tensor, "edge operation"],
    statistics: NormStatistics,
) -> NewMap | None:
    """Sum over the sources and those operations that have a fast form; None if nothing adds to it.

    Args:
        modules: those of the edge from each source, one for each operation.
    """
    joining = [
        (form, Place(column, bundle, [edge[column] for edge in modules[bundle.first : bundle.last]]))
        for column, form in enumerate(forms)
        if form is not None
        for bundle in bundles
    ]
    first_halves = SumBuilder(statistics, {})
    for form, place in joining:
        form.add_first_half(place, first_halves)
    builder = SumBuilder(statistics, first_halves.rectified(bundles))
    for form, place in joining:
        form.add_normed(place, builder)
    for form, place in joining:
        form.add_maps(place, builder)
    return builder.total(bundles, mixing)
