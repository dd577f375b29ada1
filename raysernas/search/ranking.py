"""The score of a genotype inside the supernet, to compare that ranking with the ranking after retraining.

In: a searched supernet, a genotype as mixing weights (one operation on each kept edge), a part. Out: its
scores there. The batch-norm statistics of a search are those of mixed edges, but a single operation at full
weight gives maps of another size. Statistics are therefore computed anew for each genotype, on the weights
half, and put back afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from raysernas.features.parts import Part
from raysernas.model.network import Mixing, Network
from raysernas.record.genotype import MixingWeights
from raysernas.record.metrics import Evaluation
from raysernas.training.evaluation import evaluate, network_posteriors, require


def supernet_scores(network: Network, weights: Part, part: Part, mixing: MixingWeights) -> Evaluation:
    """Scores of a part under given mixing weights; the network is unchanged afterwards.

    Args:
        mixing: such as `genotype.one_hot` gives.
        weights: the half for the batch-norm statistics: all of its windows once, without dropout.

    Raises:
        Fault: when a part of another role is given.
    """
    require(weights, "weights")
    require(part, "alphas", "valid")
    like = next(network.parameters())
    fixed: Mixing = {
        name: torch.as_tensor(row, dtype=like.dtype, device=like.device) for name, row in mixing.items()
    }
    with _own_statistics(network):
        with torch.no_grad():
            for inputs, _ in weights.windows(64):
                network(inputs.features, inputs.frames, fixed, inputs.functionals)
        posteriors_of = network_posteriors(network, fixed)  # in evaluation: the statistics are final
        return evaluate(posteriors_of, part, network.classes).evaluation


@contextmanager
def _own_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norms start anew with the plain mean over the batches to come; all else is in evaluation mode."""
    buffers: dict[str, Tensor] = {name: value.clone() for name, value in network.named_buffers()}
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    modes = {module: module.training for module in network.modules()}
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for name, value in network.named_buffers():
            value.copy_(buffers[name])
        for module, training in modes.items():
            module.training = training
