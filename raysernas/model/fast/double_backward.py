"""Second derivatives of a fused step.

The backward pass of a `torch.autograd.Function`, once written out, cannot be differentiated. Where it has to
be, it calls `differentiable_gradients`, which repeats the forward pass in differentiable operations and
leaves the rest to autograd: exact at any order, but slower.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def differentiable_gradients(
    function: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    gradients: tuple[Tensor, ...],
) -> list[Tensor | None]:
    """Gradient of each input, with a graph of its own; None where none is needed or the input has no
    influence.

    Args:
        function: the forward pass.
        gradients: of what it returns.
    """
    with torch.enable_grad():
        # an input may depend on another: as views, each gets only the gradient that reaches it directly
        inputs = [x if x is None else x.view_as(x) for x in inputs]
        made = function(*inputs)
    needed = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(torch.autograd.grad(made, needed, gradients, create_graph=True, allow_unused=True))
    return [next(found) if x is not None and x.requires_grad else None for x in inputs]
