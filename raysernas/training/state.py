"""A training under way: network, optimiser, learning rate, moving average, random streams, and what it has
come to so far.

`Descent.kept` gives all of it at any step as plain tensors, numbers and text; `Descent.restore` takes it up
in a training that was begun with the same arguments, and what follows is bit for bit what would have
followed.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from raysernas.config.fault import Fault
from raysernas.config.schema import RetrainConfig
from raysernas.features import augment
from raysernas.features.augment import mask, mixed
from raysernas.features.parts import Batch, Part
from raysernas.model.network import Network
from raysernas.record.metrics import Evaluation
from raysernas.runtime.checkpoint_file import copied
from raysernas.runtime.checkpointing import SavedState, StageCheckpoint
from raysernas.runtime.cuda_graphs import StepLauncher, launch_eagerly
from raysernas.runtime.determinism import (
    generator_state,
    random_states,
    set_generator_state,
    set_random_states,
)
from raysernas.training.batches import Pass

WARMUP = 0.1  # share of the steps in which the learning rate rises


class DivergedError(Fault):
    """A loss or a posterior that is not a number."""

    def __init__(self, what: str, got: object) -> None:
        fix = "lower the learning rate or the clip of this stage"
        super().__init__("training", what, got=got, expected="finite numbers", fix=fix)


@dataclass(frozen=True, slots=True)
class Best:
    """The epoch with the best validation UA so far, the earlier one on a tie."""

    epoch: int
    valid: Evaluation
    weights: dict[str, Tensor]


class Descent:
    """Every draw has a stream of its own, so that none of them depends on how often another is asked."""

    def __init__(
        self,
        network: Network,
        train: Part,
        config: RetrainConfig,
        seed: int,
        launch: StepLauncher = launch_eagerly,
    ) -> None:
        self.network, self.config, self.launch = network, config, launch
        self.generator = torch.Generator().manual_seed(seed)  # of the masks
        self.streams = {
            name: np.random.default_rng([seed, at]) for at, name in enumerate(("order", "sound", "mixing"), 1)
        }
        self.loss_of = CrossEntropy(class_weights(train, network.classes), config.label_smoothing)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        steps = config.epochs * -(-len(train) // config.batch)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _warm_cosine(step, steps)
        )
        self.average = _average(network, config)
        self.judged = cast(Network, self.average.module) if self.average else network  # that is validated
        self.train, self.draw = _sounding(train, config, self.streams["sound"])
        self.running: Pass | None = None
        self.losses: list[Tensor] = []  # of the running pass
        self.history: list[dict[str, Any]] = []
        self.confusions: list[npt.NDArray[np.int64]] = []  # of the validation, for each epoch in the history
        self.best: Best | None = None

    def along(self, checkpoint: StageCheckpoint) -> float:
        """The pass over the training part, or what is left of it, a step for each batch; the mean loss of the
        whole pass.
        """
        self.running = self.running or Pass(self.train, self.config.batch, self.streams["order"], self.draw)
        self.network.train()
        for batch in self.running:
            loss, _ = self.launch(
                "retrain", self._backpropagate, [*self.network.parameters()], *self.inputs(batch)
            )
            self.optimizer.step()
            self.schedule.step()
            if self.average:
                self.average.update_parameters(self.network)
            self.losses.append(loss)
            checkpoint.step(self.kept)
        return finite(self.losses)

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """Of one step: a batch masked and mixed as the settings ask; if it is mixed, also the partners and
        the shares.
        """
        features = mask(batch.features, self.config, self.generator, self.train.fill)
        if not self.config.mixup:
            return features, batch.frames, batch.emotion
        features, partner, share = mixed(features, self.config.mixup, self.streams["mixing"])
        shares = features.new_full((), share), features.new_full((), 1 - share)
        return features, batch.frames, batch.emotion, batch.emotion[partner], *shares

    def _backpropagate(
        self, features: Tensor, frames: Tensor, emotion: Tensor, *other: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sets the gradient of the weights, clipped; the loss, and the norm from before it was clipped."""
        logits = self.network(features, frames)
        loss = self.loss_of(logits, emotion)
        if other:
            of_partner, own, rest = other
            loss = own * loss + rest * self.loss_of(logits, of_partner)
        return loss.detach(), backpropagate(loss, self.network, self.config.clip)

    def note(self, loss: float, scores: Evaluation) -> None:
        """The epoch has ended: its entry of the history, and its weights if they are the best."""
        epoch = len(self.history) + 1
        by_metric = {f"valid_{name}": score for name, score in scores.scores.items()}
        self.history.append({"epoch": epoch, "loss": loss, **by_metric})
        self.confusions.append(scores.confusion)
        if self.best is None or scores.ua > self.best.valid.ua:
            self.best = Best(
                epoch, scores, {name: value.clone() for name, value in self.judged.state_dict().items()}
            )
        self.running, self.losses = None, []

    def shown(self, number: int) -> dict[str, Any]:
        """An entry of the history with what is only shown."""
        return self.history[number] | {"confusion": self.confusions[number].tolist()}

    def kept(self) -> SavedState:
        """A copy of everything, on the CPU."""
        best = self.best
        return copied(
            {
                "network": dict(self.network.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "average": dict(self.average.state_dict()) if self.average else {},
                "generator": self.generator.get_state(),
                "streams": {name: generator_state(rng) for name, rng in self.streams.items()},
                "random": random_states(self.train.device),
                "running": self.running and self.running.kept(),
                "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
                "history": json.dumps(self.history),
                "confusions": torch.from_numpy(np.array(self.confusions, dtype=np.int32)),
                "best": best
                and {
                    "epoch": best.epoch,
                    "confusion": best.valid.confusion.tolist(),
                    "weights": best.weights,
                },
            }
        )

    def restore(self, kept: SavedState) -> None:
        """Take up what `kept` gave."""
        kept = copied(kept)
        self.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.schedule.load_state_dict(kept["schedule"])
        if self.average:
            self.average.load_state_dict(kept["average"])
        self.generator.set_state(kept["generator"])
        for name, rng in self.streams.items():
            set_generator_state(rng, kept["streams"][name])
        set_random_states(kept["random"], self.train.device)
        if kept["running"]:
            self.running = Pass(
                self.train, self.config.batch, self.streams["order"], self.draw, kept["running"]
            )
        self.losses = [*kept["losses"].to(self.train.device).unbind()]
        self.history = json.loads(kept["history"])
        self.confusions = [*kept["confusions"].numpy().astype(np.int64)]
        if best := kept["best"]:
            self.best = Best(
                best["epoch"], Evaluation(np.array(best["confusion"], dtype=np.int64)), best["weights"]
            )


class CrossEntropy(nn.Module):
    """`nn.CrossEntropyLoss(weight, label_smoothing=smoothing)` without waiting for the device (torch 2.11
    counts labels).
    """

    def __init__(self, weight: Tensor, smoothing: float) -> None:
        super().__init__()
        self.weight, self.smoothing = weight, smoothing

    def forward(
        self, logits: Float[Tensor, "batch emotion"], emotion: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        logs = logits.log_softmax(dim=1)
        loss = functional.nll_loss(logs, emotion, self.weight)
        if not self.smoothing:
            return loss
        even = -(logs * self.weight).sum(dim=1).sum() / self.weight[emotion].sum()
        return (1 - self.smoothing) * loss + self.smoothing / logs.shape[1] * even


def backpropagate(loss: Tensor, network: nn.Module, clip: float) -> Tensor:
    """Set the gradient of the weights, whose norm is clipped; what it was before is returned."""
    network.zero_grad()
    loss.backward()
    return nn.utils.clip_grad_norm_(network.parameters(), clip)


def class_weights(part: Part, classes: int) -> Tensor:
    """Inverse frequency of each class in a training part, 1 on average over its utterances; 0 for a class it
    lacks.
    """
    counts = np.bincount(part.emotion, minlength=classes)
    weights = np.divide(len(part), counts * (counts > 0).sum(), out=np.zeros(classes), where=counts > 0)
    return torch.tensor(weights, dtype=torch.get_default_dtype(), device=part.device)


def finite(losses: list[Tensor]) -> float:
    """Mean of the losses of an epoch, read from the device once."""
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean):
        raise DivergedError(f"the loss became {mean}", mean)
    return mean


def _sounding(
    train: Part, config: RetrainConfig, rng: np.random.Generator
) -> tuple[Part, Callable[[], augment.Change] | None]:
    """The training part with versions of its sound, or what draws a change for each use, if the settings ask
    for any.
    """
    if not augment.changes_sound(config):
        return train, None
    draw: Callable[[], augment.Change] = lambda: augment.draw(config, rng)  # noqa: E731
    return (train.with_versions(config.versions, draw), None) if config.versions else (train, draw)


def _average(network: Network, config: RetrainConfig) -> AveragedModel | None:
    """What keeps the moving average of a network, norm statistics included: these still jump when the weights
    no longer move.
    """
    if not config.average:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.average), use_buffers=True)


def _warm_cosine(step: int, steps: int) -> float:
    warm = max(1, round(WARMUP * steps))
    return (
        (step + 1) / warm
        if step < warm
        else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    )
