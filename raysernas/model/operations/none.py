"""`none`: no connection. In a supernet it only takes its share of the mixing weights."""

import torch
from torch import nn

from raysernas.model.fast.node_sum import FastForm
from raysernas.model.fast.phases import Map, NewMap, Stride
from raysernas.model.operations.operation import Operation


class Zero(nn.Module):
    """Zeros of the size that every operation makes."""

    def __init__(self, stride: Stride) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Map) -> NewMap:
        return torch.zeros_like(x[:, :, :: self.stride[0], :: self.stride[1]])


NONE = Operation(lambda _channels, stride, _affine: Zero(stride), FastForm())
