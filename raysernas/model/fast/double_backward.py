"""Gradients of a fused step that are to be differentiated again: right at any order, but slower.

A `torch.autograd.Function` whose backward pass is written out has no second derivatives. Where they are asked
for, its backward pass takes the forward pass in differentiable operations, does it anew and leaves the rest
to autograd. In: that forward pass, what it was given, the gradients of what it made. Out: the gradients of
what it was given, with a graph of their own.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def differentiable_gradients(
    function: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    gradients: tuple[Tensor, ...],
) -> list[Tensor | None]:
    """Gradient of each input; None where none is needed or the input has no influence."""
    with torch.enable_grad():
        # one input may have been made of another: views keep the gradients that reach each of them apart
        inputs = [x if x is None else x.view_as(x) for x in inputs]
        made = function(*inputs)
    needed = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(torch.autograd.grad(made, needed, gradients, create_graph=True, allow_unused=True))
    return [next(found) if x is not None and x.requires_grad else None for x in inputs]
