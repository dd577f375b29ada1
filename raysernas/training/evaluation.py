"""Evaluating a model on a part: every utterance once, over all of its windows; nothing is dropped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from raysernas.config.fault import Fault
from raysernas.features.parts import Batch, Part, Role
from raysernas.model.network import Mixing, Network
from raysernas.record import metrics
from raysernas.record.ensembles import mean_posteriors
from raysernas.record.metrics import Evaluation
from raysernas.training.losses import DivergedError

Posteriors = npt.NDArray[np.float64]  # [window or utterance, emotion]
PosteriorsOf = Callable[[Batch], Posteriors]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Posteriors of every utterance of a part, in the order of the part, and their scores."""

    posteriors: Posteriors
    evaluation: Evaluation
    emotion: npt.NDArray[np.int64]  # the true ones, as in the part

    @classmethod
    def of(cls, posteriors: Posteriors, emotion: npt.NDArray[np.int64]) -> "Prediction":
        """Score posteriors: the answer is the emotion with the highest one."""
        scores = metrics.evaluate(emotion, posteriors.argmax(axis=1), posteriors.shape[1])
        return cls(posteriors, scores, emotion)


def evaluate(
    posteriors_of: PosteriorsOf,
    part: Part,
    classes: int,
    *,
    batch: int = 64,
    after: Callable[[], object] = lambda: None,
) -> Prediction:
    """Posteriors of every utterance, each the mean over its windows, and the scores of the part.

    Args:
        posteriors_of: gives the posteriors of the windows of a batch.
        after: called after each batch. Nothing that counts has changed since the call of `evaluate`, so the
            evaluation may be left there and begun anew.

    Raises:
        DivergedError: when a posterior is not finite.
    """
    total, counts = np.zeros((len(part), classes)), np.zeros(len(part))
    for inputs, owners in part.windows(batch):
        np.add.at(total, owners, posteriors_of(inputs))
        np.add.at(counts, owners, 1)
        after()
    posteriors = total / counts[:, None]
    if not np.isfinite(posteriors).all():
        count = (~np.isfinite(posteriors)).sum()
        raise DivergedError("the network gives posteriors that are not finite", f"{count} of them")
    return Prediction.of(posteriors, part.emotion)


def averaged(predictions: Sequence[Prediction]) -> Prediction:
    """The answers of several models on one part as those of their ensemble: the mean of their posteriors."""
    return Prediction.of(mean_posteriors([each.posteriors for each in predictions]), predictions[0].emotion)


def network_posteriors(network: Network, mixing: Mixing | None = None) -> PosteriorsOf:
    """What `evaluate` asks for, from a network in evaluation mode. Args: mixing: only for a supernet."""
    network.eval()

    @torch.no_grad()
    def posteriors_of(batch: Batch) -> Posteriors:
        logits = network(batch.features, batch.frames, mixing, batch.functionals)
        return logits.softmax(dim=1).double().cpu().numpy()

    return posteriors_of


def require(part: Part, *roles: Role) -> None:
    """Refuse a part of another role: this keeps the test part out of training.

    Raises:
        Fault: naming the role that was given.
    """
    if part.role not in roles:
        expected = " or ".join(roles)
        what = f"a part with the role {part.role!r} was given where {expected} belongs"
        fix = "ask Data.part for that role; nothing trains on test"
        raise Fault("training", what, got=part.role, expected=expected, fix=fix)
