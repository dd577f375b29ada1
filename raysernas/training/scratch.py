"""A network trained from scratch: the same code, budget and data for every arm that trains one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from raysernas.config.arms import ARMS
from raysernas.config.schema import NetworkConfig, Precision, TrialConfig
from raysernas.model.designed import Majority
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import Genotype
from raysernas.runtime.checkpointing import StageCheckpoint
from raysernas.runtime.cuda_graphs import step_launcher
from raysernas.runtime.determinism import stream
from raysernas.training import fit
from raysernas.training.data import Data
from raysernas.training.fit import Fitted

Report = Callable[[dict[str, Any]], object]
DESIGNS: dict[str, Design] = {
    **{arm: Design(front="cells") for arm, of in ARMS.items() if of.has_genotype},
    "cnn": Design(front="blocks", recurrent=False, attention=False),
    "lstm": Design(front="bands", attention=False),
    "cnn_lstm": Design(front="blocks", attention=False),
    "cnn_lstm_attention": Design(front="blocks"),
}


def network_of(trial: TrialConfig, data: Data, genotype: Genotype | None, purpose: str) -> Network | Majority:
    """A network of the arm with fresh weights, which depend on the trial's seed and fold and on the purpose;
    without a genotype the supernet, where the arm has one."""
    torch.manual_seed(stream(trial, purpose))
    classes, precision = len(data.corpus.emotions), trial.compute.precision
    return fresh(trial.arm, trial.network, data.size, classes, genotype, precision).to(data.device)


def fresh(
    arm: str,
    config: NetworkConfig,
    size: tuple[int, int],
    classes: int,
    genotype: Genotype | None,
    precision: Precision,
) -> Network | Majority:
    """A network of an arm, on the CPU, its weights drawn from torch's generator."""
    if arm == "majority":
        return Majority(classes)
    return build(DESIGNS[arm], config, size, classes, genotype, precision)


def trained(
    trial: TrialConfig,
    data: Data,
    genotype: Genotype | None,
    purpose: str,
    report: Report,
    checkpoint: StageCheckpoint | None = None,
    epochs: int = 0,
) -> tuple[Network | Majority, Fitted]:
    """A network of the arm, trained from scratch: the same code and data for every arm.

    Args:
        purpose: on which the fresh weights and every draw depend, besides the trial's seed and fold.
        epochs: of the training; 0 = `retrain.epochs`.
    """
    network = network_of(trial, data, genotype, f"network {purpose}")
    config = replace(trial.retrain, epochs=epochs or trial.retrain.epochs)
    fitted = fit.fit(
        network,
        data.part("train"),
        data.part("valid"),
        config,
        seed=stream(trial, f"retrain {purpose}"),
        report=report,
        checkpoint=checkpoint,
        launch=step_launcher(trial.compute),
    )
    return network, fitted


def shortly_trained(
    trial: TrialConfig,
    data: Data,
    genotype: Genotype,
    purpose: str,
    checkpoint: StageCheckpoint | None = None,
) -> tuple[Network, Fitted]:
    """The network of a genotype after `checks.draw_epochs` of the training of every arm; scores are of
    validation speakers.
    """
    network, fitted = trained(
        trial, data, genotype, purpose, lambda _: None, checkpoint, trial.checks.draw_epochs
    )
    assert isinstance(network, Network)
    return network, fitted
