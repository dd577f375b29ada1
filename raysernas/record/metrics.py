"""What a prediction is worth: the field's scores, defined once, over whole data sets.

UA (unweighted accuracy) = mean per-class recall over the classes present; WA (weighted accuracy) = plain
accuracy; macro-F1 = mean F1 over the classes that occur as truth or as prediction. Never averaged over
batches.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Counts of one evaluated set: `confusion[truth, prediction]`, one row and column for every class of the
    corpus.
    """

    confusion: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of utterances."""
        return int(self.confusion.sum())

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which classes occur as truth; UA is a mean over these."""
        return self.confusion.sum(axis=1) > 0

    @property
    def recalls(self) -> npt.NDArray[np.float64]:
        """Recall of each class; NaN for a class that does not occur."""
        support = self.confusion.sum(axis=1)
        return np.divide(
            np.diag(self.confusion), support, out=np.full(len(support), np.nan), where=support > 0
        )

    @property
    def ua(self) -> float:
        """Mean recall over the classes present, in 0..1; NaN for an empty set."""
        return float(np.mean(self.recalls[self.present])) if self.total else float("nan")

    @property
    def wa(self) -> float:
        """Share of right predictions, in 0..1; NaN for an empty set."""
        return float(np.trace(self.confusion) / self.total) if self.total else float("nan")

    @property
    def f1(self) -> float:
        """Mean F1 over the classes that occur as truth or as prediction, in 0..1; NaN for an empty set."""
        occurring = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        scores = 2 * np.diag(self.confusion)[occurring > 0] / occurring[occurring > 0]
        return float(np.mean(scores)) if self.total else float("nan")


def scores(confusions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """UA, WA and macro-F1 of many evaluated sets at once, each as `Evaluation` gives it.

    Args:
        confusions: [set, truth, prediction].

    Returns:
        [set, (UA, WA, F1)]; NaN for an empty set.
    """
    hits, support, taken = (
        np.diagonal(confusions, axis1=1, axis2=2),
        confusions.sum(axis=2),
        confusions.sum(axis=1),
    )
    pairs = (
        (hits, support),
        (hits.sum(axis=1, keepdims=True), support.sum(axis=1, keepdims=True)),
        (2 * hits, support + taken),
    )
    found = []
    for above, below in pairs:
        shares = np.divide(above, below, out=np.zeros(below.shape), where=below > 0)
        classes = (below > 0).sum(axis=1)
        found.append(
            np.divide(shares.sum(axis=1), classes, out=np.full(len(confusions), np.nan), where=classes > 0)
        )
    return np.stack(found, axis=1)


def evaluate(truth: npt.ArrayLike, prediction: npt.ArrayLike, classes: int) -> Evaluation:
    """Count (truth, prediction) pairs, both class indices below `classes`.

    Raises:
        ValueError: for sequences of unlike length or an index out of range.
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
