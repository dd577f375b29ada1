"""One row of numbers for each utterance of a corpus, scaled by the training speakers.

In: a store of one-row clips (functionals), or of frames, whose mean and deviation over time are taken. Out:
an `UtteranceTable`. A number that has one value in all of training says nothing: it is 0 everywhere. A number
that is not finite counts as the training mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raysernas.features.cache import FrameStore, in_memory
from raysernas.features.front_end import Clip, Float32Array

CONSTANT = 1e-6  # a deviation below this share of the mean is rounding


@dataclass(frozen=True, slots=True)
class UtteranceTable:
    """Rows by the index of their utterance."""

    rows: FrameStore  # of one row each
    mean: Float32Array  # [number], over the training utterances
    deviation: Float32Array  # [number]; infinite for a number that is constant there

    @property
    def width(self) -> int:
        """Numbers of one utterance."""
        return len(self.mean)

    def of(self, indices: Sequence[int]) -> Float32Array:
        """Scaled rows [utterance, number], all finite."""
        return scaled(np.concatenate([self.rows.of(i) for i in indices]), self.mean, self.deviation)


def scaled(rows: Float32Array, mean: Float32Array, deviation: Float32Array) -> Float32Array:
    """Rows [utterance, number] as a model takes them."""
    known = np.where(np.isfinite(rows), rows, mean)
    return ((known - mean) / deviation).astype(np.float32)


def fitted(rows: FrameStore, train: Sequence[int]) -> UtteranceTable:
    """Scaled by the mean and the deviation of the utterances in `train`; no other is looked at."""
    total, squares, count = (np.zeros(rows.width) for _ in range(3))
    for i in train:
        row = rows.of(i)[0].astype(np.float64)
        known = np.isfinite(row)
        total[known] += row[known]
        count += known
    mean = total / np.maximum(count, 1)
    for i in train:
        row = rows.of(i)[0].astype(np.float64)
        squares += np.where(np.isfinite(row), row - mean, 0.0) ** 2
    deviation = np.sqrt(squares / np.maximum(count, 1))
    varied = deviation > CONSTANT * np.abs(mean)
    return UtteranceTable(
        rows, mean.astype(np.float32), np.where(varied, deviation, np.inf).astype(np.float32)
    )


def pooled(frames: FrameStore) -> FrameStore:
    """Mean and deviation of each number of a frame over all true frames of an utterance, side by side."""
    return in_memory(_pooled_clip(frames, i) for i in range(len(frames)))


def _pooled_clip(frames: FrameStore, index: int) -> Clip:
    values = frames.of(index)[: frames.true_frames(index)].astype(np.float64)
    row = np.concatenate([values.mean(axis=0), values.std(axis=0)]).astype(np.float32)
    return Clip(row[None], np.zeros(len(row), np.float32), 1)
