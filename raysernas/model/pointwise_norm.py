"""1x1 convolution and batch norm without affine as one affine map, whose mean and variance come from the moments of its input.

With rows z (a map's cells x channels), mean m and covariance M = z'z/N - mm', the variance of Wz is diag(W M W'), so that
norm(Wz) = A z - A m with A = diag(1 / sqrt(var + eps)) W: no map is made but the result, and a weighted sum of many such terms
needs one accumulator. Backward, with d the gradient of the sum: dz = A'd + S (z - m) - mean(A'd), S = 2/N W' diag(dvar) W.
In: convolved maps, channels last; `sources` of them may lie side by side in the channels of one map. Out: sums (a node of a
search cell) or the rectified maps between the two halves of a separable convolution, with the statistics for the buffers.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from raysernas.model.depthwise import Map, NewMap, Phases, dense

Weights = Float[Tensor, "operation source channel channel"]
Values = Float[Tensor, "operation source channel"]
Matrix = Float[Tensor, "row column"]
ONEDNN_BATCH = range(16, 257)  # torch (2.14, one thread) gives 1x1 convolutions of smaller batches to a slower library


@dataclass(frozen=True, slots=True)
class Layout:
    """Which terms a sum has. `maps` of convolutions come operation by operation, and bundle by bundle in each."""

    columns: tuple[int, ...]  # of the mixing weights: the operations that end with a 1x1 convolution and a norm
    bundles: tuple[tuple[int, int], ...]  # [first, last) of the sources that lie side by side in one map
    phases: tuple[Phases | None, ...]  # of each map of a convolution
    others: tuple[tuple[int, int], ...]  # (source, column) of each map that is only weighted
    count: int  # true cells of a map
    eps: float

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """(operation, first source, last source) of each map of a convolution."""
        return [(i, first, last) for i in range(len(self.columns)) for first, last in self.bundles]


class Moments(NamedTuple):
    """What a norm needs to know of its input, and the affine map that it makes."""

    mean: Values
    product: Weights  # W M
    inverse: Values  # 1 / sqrt(variance + eps)
    unit: Weights  # A
    variance: Values


def rectified(layout: Layout, weights: Weights, maps: list[Tensor]) -> tuple[list[Tensor], Values, Values]:
    """relu(norm(W map)) for each map, with mean and unbiased variance before the norm."""
    *made, mean, variance = _Rectified.apply(layout, weights, *maps)  # pyright: ignore[reportGeneralTypeIssues]
    return made, mean, variance


def cells(x: Map) -> Float[Tensor, "cell channel"]:
    """The cells of a map as rows; a view of a channels-last map."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _for_onednn(x: Map) -> Float[Tensor, "_ channel _ 1"] | None:
    """The same cells as a batch that oneDNN multiplies fast, if their number allows one."""
    rows = x.shape[0] * x.shape[2] * x.shape[3]
    batch = next((size for size in ONEDNN_BATCH if rows % size == 0), None) if x.is_cpu else None
    if batch is None:
        return None
    return x.permute(0, 2, 3, 1).reshape(batch, rows // batch, 1, x.shape[1]).permute(0, 3, 1, 2)


def times(x: Map, matrix: Float[Tensor, "row channel"], bias: Tensor | None = None) -> NewMap:
    """`matrix @ cell + bias` for every cell."""
    view, (batch, _, time, band) = _for_onednn(x), x.shape
    if view is None:
        made = functional.linear(cells(x), matrix, bias)
    else:
        made = functional.conv2d(view, matrix[:, :, None, None], bias).permute(0, 2, 3, 1)
    return made.reshape(batch, time, band, matrix.shape[0]).permute(0, 3, 1, 2)


def outer(x: Map, y: NewMap) -> Float[Tensor, "channel channel_made"]:
    """Sum over the cells of `x y'`."""
    one, other = _for_onednn(x), _for_onednn(y)
    if one is None or other is None:
        return cells(x).t() @ cells(y)
    weight = one.new_empty(x.shape[1], y.shape[1], 1, 1)
    return torch.ops.aten.convolution_backward(
        one, other, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False]
    )[1][:, :, 0, 0]


def blocks(matrix: Matrix, sources: int) -> Float[Tensor, "_ _ _"]:
    """The blocks on the diagonal."""
    if sources == 1:
        return matrix[None]
    return rearrange(matrix, "(s row) (t column) -> s row t column", s=sources, t=sources).diagonal(0, 0, 2).permute(2, 0, 1)


def moments_of(layout: Layout, weights: Weights, maps: tuple[Tensor, ...]) -> Moments:
    """Of the maps of all operations and sources at once."""
    sizes = [last - first for first, last in layout.bundles] * len(weights)
    channels = weights.shape[3]
    mean = torch.cat([cells(x).sum(0) for x in maps]).reshape(*weights.shape[:2], channels) / layout.count
    squares = torch.cat([blocks(outer(x, x), size) for x, size in zip(maps, sizes, strict=True)]).reshape(weights.shape)
    product = weights @ (squares / layout.count - mean[..., :, None] * mean[..., None, :])
    variance = (product * weights).sum(-1).clamp(min=0)
    inverse = torch.rsqrt(variance + layout.eps)
    return Moments(mean, product, inverse, inverse[..., None] * weights, variance)


def statistics(layout: Layout, weights: Weights, moments: Moments) -> tuple[Values, Values]:
    """Mean and unbiased variance of the pointwise convolutions, as a norm keeps them."""
    mean = (weights @ moments.mean[..., None])[..., 0]
    return mean, moments.variance * (layout.count / max(layout.count - 1, 1))


class Backward(NamedTuple):
    """Gradients of the small tensors of a norm."""

    scale: Float[Tensor, "operation source"]
    weights: Weights
    spread: Weights  # S
    row: Values  # the part of dz that is the same for every cell


def norm_backward(layout: Layout, weights: Weights, moments: Moments, scale: Tensor, products: Weights, total: Values) -> Backward:
    """From `products` = sum of d z' and `total` = sum of d."""
    centred = products - total[..., :, None] * moments.mean[..., None, :]
    along = (weights * centred).sum(-1)
    to_scale = (moments.inverse * along).sum(-1)
    to_variance = -0.5 * moments.inverse.pow(3) * along * scale[..., None]
    to_weights = scale[..., None, None] * moments.inverse[..., None] * centred + 2 * to_variance[..., None] * moments.product
    spread = (2 / layout.count) * (weights.transpose(-1, -2) @ (to_variance[..., None] * weights))
    through = (scale[..., None, None] * moments.unit).transpose(-1, -2) @ total[..., None] / layout.count
    row = -(spread @ moments.mean[..., None] + through)[..., 0]
    return Backward(to_scale, to_weights, spread, row)


def again(function: Any, inputs: list[Tensor | None], gradients: tuple[Tensor, ...]) -> list[Tensor | None]:
    """Gradients with a graph of their own, for second derivatives: the forward pass once more, by operations that autograd knows."""
    with torch.enable_grad():
        made = function(*inputs)
    needed = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(torch.autograd.grad(made, needed, gradients, create_graph=True, allow_unused=True))
    return [next(found) if x is not None and x.requires_grad else None for x in inputs]


def _rectified(layout: Layout, weights: Weights, *maps: Tensor) -> tuple[list[Tensor], Moments]:
    moments = moments_of(layout, weights, maps)
    shift = -(moments.unit @ moments.mean[..., None])[..., 0]
    made = []
    for x, (i, first, last) in zip(maps, layout.places, strict=True):
        matrix = torch.block_diag(*moments.unit[i, first:last])
        made.append(times(x, matrix, shift[i, first:last].reshape(-1)).relu_())
    return made, moments


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout: Layout, weights: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        made, moments = _rectified(layout, weights, *maps)
        ctx.layout, ctx.maps = layout, len(maps)
        ctx.save_for_backward(weights, *maps, *made, *moments)
        found = statistics(layout, weights, moments)
        ctx.mark_non_differentiable(*found)
        return *made, *found

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        layout: Layout = ctx.layout
        weights, *rest = ctx.saved_tensors
        maps, made, moments = rest[: ctx.maps], rest[ctx.maps : 2 * ctx.maps], Moments(*rest[2 * ctx.maps :])
        gradients = gradients[: ctx.maps]
        if torch.is_grad_enabled():
            return None, *again(lambda *inputs: _rectified(layout, *inputs)[0], [weights, *maps], gradients)
        passed = [torch.ops.aten.threshold_backward(dense(gradient), y, 0) for gradient, y in zip(gradients, made, strict=True)]
        sizes = [last - first for _, first, last in layout.places]
        products = torch.cat([blocks(outer(d, x), size) for d, x, size in zip(passed, maps, sizes, strict=True)])
        total = torch.cat([cells(d).sum(0) for d in passed]).reshape(moments.mean.shape)
        ones = torch.ones_like(total[..., 0])
        back = norm_backward(layout, weights, moments, ones, products.reshape(weights.shape), total)
        to_maps: list[Tensor | None] = []
        for d, x, (i, first, last), wanted in zip(passed, maps, layout.places, ctx.needs_input_grad[2:], strict=True):
            if not wanted:
                to_maps.append(None)
                continue
            made_by = times(x, torch.block_diag(*back.spread[i, first:last]), back.row[i, first:last].reshape(-1))
            to_maps.append(made_by.add_(times(d, torch.block_diag(*moments.unit[i, first:last]).t())))
        return None, back.weights, *to_maps
