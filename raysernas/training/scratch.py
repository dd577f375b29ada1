"""A network trained from scratch: the same code, budget and data for every arm that trains one."""

from dataclasses import replace

import torch

from raysernas.config.schema import TrialConfig
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import Genotype
from raysernas.record.history import ReportEpoch, ignore
from raysernas.runtime.checkpointing import StageCheckpoint
from raysernas.runtime.cuda_graphs import step_launcher
from raysernas.runtime.determinism import stream
from raysernas.training.data import Data
from raysernas.training.fit import fit, refit
from raysernas.training.model import TrainedNetwork


def new_network(
    trial: TrialConfig, data: Data, design: Design, genotype: Genotype | None, purpose: str
) -> Network:
    """A network with fresh weights, which depend on the trial's seed and fold and on the purpose.

    Without a genotype it is the supernet, where the design has one.
    """
    torch.manual_seed(stream(trial, purpose))
    classes, precision = len(data.corpus.emotions), trial.compute.precision
    sizes = data.size, classes, genotype, precision, data.layers, data.n_functionals
    return build(design, trial.network, *sizes).to(data.device)


def train(
    trial: TrialConfig,
    data: Data,
    design: Design,
    genotype: Genotype | None,
    purpose: str,
    report: ReportEpoch = ignore,
    checkpoint: StageCheckpoint | None = None,
    epochs: int = 0,
) -> TrainedNetwork:
    """A network trained on weights + alphas, its epoch chosen on the validation speakers.

    Args:
        purpose: fresh weights and every draw depend on it, besides the trial's seed and fold.
        epochs: of the training; 0 = `retrain.epochs`.
    """
    return fit(
        new_network(trial, data, design, genotype, f"network {purpose}"),
        data.part("train"),
        data.part("valid"),
        replace(trial.retrain, epochs=epochs or trial.retrain.epochs),
        seed=stream(trial, f"retrain {purpose}"),
        report=report,
        checkpoint=checkpoint,
        launch=step_launcher(trial.compute),
    )


def train_anew(
    trial: TrialConfig,
    data: Data,
    design: Design,
    genotype: Genotype | None,
    purpose: str,
    chosen: TrainedNetwork,
    report: ReportEpoch = ignore,
    checkpoint: StageCheckpoint | None = None,
) -> TrainedNetwork:
    """The training `chosen` once more from the same fresh weights, on all but test, up to its chosen epoch.

    Args:
        purpose: that of `chosen`.
    """
    return refit(
        new_network(trial, data, design, genotype, f"network {purpose}"),
        data.part("all_but_test"),
        trial.retrain,
        chosen,
        seed=stream(trial, f"retrain {purpose}"),
        report=report,
        checkpoint=checkpoint,
        launch=step_launcher(trial.compute),
    )
