"""The type of the front ends: how a waveform becomes frames.

A front end gives a row of `width` numbers every `samples_per_frame` samples. It knows nothing of windows,
padding or pooling: `extraction` does those for all front ends alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.audio import Samples

Float32Array = npt.NDArray[np.float32]
FrameArray = npt.NDArray[np.floating]  # numbers of frames, in the precision in which they are kept
# waveform [samples] -> its frames, and one frame in which nothing is heard
Transform = Callable[[Samples], tuple[Float[Tensor, "time width"], Float[Tensor, "1 width"]]]


@dataclass(frozen=True, slots=True)
class Clip:
    """The frames of one utterance."""

    values: FrameArray  # [time, width]
    silence: FrameArray  # [width], a frame in which nothing is heard
    true: int  # frames of `values` that hold the utterance; padding follows


@dataclass(frozen=True, slots=True)
class FrontEnd(ABC):
    """A front end with its settings."""

    config: FeaturesConfig

    version: ClassVar[int]  # of the arithmetic; a new one leaves old caches unused
    reads: ClassVar[tuple[str, ...]]  # the settings of its own that can change the frames
    stored: ClassVar[type[np.floating]] = np.float32  # precision of the frames that are kept

    @classmethod
    def resolved(cls, config: FeaturesConfig, cache: Path | None) -> FeaturesConfig:
        """The settings with all that something outside of them decides, such as the hash of a model.

        Args:
            cache: of this machine, for what has to be fetched.

        Raises:
            Fault: for what is missing or unusable.
        """
        del cache
        return config

    @property
    def layers(self) -> dict[str, int]:
        """Name -> numbers of each layer of a frame, in their order (see `config.front_ends`); none for a
        map. Layers are pooled over time by the mean, and padded with the mean of training.
        """
        return {}

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers in one frame."""

    @property
    @abstractmethod
    def samples_per_frame(self) -> float:
        """Samples of the waveform from one frame to the next; need not be whole."""

    @abstractmethod
    def frames(self, samples: int) -> int:
        """FrameArray of a waveform of so many samples."""

    @abstractmethod
    def transform(self, device: torch.device) -> Transform:
        """The function from a waveform to frames on a device. Every waveform is transformed by itself.

        Raises:
            Fault: when a library that it needs cannot be loaded.
        """

    @property
    def frames_per_s(self) -> float:
        """FrameArray per second, before pooling."""
        return self.config.sample_rate_hz / self.samples_per_frame

    @property
    def fingerprint(self) -> dict[str, Any]:
        """All settings that can change a `Clip`: what the folder of a cache is named after."""
        shared = ["kind", "sample_rate_hz", "pad", "pool_frames", "device"]
        shared += ["window_s"] if self.config.pad == "waveform" else []
        # younger than caches on disk: at its default it is no part of their names
        shared += ["level"] if self.config.level != "as_is" else []
        return {name: asdict(self.config)[name] for name in (*shared, *self.reads)}
