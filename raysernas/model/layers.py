"""Frames that consist of layers -> channels over time: which layer is read, and kernels without bands.

The layers of a pretrained encoder hold very different things, so the one to read is part of the architecture:
a supernet mixes all by alphas, a genotype names one. A hand-designed network reads a named one or trains a
mixture. Every layer has a projection and a norm of its own, and each frame is normed for itself: neither the
batch nor padding reaches it.
"""

from collections.abc import Mapping

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.config.fault import Fault
from raysernas.config.front_ends import MIX
from raysernas.model.fast.phases import NewMap

# A weight of the trained mixture moves by about the learning rate in a step. Multiplied by this, its softmax
# leaves uniform within a few epochs; without, it stays there (0.21 to 0.34 for four layers on EmoDB).
SHARPNESS = 30.0


class Layers(nn.Module):
    """Each layer of a frame, projected and normed; then one of them, or a weighted sum.

    Args:
        widths: name -> numbers of each layer of a frame.
        channels: that a layer is projected to.
        chosen: the layer to read, `mix` for a trained mixture; None: mixing weights are given.
    """

    def __init__(self, widths: Mapping[str, int], channels: int, chosen: str | None) -> None:
        super().__init__()
        if chosen not in (None, MIX, *widths):
            raise Fault(
                "network",
                "the front end has no such layer",
                got=chosen,
                expected=f"{MIX}, {', '.join(widths)}",
                fix="set network.layer",
            )
        self.widths, self.channels = dict(widths), channels
        self.read = [i for i, name in enumerate(widths) if chosen in (None, MIX, name)]
        sizes = [list(widths.values())[i] for i in self.read]
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(size, channels), nn.LayerNorm(channels)) for size in sizes
        )
        self.shares = nn.Parameter(torch.zeros(len(sizes))) if chosen == MIX and len(sizes) > 1 else None

    def forward(
        self, frames: Float[Tensor, "batch time width"], mixing: Float[Tensor, "1 layer"] | None
    ) -> NewMap:
        every = frames.split(list(self.widths.values()), dim=2)
        made = [project(every[i]) for i, project in zip(self.read, self.projections, strict=True)]
        if len(made) == 1:
            x = made[0]
        else:
            x = einsum(self._weights(mixing), torch.stack(made), "layer, layer ... -> ...")
        return rearrange(x, "batch time channel -> batch channel time 1")

    def _weights(self, mixing: Float[Tensor, "1 layer"] | None) -> Float[Tensor, " layer"]:
        if self.shares is not None:
            return (SHARPNESS * self.shares).softmax(dim=0)
        assert mixing is not None, "a supernet needs mixing weights"
        return mixing[0]


def without_bands(network: nn.Module) -> None:
    """Give every convolution of a network a kernel over time alone, with fresh weights.

    On maps of one band [batch, channel, time, 1], all columns of a square kernel but the middle one meet
    padding only.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size[1] > 1:
            layer.kernel_size, layer.padding = (layer.kernel_size[0], 1), (int(layer.padding[0]), 0)
            layer.weight = nn.Parameter(layer.weight.detach()[..., :1].clone())
            layer.reset_parameters()
