"""Steps for the tests: all states that a stage hands out, as they come back from disk."""

from io import BytesIO

import torch

from raysernas.runtime.checkpointing import Kept, StateOf


class Watched:
    """Keeps the state after every step, and the one at the end."""

    def __init__(self, kept: Kept | None = None, ended: bool = False) -> None:
        self.kept, self.ended = kept, ended
        self.states: list[Kept] = []
        self.last: Kept | None = None

    def step(self, state_of: StateOf) -> None:
        self.states.append(through_a_file(state_of()))

    def end(self, state_of: StateOf) -> None:
        self.last = through_a_file(state_of())


def through_a_file(kept: Kept) -> Kept:
    """As it comes back from disk, read without running anything."""
    buffer = BytesIO()
    torch.save(kept, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)
