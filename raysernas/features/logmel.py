"""Log-mel: the mel spectrum in decibels, `bands` numbers in a frame."""

from typing import final

import torch

from raysernas.features.front_end import Transform
from raysernas.features.mel import MelFrontEnd


@final
class LogMel(MelFrontEnd):
    """`features.kind=logmel`."""

    __slots__ = ()

    @property
    def width(self) -> int:
        return self.config.bands

    def transform(self, device: torch.device) -> Transform:
        return self.spectrum(device)
