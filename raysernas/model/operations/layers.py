"""Layers of several operations: they compute what PyTorch's own layers do, faster on a CPU."""

from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.fast.depthwise import convolve
from raysernas.model.fast.phases import Map, NewMap, Stride, merge, phases_of, split
from raysernas.model.fast.products import times


class Depthwise(nn.Conv2d):
    """`Conv2d` with one filter a channel, padded to keep the size of the map or to halve it."""

    def __init__(self, channels: int, kernel: int, stride: Stride, dilation: int) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)

    def forward(self, input: Map) -> NewMap:
        time, band = self.stride
        if self.dilation == (1, 1):
            return convolve(input, self.weight, (time, band))
        phases = phases_of((input.shape[2], input.shape[3]), (time, band))
        return merge(convolve(split(input[:, :, ::time, ::band], phases), self.weight, (1, 1)), phases)


class Pointwise(nn.Conv2d):
    """1x1 `Conv2d` without bias."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 1, bias=False)

    def matrix(self) -> Float[Tensor, "channel_made channel"]:
        """What each cell is multiplied by."""
        return self.weight[:, :, 0, 0]

    def forward(self, input: Map) -> NewMap:
        return times(input, self.matrix())


def pointwise(channels_in: int, channels: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1x1 convolution, norm: fits a state to the width of a cell."""
    norm = nn.BatchNorm2d(channels, affine=affine)
    return nn.Sequential(OrderedDict(relu=nn.ReLU(), pointwise=Pointwise(channels_in, channels), norm=norm))
