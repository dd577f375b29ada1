"""The parts of a split, handed out in batches: what a network is trained and tested on.

In: frames of a corpus, a split, a normalisation. Out: a `Part` for each role. Every input is one window long:
longer utterances are cropped at random in training and covered by several windows at test; shorter ones are
padded with the clip's own silence, or frames of layers with the mean of training. In training the sound
itself may vary from use to use.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.corpus import Corpus
from raysernas.features import augment
from raysernas.features.augment import Change
from raysernas.features.cache import FrameStore
from raysernas.features.extraction import front_end, window_frames
from raysernas.features.front_end import Clip
from raysernas.features.loading import Waveforms
from raysernas.features.normalisation import Normalisation
from raysernas.features.threads import workers
from raysernas.features.utterance_table import UtteranceTable

Role = Literal["weights", "alphas", "train", "valid", "all_but_test", "test"]
TRAINED_ON: tuple[Role, ...] = ("train", "all_but_test")  # by a retraining; the sound of no other may vary


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one step; `frames` counts the true frames of each, the rest is silence.

    All windows of an utterance have the same `functionals`, which are of the whole utterance.
    """

    features: Float[Tensor, "batch time width"]
    frames: Int[Tensor, " batch"]
    emotion: Int[Tensor, " batch"]
    functionals: Float[Tensor, "batch functional"] | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, as `Batch(*tensors)` takes it."""
        more = () if self.functionals is None else (self.functionals,)
        return self.features, self.frames, self.emotion, *more


@dataclass(frozen=True, slots=True)
class Part:
    """The utterances of one role. Whoever uses a part checks its `role`: nothing trains on `test`."""

    role: Role
    frames: FrameStore
    indices: tuple[int, ...]  # into the corpus
    emotion: npt.NDArray[np.int64]  # [len(indices)]
    normalisation: Normalisation
    window: int  # frames of every input
    device: torch.device
    waveforms: Waveforms | None = None
    pads_with_mean: bool = False  # else with the silence of each clip
    functionals: UtteranceTable | None = None  # of the unchanged sound
    versions: tuple[tuple[Clip, ...], ...] = ()  # of each utterance's sound; every use takes one of them

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def fill(self) -> Float[Tensor, " width"]:
        """What masked frames are set to: the mean of the training data, scaled like the inputs."""
        fill = self.normalisation.fill
        if fill is None:
            return torch.zeros(self.frames.width, device=self.device)
        return torch.from_numpy(fill).to(self.device)

    def epoch(
        self,
        batch: int,
        rng: np.random.Generator,
        draw: Callable[[], Change] | None = None,
        order: npt.NDArray[np.int64] | None = None,
        taken: int = 0,
    ) -> Iterator[Batch]:
        """Every utterance once, in random order and cropped at random; batch sizes differ by at most one.

        Args:
            draw: called once for each utterance in turn, gives the change of its sound; only for TRAINED_ON.
            order: of the utterances, where it has been drawn before.
            taken: so many batches of that order are skipped, and nothing is drawn for them.
        """
        order = rng.permutation(len(self)) if order is None else order
        ends = np.cumsum(batch_sizes(len(self), batch))[:-1]
        for chosen in np.split(order, ends)[taken:]:
            places = chosen.tolist()
            if self.versions:
                clips = [self.versions[i][rng.integers(len(self.versions[i]))] for i in places]
            elif draw is None:
                clips = [self.frames.clip(self.indices[i]) for i in places]
            else:
                clips = self._changed(places, draw)
            starts = [int(rng.integers(max(len(clip.values) - self.window, 0) + 1)) for clip in clips]
            yield self._batch(places, clips, starts)

    def windows(self, batch: int) -> Iterator[tuple[Batch, npt.NDArray[np.int64]]]:
        """Evenly spread windows that cover every frame of every utterance, and whose they are."""
        cuts = [
            (i, start)
            for i, index in enumerate(self.indices)
            for start in window_starts(len(self.frames.of(index)), self.window)
        ]
        for at in range(0, len(cuts), batch):
            owners, starts = zip(*cuts[at : at + batch], strict=True)
            clips = [self.frames.clip(self.indices[i]) for i in owners]
            yield self._batch(owners, clips, starts), np.array(owners)

    def with_versions(self, count: int, draw: Callable[[], Change]) -> "Part":
        """The same part with `count` changed versions of each utterance, made now and kept in memory."""
        clips = self._changed([i for i in range(len(self)) for _ in range(count)], draw)
        versions = tuple(tuple(clips[at : at + count]) for at in range(0, len(clips), count))
        return replace(self, versions=versions)

    def _changed(self, places: Sequence[int], draw: Callable[[], Change]) -> list[Clip]:
        """Clips of changed waveforms; those of an empty change equal `frames` bit for bit on one device."""
        waveforms = self.waveforms
        if self.role not in TRAINED_ON or waveforms is None:
            raise Fault(
                "features",
                "the sound of a part without waveforms was to be changed",
                got=f"role {self.role!r}",
                expected="a part that is trained on, from a trial whose retrain settings vary the sound",
                fix="ask Data.part for 'train'",
            )
        changes = [draw() for _ in places]

        def clip(place: int, change: Change) -> Clip:
            wave = waveforms.frames.of(self.indices[place])[:, 0]
            return waveforms.extract(augment.applied(wave, waveforms.rate_hz, change))

        with workers(torch.get_num_threads()) as pool:
            return list(pool.map(clip, places, changes))

    def _batch(self, places: Sequence[int], clips: Sequence[Clip], starts: Sequence[int]) -> Batch:
        inputs = np.empty((len(clips), self.window, self.frames.width), np.float32)
        lengths = np.empty(len(clips), np.int64)
        of = self.normalisation.of
        moments = [of(self.indices[i], clip) for i, clip in zip(places, clips, strict=True)]
        mean, deviation = (np.stack(each)[:, None] for each in zip(*moments, strict=True))
        fill = self.normalisation.fill  # the mean of training, where nothing is scaled
        for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
            cut = clip.values[start : start + self.window]
            lengths[row] = min(max(clip.true - start, 1), len(cut))
            inputs[row, : len(cut)] = cut
            blank = mean[row] if fill is None else fill
            inputs[row, len(cut) :] = blank if self.pads_with_mean else clip.silence
        inputs -= mean  # in place: inputs of many layers are large
        inputs /= deviation
        arrays = [inputs, lengths, self.emotion[list(places)]]
        if self.functionals is not None:
            arrays.append(self.functionals.of([self.indices[i] for i in places]))
        return Batch(*(sent(torch.from_numpy(array), self.device) for array in arrays))


def part(
    role: Role,
    frames: FrameStore,
    corpus: Corpus,
    indices: Sequence[int],
    *,
    normalisation: Normalisation,
    config: FeaturesConfig,
    device: torch.device,
    waveforms: Waveforms | None = None,
    functionals: UtteranceTable | None = None,
) -> Part:
    """The utterances of one role, scaled by the normalisation of the training split."""
    numbers = {emotion: i for i, emotion in enumerate(corpus.emotions)}
    emotion = np.array([numbers[corpus.utterances[i].emotion] for i in indices], dtype=np.int64)
    window, layers = window_frames(config), front_end(config).layers
    given = (role, frames, tuple(indices), emotion, normalisation, window, device, waveforms)
    return Part(*given, pads_with_mean=bool(layers), functionals=functionals)


def sent(x: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device. A GPU copies it from pinned memory, which does not wait."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


def batch_sizes(count: int, batch: int) -> list[int]:
    """Sizes, as even as can be, of the fewest batches that hold `count` utterances."""
    batches = -(-count // batch)
    return [count // batches + (at < count % batches) for at in range(batches)]


def window_starts(frames: int, window: int) -> list[int]:
    """First frames of the fewest evenly spread windows that cover an utterance."""
    count = max(1, -(-frames // window))
    return [round(i * (frames - window) / (count - 1)) for i in range(count)] if count > 1 else [0]
