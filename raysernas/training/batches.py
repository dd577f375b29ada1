"""Passes over a part, batch by batch, that can be left anywhere and gone on with later: no batch is taken
twice or made again.

A pass draws from its generators only when a batch is taken; so the order of the utterances, the number of
batches taken and the state of the generators are all that it stands on.
"""

from collections.abc import Callable

import numpy as np
import torch

from raysernas.features.augment import Change
from raysernas.features.parts import Batch, Part
from raysernas.runtime.checkpointing import SavedState
from raysernas.runtime.determinism import generator_state, set_generator_state


class Pass:
    """Every utterance of a part once."""

    def __init__(
        self,
        part: Part,
        batch: int,
        rng: np.random.Generator,
        draw: Callable[[], Change] | None = None,
        kept: SavedState | None = None,
    ) -> None:
        """Begin one, or go on where `kept` was taken; then the generators must be as they were."""
        self.order = rng.permutation(len(part)) if kept is None else kept["order"].numpy()
        self.taken: int = 0 if kept is None else kept["taken"]
        self._batches = part.epoch(batch, rng, draw, self.order, self.taken)

    def __iter__(self) -> "Pass":
        return self

    def __next__(self) -> Batch:
        found = next(self._batches)
        self.taken += 1
        return found

    def kept(self) -> SavedState:
        """Where it is; not the state of its generators."""
        return {"order": torch.from_numpy(self.order), "taken": self.taken}


class Endless:
    """Batches of a part, pass after pass, each in another order."""

    def __init__(self, part: Part, batch: int, rng: np.random.Generator) -> None:
        self.part, self.batch, self.rng = part, batch, rng
        self.batches = Pass(part, batch, rng)

    def __next__(self) -> Batch:
        found = next(self.batches, None)
        if found is None:
            self.batches = Pass(self.part, self.batch, self.rng)
            found = next(self.batches)
        return found

    def kept(self) -> SavedState:
        """Where it is."""
        return {**self.batches.kept(), "rng": generator_state(self.rng)}

    def restore(self, kept: SavedState) -> None:
        """Go there."""
        set_generator_state(self.rng, kept["rng"])
        self.batches = Pass(self.part, self.batch, self.rng, kept=kept)
