"""Arms whose genotype is drawn: once, or the best of several draws; what a search has to beat."""

import numpy as np

from raysernas.arms.arm import Architecture, NetworkArm
from raysernas.config.schema import TrialConfig
from raysernas.model.cost import multiply_adds
from raysernas.record.genotype import Genotype, draw, space_of
from raysernas.record.history import ReportEpoch
from raysernas.runtime.checkpointing import OpenCheckpoint, mark_restored
from raysernas.runtime.determinism import stream
from raysernas.training import scratch
from raysernas.training.data import Data


class DrawnArm(NetworkArm):
    """One genotype, drawn uniformly for each fold and seed."""

    def architecture(
        self, trial: TrialConfig, data: Data, report: ReportEpoch, open_checkpoint: OpenCheckpoint
    ) -> Architecture:
        rng = np.random.default_rng([stream(trial, "draw"), trial.fold])
        return Architecture(draw(rng, space_of(trial)))


class BestDrawnArm(NetworkArm):
    """Random search: the draw with the best validation UA after a short training (arXiv 1902.07638)."""

    def architecture(
        self, trial: TrialConfig, data: Data, report: ReportEpoch, open_checkpoint: OpenCheckpoint
    ) -> Architecture:
        rng = np.random.default_rng([stream(trial, "draws"), trial.fold])
        epochs, utterances = trial.checks.draw_epochs, len(data.part("train"))
        spent, best_ua, best = 0, -1.0, Genotype()
        for number in range(trial.checks.draws):
            genotype, purpose = draw(rng, space_of(trial)), f"draw {number}"
            checkpoint = open_checkpoint(f"draw-{number}")
            model = scratch.train(
                trial, data, self.design, genotype, purpose, checkpoint=checkpoint, epochs=epochs
            )
            spent += multiply_adds(model.network, data.size) * utterances * epochs
            scores = {"loss": model.history[-1]["loss"], "valid_ua": model.valid.ua}
            entry = {"epoch": number + 1, **scores, "genotype": genotype.to_json()}
            report(mark_restored(entry, checkpoint.complete))
            if model.valid.ua > best_ua:
                best_ua, best = model.valid.ua, genotype
        return Architecture(best, multiply_adds=float(spent))

    def reports(self, trial: TrialConfig) -> int:
        return trial.checks.draws

    def epochs(self, trial: TrialConfig) -> int:
        return trial.checks.draws * trial.checks.draw_epochs + super().epochs(trial)
