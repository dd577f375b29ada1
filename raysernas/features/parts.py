"""Speech to the inputs of a network: the features of a corpus, scaled and cut to one length, handed out in
batches.

In: a corpus, the feature settings, a split. Out: a `Part` for each role. Every input is `window_s` long:
longer utterances are cropped at random in training and covered by several windows at test; shorter ones are
padded with the clip's own silence. In training the sound itself may vary from use to use. How a waveform
becomes numbers is told in `extraction`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Corpus
from raysernas.features import augment, cache, extraction
from raysernas.features.augment import Change
from raysernas.features.cache import Frames
from raysernas.features.extraction import Clip, Extract, Floats, window_frames

Role = Literal["weights", "alphas", "train", "valid", "test"]
VERSION = 2  # of the arithmetic of extraction; a new one leaves old caches unused
SMALLEST_DEVIATION = 1e-5


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one step; `frames` counts the true frames of each, the rest is silence."""

    features: Float[Tensor, "batch time band"]
    frames: Int[Tensor, " batch"]
    emotion: Int[Tensor, " batch"]

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """All of it."""
        return self.features, self.frames, self.emotion


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and deviation of each band: over a training split, of every speaker, or of each clip by itself."""

    mean: Floats  # [row, band]
    deviation: Floats  # [row, band]
    rows: npt.NDArray[np.int64] | None = None  # row of each utterance of the corpus; None: all have the first
    by_clip: bool = False  # then the two are not looked at
    # [band] mean of the training data once they are scaled; None: 0, to which scaling brings it
    fill: Floats | None = None

    def of(self, index: int, clip: Clip) -> tuple[Floats, Floats]:
        """Mean and deviation [band] that an utterance, as it sounds now, is scaled with."""
        if self.by_clip:
            return moments([clip.values[: clip.true]])
        row = 0 if self.rows is None else self.rows[index]
        return self.mean[row], self.deviation[row]


@dataclass(frozen=True, slots=True)
class Source:
    """The waveforms of a corpus, for a part whose sound may vary."""

    waveforms: Frames  # [sample, 1]
    rate_hz: int
    extract: Extract


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a split, ready for a network. Its `role` is checked by whoever uses it: nothing trains on
    `test`.
    """

    role: Role
    frames: Frames
    indices: tuple[int, ...]  # into the corpus
    emotion: npt.NDArray[np.int64]  # [len(indices)]
    scale: Scale
    window: int  # frames of every input
    device: torch.device
    source: Source | None = None
    # of each utterance's sound; if there are any, every use takes one of them
    versions: tuple[tuple[Clip, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def fill(self) -> Float[Tensor, " band"]:
        """What stands where nothing is to be heard: the mean of each band of the training data, scaled as the
        inputs are.
        """
        fill = self.scale.fill
        return (
            torch.zeros(self.frames.width, device=self.device)
            if fill is None
            else torch.from_numpy(fill).to(self.device)
        )

    def epoch(
        self,
        batch: int,
        rng: np.random.Generator,
        draw: Callable[[], Change] | None = None,
        order: npt.NDArray[np.int64] | None = None,
        taken: int = 0,
    ) -> Iterator[Batch]:
        """Every utterance once, in random order, each cropped at random; batches differ in size by at most
        one.

        Args:
            draw: called once for each utterance in turn, gives the change of its sound; only `train` may be
                changed.
            order: of the utterances, where it has been drawn before.
            taken: so many batches of that order are left out, and nothing is drawn for them.
        """
        order = rng.permutation(len(self)) if order is None else order
        ends = np.cumsum(batch_sizes(len(self), batch))[:-1]
        for chosen in np.split(order, ends)[taken:]:
            places = chosen.tolist()
            if self.versions:
                clips = [self.versions[i][rng.integers(len(self.versions[i]))] for i in places]
            else:
                clips = (
                    [self.frames.clip(self.indices[i]) for i in places]
                    if draw is None
                    else self._changed(places, draw)
                )
            starts = [int(rng.integers(max(len(clip.values) - self.window, 0) + 1)) for clip in clips]
            yield self._batch(places, clips, starts)

    def windows(self, batch: int) -> Iterator[tuple[Batch, npt.NDArray[np.int64]]]:
        """Every window of every utterance, evenly spread so that all frames are seen, with the utterance each
        belongs to.
        """
        cuts = [
            (i, start)
            for i, index in enumerate(self.indices)
            for start in window_starts(len(self.frames.of(index)), self.window)
        ]
        for at in range(0, len(cuts), batch):
            owners, starts = zip(*cuts[at : at + batch], strict=True)
            yield (
                self._batch(owners, [self.frames.clip(self.indices[i]) for i in owners], starts),
                np.array(owners),
            )

    def with_versions(self, count: int, draw: Callable[[], Change]) -> "Part":
        """The same part, of which every use takes one of `count` changed versions of an utterance, all made
        here and held.
        """
        clips = self._changed([i for i in range(len(self)) for _ in range(count)], draw)
        return replace(
            self, versions=tuple(tuple(clips[at : at + count]) for at in range(0, len(clips), count))
        )

    def _changed(self, places: Sequence[int], draw: Callable[[], Change]) -> list[Clip]:
        """Clips made of the waveforms anew; without any change they are those of `frames`, on the same device
        bit for bit.
        """
        source = self.source
        if self.role != "train" or source is None:
            raise Fault(
                "features",
                "the sound of a part without waveforms was to be changed",
                got=f"role {self.role!r}",
                expected="the part 'train', from a trial whose retrain settings vary the sound",
                fix="ask Data.part for 'train'",
            )
        changes = [draw() for _ in places]

        def clip(each: tuple[int, Change]) -> Clip:
            wave = source.waveforms.of(self.indices[each[0]])[:, 0]
            return source.extract(augment.applied(wave, source.rate_hz, each[1]))

        with extraction.workers(torch.get_num_threads()) as pool:
            return list(pool.map(clip, list(zip(places, changes, strict=True))))

    def _batch(self, places: Sequence[int], clips: Sequence[Clip], starts: Sequence[int]) -> Batch:
        inputs = np.empty((len(clips), self.window, self.frames.width), np.float32)
        lengths = np.empty(len(clips), np.int64)
        for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
            cut = clip.values[start : start + self.window]
            lengths[row] = min(max(clip.true - start, 1), len(cut))
            inputs[row, : len(cut)] = cut
            inputs[row, len(cut) :] = clip.silence
        scales = [self.scale.of(self.indices[i], clip) for i, clip in zip(places, clips, strict=True)]
        mean, deviation = (np.stack(each)[:, None] for each in zip(*scales, strict=True))
        inputs = (inputs - mean) / deviation
        return Batch(
            *(
                sent(torch.from_numpy(array), self.device)
                for array in (inputs, lengths, self.emotion[list(places)])
            )
        )


def sent(x: Tensor, device: torch.device) -> Tensor:
    """On its way to a device; to a GPU from memory that it reads by itself, so that this copy does not wait
    for it.
    """
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


def batch_sizes(count: int, batch: int) -> list[int]:
    """Of the fewest batches that hold so many utterances, as even as can be."""
    batches = -(-count // batch)
    return [count // batches + (at < count % batches) for at in range(batches)]


def window_starts(frames: int, window: int) -> list[int]:
    """First frames of the fewest evenly spread windows that cover an utterance."""
    count = max(1, -(-frames // window))
    return [round(i * (frames - window) / (count - 1)) for i in range(count)] if count > 1 else [0]


def width(config: FeaturesConfig) -> int:
    """Numbers in one frame."""
    return config.bands if config.kind == "logmel" else config.coefficients


def part(
    role: Role,
    frames: Frames,
    corpus: Corpus,
    indices: Sequence[int],
    *,
    scale: Scale,
    config: FeaturesConfig,
    device: torch.device,
    source: Source | None = None,
) -> Part:
    """Utterances of one role with the scale of the training split."""
    numbers = {emotion: i for i, emotion in enumerate(corpus.emotions)}
    emotion = np.array([numbers[corpus.utterances[i].emotion] for i in indices], dtype=np.int64)
    return Part(role, frames, tuple(indices), emotion, scale, window_frames(config), device, source)


def scale_of(frames: Frames, indices: Sequence[int], config: FeaturesConfig) -> Scale:
    """Statistics of the training split's true frames; no other utterance is looked at (nor a speaker: see
    `speaker_scale`).
    """
    if config.normalisation == "train":
        mean, deviation = moments([_true(frames, i) for i in indices])
        return Scale(mean[None], deviation[None])
    nothing, one = np.zeros((1, frames.width), np.float32), np.ones((1, frames.width), np.float32)
    if config.normalisation == "utterance":
        return Scale(nothing, one, by_clip=True)
    return Scale(nothing, one, fill=moments([_true(frames, i) for i in indices])[0])


def speaker_scale(frames: Frames, corpus: Corpus, used: Sequence[int]) -> Scale:
    """Statistics of each speaker over all of the speaker's utterances in the corpus, tested ones too
    (transductive).

    Raises:
        Fault: when nobody knows who speaks in one of the utterances that are used.
    """
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
    row = {name: i for i, name in enumerate(of_speaker)}
    rows = np.array([row.get(speaker, -1) for speaker in speakers], dtype=np.int64)
    return Scale(np.stack([mean for mean, _ in found]), np.stack([deviation for _, deviation in found]), rows)


def moments(clips: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Mean and deviation [band] over the frames of some clips, clip by clip: a corpus need not fit into
    memory.
    """
    count = sum(len(clip) for clip in clips)
    mean = np.sum([clip.sum(axis=0, dtype=np.float64) for clip in clips], axis=0) / count
    square = np.sum([((clip - mean) ** 2).sum(axis=0) for clip in clips], axis=0) / count
    return mean.astype(np.float32), np.maximum(np.sqrt(square), SMALLEST_DEVIATION).astype(np.float32)


def load(corpus: Corpus, config: FeaturesConfig, folder: Path | None) -> Frames:
    """Features of every utterance, from the cache if they are there, else computed and (with a cache) kept.

    Raises:
        Fault: for audio that cannot be read; every such file is counted, the first ones are named.
    """
    place = folder and folders(corpus, config, folder)[0]
    return cache.load(corpus, place, _reader(config), lambda: extraction.extractor(config))


def source(corpus: Corpus, config: FeaturesConfig, folder: Path | None, device: torch.device) -> Source:
    """Waveforms of every utterance, kept like features; what is made of them anew is computed on `device`.

    Raises:
        Fault: for audio that cannot be read.
    """
    silence = np.zeros(1, np.float32)
    place = folder and folders(corpus, config, folder)[1]
    waveforms = cache.load(
        corpus, place, _reader(config), lambda: lambda wave: Clip(wave[:, None], silence, len(wave))
    )
    return Source(waveforms, config.sample_rate_hz, extraction.extractor(config, device.type))


def folders(corpus: Corpus, config: FeaturesConfig, folder: Path) -> tuple[Path, Path]:
    """Where the features and the waveforms of a corpus are kept, named after all that can change their
    numbers.
    """
    unread = ["normalisation"]
    unread += ["window_s"] if config.pad != "waveform" else []
    unread += ["coefficients"] if config.kind != "mfcc" else []
    settings = {key: value for key, value in asdict(config).items() if key not in unread}
    keys = [utterance.key for utterance in corpus.utterances]
    return (
        folder / f"features-{_digest([VERSION, corpus.fingerprint, keys, settings])}",
        folder / f"waveforms-{_digest([VERSION, corpus.fingerprint, keys, config.sample_rate_hz])}",
    )


def _reader(config: FeaturesConfig) -> cache.Read:
    return lambda utterance: catalogue.waveform(utterance, config.sample_rate_hz)


def _digest(what: list[object]) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _true(frames: Frames, index: int) -> Floats:
    return frames.of(index)[: frames.true_frames(index)]
