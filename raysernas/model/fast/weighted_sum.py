"""The weighted sum of many operations on many sources: a node of a search cell, in one accumulator.

In: the layout of the sum and its tensors, the matrices of the 1x1 convolutions, the mixing weights. Out: the
node, and the statistics of the norms. The formulas stand in `pointwise_norm`.
"""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from raysernas.model.fast.double_backward import differentiable_gradients
from raysernas.model.fast.phases import Map, dense, merge, split
from raysernas.model.fast.pointwise_norm import (
    MapGradients,
    Matrices,
    Moments,
    NormGradients,
    Values,
    moments_of,
    norm_backward,
    statistics,
)
from raysernas.model.fast.products import Matrix, cells, outer, times
from raysernas.model.fast.sum_layout import Layout, Summand, convolved


def mixed_sum(
    layout: Layout, mixing: Matrix, weights: Matrices | None, tensors: list[Tensor]
) -> tuple[Map, Values, Values]:
    """The sum of everything, each times `mixing[source, operation]`; mean and unbiased variance of each 1x1
    convolution.
    """
    return _Sum.apply(layout, mixing, weights, *tensors)  # pyright: ignore[reportReturnType]


def _sum(
    layout: Layout, mixing: Matrix, weights: Matrices | None, *tensors: Tensor
) -> tuple[Map, list[Tensor], Moments | None]:
    """The sum, the inputs of its 1x1 convolutions, and their moments."""
    maps, moments, sums = [], None, {}
    if weights is not None:
        maps = convolved(layout, tensors)
        moments = moments_of(layout, weights, maps)
        matrices = mixing[layout.places(mixing.device)][:, None, None] * moments.unit
        bias = -(matrices @ moments.mean[..., None])[..., 0].sum(0)
        for x, summand in zip(maps, layout.summands, strict=True):
            made = times(x, _across(matrices, summand), bias)
            bias = None
            sums[summand.phases] = sums[summand.phases].add_(made) if summand.phases in sums else made
    total = sums.pop(None, None)
    for phases, value in sums.items():
        whole = merge(value, phases)
        total = dense(whole) if total is None else total.add_(whole)
    for source, operation, number in layout.maps:
        x, weight = tensors[number], mixing[source, operation]
        total = x * weight if total is None else total.addcmul_(x, weight)
    assert total is not None, "there is nothing to add"
    return total, maps, moments


def _across(matrices: Matrices, summand: Summand) -> Float[Tensor, "row columns"]:
    """The matrices of the sources of a summand, side by side."""
    return rearrange(matrices[summand.own], "source row column -> row (source column)")


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, layout: Layout, mixing: Tensor, weights: Tensor | None, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        total, maps, moments = _sum(layout, mixing, weights, *tensors)
        ctx.layout, ctx.count = layout, len(tensors)
        ctx.save_for_backward(mixing, weights, *tensors, *maps, *([] if moments is None else moments))
        if moments is None or weights is None:
            found = mixing.new_empty(0, total.shape[1]), mixing.new_empty(0, total.shape[1])
        else:
            found = statistics(layout, weights, moments)
        ctx.mark_non_differentiable(*found)
        return total, *found

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:  # pyright: ignore
        layout: Layout = ctx.layout
        mixing, weights, *rest = ctx.saved_tensors
        tensors, rest = rest[: ctx.count], rest[ctx.count :]
        maps, moments = rest[: len(layout.summands)], rest[len(layout.summands) :]
        if torch.is_grad_enabled():
            return None, *differentiable_gradients(
                lambda *inputs: _sum(layout, *inputs)[0], [mixing, weights, *tensors], (gradient,)
            )
        gradient, to_weights = dense(gradient), None
        # the steps of the weights need no gradient of the mixing weights
        to_mixing = torch.zeros_like(mixing) if ctx.needs_input_grad[1] else None
        found: list[Tensor | None] = [None] * len(tensors)
        if weights is not None:
            gradients = MapGradients(tensors, ctx.needs_input_grad[3:])
            back = _to_convolutions(layout, mixing, weights, Moments(*moments), maps, gradient, gradients)
            if to_mixing is not None:
                to_mixing.index_put_(layout.places(mixing.device), back.scale, accumulate=True)
            to_weights, found = back.weights, gradients.found
        flat = cells(gradient).reshape(-1).to(mixing.dtype)
        for source, operation, i in layout.maps:
            if to_mixing is not None:
                to_mixing[source, operation] = torch.dot(cells(tensors[i]).reshape(-1).to(mixing.dtype), flat)
            if ctx.needs_input_grad[3 + i]:
                weight, so_far = mixing[source, operation], found[i]
                found[i] = gradient * weight if so_far is None else so_far.addcmul_(gradient, weight)
        return None, to_mixing, to_weights, *found


def _to_convolutions(
    layout: Layout,
    mixing: Tensor,
    weights: Tensor,
    moments: Moments,
    maps: list[Tensor],
    gradient: Tensor,
    gradients: MapGradients,
) -> NormGradients:
    """Gradients of what the 1x1 convolutions and their norms depend on; `gradients` collects those of
    maps.
    """
    scale = mixing[layout.places(mixing.device)]
    passed = {
        phases: split(gradient, phases) if phases else gradient
        for phases in {summand.phases for summand in layout.summands}
    }
    exact = {phases: each.to(weights.dtype) for phases, each in passed.items()}
    products, apart = [], "row (source column) -> source row column"
    for x, summand in zip(maps, layout.summands, strict=True):
        product = outer(exact[summand.phases], x.to(weights.dtype))
        products.append(rearrange(product, apart, source=summand.last - summand.first))
    total = cells(gradient).sum(0, dtype=weights.dtype).expand_as(moments.mean)
    back = norm_backward(layout, weights, moments, scale, torch.cat(products), total)
    matrices = scale[:, None, None] * moments.unit
    for x, summand in zip(maps, layout.summands, strict=True):
        if gradients.wanted(summand):
            across = _across(matrices, summand)
            gradients.add(summand, back.to_map(summand, x, passed[summand.phases], across))
    return back
