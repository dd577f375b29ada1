"""A 1x1 convolution and a batch norm without affine as one affine map.

Its mean and variance come from the moments of its input. With rows z (cells x channels), mean m and
covariance M = z'z/N - mm', the variance of Wz is diag(W M W'), so norm(Wz) = A z - A m with A = diag(1 /
sqrt(var + eps)) W. No map is made but the result, and a weighted sum of many of them needs one accumulator.
Backward, with d the gradient of the sum: dz = A'd + S (z - m) - mean(A'd), S = 2/N W' diag(dvar) W.

In: convolved maps, channels last, those of several sources side by side in the channels. Out: a sum (a node
of a search cell) or the rectified maps between the two halves of a separable convolution, and the statistics
of the norms.

A variance from moments loses digits where the mean is far above the deviation. In single precision the
relative error of a result is 1e-5 at 10 deviations, 1e-3 at 100, and beyond 1,000 the result is useless. In
24 supernets searched on EmoDB the largest ratio was 2.9.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.model.fast.depthwise import input_gradient, weight_gradient
from raysernas.model.fast.double_backward import differentiable_gradients
from raysernas.model.fast.phases import Map, NewMap, blank, dense
from raysernas.model.fast.products import Matrix, blocks, cells, diagonal, outer, times
from raysernas.model.fast.sum_layout import Layout, Summand, convolved

Matrices = Float[Tensor, "convolution channel channel"]
Values = Float[Tensor, "convolution channel"]


class Moments(NamedTuple):
    """Moments of the input of each norm, and the affine map that follows from them."""

    mean: Values
    product: Matrices  # W M
    inverse: Values  # 1 / sqrt(variance + eps)
    unit: Matrices  # A
    variance: Values


def rectified(
    layout: Layout, weights: Matrices, tensors: list[Tensor]
) -> tuple[list[Tensor], Values, Values]:
    """relu(norm(W map)) of each summand; mean and unbiased variance of each W map."""
    *made, mean, variance = _Rectified.apply(layout, weights, *tensors)  # pyright: ignore
    return made, mean, variance


def moments_of(layout: Layout, weights: Matrices, maps: list[Tensor]) -> Moments:
    """Of the maps of all summands, in the precision of the weights."""
    sums, squares = [], []
    for x, summand in zip(maps, layout.summands, strict=True):
        exact = x.to(weights.dtype)
        sums.append(cells(exact).sum(0))
        squares.append(blocks(outer(exact, exact), summand.last - summand.first))
    mean, squares = torch.cat(sums).reshape(weights.shape[0], -1) / layout.count, torch.cat(squares)
    product = weights @ (squares / layout.count - mean[..., :, None] * mean[..., None, :])
    variance = (product * weights).sum(-1).clamp(min=0)
    inverse = torch.rsqrt(variance + layout.eps)
    return Moments(mean, product, inverse, inverse[..., None] * weights, variance)


def statistics(layout: Layout, weights: Matrices, moments: Moments) -> tuple[Values, Values]:
    """Mean and unbiased variance of the 1x1 convolutions, as a norm keeps them."""
    mean = (weights @ moments.mean[..., None])[..., 0]
    return mean, moments.variance * (layout.count / max(layout.count - 1, 1))


class NormGradients(NamedTuple):
    """Gradients of the small tensors of a norm."""

    scale: Float[Tensor, " convolution"]
    weights: Matrices
    spread: Matrices  # S
    row: Values  # the part of dz that is the same for every cell

    def to_map(self, summand: Summand, x: Map, gradient: NewMap, matrix: Matrix) -> Map:
        """dz, from z and d; `matrix` is A."""
        made = times(
            x,
            diagonal(self.spread[summand.own]),
            self.row[summand.own].reshape(-1),
        )
        return made.add_(times(gradient, matrix.t()))


def norm_backward(
    layout: Layout, weights: Matrices, moments: Moments, scale: Tensor, products: Matrices, total: Values
) -> NormGradients:
    """From `products` = sum of d z' and `total` = sum of d."""
    centred = products - total[..., :, None] * moments.mean[..., None, :]
    along = (weights * centred).sum(-1)
    to_scale = (moments.inverse * along).sum(-1)
    to_variance = -0.5 * moments.inverse.pow(3) * along * scale[..., None]
    to_weights = (
        scale[..., None, None] * moments.inverse[..., None] * centred
        + 2 * to_variance[..., None] * moments.product
    )
    spread = (2 / layout.count) * (weights.transpose(-1, -2) @ (to_variance[..., None] * weights))
    through = (scale[..., None, None] * moments.unit).transpose(-1, -2) @ total[..., None] / layout.count
    row = -(spread @ moments.mean[..., None] + through)[..., 0]
    return NormGradients(to_scale, to_weights, spread, row)


def _rectified(
    layout: Layout, weights: Matrices, *tensors: Tensor
) -> tuple[list[Tensor], list[Tensor], Moments]:
    maps = convolved(layout, tensors)
    moments = moments_of(layout, weights, maps)
    shift = -(moments.unit @ moments.mean[..., None])[..., 0]
    made = []
    for x, summand in zip(maps, layout.summands, strict=True):
        own = summand.own
        made.append(times(x, diagonal(moments.unit[own]), shift[own].reshape(-1)).relu_())
    return made, maps, moments


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout: Layout, weights: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        made, maps, moments = _rectified(layout, weights, *tensors)
        ctx.layout, ctx.count = layout, len(tensors)
        ctx.save_for_backward(weights, *moments, *tensors, *made, *maps)
        found = statistics(layout, weights, moments)
        ctx.mark_non_differentiable(*found)
        return *made, *found

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Any, ...]:  # pyright: ignore
        layout: Layout = ctx.layout
        weights, *rest = ctx.saved_tensors
        count, summands = len(Moments._fields), layout.summands
        moments, rest = Moments(*rest[:count]), rest[count:]
        tensors, made, maps = rest[: ctx.count], rest[ctx.count : -len(summands)], rest[-len(summands) :]
        gradients = gradients[: len(made)]
        if torch.is_grad_enabled():
            return None, *differentiable_gradients(
                lambda *inputs: _rectified(layout, *inputs)[0], [weights, *tensors], gradients
            )
        passed = [
            torch.ops.aten.threshold_backward(dense(d), y, 0) for d, y in zip(gradients, made, strict=True)
        ]
        products, sums = [], []
        for d, x, summand in zip(passed, maps, summands, strict=True):
            exact = d.to(weights.dtype)
            sums.append(cells(exact).sum(0))
            products.append(blocks(outer(exact, x.to(weights.dtype)), summand.last - summand.first))
        total = torch.cat(sums).reshape(moments.mean.shape)
        back = norm_backward(
            layout, weights, moments, weights.new_ones(len(weights)), torch.cat(products), total
        )
        to_tensors = MapGradients(tensors, ctx.needs_input_grad[2:])
        for d, x, summand in zip(passed, maps, summands, strict=True):
            if to_tensors.wanted(summand):
                to_tensors.add(summand, back.to_map(summand, x, d, diagonal(moments.unit[summand.own])))
        return None, back.weights, *to_tensors.found


class MapGradients:
    """Gradients of the inputs and kernels of summands: `found` has one for each tensor that needs one."""

    def __init__(self, tensors: Sequence[Tensor], needed: Sequence[bool]) -> None:
        self.tensors, self.needed = tensors, needed
        self.found: list[Tensor | None] = [None] * len(tensors)

    def wanted(self, summand: Summand) -> bool:
        """Whether any tensor needs the gradient of its map."""
        return self.needed[summand.map] or (summand.kernel is not None and self.needed[summand.kernel])

    def add(self, summand: Summand, gradient: Tensor) -> None:
        """Pass the gradient of a map on through the depthwise convolution that made it."""
        if summand.kernel is None:
            self._keep(summand.map, gradient)
            return
        if summand.phases:
            blank(gradient, summand.phases)
        x, kernel = self.tensors[summand.map], self.tensors[summand.kernel]
        if self.needed[summand.map]:
            self._keep(summand.map, input_gradient(x, kernel, gradient, summand.stride))
        if self.needed[summand.kernel]:
            self._keep(summand.kernel, weight_gradient(x, kernel, gradient, summand.stride))

    def _keep(self, i: int, value: Tensor) -> None:
        so_far = self.found[i]
        self.found[i] = value if so_far is None else so_far.add_(value)
