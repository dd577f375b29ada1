"""The type of the functionals: how a waveform becomes one row of numbers, whatever its length.

A member knows nothing of corpora, caches or scaling: `utterance_table` does those for all members alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.audio import Samples
from raysernas.features.front_end import Float32Array

Summarise = Callable[[Samples], Float32Array]  # waveform [samples] -> its numbers


@dataclass(frozen=True, slots=True)
class FunctionalSet(ABC):
    """Functionals with the settings of the sound that they are computed from."""

    config: FeaturesConfig

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers of one utterance."""

    @property
    @abstractmethod
    def fingerprint(self) -> list[Any]:
        """Everything that can change a number, besides the sound: the folder of a cache is named after it."""

    @abstractmethod
    def check(self) -> None:
        """Refuse to begin a study whose trials could not compute them.

        Raises:
            Fault: when a package is missing.
        """

    @abstractmethod
    def summarise(self) -> Summarise:
        """The function from a waveform to its numbers, which may not be finite. Every waveform counts alone.

        Raises:
            Fault: when a package is missing.
        """
