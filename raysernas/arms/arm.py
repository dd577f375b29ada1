"""The type of an arm: a way to get a trained model.

An arm says where its architecture comes from, how its model is fitted, and how much training that takes. The
trial, the estimate and the record know nothing but this type and `TrainedModel`. Which settings an arm reads
is declared in `config/arms.py`, which is read without torch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from raysernas.config.fault import Fault
from raysernas.config.schema import TrialConfig
from raysernas.model.network import Design
from raysernas.record.genotype import Genotype
from raysernas.record.history import ReportEpoch
from raysernas.runtime.checkpointing import OpenCheckpoint, SavedState, StageCheckpoint
from raysernas.search.audit import Searched, Train
from raysernas.training import scratch
from raysernas.training.data import Data
from raysernas.training.model import TrainedModel, TrainedNetwork


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture, and how it was found."""

    genotype: Genotype | None = None  # None for an arm without one
    entropy: float = float("nan")  # of the mixing weights that it was derived from: 1 = uniform
    multiply_adds: float = float("nan")  # spent on finding it, times utterances
    facts: dict[str, Any] = field(default_factory=dict)  # what else the record should hold
    searched: Searched | None = None  # the supernet and the history of the search, if there was one
    state: SavedState | None = None  # all that a search leaves: weights, alphas, optimisers

    @property
    def row(self) -> dict[str, Any]:
        """Columns of the record."""
        genotype = self.genotype.to_json() if self.genotype else ""
        costs = {"search_entropy": self.entropy, "search_multiply_adds": self.multiply_adds}
        return {"genotype": genotype, **costs, **self.facts}


class Arm(ABC):
    """A way to get a trained model."""

    @property
    def design(self) -> Design | None:
        """The design of its network; None for a model that is no network."""
        return None

    def architecture(
        self, trial: TrialConfig, data: Data, report: ReportEpoch, open_checkpoint: OpenCheckpoint
    ) -> Architecture:
        """The architecture for this trial; by default there is none to find.

        Args:
            report: called `reports(trial)` times at most, after an epoch of a search or after a training.
            open_checkpoint: opens the checkpoint of a stage by its name.
        """
        del trial, data, report, open_checkpoint
        return Architecture()

    def reports(self, trial: TrialConfig) -> int:
        """How often `architecture` reports, at most: a search may stop early."""
        del trial
        return 0

    def epochs(self, trial: TrialConfig) -> int:
        """Epochs of training from scratch on weights + alphas that the whole trial takes, at most; a search
        is not one.
        """
        return len(trial.retrain.seeds) * trial.retrain.epochs

    def refit_epochs(self, trial: TrialConfig) -> int:
        """Epochs of training on all but the test speakers that the whole trial takes, at most."""
        refits = trial.retrain.on == "all_but_test"
        return len(trial.retrain.seeds) * trial.retrain.epochs if refits else 0

    @abstractmethod
    def fit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        """The model, trained from scratch on weights + alphas; validation speakers choose its epoch.

        Args:
            purpose: everything random depends on it, besides the trial's seed and fold.
            report: called after each epoch with its entry of the history.
        """

    def refit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        chosen: TrainedModel,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        """The model of `retrain.on=all_but_test`: trained anew on `data.part("all_but_test")`, with every
        choice as the validation speakers made it for `chosen`, which `fit` gave for the same purpose. Its
        `valid` is that of `chosen`.

        Raises:
            Fault: for an arm that has no such training.
        """
        del data, genotype, purpose, chosen, report, checkpoint
        what, fix = f"the arm {trial.arm} cannot be trained on all but test", "set retrain.on=train"
        raise Fault("arms", what, got="retrain.on: all_but_test", expected="an arm with `refit`", fix=fix)


class NetworkArm(Arm):
    """An arm whose model is a network, trained like that of every other arm."""

    def __init__(self, design: Design) -> None:
        self._design = design

    @property
    def design(self) -> Design:
        return self._design

    def fit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        return scratch.train(trial, data, self.design, genotype, purpose, report, checkpoint)

    def refit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        chosen: TrainedModel,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        assert isinstance(chosen, TrainedNetwork)
        return scratch.train_anew(trial, data, self.design, genotype, purpose, chosen, report, checkpoint)

    def trainer(self, trial: TrialConfig, data: Data) -> Train:
        """The training of drawn and intermediate genotypes, whose epochs nobody is shown."""

        def train(
            genotype: Genotype, purpose: str, checkpoint: StageCheckpoint, *, epochs: int = 0
        ) -> TrainedNetwork:
            return scratch.train(
                trial, data, self.design, genotype, purpose, checkpoint=checkpoint, epochs=epochs
            )

        return train
