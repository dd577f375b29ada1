"""A training under way: network, optimiser, learning rate, moving average, random streams and results so far.

`TrainingState.state_dict` gives all of it after any step as plain tensors, numbers and text.
`TrainingState.load_state_dict` takes it up in a training that was begun with the same arguments; every bit
that follows is what would have followed.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from raysernas.config.schema import RetrainConfig
from raysernas.features import augment
from raysernas.features.augment import mask, mixed
from raysernas.features.parts import Batch, Part
from raysernas.model.network import Network
from raysernas.record.history import HistoryEntry
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
from raysernas.training.batches import EpochBatches
from raysernas.training.losses import CrossEntropy, backpropagate, class_weights, finite

MIXUP_INPUTS = 3  # of a step: the emotions of the partners, and both shares
WARMUP = 0.1  # share of the steps in which the learning rate rises


@dataclass(frozen=True, slots=True)
class BestEpoch:
    """The epoch with the best validation UA so far, the earlier one on a tie."""

    epoch: int
    valid: Evaluation
    weights: dict[str, Tensor]


class TrainingState:
    """Order, masks, sound and mix-up each have a random stream of their own, so none depends on another."""

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
        streams = enumerate(("order", "sound", "mixing"), 1)
        self.streams = {name: np.random.default_rng([seed, at]) for at, name in streams}
        self.loss_of = CrossEntropy(class_weights(train, network.classes), config.label_smoothing)
        self.optimizer = torch.optim.AdamW(network.parameters(), config.lr, weight_decay=config.weight_decay)
        steps = config.epochs * -(-len(train) // config.batch)
        rate = lambda step: _warm_cosine(step, steps)  # noqa: E731
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate)
        self.average = _moving_average(network, config)
        self.validated = cast(Network, self.average.module) if self.average else network
        self.train, self.draw = _varied(train, config, self.streams["sound"])
        self.running: EpochBatches | None = None
        self.losses: list[Tensor] = []  # of the running epoch
        self.history: list[HistoryEntry] = []
        self.confusions: list[
            npt.NDArray[np.int64]
        ] = []  # of the validation, if there is one, for each entry
        self.best: BestEpoch | None = None

    def train_epoch(self, checkpoint: StageCheckpoint) -> float:
        """One pass over the training part, or what is left of it; the mean loss of the whole pass."""
        order = self.streams["order"]
        self.running = self.running or EpochBatches(self.train, self.config.batch, order, self.draw)
        self.network.train()
        for batch in self.running:
            self.losses.append(self.step(batch))
            checkpoint.step(self.state_dict)
        return finite(self.losses)

    def step(self, batch: Batch) -> Tensor:
        """One step of AdamW; its loss, still on the device."""
        weights = [*self.network.parameters()]
        loss, _ = self.launch("retrain", self._set_gradients, weights, *self._inputs(batch))
        self.optimizer.step()
        self.schedule.step()
        if self.average:
            self.average.update_parameters(self.network)
        return loss

    def _inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """The tensors of a batch, masked, and mixed where the settings ask: then also the partners' emotions
        and the shares.
        """
        bands, fill = self.network.layers is None, self.train.fill
        masked = mask(batch.features, self.config, self.generator, fill, bands=bands)
        batch = replace(batch, features=masked)
        if not self.config.mixup:
            return batch.tensors
        features, partner, share = mixed(batch.features, self.config.mixup, self.streams["mixing"])
        functionals = batch.functionals
        if functionals is not None:
            functionals = share * functionals + (1 - share) * functionals[partner]
        batch = replace(batch, features=features, functionals=functionals)
        shares = features.new_full((), share), features.new_full((), 1 - share)
        return *batch.tensors, batch.emotion[partner], *shares

    def _set_gradients(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Sets the gradients of the weights, clipped; the loss, and the norm before clipping."""
        split = len(inputs) - MIXUP_INPUTS * (self.config.mixup > 0)
        batch, mixup = Batch(*inputs[:split]), inputs[split:]
        logits = self.network(batch.features, batch.frames, functionals=batch.functionals)
        loss = self.loss_of(logits, batch.emotion)
        if mixup:
            partners_emotion, own, rest = mixup
            loss = own * loss + rest * self.loss_of(logits, partners_emotion)
        return loss.detach(), backpropagate(loss, self.network, self.config.clip)

    def finish_epoch(self, loss: float, scores: Evaluation | None) -> None:
        """Append the epoch to the history; keep its weights if they are the best so far.

        Args:
            scores: of the validation; None in a training that nobody validates.
        """
        epoch = len(self.history) + 1
        by_metric = {f"valid_{name}": score for name, score in scores.scores.items()} if scores else {}
        self.history.append({"epoch": epoch, "loss": loss, **by_metric})
        self.running, self.losses = None, []
        if scores is None:
            return
        self.confusions.append(scores.confusion)
        if self.best is None or scores.ua > self.best.valid.ua:
            weights = {name: value.clone() for name, value in self.validated.state_dict().items()}
            self.best = BestEpoch(epoch, scores, weights)

    def shown(self, number: int) -> HistoryEntry:
        """An entry of the history with what is only shown."""
        confusion = {"confusion": self.confusions[number].tolist()} if self.confusions else {}
        return self.history[number] | confusion

    def state_dict(self) -> SavedState:
        """A copy of everything, on the CPU."""
        return copied(
            {
                "network": dict(self.network.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "average": dict(self.average.state_dict()) if self.average else {},
                "generator": self.generator.get_state(),
                "streams": {name: generator_state(rng) for name, rng in self.streams.items()},
                "random": random_states(self.train.device),
                "running": self.running and self.running.state_dict(),
                "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
                "history": json.dumps(self.history),
                "confusions": torch.from_numpy(np.array(self.confusions, dtype=np.int32)),
                "best": self.best and _plain(self.best),
            }
        )

    def load_state_dict(self, saved: SavedState) -> None:
        """Take up what `state_dict` gave."""
        saved = copied(saved)
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        if self.average:
            self.average.load_state_dict(saved["average"])
        self.generator.set_state(saved["generator"])
        for name, rng in self.streams.items():
            set_generator_state(rng, saved["streams"][name])
        set_random_states(saved["random"], self.train.device)
        if running := saved["running"]:
            order = self.streams["order"]
            self.running = EpochBatches(self.train, self.config.batch, order, self.draw, running)
        self.losses = [*saved["losses"].to(self.train.device).unbind()]
        self.history = json.loads(saved["history"])
        self.confusions = [*saved["confusions"].numpy().astype(np.int64)]
        if best := saved["best"]:
            valid = Evaluation(np.array(best["confusion"], dtype=np.int64))
            self.best = BestEpoch(best["epoch"], valid, best["weights"])


def _plain(best: BestEpoch) -> SavedState:
    confusion = best.valid.confusion.tolist()
    return {"epoch": best.epoch, "confusion": confusion, "weights": best.weights}


def _varied(
    train: Part, config: RetrainConfig, rng: np.random.Generator
) -> tuple[Part, Callable[[], augment.Change] | None]:
    """The training part with versions of its sound, or what draws a change for each use, as the settings
    ask.
    """
    if not augment.changes_sound(config):
        return train, None
    draw: Callable[[], augment.Change] = lambda: augment.draw(config, rng)  # noqa: E731
    return (train.with_versions(config.versions, draw), None) if config.versions else (train, draw)


def _moving_average(network: Network, config: RetrainConfig) -> AveragedModel | None:
    """The moving average of the weights and of the norm statistics, which still jump when the weights
    rest.
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
