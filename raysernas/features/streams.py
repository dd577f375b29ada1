"""Several views of the same sound as layers of a frame: `features.kind=streams`.

Bands, cepstra, the deltas of both, and contours stand side by side. Like the layers of a pretrained encoder,
they are something to choose from, but nothing has to be downloaded.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from raysernas.config.front_ends import layer_names
from raysernas.corpora.audio import Samples
from raysernas.features.contours import VOICED, contours
from raysernas.features.front_end import Transform
from raysernas.features.mel import MelFrontEnd
from raysernas.features.mfcc import cosines

DELTA = 2  # frames on each side that a delta is the slope over
REFERENCE_HZ = 100.0  # F0 is in semitones above this, 0 where nothing is voiced


@final
class Streams(MelFrontEnd):
    """`features.streams` names the layers and their order."""

    __slots__ = ()
    version = 1
    reads = (*MelFrontEnd.reads, "coefficients", "streams")

    @property
    def layers(self) -> dict[str, int]:
        bands, cepstra = self.config.bands, self.config.coefficients
        widths = {"bands": bands, "cepstra": cepstra, "contours": 3}
        widths |= {"band_deltas": bands, "cepstrum_deltas": cepstra}
        return {name: widths[name] for name in layer_names(self.config)}

    @property
    def width(self) -> int:
        return sum(self.layers.values())

    def transform(self, device: torch.device) -> Transform:
        log_mel = self.spectrum(device)
        basis = cosines(self.config.bands, self.config.coefficients)

        def transform(wave: Samples) -> tuple[Float[Tensor, "time width"], Float[Tensor, "1 width"]]:
            bands = log_mel(wave)[0]
            cepstra = bands @ basis.to(bands.device)
            found = {"bands": bands, "cepstra": cepstra}
            found |= {"band_deltas": deltas(bands), "cepstrum_deltas": deltas(cepstra)}
            if "contours" in self.layers:
                found["contours"] = self._contours(wave, len(bands)).to(bands.device)
            frames = torch.cat([found[name] for name in self.layers], dim=1)
            return frames, frames.new_zeros(1, frames.shape[1])  # padding is the training mean: see `Part`

        return transform

    def _contours(self, wave: Samples, frames: int) -> Float[Tensor, "time contour"]:
        config = self.config
        f0, strength, energy = contours(wave, config.n_fft // 2, config.hop_samples, config.sample_rate_hz)
        lowest = 12 * torch.tensor(REFERENCE_HZ).log2()
        pitch = torch.where(strength > VOICED, f0 - lowest, 0.0)
        return torch.stack([pitch, strength, energy], dim=1)[:frames]


def deltas(values: Float[Tensor, "time number"]) -> Float[Tensor, "time number"]:
    """The slope over two frames on each side, per frame; the first and the last frame are repeated."""
    padded = functional.pad(values.T[None], (DELTA, DELTA), mode="replicate")[0].T
    rise, steps = torch.zeros_like(values), range(1, DELTA + 1)
    for step in steps:
        later, earlier = (
            padded[DELTA + step : len(padded) - DELTA + step],
            padded[DELTA - step : -DELTA - step],
        )
        rise += step * (later - earlier)
    return rise / (2 * sum(step * step for step in steps))
