"""Linear models of scikit-learn on a few numbers of each window: what a network has to beat.

A window is described by the functionals of its utterance, if there are any, else by mean and deviation of its
frames over time. Where frames consist of layers, the layer is chosen like the constant C: by UA on the
validation speakers, inside the trial. Emotions weigh the same however rare they are, since UA is what counts.
Nothing is random, so all seeds give one model.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.arms.arm import Arm
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

SMALLEST_DEVIATION = 1e-6  # a number that hardly changes is not scaled up


@dataclass(frozen=True, slots=True)
class Choice:
    """What the validation speakers choose."""

    C: float  # inverse strength of the regularisation
    layer: str = ""  # of the frames; "" where they have none
    converged: bool = True


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A trained model: softmax of a linear map. `columns` of the described window are read."""

    columns: slice
    weights: Float[Tensor, "emotion number"]
    bias: Float[Tensor, " emotion"]
    mean: Float[Tensor, " number"]
    deviation: Float[Tensor, " number"]
    choice: Choice
    valid: Evaluation
    epoch: int = 0

    @property
    def classes(self) -> int:
        return len(self.bias)

    @property
    def parameters(self) -> int:
        return self.weights.numel() + self.bias.numel()

    @property
    def choices(self) -> Mapping[str, Any]:
        known = {"layer": self.choice.layer} if self.choice.layer else {}
        return {**known, "C": self.choice.C, "converged": self.choice.converged}

    def posteriors(self, batch: Batch) -> Posteriors:
        x = (described(batch)[:, self.columns].flatten(1) - self.mean) / self.deviation
        return (x @ self.weights.T + self.bias).softmax(dim=1).numpy()

    def state_dict(self) -> Mapping[str, Any]:
        named = {"weights": self.weights, "bias": self.bias, "mean": self.mean, "deviation": self.deviation}
        return named | {"columns": torch.tensor([self.columns.start, self.columns.stop])}


class LinearArm(Arm, ABC):
    """A classifier of scikit-learn, with one of `constants` as its C."""

    constants: Sequence[float]

    @abstractmethod
    def classifier(self, constant: float) -> Any:
        """A new classifier with this C."""

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
        train, valid = Examples.of(data.part("train")), Examples.of(data.part("valid"))
        classes = len(data.corpus.emotions)
        best: tuple[float, LinearModel] | None = None
        for layer, columns in _layers(data):
            for constant in self.constants:
                model = self._fitted(trial, train, Choice(constant, layer), columns, classes)
                ua = valid.scores(model).ua
                if best is None or ua > best[0]:
                    best = ua, model
        assert best is not None
        model = best[1]
        scored = evaluate(model.posteriors, data.part("valid"), model.classes)
        return replace(model, valid=scored.evaluation)

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
        heard = Examples.of(data.part("all_but_test"))
        model = self._fitted(trial, heard, chosen.choice, chosen.columns, chosen.classes)
        return replace(model, valid=chosen.valid)

    def _fitted(
        self, trial: TrialConfig, examples: "Examples", choice: Choice, columns: slice, classes: int
    ) -> LinearModel:
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        x = examples.numbers[:, columns].flatten(1)
        mean, deviation = x.mean(dim=0), x.std(dim=0, correction=0).clamp(min=SMALLEST_DEVIATION)
        scaled = ((x - mean) / deviation).numpy()
        classifier = self.classifier(choice.C)
        with threadpool_limits(trial.compute.threads), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ConvergenceWarning)
            classifier.fit(scaled, examples.emotion, sample_weight=examples.shares)
        stopped = any(issubclass(each.category, ConvergenceWarning) for each in told)
        weights, bias = _of_every_emotion(classifier, classes)
        unscored = Evaluation(np.zeros((classes, classes), np.int64))
        chosen = Choice(choice.C, choice.layer, not stopped)
        return LinearModel(columns, weights, bias, mean, deviation, chosen, unscored)


class SvmArm(LinearArm):
    """A linear support vector machine, one emotion against the rest; the softmax of its decision values
    stands for posteriors.
    """

    constants = tuple(10.0**exponent for exponent in range(-5, 0))

    def classifier(self, constant: float) -> Any:
        from sklearn.svm import LinearSVC

        return LinearSVC(C=constant, class_weight="balanced", dual="auto", max_iter=20_000, random_state=0)


class LogisticArm(LinearArm):
    """Multinomial logistic regression."""

    constants = tuple(10.0**exponent for exponent in range(-4, 2))

    def classifier(self, constant: float) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=constant, class_weight="balanced", max_iter=5000)


@dataclass(frozen=True, slots=True)
class Examples:
    """The windows of a part, each described."""

    numbers: Float[Tensor, "window number statistic"]
    emotion: npt.NDArray[np.int64]  # of each window
    owners: npt.NDArray[np.int64]  # the number of its utterance in the part
    part: Part

    @classmethod
    def of(cls, part: Part) -> "Examples":
        """All windows of a part."""
        found = [(described(batch), owners) for batch, owners in part.windows(64)]
        owners = np.concatenate([each for _, each in found])
        return cls(torch.cat([numbers for numbers, _ in found]), part.emotion[owners], owners, part)

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """The weight of each window: every utterance counts the same."""
        return 1 / np.bincount(self.owners)[self.owners]

    def scores(self, model: LinearModel) -> Evaluation:
        """As `evaluate` would give them."""
        x = (self.numbers[:, model.columns].flatten(1) - model.mean) / model.deviation
        posteriors = (x @ model.weights.T + model.bias).softmax(dim=1).numpy()
        total = np.zeros((len(self.part), model.classes))
        np.add.at(total, self.owners, posteriors)
        return metrics.evaluate(self.part.emotion, total.argmax(axis=1), model.classes)


def described(batch: Batch) -> Float[Tensor, "window number statistic"]:
    """Mean and deviation over the true frames of each window, for each number of a frame."""
    steps = torch.arange(batch.features.shape[1], device=batch.features.device)
    true = (steps < batch.frames[:, None])[:, :, None]
    frames, count = batch.features.double(), true.sum(dim=1)
    mean = (frames * true).sum(dim=1) / count
    square = ((frames - mean[:, None]).square() * true).sum(dim=1) / count
    return torch.stack([mean, square.sqrt()], dim=2).cpu()


def _layers(data: Data) -> Iterator[tuple[str, slice]]:
    """The layers of a frame by name, and their numbers; of a map the whole frame."""
    if not data.layers:
        yield "", slice(0, data.size[1])
    begin = 0
    for name, width in data.layers.items():
        yield name, slice(begin, begin + width)
        begin += width


def _of_every_emotion(classifier: Any, classes: int) -> tuple[Tensor, Tensor]:
    """Weights and bias of every emotion; one that was not trained on has no chance."""
    known: list[int] = classifier.classes_.tolist()
    coefficients, intercepts = classifier.coef_, classifier.intercept_
    if len(known) == 2:  # then there is one decision value, that of the second
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    weights = torch.zeros(classes, coefficients.shape[1], dtype=torch.float64)
    bias = torch.full((classes,), float("-inf"), dtype=torch.float64)
    weights[known], bias[known] = torch.from_numpy(coefficients), torch.from_numpy(intercepts)
    return weights, bias
