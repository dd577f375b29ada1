"""Small inputs for the tests: a corpus part made of noise, and a network of every arm."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import torch

from raysernas.arms.members import MEMBERS
from raysernas.config.arms import ARMS
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config, CorpusConfig, NetworkConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.features import normalisation
from raysernas.features.cache import FrameStore, in_memory
from raysernas.features.front_end import Clip, Float32Array
from raysernas.features.parts import Part, Role
from raysernas.model.network import Design, Mixing, Network, build
from raysernas.record.genotype import draw, space
from raysernas.training.evaluation import Prediction, evaluate, network_posteriors

BANDS, WINDOW, CLASSES = 8, 16, 3
LAYERS = {"layer_0": 5, "layer_1": 2, "layer_2": 1}  # a frame of as many numbers, in layers
SYNTHETIC = CorpusConfig(synthetic_speakers=4, synthetic_takes=1)
NETWORK = NetworkConfig(
    cells=3, nodes=2, channels=2, stem_halves=False, hidden=4, dropout=0.0, designed_channels=2
)

# one node a cell: for the laws of what happens around a step, which are those of any network
SMALLEST = dataclasses.replace(NETWORK, nodes=1)


def noise_part(role: str, count: int = 12, seed: int = 0, longest: int = 40) -> Part:
    """Clips of 1 to `longest` frames whose class is audible as a louder band."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, count)
    values = np.split(rng.standard_normal((lengths.sum(), BANDS)).astype(np.float32), np.cumsum(lengths)[:-1])
    emotion = np.arange(count) % CLASSES
    for i in range(count):
        values[i][:, emotion[i]] += 2
    frames = in_memory(Clip(each, np.full(BANDS, -3, np.float32), len(each)) for each in values)
    return Part(
        cast(Role, role),
        frames,
        tuple(range(count)),
        emotion.astype(np.int64),
        normalisation.unscaled(BANDS),
        WINDOW,
        torch.device("cpu"),
    )


def altered(frames: FrameStore, change: Callable[[int, Float32Array], Float32Array]) -> FrameStore:
    """The same corpus with other values: `change` is given the number and the features of each utterance."""
    clips = [frames.clip(i) for i in range(len(frames))]
    return in_memory(
        dataclasses.replace(clip, values=change(i, clip.values.copy())) for i, clip in enumerate(clips)
    )


def network(
    arm: str,
    *,
    chosen: bool = True,
    config: NetworkConfig = NETWORK,
    seed: int = 0,
    layers: Mapping[str, int] | None = None,
) -> Network:
    """A network of any arm that has one, with a drawn genotype where the arm has one (or the supernet)."""
    torch.manual_seed(seed)
    config, genotype = resolved(arm, config), None
    if chosen and ARMS[arm].has_genotype:
        genotype = draw(np.random.default_rng(seed), space(config, tuple(layers or ())))
    return build(design(arm), config, (WINDOW, BANDS), CLASSES, genotype, layers=layers)


def design(arm: str) -> Design:
    """The design of an arm that has a network."""
    found = MEMBERS[arm].design
    assert found is not None
    return found


def scores(network: Network, part: Part, batch: int = 64, mixing: Mixing | None = None) -> Prediction:
    """A network evaluated on a part. Args: mixing: of a supernet."""
    return evaluate(network_posteriors(network, mixing), part, network.classes, batch=batch)


def resolved(arm: str, config: NetworkConfig = NETWORK) -> NetworkConfig:
    """What the arm stands for, on top of the settings."""
    return trial_config(Config(network=config), arm=arm, fold=0, seed=0).network


def speakers(*names: str) -> Corpus:
    """A corpus with one utterance of each of these speakers."""
    first = catalogue.read(SYNTHETIC, None).utterances[0]
    utterances = tuple(dataclasses.replace(first, key=str(i), speaker=name) for i, name in enumerate(names))
    return Corpus(name="mine", emotions=(first.emotion,), utterances=utterances, fingerprint="x")
