"""Scores of predictions, each defined once, over whole data sets and never averaged over batches.

METRICS names them all. Ledger columns, tables, the report page, TensorBoard scalars and exported files are
made from it, so a new metric is one function and one line here. UA alone selects: candidates and epochs are
ranked by `valid_ua`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
SetScores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """One score of an evaluated set, computed from its confusion matrix."""

    label: str  # as a heading
    meaning: str  # in a few words
    compute: Callable[[Counts], SetScores]  # [set, truth, prediction] -> [set], NaN for an empty set
    is_share: bool = True  # in 0..1, printed in percent

    def text(self, score: float) -> str:
        """A score as tables print it: `71.3` for a share, else with three decimals."""
        return f"{100 * score:.1f}" if self.is_share else f"{score:.3f}"


def unweighted_accuracy(confusions: Counts) -> SetScores:
    """Mean recall over the classes that occur as truth."""
    return _mean_of_shares(_hits(confusions), confusions.sum(axis=2))


def weighted_accuracy(confusions: Counts) -> SetScores:
    """Share of correct predictions."""
    return _mean_of_shares(
        _hits(confusions).sum(axis=1, keepdims=True), confusions.sum(axis=(1, 2))[:, np.newaxis]
    )


def macro_f1(confusions: Counts) -> SetScores:
    """Mean F1 over the classes that occur as truth or as prediction."""
    return _mean_of_shares(2 * _hits(confusions), confusions.sum(axis=1) + confusions.sum(axis=2))


METRICS: dict[str, Metric] = {
    "ua": Metric("UA", "unweighted accuracy: mean recall of the classes", unweighted_accuracy),
    "wa": Metric("WA", "weighted accuracy: share of correct predictions", weighted_accuracy),
    "f1": Metric("F1", "macro-F1: mean F1 of the classes", macro_f1),
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Counts of one evaluated set: `confusion[truth, prediction]`, one row and column for every class of the
    corpus.
    """

    confusion: Counts

    @property
    def total(self) -> int:
        """Number of utterances."""
        return int(self.confusion.sum())

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which classes occur as truth; UA is a mean over these."""
        return self.confusion.sum(axis=1) > 0

    @property
    def recalls(self) -> SetScores:
        """Recall of each class; NaN for a class that does not occur."""
        support = self.confusion.sum(axis=1)
        return np.divide(
            np.diag(self.confusion), support, out=np.full(len(support), np.nan), where=support > 0
        )

    @property
    def scores(self) -> dict[str, float]:
        """Name -> score for each of METRICS; NaN for an empty set."""
        return dict(zip(METRICS, scores(self.confusion[np.newaxis])[0].tolist(), strict=True))

    def __str__(self) -> str:
        if not self.total:
            return "no utterances"
        shown = ((METRICS[name], score) for name, score in self.scores.items())
        texts = [f"{each.label} {each.text(score)}{' %' * each.is_share}" for each, score in shown]
        return ", ".join([*texts, f"{self.total} utterances"])

    @property
    def ua(self) -> float:
        """The score that selects."""
        return float(unweighted_accuracy(self.confusion[np.newaxis])[0])


def scores(confusions: Counts) -> SetScores:
    """All METRICS of many evaluated sets at once.

    Args:
        confusions: [set, truth, prediction].

    Returns:
        [set, metric]; NaN for an empty set.
    """
    return np.stack([metric.compute(confusions) for metric in METRICS.values()], axis=1)


def evaluate(truth: npt.ArrayLike, prediction: npt.ArrayLike, classes: int) -> Evaluation:
    """Count (truth, prediction) pairs, both class indices below `classes`.

    Raises:
        ValueError: for sequences of unequal length or an index out of range.
    """
    truth, prediction = np.asarray(truth, dtype=np.int64), np.asarray(prediction, dtype=np.int64)
    if truth.shape != prediction.shape or truth.ndim != 1:
        raise ValueError(
            f"truth {truth.shape} and prediction {prediction.shape} are not two sequences of one length"
        )
    indices = np.concatenate([truth, prediction])
    if indices.size and (indices.min() < 0 or indices.max() >= classes):
        raise ValueError(f"class indices {indices.min()}..{indices.max()} do not fit {classes} classes")
    counts = np.bincount(truth * classes + prediction, minlength=classes * classes)
    return Evaluation(counts.reshape(classes, classes))


def _hits(confusions: Counts) -> Counts:
    return np.diagonal(confusions, axis1=1, axis2=2)


def _mean_of_shares(above: Counts, below: Counts) -> SetScores:
    """Mean of above / below over the classes with below > 0, [set, class] -> [set].

    Absent classes are left out rather than added as zeros: a set scores the same to the last bit, whatever
    other sets stand beside it.
    """
    found, present = np.full(len(below), np.nan), below > 0
    for pattern in np.unique(present, axis=0):
        sets = (present == pattern).all(axis=1)
        shares = np.compress(pattern, above[sets], axis=1) / np.compress(pattern, below[sets], axis=1)
        if pattern.any():
            found[sets] = shares.mean(axis=1)
    return found
