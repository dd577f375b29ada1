"""Training a network from scratch, and evaluating one: the same code and budget for every arm.

`fit` receives the training and the validation part and picks the epoch by validation UA; `evaluate` covers every utterance
of a part once, over all of its windows. Only `evaluate` can be given a test part.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from raysernas.config import Fault, RetrainConfig
from raysernas.corpora import augment
from raysernas.corpora.augment import mask, mixed
from raysernas.corpora.features import Batch, Part, Role
from raysernas.model.designed import Majority
from raysernas.model.network import Cells, Mixing, Network
from raysernas.record import metrics
from raysernas.record.metrics import Evaluation

WARMUP = 0.1  # share of the steps in which the learning rate rises


class DivergedError(Fault):
    """A loss or a posterior that is not a number."""

    def __init__(self, what: str, got: object) -> None:
        do = "lower the learning rate or the clip of this stage"
        super().__init__("training", what, got=got, expected="finite numbers", do=do)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The best epoch of a training: its validation scores; the network holds its weights."""

    epoch: int
    valid: Evaluation
    history: list[dict[str, Any]]  # one entry for each epoch


@dataclass(frozen=True, slots=True)
class Prediction:
    """Posteriors of every utterance of a part, in the order of the part: [utterance, emotion]."""

    posteriors: npt.NDArray[np.float64]
    evaluation: Evaluation


def fit(
    network: Network | Majority, train: Part, valid: Part, config: RetrainConfig, *, seed: int,
    report: Callable[[dict[str, Any]], object],
) -> Fitted:  # fmt: skip
    """Train by AdamW with a warm-up and a cosine; `network` ends with the weights of the epoch with the best validation UA.

    Args:
        config: may let the sound of the training part (and of no other) vary from use to use, and may have the moving average of
            the weights validated and kept instead of the last ones.
        report: called after each epoch (counted from 1) with its entry of the history.

    Raises:
        DivergedError: when the loss or a posterior is not finite.
        Fault: when a part of another role is given.
    """
    require(train, "train")
    require(valid, "valid")
    if isinstance(network, Majority):
        return _counted(network, train, valid)
    rng = np.random.default_rng([seed, 1])
    train, draw = _sounding(train, config, seed)
    descent = _Descent(network, train, config, seed)
    history, best = [], (-1.0, 0, None, {})
    for epoch in range(1, config.epochs + 1):
        if isinstance(network.front, Cells):
            network.front.drop_path = config.drop_path * epoch / config.epochs
        mean = descent.along(train.epoch(config.batch, rng, draw))
        scores = evaluate(descent.judged, valid).evaluation
        history.append({"epoch": epoch, "loss": mean, "valid_ua": scores.ua, "valid_wa": scores.wa})
        report(history[-1])
        if scores.ua > best[0]:
            best = scores.ua, epoch, scores, {name: value.clone() for name, value in descent.judged.state_dict().items()}
    assert best[2] is not None
    network.load_state_dict(best[3])
    return Fitted(best[1], best[2], history)


class _Descent:
    """Optimiser, learning rate, loss and moving average of one training."""

    def __init__(self, network: Network, train: Part, config: RetrainConfig, seed: int) -> None:
        self.network, self.config = network, config
        self.generator = torch.Generator().manual_seed(seed)  # of the masks
        self.mixing = np.random.default_rng([seed, 3])
        self.loss_of = nn.CrossEntropyLoss(class_weights(train, network.classes), label_smoothing=config.label_smoothing)
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        steps = config.epochs * -(-len(train) // config.batch)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _warm_cosine(step, steps))
        self.average = _average(network, config)
        self.judged = cast(Network, self.average.module) if self.average else network  # that is validated

    def along(self, batches: Iterable[Batch]) -> float:
        """A step for each batch; their mean loss."""
        losses = []
        self.network.train()
        for batch in batches:
            loss = self.loss(batch)
            descend(loss, self.network, self.optimizer, self.config.clip)
            self.schedule.step()
            if self.average:
                self.average.update_parameters(self.network)
            losses.append(loss.detach())
        return finite(losses)

    def loss(self, batch: Batch) -> Tensor:
        """Of one batch, whose features are masked and mixed as the settings ask."""
        features = mask(batch.features, self.config, self.generator)
        if not self.config.mixup:
            return self.loss_of(self.network(features, batch.frames), batch.emotion)
        features, partner, share = mixed(features, self.config.mixup, self.mixing)
        logits = self.network(features, batch.frames)
        return share * self.loss_of(logits, batch.emotion) + (1 - share) * self.loss_of(logits, batch.emotion[partner])


def _counted(network: Majority, train: Part, valid: Part) -> Fitted:
    """The shares of the emotions in training: all that the majority learns."""
    counts = torch.bincount(torch.from_numpy(train.emotion), minlength=network.classes)
    network.shares = counts.to(network.shares) / len(train)
    return Fitted(0, evaluate(network, valid).evaluation, [])


def _sounding(train: Part, config: RetrainConfig, seed: int) -> tuple[Part, Callable[[], augment.Change] | None]:
    """The training part with versions of its sound, or what draws a change for each use, if the settings ask for any."""
    draw = _draws(config, seed)
    return (train.with_versions(config.versions, draw), None) if draw and config.versions else (train, draw)


def _draws(config: RetrainConfig, seed: int) -> Callable[[], augment.Change] | None:
    """What draws a change of the sound for each use of an utterance, if the settings ask for any."""
    rng = np.random.default_rng([seed, 2])
    return (lambda: augment.draw(config, rng)) if augment.changes_sound(config) else None


def _average(network: Network, config: RetrainConfig) -> AveragedModel | None:
    """What keeps the moving average of a network, norm statistics included: these still jump when the weights no longer move."""
    if not config.average:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.average), use_buffers=True)


def descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, clip: float) -> Tensor:
    """One step of the weights down the gradient, whose norm is clipped; what it was before is returned."""
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    return norm


def evaluate(network: Network | Majority, part: Part, batch: int = 64, mixing: Mixing | None = None) -> Prediction:
    """Posteriors (mean over the windows of an utterance) and scores of every utterance of a part; nothing is dropped.

    Args:
        mixing: only for a supernet.
    """
    network.eval()
    total = np.zeros((len(part), network.classes))
    counts = np.zeros(len(part))
    with torch.no_grad():
        for inputs, owners in part.windows(batch):
            posteriors = network(inputs.features, inputs.frames, mixing).softmax(dim=1).double().cpu().numpy()
            np.add.at(total, owners, posteriors)
            np.add.at(counts, owners, 1)
    posteriors = total / counts[:, None]
    if not np.isfinite(posteriors).all():
        raise DivergedError("the network gives posteriors that are no numbers", f"{(~np.isfinite(posteriors)).sum()} of them")
    return Prediction(posteriors, metrics.evaluate(part.emotion, posteriors.argmax(axis=1), network.classes))


def class_weights(part: Part, classes: int) -> Tensor:
    """Inverse frequency of each class in a training part, 1 on average over its utterances; 0 for a class it lacks."""
    counts = np.bincount(part.emotion, minlength=classes)
    weights = np.divide(len(part), counts * (counts > 0).sum(), out=np.zeros(classes), where=counts > 0)
    return torch.tensor(weights, dtype=torch.get_default_dtype(), device=part.device)


def require(part: Part, *roles: Role) -> None:
    """Refuse a part of another role: what makes a test set unreachable from training."""
    if part.role not in roles:
        what = f"a part with the role {part.role!r} was given where {' or '.join(roles)} belongs"
        raise Fault(
            "training", what, got=part.role, expected=" or ".join(roles), do="ask Data.part for that role; nothing trains on test"
        )


def finite(losses: list[Tensor]) -> float:
    """Mean of the losses of an epoch, read from the device once."""
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean):
        raise DivergedError(f"the loss became {mean}", mean)
    return mean


def _warm_cosine(step: int, steps: int) -> float:
    warm = max(1, round(WARMUP * steps))
    return (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
