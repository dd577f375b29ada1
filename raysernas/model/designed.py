"""What needs no search: hand-designed convolution blocks."""

from typing import Any

from torch import nn

from raysernas.config.schema import NetworkConfig
from raysernas.model.fast.phases import Map, NewMap

WIDTHS = (1, 2, 3, 4)  # channels of each block, in units of network.designed_channels
TIME_HALVED = 2  # so many blocks halve time as well as band


class Blocks(nn.Module):
    """Four 3x3 convolutions, each with norm, ReLU and max-pooling.

    [batch, 1, time, band] -> [batch, channel, time/4, band/16].
    """

    def __init__(self, config: NetworkConfig, channels_in: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels_in
        for i, width in enumerate(WIDTHS):
            channels = width * config.designed_channels
            convolution = nn.Conv2d(before, channels, 3, padding=1, bias=False)
            pool = nn.MaxPool2d((2 if i < TIME_HALVED else 1, 2), ceil_mode=True)
            layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), pool]
            before = channels
        self.blocks = nn.Sequential(*layers, nn.Dropout(config.dropout))
        self.channels, self.halvings = before, TIME_HALVED

    def forward(self, x: Map, _mixing: Any) -> NewMap:
        return self.blocks(x)
