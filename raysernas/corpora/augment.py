"""SpecAugment (arXiv 1904.08779): stretches of time and band set to the mean of the training data, on the device, seeded."""

import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.config import RetrainConfig


def mask(
    features: Float[Tensor, "batch time band"], config: RetrainConfig, generator: torch.Generator
) -> Float[Tensor, "batch time band"]:
    """`masks` random stretches a clip on each axis, each of 0 .. mask_frames (mask_bands) length, set to 0 = the mean."""
    for axis, longest in ((1, config.mask_frames), (2, config.mask_bands)):
        for _ in range(config.masks):
            features = features.masked_fill(_stretch(features, axis, longest, generator), 0.0)
    return features


def _stretch(features: Tensor, axis: int, longest: int, generator: torch.Generator) -> Tensor:
    """Which entries one random stretch a clip covers: [batch, time, 1] or [batch, 1, band]."""
    clips, size = features.shape[0], features.shape[axis]
    # drawn on the CPU, so that a device does not change what is drawn
    length = torch.rand(clips, 1, generator=generator) * (min(longest, size) + 1)
    start = (torch.rand(clips, 1, generator=generator) * (size - length.floor() + 1)).floor()
    at = torch.arange(size)[None]
    covered = ((at >= start) & (at < start + length.floor())).to(features.device)
    return covered[:, :, None] if axis == 1 else covered[:, None, :]
