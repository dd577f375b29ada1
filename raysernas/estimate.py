"""How long will a trial take here: its steps, each kind timed by itself on inputs of the right size.

In: a resolved trial configuration and its corpus. Out: seconds. Nothing is read but the corpus's list,
    nothing is written.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config.arms import ARMS
from raysernas.config.schema import SearchConfig, TrialConfig
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits
from raysernas.features import extraction, normalisation
from raysernas.features.cache import in_memory
from raysernas.features.front_end import Clip
from raysernas.features.parts import Part, Role
from raysernas.model.network import Network, build
from raysernas.record.genotype import draw, space
from raysernas.runtime.cuda_graphs import step_launcher
from raysernas.runtime.determinism import device_of, pin
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.curvature import alpha_curvature
from raysernas.search.state import begun
from raysernas.training.batches import Endless
from raysernas.training.fit import launcher_for
from raysernas.training.scratch import DESIGNS

WARM = 2  # steps before the timed ones: `GraphLauncher` records in the second
TIMED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """Expected seconds: of one step of each stage (0 for a stage that the arm does not have), and of the
    whole trial.

    A search has steps of the weights and of the alphas, and measures the curvature where that is asked (else
    0).
    """

    weight_step_s: float
    alpha_step_s: float
    curvature_s: float
    retrain_step_s: float
    seconds: float


def rehearse(trial: TrialConfig, corpus: Corpus) -> Rehearsal:
    """Time one step of each stage and multiply; evaluation is counted as forward passes over the validation
    part.
    """
    pin(trial.compute)
    split = splits.split(corpus, trial.corpus, trial.fold, trial.seed)
    weights, train = len(split.weights), len(split.weights) + len(split.alphas)
    weight_s, alpha_s, curvature_s = (
        _search_steps(trial, len(corpus.emotions)) if ARMS[trial.arm].searches else (0.0, 0.0, 0.0)
    )
    retrain_s, forward_s = _retrain_steps(trial, len(corpus.emotions))
    weight_steps, alpha_steps, measurements = _counts(trial.search, weights)
    search = weight_steps * weight_s + alpha_steps * alpha_s + measurements * curvature_s
    epoch = -(-train // trial.retrain.batch) * retrain_s + len(split.valid) / trial.retrain.batch * forward_s
    short = (
        trial.checks.draws * trial.checks.draw_epochs
        if trial.arm == "random_search"
        else _checked(trial)
        if weight_s
        else 0
    )
    seconds = search + (short + len(trial.retrain.seeds) * trial.retrain.epochs) * epoch
    return Rehearsal(
        weight_step_s=weight_s,
        alpha_step_s=alpha_s,
        curvature_s=curvature_s,
        retrain_step_s=retrain_s,
        seconds=seconds,
    )


def _counts(config: SearchConfig, weights: int) -> tuple[int, int, int]:
    """Steps of the weights, steps of the alphas and measurements of the curvature of a search that does not
    stop early.
    """
    steps = -(-weights // config.batch)
    measurements = config.epochs // config.eigenvalue_every if config.eigenvalue_every else 0
    return (
        config.epochs * steps,
        (config.epochs - config.warmup_epochs) * -(-steps // config.alphas_every),
        measurements,
    )


def _checked(trial: TrialConfig) -> int:
    """Epochs of training that the checks of a search take, at most."""
    checks = trial.checks
    retrained = -(-trial.search.epochs // checks.anytime_every) if checks.anytime_every else 0
    return retrained * trial.retrain.epochs + checks.ranking * checks.draw_epochs


def _search_steps(trial: TrialConfig, classes: int) -> tuple[float, float, float]:
    """Seconds of a step of the weights, of one of the alphas, and of a measurement of the curvature (timed
    once).
    """
    network, noise, rng = (
        _network(trial, classes),
        _noise(trial, "alphas", trial.search.batch, classes),
        np.random.default_rng(0),
    )
    alphas = new_alphas(space(trial.network), torch.Generator().manual_seed(0), device_of(trial))
    others = Endless(noise, len(noise), rng)
    batch = next(others)
    state = begun(
        network, alphas, nn.CrossEntropyLoss(), trial.search, rng, others, step_launcher(trial.compute)
    )

    weight_s = _seconds(lambda: darts.weight_step(state, batch), device_of(trial))
    alpha_s = _seconds(lambda: darts.alpha_step(state, batch, batch), device_of(trial))
    if not trial.search.eigenvalue_every:
        return weight_s, alpha_s, 0.0
    measure = lambda: alpha_curvature(network, alphas, batch, state.loss_of)  # noqa: E731
    return weight_s, alpha_s, _timed(measure, device_of(trial))


def _retrain_steps(trial: TrialConfig, classes: int) -> tuple[float, float]:
    """Seconds of a step of retraining, and of a forward pass over as many windows."""
    if trial.arm == "majority":
        return 0.0, 0.0
    network, noise = (
        _network(trial, classes, chosen=True),
        _noise(trial, "train", trial.retrain.batch, classes),
    )
    loss_of, launch = (
        nn.CrossEntropyLoss(),
        launcher_for(network, trial.retrain, step_launcher(trial.compute)),
    )
    batch = next(noise.epoch(len(noise), np.random.default_rng(0)))
    optimizer = torch.optim.AdamW(network.parameters())

    def backpropagate(values: Tensor, frames: Tensor, emotion: Tensor) -> tuple[Tensor]:
        network.zero_grad()
        loss = loss_of(network(values, frames), emotion)
        loss.backward()
        return (loss.detach(),)

    def step() -> None:
        launch("retrain", backpropagate, [*network.parameters()], *batch.tensors)
        optimizer.step()

    @torch.no_grad()
    def forward() -> None:
        network(batch.features, batch.frames)

    step_s = _seconds(step, device_of(trial))
    network.eval()
    return step_s, _seconds(forward, device_of(trial))


def _network(trial: TrialConfig, classes: int, *, chosen: bool = False) -> Network:
    genotype = (
        draw(np.random.default_rng(0), space(trial.network))
        if ARMS[trial.arm].has_genotype and chosen
        else None
    )
    return build(
        DESIGNS[trial.arm], trial.network, _size(trial), classes, genotype, trial.compute.precision
    ).to(device_of(trial))


def _noise(trial: TrialConfig, role: Role, count: int, classes: int) -> Part:
    """Clips as long as an input."""
    (frames, bands), rng = _size(trial), np.random.default_rng(0)
    values = rng.standard_normal((count, frames, bands)).astype(np.float32)
    clips = in_memory(Clip(each, np.zeros(bands, np.float32), frames) for each in values)
    unscaled, emotion = normalisation.unscaled(bands), np.arange(count) % classes
    return Part(role, clips, tuple(range(count)), emotion, unscaled, frames, device_of(trial))


def _size(trial: TrialConfig) -> tuple[int, int]:
    return extraction.window_frames(trial.features), extraction.width(trial.features)


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    """Of one step, the fastest of a few after a warm-up."""
    for _ in range(WARM):
        step()
    return min(_timed(step, device) for _ in range(TIMED))


def _timed(step: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device has done it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
