"""Resumable batches: a pass over a part that can be left after any batch and continued later.

No batch is taken twice or made again. Generators are drawn from only when a batch is taken, so a pass is
fully described by the order of the utterances, the number of batches taken and the states of its generators.
"""

from collections.abc import Callable

import numpy as np
import torch

from raysernas.features.augment import Change
from raysernas.features.parts import Batch, Part
from raysernas.runtime.checkpointing import SavedState
from raysernas.runtime.determinism import generator_state, set_generator_state


class EpochBatches:
    """Every utterance of a part once.

    Args:
        rng: of the order and of the crops.
        draw: gives the change of an utterance's sound, where the sound varies.
        saved: what `state_dict` gave; the generators must then be as they were.
    """

    def __init__(
        self,
        part: Part,
        batch: int,
        rng: np.random.Generator,
        draw: Callable[[], Change] | None = None,
        saved: SavedState | None = None,
    ) -> None:
        self.order = rng.permutation(len(part)) if saved is None else saved["order"].numpy()
        self.taken: int = 0 if saved is None else saved["taken"]
        self._batches = part.epoch(batch, rng, draw, self.order, self.taken)

    def __iter__(self) -> "EpochBatches":
        return self

    def __next__(self) -> Batch:
        batch = next(self._batches)
        self.taken += 1
        return batch

    def state_dict(self) -> SavedState:
        """Where it is; not the states of its generators."""
        return {"order": torch.from_numpy(self.order), "taken": self.taken}


class EndlessBatches:
    """Batches of a part, pass after pass, each in another order."""

    def __init__(self, part: Part, batch: int, rng: np.random.Generator) -> None:
        self.part, self.batch, self.rng = part, batch, rng
        self.batches = EpochBatches(part, batch, rng)

    def __next__(self) -> Batch:
        batch = next(self.batches, None)
        if batch is None:
            self.batches = EpochBatches(self.part, self.batch, self.rng)
            batch = next(self.batches)
        return batch

    def state_dict(self) -> SavedState:
        """Where it is, and the state of its generator."""
        return {**self.batches.state_dict(), "rng": generator_state(self.rng)}

    def load_state_dict(self, saved: SavedState) -> None:
        """Take up what `state_dict` gave."""
        set_generator_state(self.rng, saved["rng"])
        self.batches = EpochBatches(self.part, self.batch, self.rng, saved=saved)
