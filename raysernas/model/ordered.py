"""The ordered network: conv -> pool -> conv -> pool ..., the practice that a free order of operations is compared with.

One `Pair` stands for each cell of the free network, as wide as that cell's output: the map is fitted to the width, then a
convolution slot, then a pooling slot, which halves the map where the cell would. Searched, a slot mixes its candidates; with
genes it has one operation. The operations are those of the free cells, without `none` and the skip connection, which would
change the order. [batch, channel, time, band] in and out.
"""

from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.cells import Map, NewMap, build, pointwise, sum_of
from raysernas.record.genotype import CONVOLUTIONS, POOLS, Gene, Operation

Slot = tuple[Gene, ...]  # of one gene


class MixedSlot(nn.Module):
    """All candidates of a slot at once, weighted: `sum(mixing[k] * operation[k](x))`."""

    def __init__(self, operations: tuple[Operation, ...], channels: int, strides: tuple[int, int]) -> None:
        super().__init__()
        self.operations = nn.ModuleList(build(operation, channels, strides, affine=False) for operation in operations)

    def forward(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        return sum_of([weight * operation(x) for weight, operation in zip(mixing, self.operations, strict=True)])


class Pair(nn.Module):
    """One convolution slot and one pooling slot; `genes` are those of the two slots, None while they are searched."""

    def __init__(self, before: int, channels: int, strides: tuple[int, int], genes: tuple[Slot, Slot] | None) -> None:
        super().__init__()
        self.searched = genes is None
        self.fit = pointwise(before, channels, affine=not self.searched)
        if genes is None:
            self.conv: nn.Module = MixedSlot(CONVOLUTIONS, channels, (1, 1))
            self.pool: nn.Module = MixedSlot(POOLS, channels, strides)
        else:
            self.conv, self.pool = (
                build(slot[0].operation, channels, each, affine=True) for slot, each in zip(genes, ((1, 1), strides), strict=True)
            )

    def forward(self, x: Map, conv: Tensor | None = None, pool: Tensor | None = None) -> NewMap:
        """Through both slots; `conv` and `pool` are their mixing weights [operation] while they are searched."""
        x = self.fit(x)
        return self.pool(self.conv(x, conv), pool) if self.searched else self.pool(self.conv(x))
