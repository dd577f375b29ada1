"""Everything that a pass through a cell makes, to be compared with that of another cell."""

from typing import Any

import torch
from torch import nn


def everything(cell: nn.Module, maps: list[torch.Tensor], last: Any) -> list[torch.Tensor | None]:
    """What a cell makes, every gradient, and its buffers after one step in training or evaluation.

    Args:
        last: the mixing weights, or the rate of drop-path.
    """
    maps = [x.clone().requires_grad_() for x in maps]
    if isinstance(last, torch.Tensor):
        last = last.clone().requires_grad_()
    made = cell(*maps, last)
    torch.manual_seed(1)
    made.backward(torch.randn(made.shape, dtype=made.dtype))
    to_last = [last.grad] if isinstance(last, torch.Tensor) else []
    weights = [parameter.grad for parameter in cell.parameters()]
    return [made.detach(), *[x.grad for x in maps], *to_last, *weights, *[x.clone() for x in cell.buffers()]]


def assert_same(
    found: list[torch.Tensor | None], expected: list[torch.Tensor | None], tolerance: float
) -> None:
    for one, other in zip(found, expected, strict=True):
        # weights that reach no output have no gradient or zeros
        if one is None or other is None:
            assert one is other or not (other if one is None else one).any()  # pyright: ignore
        else:
            scale = max(1.0, other.abs().max().item())
            torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)
