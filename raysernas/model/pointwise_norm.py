"""1x1 convolution and batch norm without affine as one affine map, whose mean and variance come from the moments of its input.

With rows z (a map's cells x channels), mean m and covariance M = z'z/N - mm', the variance of Wz is diag(W M W'), so that
norm(Wz) = A z - A m with A = diag(1 / sqrt(var + eps)) W: no map is made but the result, and a weighted sum of many such terms
needs one accumulator. Backward, with d the gradient of the sum: dz = A'd + S (z - m) - mean(A'd), S = 2/N W' diag(dvar) W.
In: convolved maps, channels last; `sources` of them may lie side by side in the channels of one map. Out: sums (a node of a
search cell) or the rectified maps between the two halves of a separable convolution, with the statistics for the buffers.
"""

from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from raysernas.model.depthwise import Map, NewMap, blank, dense, input_gradient, weight_gradient
from raysernas.model.terms import Layout, Term, convolved, cut

Weights = Float[Tensor, "term channel channel"]
Values = Float[Tensor, "term channel"]
Matrix = Float[Tensor, "row column"]
ONEDNN_BATCH = range(16, 257)  # torch (2.14, one thread) gives 1x1 convolutions of smaller batches to a slower library


class Moments(NamedTuple):
    """What a norm needs to know of its input, and the affine map that it makes."""

    mean: Values
    product: Weights  # W M
    inverse: Values  # 1 / sqrt(variance + eps)
    unit: Weights  # A
    variance: Values


def rectified(layout: Layout, weights: Weights, tensors: list[Tensor]) -> tuple[list[Tensor], Values, Values]:
    """relu(norm(W map)) for each term, with mean and unbiased variance before the norm."""
    *made, mean, variance = _Rectified.apply(layout, weights, *tensors)  # pyright: ignore[reportGeneralTypeIssues]
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


def diagonal(matrices: Float[Tensor, "source row column"]) -> Float[Tensor, "_ _"]:
    """A matrix with these blocks on its diagonal."""
    return matrices[0] if len(matrices) == 1 else torch.block_diag(*matrices)


class Parts:
    """Convolved maps by (term, part of the clips): kept if there is but one part, else made again."""

    def __init__(self, layout: Layout, tensors: tuple[Tensor, ...]) -> None:
        self.layout, self.tensors, self.all = layout, tensors, layout.parts()
        self._kept: dict[int, Tensor] = {}

    def get(self, i: int, part: slice) -> NewMap:
        """The map of term i."""
        if i in self._kept:
            return self._kept[i]
        made = convolved(self.layout.terms[i], self.tensors, part)
        if len(self.all) == 1:
            self._kept[i] = made
        return made


def moments_of(layout: Layout, weights: Weights, parts: Parts) -> Moments:
    """Of the maps of all terms at once."""
    sums, squares = Total(), Total()
    for part in parts.all:
        for i, term in enumerate(layout.terms):
            x = parts.get(i, part)
            sums.add(i, cells(x).sum(0))
            squares.add(i, blocks(outer(x, x), term.last - term.first))
    mean = sums.joined().reshape(weights.shape[0], -1) / layout.count
    product = weights @ (squares.joined() / layout.count - mean[..., :, None] * mean[..., None, :])
    variance = (product * weights).sum(-1).clamp(min=0)
    inverse = torch.rsqrt(variance + layout.eps)
    return Moments(mean, product, inverse, inverse[..., None] * weights, variance)


class Total:
    """Sums over the parts, by number."""

    def __init__(self) -> None:
        self.of: dict[Any, Tensor] = {}

    def add(self, i: Any, value: Tensor) -> None:
        """Add to number i; the first value may be changed later."""
        self.of[i] = self.of[i].add_(value) if i in self.of else value

    def joined(self) -> Tensor:
        """All of them, one after another."""
        return torch.cat(list(self.of.values()))


def statistics(layout: Layout, weights: Weights, moments: Moments) -> tuple[Values, Values]:
    """Mean and unbiased variance of the pointwise convolutions, as a norm keeps them."""
    mean = (weights @ moments.mean[..., None])[..., 0]
    return mean, moments.variance * (layout.count / max(layout.count - 1, 1))


class Backward(NamedTuple):
    """Gradients of the small tensors of a norm."""

    scale: Float[Tensor, " term"]
    weights: Weights
    spread: Weights  # S
    row: Values  # the part of dz that is the same for every cell

    def to_map(self, term: Term, x: Map, gradient: NewMap, matrix: Matrix) -> Map:
        """dz, from z and d; `matrix` is A."""
        made = times(x, diagonal(self.spread[term.first : term.last]), self.row[term.first : term.last].reshape(-1))
        return made.add_(times(gradient, matrix.t()))


def norm_backward(
    layout: Layout, weights: Weights, moments: Moments, scale: Tensor, products: Weights, total: Values
) -> Backward:
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


def _rectified(layout: Layout, weights: Weights, *tensors: Tensor) -> tuple[list[Tensor], Moments]:
    parts = Parts(layout, tensors)
    moments = moments_of(layout, weights, parts)
    shift = -(moments.unit @ moments.mean[..., None])[..., 0]
    made: list[list[Tensor]] = [[] for _ in layout.terms]
    for part in parts.all:
        for i, term in enumerate(layout.terms):
            matrix, bias = diagonal(moments.unit[term.first : term.last]), shift[term.first : term.last].reshape(-1)
            made[i].append(times(parts.get(i, part), matrix, bias).relu_())
    return [maps[0] if len(maps) == 1 else torch.cat(maps) for maps in made], moments


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout: Layout, weights: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        made, moments = _rectified(layout, weights, *tensors)
        ctx.layout, ctx.given = layout, len(tensors)
        ctx.save_for_backward(weights, *tensors, *made, *moments)
        found = statistics(layout, weights, moments)
        ctx.mark_non_differentiable(*found)
        return *made, *found

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        layout: Layout = ctx.layout
        weights, *rest = ctx.saved_tensors
        tensors, made, moments = rest[: ctx.given], rest[ctx.given : -len(Moments._fields)], Moments(*rest[-len(Moments._fields) :])
        gradients = gradients[: len(made)]
        if torch.is_grad_enabled():
            return None, *again(lambda *inputs: _rectified(layout, *inputs)[0], [weights, *tensors], gradients)
        parts, products, total = Parts(layout, tensors), Total(), Total()

        def passed(i: int, part: slice) -> Tensor:
            return torch.ops.aten.threshold_backward(dense(gradients[i][part]), made[i][part], 0)

        for part in parts.all:
            for i, term in enumerate(layout.terms):
                d = passed(i, part)
                products.add(i, blocks(outer(d, parts.get(i, part)), term.last - term.first))
                total.add(i, cells(d).sum(0))
        ones = weights.new_ones(len(weights))
        back = norm_backward(layout, weights, moments, ones, products.joined(), total.joined().reshape(moments.mean.shape))
        to_tensors = Gradients(layout, tensors, ctx.needs_input_grad[2:])
        for part in parts.all:
            for i, term in enumerate(layout.terms):
                if to_tensors.wanted(term):
                    x, matrix = parts.get(i, part), diagonal(moments.unit[term.first : term.last])
                    to_tensors.add(term, part, back.to_map(term, x, passed(i, part), matrix))
            to_tensors.end(part)
        return None, back.weights, *to_tensors.found()


class Gradients:
    """Gradients of the inputs and kernels of terms, gathered part by part."""

    def __init__(self, layout: Layout, tensors: list[Tensor], needed: tuple[bool, ...]) -> None:
        self.tensors, self.needed = tensors, needed
        self.phases = {term.given: term.phases for term in layout.terms}
        self.whole: dict[int, Tensor] = {}
        self._part, self._kernels = Total(), Total()

    def wanted(self, term: Term) -> bool:
        """Whether the gradient of its map is of use."""
        return self.needed[term.given] or (term.kernel is not None and self.needed[term.kernel])

    def add(self, term: Term, part: slice, gradient: Tensor) -> None:
        """Pass the gradient of a term's map on through its depthwise convolution."""
        if term.kernel is None:
            self._part.add(term.given, gradient)
            return
        if term.phases:
            blank(gradient, term.phases)
        x, kernel = cut(self.tensors[term.given], part, term.phases), self.tensors[term.kernel]
        if self.needed[term.given]:
            self._part.add(term.given, input_gradient(x, kernel, gradient, term.stride))
        if self.needed[term.kernel]:
            self._kernels.add(term.kernel, weight_gradient(x, kernel, gradient, term.stride))

    def end(self, part: slice) -> None:
        """Keep what was gathered in a part."""
        for i, value in self._part.of.items():
            if len(value) == len(self.tensors[i]):
                self.whole[i] = value
                continue
            if i not in self.whole:
                self.whole[i] = torch.empty_like(self.tensors[i])
            cut(self.whole[i], part, self.phases[i]).copy_(value)
        self._part = Total()

    def found(self) -> list[Tensor | None]:
        """For each tensor, if there is one."""
        return [self.whole.get(i, self._kernels.of.get(i)) for i in range(len(self.tensors))]
