"""Waveform to `Clip` by the front end that the settings name; the same windows, padding and pooling for all.

Every utterance is computed by itself, on one thread: neither its neighbours nor the number of cores move a
single bit, so that a cache can be shared.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from einops import reduce

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.audio import Samples
from raysernas.features.front_end import Clip, FrameArray, FrontEnd
from raysernas.features.level import levelled
from raysernas.features.logmel import LogMel
from raysernas.features.mfcc import Mfcc
from raysernas.features.pretrained.front_end import Pretrained
from raysernas.features.streams import Streams

Extract = Callable[[Samples], Clip]

FRONT_ENDS: dict[str, type[FrontEnd]] = {
    "logmel": LogMel,
    "mfcc": Mfcc,
    "streams": Streams,
    "pretrained": Pretrained,
}


def front_end(config: FeaturesConfig) -> FrontEnd:
    """The front end that `features.kind` names."""
    return FRONT_ENDS[config.kind](config)


def resolved(config: FeaturesConfig, cache: Path | None) -> FeaturesConfig:
    """The settings with all that the front end finds out (`FrontEnd.resolved`)."""
    return FRONT_ENDS[config.kind].resolved(config, cache)


def width(config: FeaturesConfig) -> int:
    """Numbers in one frame."""
    return front_end(config).width


def window_frames(config: FeaturesConfig) -> int:
    """FrameArray of one network input, after pooling."""
    chosen = front_end(config)
    frames = round(config.window_s * config.sample_rate_hz / chosen.samples_per_frame)
    if config.pad == "waveform":
        frames = chosen.frames(window_samples(config))
    return max(1, frames // config.pool_frames)


def window_samples(config: FeaturesConfig) -> int:
    """Samples of one network input."""
    return max(1, round(config.window_s * config.sample_rate_hz))


def extractor(config: FeaturesConfig, device: str | None = None) -> Extract:
    """The function from a waveform to its `Clip`.

    With `level: utterance` the sound first gets its gain. With `pad: waveform` it is then cut to the window,
    or filled up with zeros. Pooling takes the maximum (of layers: the mean) over adjacent frames; the last
    group is dropped if it is not full, unless it is the only one.

    Args:
        device: where to compute, if not on `features.device`; librosa always computes on the CPU.

    Raises:
        Fault: when a library cannot be loaded, or when a GPU is wanted and there is none.
    """
    place = torch.device(device or config.device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise Fault(
            "features",
            "there is no GPU here",
            got="features.device=cuda",
            expected="a GPU that torch sees",
            fix="set features.device=cpu",
        )
    chosen = front_end(config)
    transform = chosen.transform(place)

    def true_frames(samples: int, frames: int) -> int:
        """FrameArray that hold sound of the utterance; a pooled one does if any frame of its group does."""
        if config.pad != "waveform":
            return frames
        return min(frames, -(-chosen.frames(samples) // config.pool_frames))

    def extract(wave: Samples) -> Clip:
        if config.level == "utterance":
            wave = levelled(wave, config.sample_rate_hz)
        with torch.inference_mode():
            frames, silence = transform(_window(wave, config) if config.pad == "waveform" else wave)
            values = _pooled(frames.cpu().numpy(), config.pool_frames, "mean" if chosen.layers else "max")
            values = values.astype(chosen.stored, copy=False)
            return Clip(
                values, silence[0].cpu().numpy().astype(chosen.stored), true_frames(len(wave), len(values))
            )

    return extract


def _window(wave: Samples, config: FeaturesConfig) -> Samples:
    """The first window of a sound, filled up with zeros."""
    full = np.zeros(window_samples(config), np.float32)
    full[: len(wave)] = wave[: len(full)]
    return full


def _pooled(values: FrameArray, group: int, how: Literal["max", "mean"]) -> FrameArray:
    groups = len(values) // group
    if group == 1:
        return values
    if not groups:
        return values.mean(axis=0, keepdims=True) if how == "mean" else values.max(axis=0, keepdims=True)
    return reduce(values[: groups * group], "(time frame) width -> time width", how, frame=group)
