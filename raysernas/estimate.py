"""How long will a trial take here: the real steps of its stages, timed on noise of the right size.

In: a resolved trial configuration and its corpus. Out: seconds. Nothing is read but the corpus's list, and
nothing is written.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from raysernas.arms.arm import Arm
from raysernas.arms.members import MEMBERS
from raysernas.config.arms import ARMS
from raysernas.config.identity import functionals
from raysernas.config.schema import SearchConfig, TrialConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits
from raysernas.features import extraction, normalisation, utterance_table
from raysernas.features.cache import in_memory
from raysernas.features.front_end import Clip
from raysernas.features.functionals.members import functional_set
from raysernas.features.parts import Part, Role
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import Genotype, draw, space_of
from raysernas.runtime.cuda_graphs import step_launcher
from raysernas.runtime.determinism import device_of, pin
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.bilevel import Objective
from raysernas.search.curvature import alpha_curvature
from raysernas.search.relaxations.members import RELAXATIONS
from raysernas.search.state import new_search
from raysernas.training.batches import EndlessBatches
from raysernas.training.evaluation import evaluate, network_posteriors
from raysernas.training.fit import launcher_for
from raysernas.training.state import TrainingState

WARM_UP = 2  # steps before the timed ones: a CUDA graph is recorded in the second
TIMED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchTimes:
    """Seconds of one weight step, one alpha step and one measurement of the curvature; 0 for what is not
    done.
    """

    weight_step_s: float = 0.0
    alpha_step_s: float = 0.0
    curvature_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingTimes:
    """Seconds of one step of training, and of evaluating one batch; 0 for an arm without a network."""

    step_s: float = 0.0
    evaluation_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Expected seconds of the steps of each stage, and of the whole trial."""

    search: SearchTimes
    training: TrainingTimes
    seconds: float


def estimate(trial: TrialConfig, corpus: Corpus) -> Estimate:
    """Time one step of each stage and multiply by the number of steps."""
    pin(trial.compute)
    arm, classes, batch = MEMBERS[trial.arm], len(corpus.emotions), trial.retrain.batch
    split = splits.split(corpus, trial.corpus, trial.fold, trial.seed)
    weights, train = len(split.weights), len(split.weights) + len(split.alphas)
    search = (
        search_times(trial, arm.design, classes) if ARMS[trial.arm].searches and arm.design else SearchTimes()
    )
    training = training_times(trial, arm, classes) if arm.design else TrainingTimes()
    weight_steps, alpha_steps, measurements = _counts(trial.search, weights)
    searching = weight_steps * search.weight_step_s + alpha_steps * search.alpha_step_s
    epoch = -(-train // batch) * training.step_s + len(split.valid) / batch * training.evaluation_s
    refit_epoch = -(-(train + len(split.valid)) // batch) * training.step_s  # validates nothing
    retraining = arm.epochs(trial) * epoch + arm.refit_epochs(trial) * refit_epoch
    seconds = searching + measurements * search.curvature_s + retraining
    return Estimate(search=search, training=training, seconds=seconds)


def search_times(trial: TrialConfig, design: Design, classes: int) -> SearchTimes:
    """Times the steps of a search on a supernet; the curvature once, where it is asked for."""
    device, parts_of, rng = device_of(trial), space_of(trial), np.random.default_rng(0)
    noise = _noise(trial, "alphas", trial.search.batch, classes)
    alpha_batches = EndlessBatches(noise, len(noise), rng)
    batch = next(alpha_batches)
    state = new_search(
        _network(trial, design, classes, None),
        new_alphas(parts_of, torch.Generator().manual_seed(0), device),
        RELAXATIONS[trial.search.relaxation](parts_of, trial.search, 0),
        nn.CrossEntropyLoss(),
        trial.search,
        rng,
        alpha_batches,
        step_launcher(trial.compute),
    )
    weight_step_s = _seconds(lambda: darts.weight_step(state, batch), device)
    alpha_step_s = _seconds(lambda: darts.alpha_step(state, batch, batch), device)
    curvature_s = 0.0
    if trial.search.eigenvalue_every:
        objective = Objective(state.network, batch, state.loss_of, state.relaxation)
        curvature_s = _timed(lambda: alpha_curvature(objective, state.alphas), device)
    return SearchTimes(weight_step_s=weight_step_s, alpha_step_s=alpha_step_s, curvature_s=curvature_s)


def training_times(trial: TrialConfig, arm: Arm, classes: int) -> TrainingTimes:
    """Times a step of training and an evaluation of as many windows, without variations of the sound."""
    assert arm.design is not None
    device = device_of(trial)
    genotype = draw(np.random.default_rng(0), space_of(trial)) if arm.design.front == "cells" else None
    network = _network(trial, arm.design, classes, genotype)
    noise = _noise(trial, "train", trial.retrain.batch, classes)
    unvaried = replace(trial.retrain, speeds=(), pitches_st=(), noise_snr_db=(), shift_s=0.0, versions=0)
    launch = launcher_for(network, unvaried, step_launcher(trial.compute))
    state = TrainingState(network, noise, unvaried, 0, launch)
    batch = next(noise.epoch(len(noise), np.random.default_rng(0)))
    step_s = _seconds(lambda: state.step(batch), device)
    posteriors_of = network_posteriors(network)
    evaluation_s = _seconds(lambda: evaluate(posteriors_of, noise, classes, batch=len(noise)), device)
    return TrainingTimes(step_s=step_s, evaluation_s=evaluation_s)


def _counts(config: SearchConfig, weights: int) -> tuple[int, int, int]:
    """Weight steps, alpha steps and measurements of the curvature, in a search that does not stop early."""
    steps = -(-weights // config.batch)
    measurements = config.epochs // config.eigenvalue_every if config.eigenvalue_every else 0
    alpha_steps = (config.epochs - config.warmup_epochs) * -(-steps // config.alphas_every)
    return config.epochs * steps, alpha_steps, measurements


def _network(trial: TrialConfig, design: Design, classes: int, genotype: Genotype | None) -> Network:
    layers = extraction.front_end(trial.features).layers
    sizes = _size(trial), classes, genotype, trial.compute.precision, layers, _n_functionals(trial)
    return build(design, trial.network, *sizes).to(device_of(trial))


def _noise(trial: TrialConfig, role: Role, count: int, classes: int) -> Part:
    """Clips as long as an input."""
    (frames, bands), rng = _size(trial), np.random.default_rng(0)
    values = rng.standard_normal((count, frames, bands)).astype(np.float32)
    clips = in_memory(Clip(each, np.zeros(bands, np.float32), frames) for each in values)
    unscaled, emotion = normalisation.unscaled(bands), np.arange(count) % classes
    functionals = None
    if numbers := _n_functionals(trial):
        rows = rng.standard_normal((count, 1, numbers)).astype(np.float32)
        stored = in_memory(Clip(each, np.zeros(numbers, np.float32), 1) for each in rows)
        functionals = utterance_table.fitted(stored, range(count))
    place = device_of(trial)
    return Part(role, clips, tuple(range(count)), emotion, unscaled, frames, place, functionals=functionals)


def _n_functionals(trial: TrialConfig) -> int:
    return functional_set(trial.features).width if functionals(trial) != "none" else 0


def _size(trial: TrialConfig) -> tuple[int, int]:
    return extraction.window_frames(trial.features), extraction.width(trial.features)


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    """Of one step: the fastest of a few after a warm-up."""
    for _ in range(WARM_UP):
        step()
    return min(_timed(step, device) for _ in range(TIMED))


def _timed(step: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device has finished a step."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
