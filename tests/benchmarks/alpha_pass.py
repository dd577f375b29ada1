"""How much the frozen weights save in the alpha pass of a search, and what a search step costs.

    python -m tests.benchmarks.alpha_pass [THREADS]

One process, the variants in turn, medians of CPU-bound wall seconds; quote the ratios, not the seconds.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from raysernas.config.schema import NetworkConfig, SearchConfig
from raysernas.features.parts import Batch
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import space
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.state import new_search
from raysernas.training.batches import EndlessBatches
from tests.support.searches import softmax
from tests.support.small import noise_part

ROUNDS = 7
SIZES = [  # (batch, frames, bands, network): the laptop study, EmoDB, a larger one
    (16, 70, 40, NetworkConfig(channels=6)),
    (16, 150, 40, NetworkConfig()),
    (8, 96, 64, NetworkConfig(cells=4, nodes=4, stem_halves=False)),
]


def measure(batch: int, frames: int, bands: int, config: NetworkConfig) -> dict[str, float]:
    """Median seconds of the alpha pass, with free and with frozen weights, and of the weight step."""
    torch.manual_seed(0)
    network = build(Design(front="cells"), config, (frames, bands), 4)
    assert isinstance(network, Network)
    alphas = new_alphas(space(config), torch.Generator().manual_seed(0))
    features, lengths, emotion = (
        torch.randn(batch, frames, bands),
        torch.full((batch,), frames),
        torch.arange(batch) % 4,
    )
    inputs, loss_of = Batch(features, lengths, emotion), nn.CrossEntropyLoss()
    alpha_batches = EndlessBatches(noise_part("alphas"), batch, np.random.default_rng(0))  # not drawn from
    state = new_search(
        network,
        alphas,
        softmax(config),
        loss_of,
        SearchConfig(weights_lr=1e-3),
        np.random.default_rng(0),
        alpha_batches,
    )

    def free() -> None:
        loss_of(network(features, lengths, state.relaxation.weights(alphas)), emotion).backward()
        state.alpha_optimizer.step()

    variants: dict[str, Callable[[], object]] = {
        "free": free,
        "frozen": lambda: darts.alpha_step(state, inputs, inputs),
        "weights": lambda: darts.weight_step(state, inputs),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(ROUNDS + 1):
        for name, step in variants.items():
            start = time.perf_counter()
            step()
            if round_:  # the first is a warm-up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def main() -> None:
    """Print a table."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), median of {ROUNDS}")
    print(
        "batch frames bands cells nodes channels | alpha pass free / frozen | frozen alpha + weight step, s"
    )
    for batch, frames, bands, config in SIZES:
        found = measure(batch, frames, bands, config)
        size = f"{batch:5} {frames:6} {bands:5} {config.cells:5} {config.nodes:5} {config.channels:8}"
        print(f"{size} | {found['free'] / found['frozen']:24.2f} | {found['frozen'] + found['weights']:.3f}")


if __name__ == "__main__":
    main()
