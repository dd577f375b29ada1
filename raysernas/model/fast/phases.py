"""Maps, their memory format, and their phases: the cells that a stride or a dilation of 2 takes together.

Maps are [batch, channel, time, band], channels last.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Map = Float[Tensor, "batch channel time band"]
# what a function makes, where its sizes may differ
NewMap = Float[Tensor, "batch_made channel_made time_made band_made"]
Stride = tuple[int, int]  # along time, along band


class Phases(NamedTuple):
    """How many phases each axis is split into (1 = not split), and the (time, band) of the merged map."""

    time: int
    band: int
    size: tuple[int, int]

    @property
    def several(self) -> bool:
        """Whether there is anything to merge."""
        return self.time * self.band > 1


def dense(x: Map) -> Map:
    """Channels last, without gaps."""
    return x.contiguous(memory_format=torch.channels_last)


def phases_of(size: tuple[int, int], stride: Stride) -> Phases:
    """The phases in which a convolution of dilation 2 is dense: two at stride 1, the even one at stride 2.

    A single band is one phase.
    """
    bands = 1 if size[1] == 1 else 3 - stride[1]
    return Phases(3 - stride[0], bands, (-(-size[0] // stride[0]), -(-size[1] // stride[1])))


def split(x: Map, phases: Phases) -> NewMap:
    """The phases of each clip, one after the other along the batch.

    An odd axis gets a zero at its end, which a convolution would pad anyway.
    """
    if not phases.several:
        return dense(x)
    x = functional.pad(x, (0, x.shape[3] % phases.band, 0, x.shape[2] % phases.time))
    pattern = "batch channel (time p) (band q) -> (batch p q) time band channel"
    phased = rearrange(x, pattern, p=phases.time, q=phases.band)
    return rearrange(phased, "batch time band channel -> batch channel time band")


def merge(x: Map, phases: Phases) -> NewMap:
    """Undo `split` on a convolved map."""
    if not phases.several:
        return x
    pattern = "(batch p q) channel time band -> batch (time p) (band q) channel"
    merged = rearrange(x, pattern, p=phases.time, q=phases.band)
    whole = rearrange(merged, "batch time band channel -> batch channel time band")
    return whole[:, :, : phases.size[0], : phases.size[1]]


def blank(x: Map, phases: Phases) -> Map:
    """Zero the cells that `merge` will cut off, in place."""
    parts = x.unflatten(0, (-1, phases.time, phases.band))
    if phases.size[0] % phases.time:
        parts[:, -1, :, :, -1].zero_()
    if phases.size[1] % phases.band:
        parts[:, :, -1, :, :, -1].zero_()
    return x


def even_and_odd(x: Map, stride: Stride) -> list[Tensor]:
    """The even and the odd cells along the axes of stride 2, two maps of one size.

    An odd axis is padded with a zero.
    """
    time, band = stride
    # Each phase is copied and convolved at stride 1: oneDNN (torch 2.14, CPU) corrupts memory in the backward
    # pass of a channels-last 1x1 convolution of stride 2 with 4 channels.
    padded = functional.pad(x, (0, -x.shape[3] % band, 0, -x.shape[2] % time))
    return [dense(x[:, :, ::time, ::band]), dense(padded[:, :, time - 1 :: time, band - 1 :: band])]
