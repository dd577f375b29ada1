"""Law of the steps: after the first, no step waits for the device."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from raysernas.config.schema import NetworkConfig, RetrainConfig, SearchConfig
from raysernas.features.parts import Batch
from raysernas.model.network import build
from raysernas.record.genotype import space
from raysernas.runtime.cuda_graphs import Work, launch_eagerly
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.state import EndlessBatches, new_search
from raysernas.training.fit import fit
from tests.support.searches import softmax
from tests.support.small import design, network, noise_part

SMALL = NetworkConfig(nodes=1)
# operations that read numbers or counts back, or send a list to the device
WAITS = ("_local_scalar_dense", "item", "nonzero", "masked_select", "lift_fresh")


class Waits(TorchDispatchMode):
    """Counts what would wait on a device. Forgiven: Adam's own count of its steps, which torch keeps on the
    CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in WAITS:
            self.found.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "config",
    [SMALL, replace(SMALL, cnn="ordered"), replace(SMALL, recurrent="searched", hidden=8)],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_search_step_waits_for_the_device(config, precision):
    torch.manual_seed(0)
    arm = "darts_ordered" if config.cnn == "ordered" else "darts"
    net = build(design(arm), config, (40, 16), 4, precision=precision)
    rng, alphas = np.random.default_rng(0), new_alphas(space(config), torch.Generator().manual_seed(0))
    state = new_search(
        net,
        alphas,
        softmax(config),
        nn.CrossEntropyLoss(),
        SearchConfig(),
        rng,
        EndlessBatches(noise_part("alphas", 6), 6, rng),
    )
    batch = Batch(torch.randn(6, 40, 16), torch.full((6,), 30), torch.arange(6) % 4)
    state.network.train()
    for step in range(2):
        with Waits() as waits:
            darts.alpha_step(state, batch, batch)
        counted = waits.found.count("_local_scalar_dense")
        assert counted <= len(state.alphas), waits.found
        with Waits() as waits:
            darts.weight_step(state, batch)
        assert step == 0 or waits.found == []


@pytest.mark.parametrize("config", [RetrainConfig(), RetrainConfig(mixup=0.4, label_smoothing=0.0)])
def test_no_training_step_waits_for_the_device(config):
    """Of what may become a graph; before it a batch is masked and mixed."""
    steps = 0

    def watched(name: str, work: Work, parameters: Sequence[Tensor], *given: Tensor) -> tuple[Tensor, ...]:
        nonlocal steps
        with Waits() as waits:
            made = launch_eagerly(name, work, parameters, *given)
        assert waits.found == []
        steps += 1
        return made

    parts = noise_part("train", 13), noise_part("valid", 6)
    fit(
        network("darts"),
        *parts,
        replace(config, epochs=2, batch=5),
        seed=0,
        report=lambda _: None,
        launch=watched,
    )
    assert steps == 6
