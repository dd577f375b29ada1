"""Which mean and deviation an utterance is scaled by: `features.normalisation`.

`train`: those of the training speakers; `utterance`: its own; `speaker`: those of its speaker over the whole
corpus, tested utterances included (transductive, marked in every table); `none`: the frames stay as they are.
Only true frames count, never padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Corpus
from raysernas.features.cache import FrameStore
from raysernas.features.front_end import Clip, Float32Array, FrameArray

SMALLEST_DEVIATION = 1e-5


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and deviation of each number of a frame, for every utterance."""

    mean: Float32Array  # [row, width]
    deviation: Float32Array  # [row, width]
    rows: npt.NDArray[np.int64] | None = None  # row of each utterance of the corpus; None: the first for all
    by_clip: bool = False  # every clip by its own moments; mean and deviation are not used
    fill: Float32Array | None = None  # [width], mean of the scaled training data; None: 0

    def of(self, index: int, clip: Clip) -> tuple[Float32Array, Float32Array]:
        """Mean and deviation [width] for an utterance of the corpus that sounds like `clip`."""
        if self.by_clip:
            return moments([clip.values[: clip.true]])
        row = 0 if self.rows is None else self.rows[index]
        return self.mean[row], self.deviation[row]


def fitted(
    config: FeaturesConfig, frames: FrameStore, corpus: Corpus, train: Sequence[int], used: Sequence[int]
) -> Normalisation:
    """The normalisation that the settings ask for.

    Args:
        train: utterances of the training speakers. No other is looked at, except by `speaker`.
        used: utterances of all parts of the split.

    Raises:
        Fault: with `speaker`, when nobody knows who speaks in one of the used utterances.
    """
    if config.normalisation == "speaker":
        return _by_speaker(frames, corpus, used)
    if config.normalisation == "train":
        mean, deviation = moments([_true(frames, i) for i in train])
        return Normalisation(mean[None], deviation[None])
    if config.normalisation == "utterance":
        return unscaled(frames.width, by_clip=True)
    return unscaled(frames.width, fill=moments([_true(frames, i) for i in train])[0])


def unscaled(width: int, *, by_clip: bool = False, fill: Float32Array | None = None) -> Normalisation:
    """Mean 0 and deviation 1."""
    zeros = np.zeros((1, width), np.float32)
    return Normalisation(zeros, zeros + 1, by_clip=by_clip, fill=fill)


def moments(clips: Sequence[FrameArray]) -> tuple[Float32Array, Float32Array]:
    """Mean and deviation [width] over all frames of some clips, read clip by clip: a corpus may not fit into
    memory.
    """
    count = sum(len(clip) for clip in clips)
    mean = np.sum([clip.sum(axis=0, dtype=np.float64) for clip in clips], axis=0) / count
    square = np.sum([((clip - mean) ** 2).sum(axis=0) for clip in clips], axis=0) / count
    return mean.astype(np.float32), np.maximum(np.sqrt(square), SMALLEST_DEVIATION).astype(np.float32)


def _by_speaker(frames: FrameStore, corpus: Corpus, used: Sequence[int]) -> Normalisation:
    speakers = [utterance.speaker for utterance in corpus.utterances]
    if unknown := sum(speakers[i] == UNKNOWN_SPEAKER for i in used):
        raise Fault(
            "features",
            f"features.normalisation=speaker, but {unknown} of {len(used)} utterances have no known speaker",
            got="an unknown speaker",
            expected="a speaker for every utterance of a split",
            fix="set features.normalisation=train or utterance, or choose folds without these utterances",
        )
    wanted = {speakers[i] for i in used}
    of_speaker: dict[str, list[int]] = {}
    for i, speaker in enumerate(speakers):
        if speaker in wanted:
            of_speaker.setdefault(speaker, []).append(i)
    found = [moments([_true(frames, i) for i in indices]) for indices in of_speaker.values()]
    row = {speaker: i for i, speaker in enumerate(of_speaker)}
    rows = np.array([row.get(speaker, -1) for speaker in speakers], dtype=np.int64)
    means, deviations = zip(*found, strict=True)
    return Normalisation(np.stack(means), np.stack(deviations), rows)


def _true(frames: FrameStore, index: int) -> FrameArray:
    return frames.of(index)[: frames.true_frames(index)]
