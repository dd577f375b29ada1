"""What a search, or any other way to an architecture, has come to."""

from dataclasses import dataclass, field
from typing import Any

from raysernas.model.network import Network
from raysernas.record.genotype import Genotype
from raysernas.runtime.checkpointing import SavedState


@dataclass(frozen=True, slots=True)
class Found:
    """An architecture, and how it was found."""

    genotype: Genotype | None
    facts: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)  # of a supernet's search
    supernet: Network | None = None
    kept: SavedState | None = None  # all that a search leaves: weights, alphas, optimisers
