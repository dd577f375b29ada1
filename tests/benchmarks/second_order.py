"""What a search step costs in each order, and how far the central difference is from the exact second order.

    python -m tests.benchmarks.second_order [THREADS]

One process, the orders in turn, best of a few rounds of process CPU time; quote the ratios. A step is one of
the alphas and one of the weights. The relative error is that of the mixed term d/dalphas [dL_train/dw . u],
on the network as it is and with its kinks smoothed (Softplus for ReLU, mean for maximum); `mixed` tells how
large xi times the exact term is beside the direct one.
"""

import sys
import time
from typing import get_args, get_type_hints

import numpy as np
import torch
from torch import nn

from raysernas.config.schema import NetworkConfig, SearchConfig
from raysernas.features.parts import Batch
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import space
from raysernas.search import bilevel
from raysernas.search.alphas import new_alphas
from raysernas.search.bilevel import Objective
from raysernas.search.darts import alpha_step, weight_step
from raysernas.search.state import SearchState, new_search
from raysernas.training.batches import EndlessBatches
from tests.support.searches import smooth, softmax
from tests.support.small import noise_part

ROUNDS, TRAINED = 5, 20
ORDERS = get_args(get_type_hints(SearchConfig)["order"])
SIZES = [  # (batch, frames, bands, network): the laptop study, EmoDB
    (16, 70, 40, NetworkConfig(channels=6)),
    (16, 150, 40, NetworkConfig()),
]


def begin(
    frames: int, bands: int, network: NetworkConfig, search: SearchConfig, *, kinks: bool = True
) -> SearchState:
    """A search on a network of its own; every one has the same seed."""
    torch.manual_seed(0)
    net = build(Design(front="cells"), network, (frames, bands), 4)
    assert isinstance(net, Network)
    net = net if kinks else smooth(net)
    alphas = new_alphas(space(network), torch.Generator().manual_seed(0))
    alpha_batches = EndlessBatches(
        noise_part("alphas"), search.batch, np.random.default_rng(0)
    )  # not drawn from
    return new_search(
        net, alphas, softmax(network), nn.CrossEntropyLoss(), search, np.random.default_rng(0), alpha_batches
    )


def noise(batch: int, frames: int, bands: int, seed: int) -> Batch:
    """Whose class is audible as a louder band."""
    generator = torch.Generator().manual_seed(seed)
    features, emotion = torch.randn(batch, frames, bands, generator=generator), torch.arange(batch) % 4
    features[torch.arange(batch), :, emotion * 8] += 2
    return Batch(features, torch.full((batch,), frames), emotion)


def costs(batch: int, frames: int, bands: int, network: NetworkConfig) -> dict[str, float]:
    """Best seconds of a step in each order."""
    states = {
        order: begin(frames, bands, network, SearchConfig(order=order, batch=batch)) for order in ORDERS
    }
    best = dict.fromkeys(ORDERS, float("inf"))
    one, other = noise(batch, frames, bands, 0), noise(batch, frames, bands, 1)
    for _ in range(ROUNDS):
        for order, state in states.items():
            start = time.process_time()
            alpha_step(state, one, other)
            weight_step(state, one)
            best[order] = min(best[order], time.process_time() - start)
    return best


def errors(
    batch: int, frames: int, bands: int, network: NetworkConfig, *, kinks: bool, steps: int
) -> tuple[list[float], float]:
    """Relative errors at three scales after some steps of a first-order search, and the share of the mixed
    term.
    """
    state = begin(frames, bands, network, SearchConfig(batch=batch), kinks=kinks)
    for step in range(steps):
        one, other = noise(batch, frames, bands, 2 * step), noise(batch, frames, bands, 2 * step + 1)
        alpha_step(state, one, other)
        weight_step(state, one)
    train, validate = (
        Objective(state.network, noise(batch, frames, bands, seed), state.loss_of, state.relaxation)
        for seed in (1000, 1001)
    )
    given = (
        train,
        validate,
        dict(state.network.named_parameters()),
        state.alphas,
        bilevel.unrolled_step_of(state.weight_optimizer),
    )
    with bilevel.frozen_statistics(state.network):
        found = [bilevel.difference_error(*given, scale).item() for scale in (1e-2, 1e-3, 1e-4)]
        exact = bilevel.second_order("second_exact", *given, 0.0)
    mixed = given[-1].rate * torch.cat([each.flatten() for each in exact.mixed])
    direct = torch.cat([each.flatten() for each in exact.gradients]) + mixed
    return found, (mixed.norm() / direct.norm()).item()


def main() -> None:
    """Print two tables."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), best of {ROUNDS}")
    for size in SIZES:
        best = costs(*size)
        ratios = "  ".join(f"{order} {best[order] / best['first']:.2f}" for order in ORDERS)
        print(
            f"batch {size[0]} frames {size[1]} channels {size[3].channels}: first {best['first']:.3f} s; "
            f"ratios {ratios}"
        )
    print("relative error of the difference at scale 1e-2, 1e-3, 1e-4; |xi mixed| / |direct|")
    for kinks in (True, False):
        for steps in (0, TRAINED):
            found, share = errors(*SIZES[0], kinks=kinks, steps=steps)
            print(
                f"kinks {kinks!s:5} after {steps:2} steps: {found[0]:.2e} {found[1]:.2e} {found[2]:.2e}; "
                f"{share:.1e}"
            )


if __name__ == "__main__":
    main()
