"""The weighted sum of many operations on many sources: a node of a search cell, in one accumulator.

In: what the operations end with (maps before a 1x1 convolution and norm, or maps that are only weighted), the weights of the 1x1
convolutions, the mixing weights. Out: the node, and the statistics of the norms. The formulas stand in `pointwise_norm`.
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from raysernas.model.depthwise import Map, Phases, dense, merge, split
from raysernas.model.pointwise_norm import (
    Backward,
    Gradients,
    Matrix,
    Moments,
    Parts,
    Total,
    Values,
    Weights,
    again,
    cells,
    moments_of,
    norm_backward,
    outer,
    statistics,
    times,
)
from raysernas.model.terms import Layout


def mixed_sum(layout: Layout, mixing: Matrix, weights: Weights | None, tensors: list[Tensor]) -> tuple[Map, Values, Values]:
    """Sum of `mixing[source, operation]` times each term, with mean and unbiased variance of each 1x1 convolution."""
    return _Sum.apply(layout, mixing, weights, *tensors)  # pyright: ignore[reportReturnType]


def _sum(layout: Layout, mixing: Matrix, weights: Weights | None, *tensors: Tensor) -> tuple[Map, Moments | None]:
    """The sum, and the moments of its convolutions."""
    parts, moments, matrices, bias = Parts(layout, tensors), None, None, None
    if weights is not None:
        moments = moments_of(layout, weights, parts)
        matrices = mixing[layout.places()][:, None, None] * moments.unit
        bias = -(matrices @ moments.mean[..., None])[..., 0].sum(0)
    sums = [_part(layout, parts, part, mixing, matrices, bias) for part in parts.all]
    return sums[0] if len(sums) == 1 else torch.cat(sums), moments


def _part(
    layout: Layout, parts: Parts, part: slice, mixing: Matrix, matrices: Weights | None, bias: Tensor | None
) -> Map:
    """The sum for some clips."""
    sums = Total()
    for i, term in enumerate(layout.terms):
        assert matrices is not None
        matrix = rearrange(matrices[term.first : term.last], "source row column -> row (source column)")
        sums.add(term.phases, times(parts.get(i, part), matrix, bias))
        bias = None
    total = sums.of.pop(None, None)
    for phases, value in sums.of.items():
        whole = merge(value, phases)
        total = dense(whole) if total is None else total.add_(whole)
    for source, operation, number in layout.others:
        x, weight = parts.tensors[number][part], mixing[source, operation]
        total = x * weight if total is None else total.addcmul_(x, weight)
    assert total is not None, "an edge mixes nothing"
    return total


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout: Layout, mixing: Tensor, weights: Tensor | None, *tensors: Tensor) -> tuple[Tensor, ...]:
        total, moments = _sum(layout, mixing, weights, *tensors)
        ctx.layout, ctx.given = layout, len(tensors)
        ctx.save_for_backward(mixing, weights, *tensors, *([] if moments is None else moments))
        if moments is None or weights is None:
            found = total.new_empty(0, 0), total.new_empty(0, 0)
        else:
            found = statistics(layout, weights, moments)
        ctx.mark_non_differentiable(*found)
        return total, *found

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        layout: Layout = ctx.layout
        mixing, weights, *rest = ctx.saved_tensors
        tensors, moments = rest[: ctx.given], rest[ctx.given :]
        if torch.is_grad_enabled():
            return None, *again(lambda *inputs: _sum(layout, *inputs)[0], [mixing, weights, *tensors], (gradient,))
        gradient, to_mixing, to_weights = dense(gradient), torch.zeros_like(mixing), None
        found: list[Tensor | None] = [None] * len(tensors)
        if weights is not None:
            gradients = Gradients(layout, tensors, ctx.needs_input_grad[3:])
            back = _to_terms(layout, mixing, weights, Moments(*moments), gradient, gradients)
            places = [torch.tensor(i, device=mixing.device) for i in layout.places()]
            to_mixing.index_put_(places, back.scale, accumulate=True)
            to_weights, found = back.weights, gradients.found()
        flat = cells(gradient).reshape(-1)
        for source, operation, i in layout.others:
            to_mixing[source, operation] = torch.dot(cells(tensors[i]).reshape(-1), flat)
            if ctx.needs_input_grad[3 + i]:
                weight, so_far = mixing[source, operation], found[i]
                found[i] = gradient * weight if so_far is None else so_far.addcmul_(gradient, weight)
        return None, to_mixing, to_weights, *found


def _to_terms(
    layout: Layout, mixing: Tensor, weights: Tensor, moments: Moments, gradient: Tensor, gradients: Gradients
) -> Backward:
    """Gradients of everything that the 1x1 convolutions and norms depend on."""
    parts, products, scale = Parts(layout, tuple(gradients.tensors)), Total(), mixing[layout.places()]

    def passed(part: slice) -> dict[Phases | None, Tensor]:
        clips = gradient[part]
        return {phases: clips if phases is None else split(clips, phases) for phases in {term.phases for term in layout.terms}}

    for part in parts.all:
        to = passed(part)
        for i, term in enumerate(layout.terms):
            product = outer(to[term.phases], parts.get(i, part))
            products.add(i, rearrange(product, "row (source column) -> source row column", source=term.last - term.first))
    total = cells(gradient).sum(0).expand_as(moments.mean)
    back = norm_backward(layout, weights, moments, scale, products.joined(), total)
    matrices = scale[:, None, None] * moments.unit
    for part in parts.all:
        to = passed(part)
        for i, term in enumerate(layout.terms):
            if gradients.wanted(term):
                matrix = rearrange(matrices[term.first : term.last], "source row column -> row (source column)")
                gradients.add(term, part, back.to_map(term, parts.get(i, part), to[term.phases], matrix))
        gradients.end(part)
    return back
