"""The type of a relaxation: how the alphas of a search become the weights that mix an edge's operations.

A relaxation sees each step before it is taken, so that it can sample a path or perturb a weight for it. It
may add a penalty to the alphas' loss, and it may have a state of its own, which is part of every checkpoint.
The search, the supernet and the derivation of the genotype know nothing but this type.
"""

from abc import ABC, abstractmethod
from typing import Any, Literal

from torch import Tensor

from raysernas.config.schema import SearchConfig
from raysernas.record.genotype import Space
from raysernas.search.alphas import Alphas

Step = Literal["weights", "alphas"]


class Relaxation(ABC):
    """From alphas to mixing weights.

    Args:
        space: whose edges and operations the alphas stand for.
        seed: for everything that the relaxation draws.
    """

    def __init__(self, space: Space, config: SearchConfig, seed: int) -> None:
        self.space, self.config, self.seed = space, config, seed

    @abstractmethod
    def weights(self, alphas: Alphas) -> Alphas:
        """[edge, operation] for each part: what the supernet mixes with in this step, differentiable in the
        alphas as often as the order of the search asks.
        """

    def begin_step(self, step: Step, progress: float) -> None:  # noqa: B027 - most relaxations need nothing
        """Draw what the next step needs.

        Args:
            step: whose parameters the step moves.
            progress: share of the search's epochs that are over, 0 <= progress < 1.
        """

    def penalty(self, alphas: Alphas) -> Tensor | None:
        """A scalar that is added to the loss of an alpha step; None for no penalty."""
        del alphas
        return None

    def derived_from(self, alphas: Alphas) -> Alphas:
        """[edge, operation] for each part, detached: what the genotype is chosen from and people are
        shown.
        """
        return self.weights({part: value.detach() for part, value in alphas.items()})

    def state_dict(self) -> dict[str, Any]:
        """What a resumed search needs of it, as tensors, numbers and text."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        del state
