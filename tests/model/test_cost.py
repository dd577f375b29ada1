"""Laws of the counted cost: it equals what hooks count on the layers of a network that runs."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from raysernas.arms.members import MEMBERS
from raysernas.config.arms import ARMS
from raysernas.config.schema import NetworkConfig
from raysernas.model import sequence_rnn
from raysernas.model.cost import multiply_adds
from raysernas.model.network import Network, build
from raysernas.record.genotype import draw, space
from tests.support.small import BANDS, CLASSES, LAYERS, NETWORK, WINDOW, design, network, resolved

NETWORKS = [arm for arm, member in MEMBERS.items() if member.design]


def seen(net: Network, size: tuple[int, int]) -> int:
    """Multiply-adds by hooks on every layer that multiplies, in a forward pass."""
    found: list[int] = []

    def note(layer: Any, given: Any, made: Any) -> None:
        if isinstance(layer, nn.Conv2d):
            found.append(made[0, 0].numel() * layer.weight.numel())
        elif isinstance(layer, nn.Linear):
            found.append(given[0][..., 0].numel() * layer.weight.numel())
        else:
            steps = given[0].shape[int(layer.batch_first)]
            found.append(
                steps * sum(each.numel() for name, each in layer.named_parameters() if "weight" in name)
            )

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.RNNBase):
            layer.register_forward_hook(note)
    # together, hooks would not see them
    with patch.object(sequence_rnn, "layers_together", sequence_rnn.layers_one_by_one):
        net.eval()(torch.randn(1, *size), torch.tensor([size[0]]))
    return sum(found)


@pytest.mark.parametrize("arm", NETWORKS)
@pytest.mark.parametrize("size", [(16, 8), (19, 9)])
@pytest.mark.parametrize("axes", ["both", "time"])
def test_the_count_is_what_the_layers_do(arm, size, axes):
    config = resolved(
        arm, NetworkConfig(cells=3, nodes=2, channels=2, hidden=4, designed_channels=2, reduction_halves=axes)
    )
    for seed in range(3):
        genotype = draw(np.random.default_rng(seed), space(config)) if ARMS[arm].has_genotype else None
        net = build(design(arm), config, size, CLASSES, genotype)
        assert isinstance(net, Network)
        assert multiply_adds(net, size) == seen(net, size)


@pytest.mark.parametrize("arm", NETWORKS)
def test_on_layers_the_projections_count_and_the_maps_have_one_band(arm):
    net, size = network(arm, layers=LAYERS), (WINDOW, BANDS)
    assert multiply_adds(net, size) == seen(net, size)


def test_a_supernet_costs_all_of_its_operations():
    supernet, size = network("darts", chosen=False), (16, BANDS)
    derived = [network("darts", seed=seed) for seed in range(5)]
    assert multiply_adds(supernet, size) > max(multiply_adds(each, size) for each in derived)
    doubled = multiply_adds(network("darts", chosen=False, config=NETWORK), (32, BANDS))
    assert 1.9 < doubled / multiply_adds(supernet, size) < 2
