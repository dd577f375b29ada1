"""What a genotype is worth inside the supernet, to compare that order of genotypes with the order after retraining.

In: a searched supernet, a genotype as mixing weights (one operation on each kept edge), a part. Out: its scores there.
The batch-norm statistics of a search are those of mixed edges: a single operation at full weight gives maps of another size.
They are therefore taken anew for each genotype, from the weights half, and put back afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from raysernas.corpora.features import Part
from raysernas.learn.mixture import Alphas
from raysernas.learn.training import evaluate, require
from raysernas.model.network import Network
from raysernas.record.genotype import KINDS, OPERATIONS, Genotype, sources
from raysernas.record.metrics import Evaluation


def one_hot(genotype: Genotype, device: torch.device | None = None) -> Alphas:
    """Mixing weights [edge, operation]: 1 for each gene, 0 for everything else."""
    places = {place: edge for edge, place in enumerate(sources(genotype.nodes))}
    mixing: Alphas = {}
    for kind in KINDS:
        mixing[kind] = torch.zeros(len(places), len(OPERATIONS), device=device)
        for node, genes in enumerate(getattr(genotype, kind)):
            for gene in genes:
                mixing[kind][places[node, gene.source], OPERATIONS.index(gene.operation)] = 1.0
    return mixing


def supernet_scores(network: Network, weights: Part, part: Part, mixing: Alphas) -> Evaluation:
    """Scores of a part under mixing weights; weights, statistics and mode of the network are as before afterwards.

    Args:
        weights: the half that the batch-norm statistics are taken from: all of its windows once, without dropout.

    Raises:
        Fault: when a part of another role is given.
    """
    require(weights, "weights")
    require(part, "alphas", "valid")
    with _own_statistics(network) as norms:
        with torch.no_grad():
            for inputs, _ in weights.windows(64):
                network(inputs.features, inputs.frames, mixing)
        for norm in norms:
            norm.eval()
        return evaluate(network, part, mixing=mixing).evaluation


@contextmanager
def _own_statistics(network: nn.Module) -> Iterator[list[nn.Module]]:
    """Batch norms that begin anew, with the plain mean over the batches to come; all else is in evaluation."""
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
        yield list(norms)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for name, value in network.named_buffers():
            value.copy_(buffers[name])
        for module, training in modes.items():
            module.training = training
