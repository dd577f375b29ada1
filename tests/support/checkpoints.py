"""A stage checkpoint for the tests: all states that a stage saves, as they come back from disk."""

from io import BytesIO

import torch

from raysernas.runtime.checkpointing import Capture, SavedState


class RecordingCheckpoint:
    """Keeps the state after every step, and the one at the end."""

    def __init__(self, restored: SavedState | None = None, complete: bool = False) -> None:
        self.restored, self.complete = restored, complete
        self.states: list[SavedState] = []
        self.last: SavedState | None = None

    def step(self, capture: Capture) -> None:
        self.states.append(through_a_file(capture()))

    def finish(self, capture: Capture) -> None:
        self.last = through_a_file(capture())


def through_a_file(state: SavedState) -> SavedState:
    """As it comes back from disk, read without running anything."""
    buffer = BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)
