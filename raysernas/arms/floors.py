"""Floors under every score: skip connections only, and always the most frequent emotion of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from raysernas.arms.arm import Architecture, Arm, NetworkArm
from raysernas.config.schema import TrialConfig
from raysernas.features.parts import Batch, Part
from raysernas.record.genotype import Genotype, all_skip, space_of
from raysernas.record.history import ReportEpoch
from raysernas.record.metrics import Evaluation
from raysernas.runtime.checkpointing import OpenCheckpoint, StageCheckpoint
from raysernas.training.data import Data
from raysernas.training.evaluation import Posteriors, evaluate
from raysernas.training.model import TrainedModel


class AllSkipArm(NetworkArm):
    """A network whose cells have nothing but skip connections."""

    def architecture(
        self, trial: TrialConfig, data: Data, report: ReportEpoch, open_checkpoint: OpenCheckpoint
    ) -> Architecture:
        return Architecture(all_skip(space_of(trial)))


class MajorityArm(Arm):
    """The shares of the emotions in training are the posteriors of every utterance."""

    def epochs(self, trial: TrialConfig) -> int:
        return 0

    def fit(
        self,
        trial: TrialConfig,
        data: Data,
        genotype: Genotype | None,
        purpose: str,
        report: ReportEpoch,
        checkpoint: StageCheckpoint,
    ) -> TrainedModel:
        classes = len(data.corpus.emotions)
        shares = _shares(data.part("train"), classes)
        valid = evaluate(lambda batch: _repeated(shares, batch), data.part("valid"), classes).evaluation
        return Majority(shares, valid)

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
        return Majority(_shares(data.part("all_but_test"), chosen.classes), chosen.valid)


@dataclass(frozen=True, slots=True)
class Majority:
    """A trained model that hears nothing."""

    shares: Tensor  # [emotion]
    valid: Evaluation
    epoch: int = 0
    parameters: int = 0

    @property
    def classes(self) -> int:
        return len(self.shares)

    def posteriors(self, batch: Batch) -> Posteriors:
        return _repeated(self.shares, batch)

    def state_dict(self) -> Mapping[str, Any]:
        return {"shares": self.shares}


def _shares(part: Part, classes: int) -> Tensor:
    counts = torch.bincount(torch.from_numpy(part.emotion), minlength=classes)
    return counts.to(torch.get_default_dtype()) / len(part)


def _repeated(shares: Tensor, batch: Batch) -> Posteriors:
    return shares.log().expand(len(batch.features), -1).softmax(dim=1).double().numpy()
