"""The frames, the functionals and the waveforms of a whole corpus, from the cache or computed.

In: a corpus, the feature settings, the cache folder. Out: a `FrameStore`. A folder of the cache is named
after everything that can change the numbers in it.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.features import cache, extraction
from raysernas.features.cache import FrameStore
from raysernas.features.extraction import Extract
from raysernas.features.front_end import Clip
from raysernas.features.functionals.members import functional_set
from raysernas.features.threads import one_thread
from raysernas.record.limits import cores

SAMPLED = 10  # utterances, spread over the corpus, that a cost is measured on
WAVEFORM_VERSION = 2  # of how a waveform is read; a new one leaves old caches unused


@dataclass(frozen=True, slots=True)
class ExpectedFrames:
    """The cost of frames that are not in the cache; 0 for those that are."""

    seconds: float
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Waveforms:
    """The sound of a corpus, for a part whose sound varies."""

    frames: FrameStore  # [sample, 1]
    rate_hz: int
    extract: Extract


def load(
    corpus: Corpus,
    config: FeaturesConfig,
    folder: Path | None,
    report: Callable[[int, int], object] = lambda done, of: None,
) -> FrameStore:
    """Frames of every utterance, from the cache if they are there; else computed and, with a cache, kept.

    Args:
        report: see `cache.load`.

    Raises:
        Fault: for audio that cannot be read: how many files, and the names of the first ones.
    """
    place = folder and folders(corpus, config, folder)[0]
    return cache.load(corpus, place, _reader(config), lambda: extraction.extractor(config), report=report)


def expected(corpus: Corpus, config: FeaturesConfig, folder: Path) -> ExpectedFrames:
    """What computing the frames of a corpus takes, from a few utterances; nothing is written."""
    everyone, place = corpus.utterances, folders(corpus, config, folder)[0]
    if cache.is_whole(corpus, place):
        return ExpectedFrames(0.0, 0)
    extract, read = extraction.extractor(config), _reader(config)
    some = everyone[:: -(-len(everyone) // SAMPLED)]
    with one_thread():
        began_s = time.perf_counter()
        size = sum(extract(read(utterance)).values.nbytes for utterance in some)
        seconds = time.perf_counter() - began_s
    share = len(everyone) / len(some)
    return ExpectedFrames(share * seconds / cores(), round(share * size))


def functionals(corpus: Corpus, config: FeaturesConfig, folder: Path | None) -> FrameStore:
    """The functionals of every utterance, one row each, cached like frames.

    Raises:
        Fault: for audio that cannot be read, or a missing package.
    """
    members = functional_set(config)
    silence = np.zeros(members.width, np.float32)

    def extractor() -> Extract:
        summarise = members.summarise()
        return lambda wave: Clip(summarise(wave)[None], silence, 1)

    place = folder and folders(corpus, config, folder)[2]
    return cache.load(corpus, place, _reader(config), extractor)


def waveforms(corpus: Corpus, config: FeaturesConfig, folder: Path | None, device: torch.device) -> Waveforms:
    """Waveforms of every utterance, cached like frames; changed ones are extracted on `device`.

    Raises:
        Fault: for audio that cannot be read.
    """
    silence = np.zeros(1, np.float32)
    place = folder and folders(corpus, config, folder)[1]
    as_clip = lambda wave: Clip(wave[:, None], silence, len(wave))  # noqa: E731
    found = cache.load(corpus, place, _reader(config), lambda: as_clip)
    return Waveforms(found, config.sample_rate_hz, extraction.extractor(config, device.type))


def folders(corpus: Corpus, config: FeaturesConfig, folder: Path) -> tuple[Path, ...]:
    """Where frames, waveforms and, if there are any, functionals of a corpus are cached."""
    keys = [  # the channel is younger than many a cache: it counts where it is not the average
        utterance.key if utterance.channel == "mean" else [utterance.key, utterance.channel]
        for utterance in corpus.utterances
    ]
    front_end = extraction.front_end(config)
    frames = _digest([front_end.version, corpus.fingerprint, keys, front_end.fingerprint])
    sound = _digest([WAVEFORM_VERSION, corpus.fingerprint, keys, config.sample_rate_hz])
    places = folder / f"features-{frames}", folder / f"waveforms-{sound}"
    if config.functionals == "none":
        return places
    rows = _digest([WAVEFORM_VERSION, corpus.fingerprint, keys, functional_set(config).fingerprint])
    return *places, folder / f"functionals-{rows}"


def _reader(config: FeaturesConfig) -> cache.Read:
    return lambda utterance: catalogue.waveform(utterance, config.sample_rate_hz)


def _digest(contents: list[object]) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16]
