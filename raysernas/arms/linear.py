"""Baselines without a network: a linear model of one row of numbers for each utterance.

The row holds functionals or, without `features.functionals`, the mean and the deviation of the frames. Where
a front end gives the frames of several layers side by side, one layer is chosen. Layer and constant C of the
regularisation are those with the best validation UA; on a tie the smaller C, then the lower layer. Every
emotion weighs the same. Nothing is random, so every retraining gives the same model.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from torch import Tensor

from raysernas.arms.arm import Arm
from raysernas.config.identity import functionals
from raysernas.config.schema import TrialConfig
from raysernas.features.parts import Batch, Part
from raysernas.record import metrics
from raysernas.record.genotype import Genotype
from raysernas.record.history import ReportEpoch
from raysernas.record.metrics import Evaluation
from raysernas.runtime.checkpointing import StageCheckpoint
from raysernas.training.data import Data
from raysernas.training.evaluation import Posteriors, evaluate
from raysernas.training.model import TrainedModel

Kind = Literal["svm", "logistic"]
Coefficients = npt.NDArray[np.float64]
CONSTANTS = tuple(10.0**power for power in range(-5, 2))
ITERATIONS = 10_000  # at most


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A trained model: one linear function of an utterance's numbers for each emotion.

    The posteriors are the softmax of these functions. Logistic regression is trained for that. Those of the
    SVM are margins of one emotion against the rest: its posteriors rank emotions but are not calibrated.
    """

    coefficients: Coefficients  # [emotion, number]; 0 for the numbers of layers that were not chosen
    intercepts: Coefficients  # [emotion]; -inf for an emotion that was not heard in training
    parameters: int
    facts: Mapping[str, Any]
    valid: Evaluation
    epoch: int = 0

    @property
    def classes(self) -> int:
        return len(self.intercepts)

    def posteriors(self, batch: Batch) -> Posteriors:
        assert batch.functionals is not None, "the rows of the utterances are missing"
        return _posteriors(batch.functionals.cpu().numpy(), self.coefficients, self.intercepts)

    def state_dict(self) -> Mapping[str, Tensor]:
        arrays = {"coefficients": self.coefficients, "intercepts": self.intercepts}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The functions of one layer and one constant, and how good they are on the validation speakers."""

    layer: str  # "" where the row is no frame of layers
    constant: float
    columns: npt.NDArray[np.int64]  # the numbers of the layer
    coefficients: Coefficients  # [emotion, number of the layer]
    intercepts: Coefficients
    converged: bool
    valid_ua: float


class LinearArm(Arm):
    """`svm` (one emotion against the rest, squared hinge) or `logistic` (multinomial) regression."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind

    def epochs(self, trial: TrialConfig) -> int:
        return 0

    def refit_epochs(self, trial: TrialConfig) -> int:
        return 0

    def fit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        train, valid, classes = data.part("train"), data.part("valid"), len(data.corpus.emotions)
        layers, rows = dict(_layers(trial, data)), (_rows(train), _rows(valid))
        found = [
            self._fitted(rows, train, valid, classes, layer, constant, columns)
            for constant in CONSTANTS
            for layer, columns in layers.items()
        ]
        best = max(found, key=lambda each: each.valid_ua)  # the first of equal ones
        unconverged = [[each.layer, each.constant] for each in found if not each.converged]
        facts = {"layer": best.layer, "constant": best.constant, "unconverged": json.dumps(unconverged)}
        weights = _spread(best.coefficients, best.columns, data.n_functionals), best.intercepts
        of = lambda batch: _posteriors(batch.functionals.cpu().numpy(), *weights)  # noqa: E731
        scores = evaluate(of, valid, classes).evaluation
        parameters = best.coefficients.size + best.intercepts.size
        return LinearModel(*weights, parameters, facts, scores)

    def refit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        chosen: TrainedModel,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        assert isinstance(chosen, LinearModel)
        heard = data.part("all_but_test")
        columns = dict(_layers(trial, data))[chosen.facts["layer"]]
        given = heard.emotion, chosen.classes, chosen.facts["constant"]
        coefficients, intercepts, _ = fitted(self.kind, _rows(heard)[:, columns], *given)
        weights = _spread(coefficients, columns, data.n_functionals), intercepts
        return LinearModel(*weights, chosen.parameters, chosen.facts, chosen.valid)

    def _fitted(
        self,
        of: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
        train: Part,
        valid: Part,
        classes: int,
        layer: str,
        constant: float,
        columns: npt.NDArray[np.int64],
    ) -> _Fitted:
        rows, held_out = (each[:, columns] for each in of)
        coefficients, intercepts, converged = fitted(self.kind, rows, train.emotion, classes, constant)
        found = _posteriors(held_out, coefficients, intercepts).argmax(axis=1)
        ua = metrics.evaluate(valid.emotion, found, classes).ua
        return _Fitted(layer, constant, columns, coefficients, intercepts, converged, ua)


def fitted(
    kind: Kind, rows: npt.NDArray[Any], emotion: npt.NDArray[np.int64], classes: int, constant: float
) -> tuple[Coefficients, Coefficients, bool]:
    """Coefficients [emotion, number], intercepts [emotion], and whether the iterations converged.

    Args:
        rows: [utterance, number].
        constant: C, the inverse strength of the regularisation.
    """
    coefficients, intercepts = np.zeros((classes, rows.shape[1])), np.full(classes, -np.inf)
    heard = np.unique(emotion)
    if len(heard) == 1:
        intercepts[heard] = 0.0
        return coefficients, intercepts, True
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    model = (LinearSVC if kind == "svm" else LogisticRegression)(
        C=constant, class_weight="balanced", max_iter=ITERATIONS, random_state=0
    )
    with _one_thread(), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(rows.astype(np.float64), emotion)
    weight, bias = model.coef_, model.intercept_
    if len(heard) == 2:  # one function, of the second emotion
        other = 0.0 if kind == "logistic" else -1.0
        weight, bias = np.concatenate([other * weight, weight]), np.concatenate([other * bias, bias])
    coefficients[heard], intercepts[heard] = weight, bias
    return coefficients, intercepts, not any(issubclass(each.category, ConvergenceWarning) for each in seen)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The last bits of a matrix product depend on the number of threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _posteriors(rows: npt.NDArray[Any], coefficients: Coefficients, intercepts: Coefficients) -> Posteriors:
    """[utterance, emotion]. einsum: a matrix product rounds each row as its neighbours decide."""
    return softmax(np.einsum("un,en->ue", rows.astype(np.float64), coefficients) + intercepts, axis=1)


def _rows(part: Part) -> npt.NDArray[np.float32]:
    assert part.functionals is not None, "the rows of the utterances are missing"
    return part.functionals.of(part.indices)


def _spread(coefficients: Coefficients, columns: npt.NDArray[np.int64], width: int) -> Coefficients:
    """Coefficients of all numbers of a row, 0 but for those of some columns."""
    whole = np.zeros((len(coefficients), width))
    whole[:, columns] = coefficients
    return whole


def _layers(trial: TrialConfig, data: Data) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """The layers that a row is made of, by name, and the numbers of each: its means, then its deviations."""
    every = np.arange(data.n_functionals)
    if functionals(trial) != "none" or not data.layers:
        yield "", every
        return
    means, deviations = np.split(every, 2)
    first = 0
    for name, width in data.layers.items():
        own = slice(first, first + width)
        yield name, np.concatenate([means[own], deviations[own]])
        first += width
