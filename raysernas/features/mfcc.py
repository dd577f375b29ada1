"""MFCC: the first `coefficients` of the orthonormal DCT-II of the log-mel spectrum, as in librosa."""

from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.corpora.audio import Samples
from raysernas.features.front_end import Transform
from raysernas.features.mel import MelFrontEnd


@final
class Mfcc(MelFrontEnd):
    """`features.kind=mfcc`."""

    __slots__ = ()
    reads = (*MelFrontEnd.reads, "coefficients")

    @property
    def width(self) -> int:
        return self.config.coefficients

    def transform(self, device: torch.device) -> Transform:
        log_mel, basis = self.spectrum(device), cosines(self.config.bands, self.config.coefficients)

        def transform(wave: Samples) -> tuple[Float[Tensor, "time width"], Float[Tensor, "1 width"]]:
            spectrum, floor = log_mel(wave)
            cosines = basis.to(spectrum.device)
            return spectrum @ cosines, floor @ cosines

        return transform


def cosines(bands: int, coefficients: int) -> Float[Tensor, "band coefficient"]:
    """The first columns of the orthonormal DCT-II of bands."""
    from scipy.fft import dct

    basis = np.asarray(dct(np.eye(bands), axis=1, norm="ortho"))
    return torch.from_numpy(basis[:, :coefficients].astype(np.float32))
