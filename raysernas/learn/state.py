"""All that a search stands on between two epochs: from it the search goes on as if it had never stopped, bit for bit.

`State.kept` gives plain tensors, numbers and text, which `torch.load(weights_only=True)` reads; `State.restore` takes them up
again, in a search that was begun with the same arguments. The weights and alphas in it are a supernet that can be evaluated.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config import SearchConfig
from raysernas.corpora.features import Batch, Part
from raysernas.learn.determinism import random_state, set_random_state
from raysernas.learn.mixture import Alphas
from raysernas.model.network import Network

Kept = dict[str, Any]  # tensors, numbers and text, in dicts and lists


class Endless:
    """Batches of a part, pass after pass, each in another order."""

    def __init__(self, part: Part, batch: int, rng: np.random.Generator) -> None:
        self.part, self.batch, self.rng = part, batch, rng
        self._begin()

    def _begin(self) -> None:
        self.start = json.dumps(self.rng.bit_generator.state)
        self.taken = 0
        self.batches: Iterator[Batch] = self.part.epoch(self.batch, self.rng)

    def __next__(self) -> Batch:
        found = next(self.batches, None)
        if found is None:
            self._begin()
            found = next(self.batches)
        self.taken += 1
        return found

    def kept(self) -> Kept:
        """Where it is: the generator before this pass, and how many batches of it were taken."""
        return {"start": self.start, "taken": self.taken}

    def restore(self, kept: Kept) -> None:
        """Go there."""
        self.rng.bit_generator.state = json.loads(kept["start"])
        self._begin()
        for _ in range(kept["taken"]):
            next(self)


@dataclass(slots=True)
class State:
    """A search under way."""

    network: Network
    alphas: Alphas
    loss_of: nn.Module
    config: SearchConfig
    by_sgd: torch.optim.SGD  # moves the weights
    by_adam: torch.optim.Adam  # moves the alphas
    schedule: torch.optim.lr_scheduler.CosineAnnealingLR
    rng: np.random.Generator  # that orders the weights half
    others: Endless  # the alphas half
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where the alphas are."""
        return next(iter(self.alphas.values())).device

    def kept(self) -> Kept:
        """A copy of everything, on the CPU."""
        return _copied(
            {
                "network": dict(self.network.state_dict()),
                "alphas": {str(part): value.detach() for part, value in self.alphas.items()},
                "by_sgd": self.by_sgd.state_dict(),
                "by_adam": self.by_adam.state_dict(),
                "schedule": self.schedule.state_dict(),
                "rng": json.dumps(self.rng.bit_generator.state),
                "others": self.others.kept(),
                "random": random_state(self.device),
                "history": json.dumps(self.history),
            }
        )

    def restore(self, kept: Kept) -> None:
        """Take up what `kept` gave."""
        kept = _copied(kept)
        self.network.load_state_dict(kept["network"])
        with torch.no_grad():
            for part, value in self.alphas.items():
                value.copy_(kept["alphas"][part])
        self.by_sgd.load_state_dict(kept["by_sgd"])
        self.by_adam.load_state_dict(kept["by_adam"])
        self.schedule.load_state_dict(kept["schedule"])
        self.rng.bit_generator.state = json.loads(kept["rng"])
        self.others.restore(kept["others"])
        set_random_state(kept["random"], self.device)
        self.history = json.loads(kept["history"])


def begun(
    network: Network, alphas: Alphas, loss_of: nn.Module, config: SearchConfig, rng: np.random.Generator, others: Endless
) -> State:
    """A search before its first epoch: weights by SGD with a cosine of the learning rate, alphas by Adam.

    Raises:
        ValueError: when a tensor that learns has no optimiser, or two.
    """
    by_sgd = torch.optim.SGD(
        network.parameters(), lr=config.weights_lr, momentum=config.weights_momentum, weight_decay=config.weights_decay
    )
    by_adam = torch.optim.Adam(
        alphas.values(), lr=config.alphas_lr, betas=(config.alphas_beta1, 0.999), weight_decay=config.alphas_decay
    )
    require_one_owner(network, alphas, by_sgd, by_adam)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(by_sgd, config.epochs, eta_min=config.weights_lr_min)
    return State(network, alphas, loss_of, config, by_sgd, by_adam, schedule, rng, others)


def require_one_owner(network: nn.Module, alphas: Alphas, *optimizers: torch.optim.Optimizer) -> None:
    """Refuse a tensor that requires a gradient and is in no optimiser or in more than one, and one optimiser for both kinds.

    Raises:
        ValueError: naming the tensors.
    """
    owners = [{id(each) for group in optimizer.param_groups for each in group["params"]} for optimizer in optimizers]
    named = {f"weight {name}": value for name, value in network.named_parameters()}
    named |= {f"alphas {part}": value for part, value in alphas.items()}
    learning = {name: value for name, value in named.items() if value.requires_grad}
    wrong = [name for name, value in learning.items() if sum(id(value) in owned for owned in owners) != 1]
    kinds = [{name.split()[0] for name, value in named.items() if id(value) in owned} for owned in owners]
    if wrong or any(len(kind) > 1 for kind in kinds):
        raise ValueError(f"not in exactly one optimiser: {wrong}; optimisers hold {kinds}")


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # clone: cpu() alone returns a CPU tensor itself
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list | tuple) else value
