"""The weighted sum of many operations on many sources: a node of a search cell, in one accumulator.

In: what the operations end with (maps before a 1x1 convolution and norm, or maps that are only weighted), the weights of the 1x1
convolutions, the mixing weights. Out: the node, and the statistics of the norms. The formulas stand in `pointwise_norm`.
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from raysernas.model.depthwise import Map, dense, merge, split
from raysernas.model.pointwise_norm import (
    Backward,
    Layout,
    Matrix,
    Moments,
    Values,
    Weights,
    again,
    cells,
    diagonal,
    moments_of,
    norm_backward,
    outer,
    statistics,
    times,
)


def mixed_sum(layout: Layout, mixing: Matrix, weights: Weights | None, maps: list[Tensor]) -> tuple[Map, Values, Values]:
    """Sum of `mixing[source, column]` times each term, with mean and unbiased variance of each pointwise convolution."""
    return _Sum.apply(layout, mixing, weights, *maps)  # pyright: ignore[reportReturnType]


def _sum(layout: Layout, mixing: Matrix, weights: Weights | None, *maps: Tensor) -> tuple[Map, Moments | None]:
    """The sum, and the moments of its convolutions."""
    convolved = len(layout.phases)
    moments, sums = None, {}
    if weights is not None:
        moments = moments_of(layout, weights, maps[:convolved])
        matrices = mixing[layout.places()][:, None, None] * moments.unit
        bias = -(matrices @ moments.mean[..., None])[..., 0].sum(0)
        for x, phases, (first, last) in zip(maps, layout.phases, layout.spans, strict=False):
            made = times(x, rearrange(matrices[first:last], "source row column -> row (source column)"), bias)
            bias = None
            sums[phases] = sums[phases].add_(made) if phases in sums else made
    total = sums.pop(None, None)
    for phases, part in sums.items():
        whole = merge(part, phases)
        total = dense(whole) if total is None else total.add_(whole)
    for x, (source, column) in zip(maps[convolved:], layout.others, strict=True):
        total = x * mixing[source, column] if total is None else total.addcmul_(x, mixing[source, column])
    assert total is not None, "an edge mixes nothing"
    return total, moments


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout: Layout, mixing: Tensor, weights: Tensor | None, *maps: Tensor) -> tuple[Tensor, ...]:
        total, moments = _sum(layout, mixing, weights, *maps)
        ctx.layout, ctx.maps = layout, len(maps)
        ctx.save_for_backward(mixing, weights, *maps, *([] if moments is None else moments))
        if moments is None or weights is None:
            found = total.new_empty(0, total.shape[1]), total.new_empty(0, total.shape[1])
        else:
            found = statistics(layout, weights, moments)
        ctx.mark_non_differentiable(*found)
        return total, *found

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        layout: Layout = ctx.layout
        mixing, weights, *rest = ctx.saved_tensors
        maps, moments = rest[: ctx.maps], rest[ctx.maps :]
        if torch.is_grad_enabled():
            found = again(lambda *inputs: _sum(layout, *inputs)[0], [mixing, weights, *maps], (gradient,))
            return None, *found
        gradient, to_mixing, to_weights = dense(gradient), torch.zeros_like(mixing), None
        convolved = len(layout.phases)
        to_maps: list[Tensor | None] = []
        if weights is not None:
            back, to_maps = _sum_backward(
                layout, mixing, weights, Moments(*moments), maps[:convolved], gradient, ctx.needs_input_grad[3:]
            )
            to_mixing.index_put_([torch.tensor(i, device=mixing.device) for i in layout.places()], back.scale, accumulate=True)
            to_weights = back.weights
        flat = cells(gradient).reshape(-1)
        for i, (source, column) in enumerate(layout.others, convolved):
            to_mixing[source, column] = torch.dot(cells(maps[i]).reshape(-1), flat)
            to_maps.append(gradient * mixing[source, column] if ctx.needs_input_grad[3 + i] else None)
        return None, to_mixing, to_weights, *to_maps


def _sum_backward(
    layout: Layout, mixing: Tensor, weights: Tensor, moments: Moments, maps: list[Tensor], gradient: Tensor, needed: Any
) -> tuple[Backward, list[Tensor | None]]:
    scale = mixing[layout.places()]
    gradients = {phases: gradient if phases is None else split(gradient, phases) for phases in set(layout.phases)}
    products = torch.cat(
        [
            rearrange(outer(gradients[phases], x), "row (source column) -> source row column", column=weights.shape[2])
            for x, phases in zip(maps, layout.phases, strict=True)
        ]
    )
    back = norm_backward(layout, weights, moments, scale, products, cells(gradient).sum(0).expand_as(moments.mean))
    matrices = scale[:, None, None] * moments.unit
    to_maps: list[Tensor | None] = []
    for x, phases, (first, last), wanted in zip(maps, layout.phases, layout.spans, needed, strict=False):
        if not wanted:
            to_maps.append(None)
            continue
        matrix = rearrange(matrices[first:last], "source row column -> (source column) row")
        made = times(x, diagonal(back.spread[first:last]), back.row[first:last].reshape(-1))
        to_maps.append(made.add_(times(gradients[phases], matrix)))
    return back, to_maps
