"""Small searches for the tests: one under way, a smooth supernet, a batch, and whether two states are
equal.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raysernas.config.schema import NetworkConfig, SearchConfig
from raysernas.features.parts import Batch
from raysernas.model.network import Network
from raysernas.record.genotype import space
from raysernas.search.alphas import Alphas, new_alphas
from raysernas.search.bilevel import Objective
from raysernas.search.relaxations.relaxation import Relaxation
from raysernas.search.relaxations.softmax import Softmax
from raysernas.search.state import SearchState, new_search
from raysernas.training.batches import EndlessBatches
from tests.support.reference_cells import reference
from tests.support.small import BANDS, CLASSES, NETWORK, WINDOW, network, noise_part


def smooth(net: Network) -> Network:
    """A copy without kinks: Softplus for ReLU, mean for maximum; computed plainly, as only that asks its
    modules.
    """
    net = reference(net)
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Softplus())
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    return net


def batch(count: int = 4, dtype: torch.dtype = torch.float64) -> Batch:
    """Noise; another count gives other noise."""
    generator = torch.Generator().manual_seed(count)
    features = torch.randn(count, WINDOW, BANDS, generator=generator).to(dtype)
    return Batch(
        features, torch.randint(2, WINDOW, (count,), generator=generator), torch.arange(count) % CLASSES
    )


def double_alphas(config: NetworkConfig = NETWORK) -> Alphas:
    """Alphas in double precision, away from the uniform mixture."""
    made = new_alphas(space(config), torch.Generator().manual_seed(0))
    return {part: (300 * value.detach().double()).requires_grad_() for part, value in made.items()}


def under_way(config: SearchConfig, net: Network | None = None) -> SearchState:
    """A search in double precision before its first epoch."""
    net = (network("darts", chosen=False) if net is None else net).double()
    alpha_batches = EndlessBatches(noise_part("alphas", seed=1), config.batch, np.random.default_rng(1))
    return new_search(
        net,
        double_alphas(),
        softmax(),
        nn.CrossEntropyLoss(),
        config,
        np.random.default_rng(0),
        alpha_batches,
    )


def softmax(config: NetworkConfig = NETWORK) -> Relaxation:
    """The relaxation of DARTS on a space."""
    return Softmax(space(config), SearchConfig(), 0)


def objective(net: nn.Module, inputs: Batch, relaxation: Relaxation | None = None) -> Objective:
    """Cross-entropy of a supernet on a batch."""
    return Objective(net, inputs, nn.CrossEntropyLoss(), relaxation or softmax())


def equal(one: Any, other: Any) -> bool:
    """Bit for bit, through dicts and lists."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(equal(*pair) for pair in zip(one, other, strict=True))
    return one == other
