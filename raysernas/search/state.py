"""All that a search stands on between two steps: from it the search goes on as if it had never stopped, bit
for bit.

`State.kept` (between two epochs) and `State.under_way` (between any two steps) give plain tensors, numbers
and text, which `torch.load(weights_only=True)` reads; `State.restore` takes them up again, in a search that
was begun with the same arguments. The weights and alphas in them are a supernet that can be evaluated.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config.schema import SearchConfig
from raysernas.features.parts import Part
from raysernas.model.network import Network
from raysernas.runtime.checkpoint_file import copied
from raysernas.runtime.checkpointing import SavedState
from raysernas.runtime.cuda_graphs import StepLauncher, launch_eagerly
from raysernas.runtime.determinism import (
    generator_state,
    random_state,
    random_states,
    set_generator_state,
    set_random_states,
)
from raysernas.search.alphas import Alphas
from raysernas.search.epoch_metrics import Tally
from raysernas.training.batches import Endless, Pass


@dataclass(slots=True)
class Running:
    """An epoch under way: where its pass over the weights half is, and what it has seen."""

    batches: Pass
    on_weights: Tally = field(default_factory=Tally)
    on_alphas: Tally = field(default_factory=Tally)
    errors: list[Tensor] = field(default_factory=list)
    # so that now - began is the time of all attempts together
    began: float = field(default_factory=time.perf_counter)

    def kept(self) -> SavedState:
        """All of it; not the state of the generator."""
        return {
            "batches": self.batches.kept(),
            "on_weights": self.on_weights.kept(),
            "on_alphas": self.on_alphas.kept(),
            "errors": self.errors,
            "seconds": time.perf_counter() - self.began,
        }


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
    # of each epoch in the history: no two runs share them
    timings: list[dict[str, Any]] = field(default_factory=list)
    running: Running | None = None  # None between two epochs
    launch: StepLauncher = launch_eagerly  # the GPU's part of each step

    @property
    def device(self) -> torch.device:
        """Where the alphas are."""
        return next(iter(self.alphas.values())).device

    def kept(self) -> SavedState:
        """A copy, on the CPU, of everything but the running epoch and the timings: equal for equal
        searches.
        """
        return copied(
            {
                "network": dict(self.network.state_dict()),
                "alphas": {str(part): value.detach() for part, value in self.alphas.items()},
                "by_sgd": self.by_sgd.state_dict(),
                "by_adam": self.by_adam.state_dict(),
                "schedule": self.schedule.state_dict(),
                "rng": generator_state(self.rng),
                "others": self.others.kept(),
                "random": random_state(self.device),
                "history": json.dumps(self.history),
            }
        )

    def under_way(self) -> SavedState:
        """A copy of everything, on the CPU."""
        more = {"running": self.running and self.running.kept(), "random": random_states(self.device)}
        return self.kept() | copied(more) | {"timings": json.dumps(self.timings)}

    def restore(self, kept: SavedState, weights: Part) -> None:
        """Take up what `under_way` gave. Args: weights: the half that the weights learn from."""
        kept = copied(kept)
        self.network.load_state_dict(kept["network"])
        with torch.no_grad():
            for part, value in self.alphas.items():
                value.copy_(kept["alphas"][part])
        self.by_sgd.load_state_dict(kept["by_sgd"])
        self.by_adam.load_state_dict(kept["by_adam"])
        self.schedule.load_state_dict(kept["schedule"])
        setattr(self.by_sgd, "_opt_called", True)  # noqa: B010 - or the schedule warns that no step was taken before its own
        set_generator_state(self.rng, kept["rng"])
        self.others.restore(kept["others"])
        set_random_states(kept["random"], self.device)
        self.history, self.timings = json.loads(kept["history"]), json.loads(kept["timings"])
        if running := kept["running"]:
            self.running = Running(Pass(weights, self.config.batch, self.rng, kept=running["batches"]))
            self.running.on_weights.restore(running["on_weights"], self.device)
            self.running.on_alphas.restore(running["on_alphas"], self.device)
            self.running.errors = [error.to(self.device) for error in running["errors"]]
            self.running.began -= running["seconds"]


def begun(
    network: Network,
    alphas: Alphas,
    loss_of: nn.Module,
    config: SearchConfig,
    rng: np.random.Generator,
    others: Endless,
    launch: StepLauncher = launch_eagerly,
) -> State:
    """A search before its first epoch: weights by SGD with a cosine of the learning rate, alphas by Adam.

    Raises:
        ValueError: when a tensor that learns has no optimiser, or two.
    """
    by_sgd = torch.optim.SGD(
        network.parameters(),
        lr=config.weights_lr,
        momentum=config.weights_momentum,
        weight_decay=config.weights_decay,
    )
    by_adam = torch.optim.Adam(
        alphas.values(),
        lr=config.alphas_lr,
        betas=(config.alphas_beta1, 0.999),
        weight_decay=config.alphas_decay,
    )
    require_one_owner(network, alphas, by_sgd, by_adam)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        by_sgd, config.epochs, eta_min=config.weights_lr_min
    )
    return State(network, alphas, loss_of, config, by_sgd, by_adam, schedule, rng, others, launch=launch)


def require_one_owner(network: nn.Module, alphas: Alphas, *optimizers: torch.optim.Optimizer) -> None:
    """Refuse a tensor that requires a gradient and is in no optimiser or in more than one, and one optimiser
    for both kinds.

    Raises:
        ValueError: naming the tensors.
    """
    owners = [
        {id(each) for group in optimizer.param_groups for each in group["params"]} for optimizer in optimizers
    ]
    named = {f"weight {name}": value for name, value in network.named_parameters()}
    named |= {f"alphas {part}": value for part, value in alphas.items()}
    learning = {name: value for name, value in named.items() if value.requires_grad}
    wrong = [name for name, value in learning.items() if sum(id(value) in owned for owned in owners) != 1]
    kinds = [{name.split()[0] for name, value in named.items() if id(value) in owned} for owned in owners]
    if wrong or any(len(kind) > 1 for kind in kinds):
        raise ValueError(f"not in exactly one optimiser: {wrong}; optimisers hold {kinds}")
