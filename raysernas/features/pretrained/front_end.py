"""The frozen states of a pretrained speech encoder as frames: `features.kind=pretrained`.

A frame holds the states of the layers in `features.layers` side by side. They are kept in half precision,
which holds their range (up to 557 in Whisper base).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.front_ends import layer_names
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.audio import Samples
from raysernas.features.front_end import FrontEnd, Transform
from raysernas.features.pretrained import encoder, folder


@final
@dataclass(frozen=True, slots=True)
class Pretrained(FrontEnd):
    """All of its settings are known once a study has been planned (`resolved`)."""

    version = 1
    reads = ("fingerprint", "layers")
    stored = np.float16

    @classmethod
    def resolved(cls, config: FeaturesConfig, cache: Path | None) -> FeaturesConfig:
        # all that the model decides: its local folder, hash, layers, their width, the hop
        place = folder.local(config.model, cache, fetch=True)
        found = folder.fingerprint(place)
        if config.fingerprint and config.fingerprint != found:
            raise _another(place, found, config.fingerprint)
        shape = encoder.measured(encoder.load(place, torch.device("cpu")))
        if config.sample_rate_hz != shape.sample_rate_hz:
            raise Fault(
                "features",
                "the encoder was trained on sound of another rate",
                got=f"features.sample_rate_hz={config.sample_rate_hz}",
                expected=f"{shape.sample_rate_hz} Hz",
                fix=f"set features.sample_rate_hz={shape.sample_rate_hz}",
            )
        if beyond := [layer for layer in config.layers if layer >= shape.layers]:
            raise Fault(
                "features",
                "features.layers names a layer that the encoder does not have",
                got=", ".join(map(str, beyond)),
                expected=f"0 (what the first layer reads) to {shape.layers - 1}",
                fix="set features.layers, or leave it empty for all",
            )
        return replace(
            config,
            model=config.model if "://" in config.model else str(place.absolute()),
            fingerprint=found,
            layers=config.layers or tuple(range(shape.layers)),
            layer_width=shape.width,
            hop_samples=shape.hop_samples,
        )

    @property
    def layers(self) -> dict[str, int]:
        return dict.fromkeys(layer_names(self.config), self.config.layer_width)

    @property
    def width(self) -> int:
        return len(self.config.layers) * self.config.layer_width

    @property
    def samples_per_frame(self) -> float:
        return float(self.config.hop_samples)

    def frames(self, samples: int) -> int:
        return max(1, samples // self.config.hop_samples)

    def transform(self, device: torch.device) -> Transform:
        place = folder.local(self.config.model, None)
        if (found := folder.fingerprint(place)) != self.config.fingerprint:
            raise _another(place, found, self.config.fingerprint)
        loaded, chosen = encoder.load(place, device), list(self.config.layers)

        def transform(wave: Samples) -> tuple[Float[Tensor, "time width"], Float[Tensor, "1 width"]]:
            states = loaded.states(wave)[chosen]
            frames = rearrange(states, "layer time width -> time (layer width)")
            return frames, frames.new_zeros(1, self.width)  # padding is the training mean: see `Part`

        return transform


def _another(place: Path, found: str, expected: str) -> Fault:
    return Fault(
        "features",
        f"{place} is not the model that this study began with",
        got=found,
        expected=expected,
        fix="restore the files of the model, or begin a study under another study.name",
    )
