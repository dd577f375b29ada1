"""Arms whose genotype a supernet finds: DARTS in the spaces of `network.cnn` and `network.recurrent`."""

from raysernas.arms.arm import Architecture, NetworkArm
from raysernas.config.schema import SearchConfig, TrialConfig
from raysernas.features.parts import batch_sizes
from raysernas.model.cost import multiply_adds
from raysernas.record.genotype import space_of
from raysernas.record.history import ReportEpoch
from raysernas.runtime.checkpointing import OpenCheckpoint
from raysernas.runtime.cuda_graphs import step_launcher
from raysernas.runtime.determinism import stream
from raysernas.search import darts
from raysernas.search.audit import Searched
from raysernas.training.data import Data
from raysernas.training.scratch import new_network

# passes of an alpha step over its batch of the weights half: one to unroll the weights, two for the mixed
# term
UNROLLED_PASSES = {"first": 0, "second_exact": 3, "second_difference": 3}


class SearchedArm(NetworkArm):
    """A supernet is searched, its genotype derived."""

    def architecture(
        self, trial: TrialConfig, data: Data, report: ReportEpoch, open_checkpoint: OpenCheckpoint
    ) -> Architecture:
        supernet = new_network(trial, data, self.design, None, "supernet")
        weights, alphas = data.part("weights"), data.part("alphas")
        found = darts.search(
            supernet,
            weights,
            alphas,
            trial.search,
            space_of(trial),
            seed=stream(trial, "search"),
            report=report,
            checkpoint=open_checkpoint("search"),
            launch=step_launcher(trial.compute),
        )
        passed = utterances(trial.search, len(weights), len(alphas), len(found.history))
        return Architecture(
            found.genotype,
            found.entropy,
            float(passed * multiply_adds(supernet, data.size)),
            {"search_epoch": found.epoch},
            Searched(supernet, found.history, self.trainer(trial, data)),
            found.state,
        )

    def reports(self, trial: TrialConfig) -> int:
        return trial.search.epochs

    def epochs(self, trial: TrialConfig) -> int:
        checks = trial.checks
        retrained = -(-trial.search.epochs // checks.anytime_every) if checks.anytime_every else 0
        checking = retrained * trial.retrain.epochs + checks.ranking * checks.draw_epochs
        return checking + super().epochs(trial)


def utterances(config: SearchConfig, weights: int, alphas: int, epochs: int) -> int:
    """How many utterances the steps of a search pass through the supernet, forward and back.

    Args:
        weights: utterances of the weights half; `alphas` those of the alphas half.
    """
    steps = batch_sizes(weights, config.batch)
    unrolled, searching = steps[:: config.alphas_every], max(0, epochs - config.warmup_epochs)
    # of one pass over the alphas half; passes follow one another
    held_out = batch_sizes(alphas, config.batch)
    passes, rest = divmod(searching * len(unrolled), len(held_out))
    by_weights = epochs * weights + searching * sum(unrolled) * UNROLLED_PASSES[config.order]
    return by_weights + passes * alphas + sum(held_out[:rest])
