"""Products of the cells of a map with matrices: 1x1 convolutions and their gradients, by the faster library.

Maps are [batch, channel, time, band], channels last.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from raysernas.model.fast.phases import Map, NewMap

Matrix = Float[Tensor, "row column"]
# torch (2.14, one thread) gives 1x1 convolutions of smaller batches to a slower library
ONEDNN_BATCH = range(16, 257)


def cells(x: Map) -> Float[Tensor, "cell channel"]:
    """The cells of a map as rows: a view, if the map is channels last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _for_onednn(x: Map) -> Float[Tensor, "_ channel _ 1"] | None:
    """The cells as a batch of a size that oneDNN multiplies fast, if their number can be divided so."""
    rows = x.shape[0] * x.shape[2] * x.shape[3]
    batch = next((size for size in ONEDNN_BATCH if rows % size == 0), None) if x.is_cpu else None
    if batch is None:
        return None
    return x.permute(0, 2, 3, 1).reshape(batch, rows // batch, 1, x.shape[1]).permute(0, 3, 1, 2)


def times(x: Map, matrix: Float[Tensor, "row channel"], bias: Tensor | None = None) -> NewMap:
    """`matrix @ cell + bias` for every cell, in the precision of the map."""
    matrix, bias = matrix.to(x.dtype), None if bias is None else bias.to(x.dtype)
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
    parts = rearrange(matrix, "(s row) (t column) -> s row t column", s=sources, t=sources)
    return parts.diagonal(0, 0, 2).permute(2, 0, 1)


def diagonal(matrices: Float[Tensor, "source row column"]) -> Float[Tensor, "_ _"]:
    """A matrix with these blocks on its diagonal."""
    return matrices[0] if len(matrices) == 1 else torch.block_diag(*matrices)
