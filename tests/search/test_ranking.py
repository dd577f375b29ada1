"""Laws of scores inside the supernet: of the genotype that was asked for, with its own statistics, and
without a trace.
"""

from typing import Any

import numpy as np
import pytest
import torch

from raysernas.model.network import Mixing
from raysernas.record.genotype import draw, one_hot, space
from raysernas.search.ranking import supernet_scores
from tests.search.test_bilevel import with_dropout
from tests.support.searches import equal
from tests.support.small import NETWORK, network, noise_part, scores

SPACE = space(NETWORK)
WEIGHTS, VALID = noise_part("weights", 24), noise_part("valid", 24, seed=2)


def mixing(seed: int):
    """Of a drawn genotype."""
    return one_hot(draw(np.random.default_rng(seed), SPACE), SPACE)


def test_scoring_changes_nothing_and_is_repeatable():
    net = network("darts", chosen=False, config=with_dropout(0.3)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    momenta = [getattr(module, "momentum", None) for module in net.modules()]
    state = torch.get_rng_state()
    first = supernet_scores(net, WEIGHTS, VALID, mixing(0))
    assert equal(before, dict(net.state_dict()))
    assert [getattr(module, "momentum", None) for module in net.modules()] == momenta
    assert all(module.training for module in net.modules())
    assert torch.equal(torch.get_rng_state(), state)
    again = supernet_scores(net, WEIGHTS, VALID, mixing(0))
    assert np.array_equal(first.confusion, again.confusion)
    assert first.total == len(VALID)


def test_operations_without_weight_have_no_part_in_the_scores():
    net = network("darts", chosen=False)
    first = supernet_scores(net, WEIGHTS, VALID, mixing(0))
    cells: Any = net.front.cells
    with torch.no_grad():
        for cell, part in zip(cells, ("normal", "reduction", "reduction"), strict=True):
            for row, edge in zip(mixing(0)[part], cell.edges, strict=True):
                for weight, operation in zip(row, edge.operations, strict=True):
                    for parameter in operation.parameters():
                        parameter.mul_(1 if weight else -3)
    assert np.array_equal(first.confusion, supernet_scores(net, WEIGHTS, VALID, mixing(0)).confusion)


def test_statistics_are_those_of_the_genotype_and_not_of_the_mixture():
    """With the statistics of the mixed search the same genotype scores otherwise: what the search left must
    not be seen.
    """
    net = network("darts", chosen=False)
    first = supernet_scores(net, WEIGHTS, VALID, mixing(1))
    with torch.no_grad():
        for name, value in net.named_buffers():
            if "running" in name:
                value.mul_(50).add_(3)
    assert np.array_equal(first.confusion, supernet_scores(net, WEIGHTS, VALID, mixing(1)).confusion)
    like: Mixing = {part: torch.as_tensor(row, dtype=torch.float32) for part, row in mixing(1).items()}
    assert not np.array_equal(first.confusion, scores(net, VALID, mixing=like).evaluation.confusion)


def test_a_test_part_is_refused():
    with pytest.raises(ValueError, match="where alphas or valid belongs"):
        supernet_scores(network("darts", chosen=False), WEIGHTS, noise_part("test"), mixing(0))
    with pytest.raises(ValueError, match="where weights belongs"):
        supernet_scores(network("darts", chosen=False), VALID, VALID, mixing(0))
