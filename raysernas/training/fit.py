"""Training a network from scratch, and evaluating one: the same code and budget for every arm.

`fit` receives the training and the validation part and picks the epoch by validation UA; `evaluate` covers
every utterance of a part once, over all of its windows. Only `evaluate` can be given a test part.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from raysernas.config.fault import Fault
from raysernas.config.schema import RetrainConfig
from raysernas.features.parts import Part, Role
from raysernas.model.cells import ChosenCell
from raysernas.model.designed import Majority
from raysernas.model.network import Cells, Mixing, Network
from raysernas.record import metrics
from raysernas.record.metrics import Evaluation
from raysernas.runtime.checkpointing import NoCheckpoint, StageCheckpoint, replay
from raysernas.runtime.cuda_graphs import StepLauncher, launch_eagerly
from raysernas.training.state import Descent, DivergedError


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
    network: Network | Majority,
    train: Part,
    valid: Part,
    config: RetrainConfig,
    *,
    seed: int,
    report: Callable[[dict[str, Any]], object],
    checkpoint: StageCheckpoint | None = None,
    launch: StepLauncher = launch_eagerly,
) -> Fitted:
    """Train by AdamW with a warm-up and a cosine; `network` ends with the weights of the epoch with the best
    validation UA.

    Args:
        config: may let the sound of the training part (and of no other) vary from use to use, and may have
            the moving average of the weights validated and kept instead of the last ones.
        report: called after each epoch (counted from 1) with its entry of the history, and the `confusion` of
            the validation, [truth, prediction], which is only shown.
        checkpoint: where the state of the training is saved. A training that an earlier attempt began with
            the same arguments continues from there, and first reports the earlier epochs again.
        launch: how the GPU's part of a step is launched, if `launcher_for` allows it.

    Raises:
        DivergedError: when the loss or a posterior is not finite.
        Fault: when a part of another role is given.
    """
    require(train, "train")
    require(valid, "valid")
    if isinstance(network, Majority):
        return _counted(network, train, valid)
    checkpoint = checkpoint or NoCheckpoint()
    descent = Descent(network, train, config, seed, launcher_for(network, config, launch))
    if checkpoint.restored is not None:
        descent.restore(checkpoint.restored)
        replay([descent.shown(number) for number in range(len(descent.history))], report)
    for epoch in range(len(descent.history) + 1, config.epochs + 1):
        if isinstance(network.front, Cells):
            network.front.drop_path = config.drop_path * epoch / config.epochs
        loss = descent.along(checkpoint)
        scores = evaluate(descent.judged, valid, after=lambda: checkpoint.step(descent.kept)).evaluation
        descent.note(loss, scores)
        report(descent.shown(-1))
    checkpoint.finish(descent.kept)
    assert descent.best is not None
    network.load_state_dict(descent.best.weights)
    return Fitted(descent.best.epoch, descent.best.valid, descent.history)


def launcher_for(network: Network, config: RetrainConfig, launch: StepLauncher) -> StepLauncher:
    """Drop-path drops other edges in every step, which a CUDA graph cannot: those steps run kernel by
    kernel.
    """
    return (
        launch_eagerly
        if config.drop_path and any(isinstance(each, ChosenCell) for each in network.modules())
        else launch
    )


def _counted(network: Majority, train: Part, valid: Part) -> Fitted:
    """The shares of the emotions in training: all that the majority learns."""
    counts = torch.bincount(torch.from_numpy(train.emotion), minlength=network.classes)
    network.shares = counts.to(network.shares) / len(train)
    return Fitted(0, evaluate(network, valid).evaluation, [])


def evaluate(
    network: Network | Majority,
    part: Part,
    batch: int = 64,
    mixing: Mixing | None = None,
    after: Callable[[], object] = lambda: None,
) -> Prediction:
    """Posteriors (mean over the windows of an utterance) and scores of every utterance of a part; nothing is
    dropped.

    Args:
        mixing: only for a supernet.
        after: called after each batch; nothing that counts has changed since the call, so it may be left
            there and begun anew.
    """
    network.eval()
    total = np.zeros((len(part), network.classes))
    counts = np.zeros(len(part))
    with torch.no_grad():
        for inputs, owners in part.windows(batch):
            posteriors = network(inputs.features, inputs.frames, mixing).softmax(dim=1).double().cpu().numpy()
            np.add.at(total, owners, posteriors)
            np.add.at(counts, owners, 1)
            after()
    posteriors = total / counts[:, None]
    if not np.isfinite(posteriors).all():
        raise DivergedError(
            "the network gives posteriors that are no numbers", f"{(~np.isfinite(posteriors)).sum()} of them"
        )
    return Prediction(posteriors, metrics.evaluate(part.emotion, posteriors.argmax(axis=1), network.classes))


def require(part: Part, *roles: Role) -> None:
    """Refuse a part of another role: what makes a test set unreachable from training."""
    if part.role not in roles:
        what = f"a part with the role {part.role!r} was given where {' or '.join(roles)} belongs"
        raise Fault(
            "training",
            what,
            got=part.role,
            expected=" or ".join(roles),
            fix="ask Data.part for that role; nothing trains on test",
        )
