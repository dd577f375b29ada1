"""The ordered network: conv -> pool -> conv -> pool ..., the usual order, with which a free one is compared.

It has an `OrderedPair` for each cell of the free network, as wide as that cell's output: the map is fitted to
the width, then a convolution slot, then a pooling slot, which halves the map where the cell would. In a
search a slot mixes its candidates, with genes it has one operation. The operations are those of the free
cells without `none` and the skip connection, which would break the order. [batch, channel, time, band] in and
out.
"""

from torch import Tensor, nn

from raysernas.model.fast.phases import Map, NewMap, Stride
from raysernas.model.mixed import MixedEdge
from raysernas.model.operations.layers import pointwise
from raysernas.model.operations.members import build
from raysernas.record.genotype import CONVOLUTIONS, POOLS, Gene

Slot = tuple[Gene, ...]  # of one gene


class OrderedPair(nn.Module):
    """A convolution slot and a pooling slot; `genes` are theirs, None in a search."""

    def __init__(self, before: int, channels: int, halves: Stride, genes: tuple[Slot, Slot] | None) -> None:
        super().__init__()
        self.searched = genes is None
        self.fit = pointwise(before, channels, affine=not self.searched)
        if genes is None:
            self.conv: nn.Module = MixedEdge(channels, (1, 1), CONVOLUTIONS)
            self.pool: nn.Module = MixedEdge(channels, halves, POOLS)
        else:
            self.conv, self.pool = (
                build(slot[0].operation, channels, stride, affine=True)
                for slot, stride in zip(genes, ((1, 1), halves), strict=True)
            )

    def forward(self, x: Map, conv: Tensor | None = None, pool: Tensor | None = None) -> NewMap:
        """Through both slots; `conv` and `pool` are their mixing weights [operation] in a search."""
        x = self.fit(x)
        if not self.searched:
            return self.pool(self.conv(x))
        for slot, mixing in ((self.conv, conv), (self.pool, pool)):
            assert isinstance(slot, MixedEdge)
            assert mixing is not None
            x = slot(x, mixing)
        return x
