"""Everything that a search rests on between two steps, so that it can be resumed bit for bit.

`SearchState.state_dict` (between two epochs) and `SearchState.checkpoint` (between any two steps) give plain
tensors, numbers and text, which `torch.load(weights_only=True)` reads. `SearchState.load_state_dict` takes a
checkpoint up in a search that was begun with the same arguments. The weights and alphas in it are a supernet
that can be evaluated.
"""

import json
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config.schema import SearchConfig
from raysernas.features.parts import Part
from raysernas.model.network import Network
from raysernas.record.history import HistoryEntry
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
from raysernas.search.epoch_metrics import EpochMetrics
from raysernas.search.relaxations.relaxation import Relaxation
from raysernas.training.batches import EndlessBatches, EpochBatches


@dataclass(slots=True)
class RunningEpoch:
    """An epoch under way: its pass over the weights half, and its metrics so far."""

    batches: EpochBatches
    on_weights: EpochMetrics = field(default_factory=EpochMetrics)
    on_alphas: EpochMetrics = field(default_factory=EpochMetrics)
    errors: list[Tensor] = field(default_factory=list)  # of the central difference
    began: float = field(
        default_factory=time.perf_counter
    )  # now - began is the time of all attempts together

    def state_dict(self) -> SavedState:
        """All of it but the state of the generator."""
        return {
            "batches": self.batches.state_dict(),
            "on_weights": self.on_weights.state_dict(),
            "on_alphas": self.on_alphas.state_dict(),
            "errors": self.errors,
            "seconds": time.perf_counter() - self.began,
        }


@dataclass(slots=True)
class SearchState:
    """A search under way."""

    network: Network
    alphas: Alphas
    relaxation: Relaxation
    loss_of: nn.Module
    config: SearchConfig
    weight_optimizer: torch.optim.SGD
    alpha_optimizer: torch.optim.Adam
    schedule: torch.optim.lr_scheduler.CosineAnnealingLR
    rng: np.random.Generator  # of the order of the weights half
    alpha_batches: EndlessBatches
    launch: StepLauncher = launch_eagerly
    history: list[HistoryEntry] = field(default_factory=list)
    timings: list[HistoryEntry] = field(default_factory=list)  # one for each entry; no two runs share them
    running: RunningEpoch | None = None  # None between two epochs

    @property
    def device(self) -> torch.device:
        """Where the alphas are."""
        return next(iter(self.alphas.values())).device

    @property
    def progress(self) -> float:
        """Share of the epochs that are over."""
        return len(self.history) / self.config.epochs

    def state_dict(self) -> SavedState:
        """A copy, on the CPU, without the running epoch and the timings: equal for equal searches."""
        return copied(
            {
                "network": dict(self.network.state_dict()),
                "alphas": {str(part): value.detach() for part, value in self.alphas.items()},
                "relaxation": self.relaxation.state_dict(),
                "weight_optimizer": self.weight_optimizer.state_dict(),
                "alpha_optimizer": self.alpha_optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "rng": generator_state(self.rng),
                "alpha_batches": self.alpha_batches.state_dict(),
                "random": random_state(self.device),
                "history": json.dumps(self.history),
            }
        )

    def checkpoint(self) -> SavedState:
        """A copy of everything, on the CPU."""
        running = self.running and self.running.state_dict()
        more = copied({"running": running, "random": random_states(self.device)})
        return self.state_dict() | more | {"timings": json.dumps(self.timings)}

    def load_state_dict(self, saved: SavedState, weights: Part) -> None:
        """Take up what `checkpoint` gave. Args: weights: the half that the weights learn from."""
        saved = copied(saved)
        self.network.load_state_dict(saved["network"])
        with torch.no_grad():
            for part, value in self.alphas.items():
                value.copy_(saved["alphas"][part])
        self.relaxation.load_state_dict(saved["relaxation"])
        self.weight_optimizer.load_state_dict(saved["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(saved["alpha_optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        # or the schedule warns that no step was taken before its own
        setattr(self.weight_optimizer, "_opt_called", True)  # noqa: B010
        set_generator_state(self.rng, saved["rng"])
        self.alpha_batches.load_state_dict(saved["alpha_batches"])
        set_random_states(saved["random"], self.device)
        self.history, self.timings = json.loads(saved["history"]), json.loads(saved["timings"])
        if running := saved["running"]:
            batches = EpochBatches(weights, self.config.batch, self.rng, saved=running["batches"])
            self.running = RunningEpoch(batches)
            self.running.on_weights.load_state_dict(running["on_weights"], self.device)
            self.running.on_alphas.load_state_dict(running["on_alphas"], self.device)
            self.running.errors = [error.to(self.device) for error in running["errors"]]
            self.running.began -= running["seconds"]


def new_search(
    network: Network,
    alphas: Alphas,
    relaxation: Relaxation,
    loss_of: nn.Module,
    config: SearchConfig,
    rng: np.random.Generator,
    alpha_batches: EndlessBatches,
    launch: StepLauncher = launch_eagerly,
) -> SearchState:
    """A search before its first epoch: weights by SGD with a cosine of the learning rate, alphas by Adam.

    Raises:
        ValueError: when a tensor that learns has no optimiser, or two.
    """
    weight_optimizer = torch.optim.SGD(
        network.parameters(), config.weights_lr, config.weights_momentum, weight_decay=config.weights_decay
    )
    betas = (config.alphas_beta1, 0.999)
    alpha_optimizer = torch.optim.Adam(
        alphas.values(), config.alphas_lr, betas, weight_decay=config.alphas_decay
    )
    require_one_owner(network, alphas, weight_optimizer, alpha_optimizer)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        weight_optimizer, config.epochs, eta_min=config.weights_lr_min
    )
    return SearchState(
        network,
        alphas,
        relaxation,
        loss_of,
        config,
        weight_optimizer,
        alpha_optimizer,
        schedule,
        rng,
        alpha_batches,
        launch,
    )


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
