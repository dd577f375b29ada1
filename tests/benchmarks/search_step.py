"""How much faster a search step (alpha pass, then weight pass) is than the plain operations, and how its cost
grows.

    python -m tests.benchmarks.search_step [THREADS] [growth]

One process, the variants in turn, best of several times (of the process on one thread, else of the clock);
quote the ratios. `plain` runs op by op, NCHW, and gets the gradients of its alphas by `loss.backward()` with
free weights; `plain, alphas only` with frozen weights; `channels last, alphas only` in that memory format;
`bf16` is the product with `compute.precision=bf16`.

What paid and what did not, and what a GPU makes of it, is listed in `tests/README.md`.
"""

import copy
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from raysernas.config.schema import ComputeConfig, NetworkConfig, SearchConfig
from raysernas.features.parts import Batch
from raysernas.model.cost import multiply_adds
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import space
from raysernas.runtime.cuda_graphs import GraphLauncher, launch_eagerly
from raysernas.runtime.determinism import pin
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.state import SearchState, new_search
from tests.support.reference_cells import reference
from tests.support.searches import softmax

ROUNDS = {"EmoDB": 6}  # of other sizes 2: a plain step takes up to a minute
PLAIN = ("plain", "plain, alphas only", "channels last, alphas only", "bf16")
# `compute.cuda_graph=true`
GRAPHS = ("graph", "graph, bf16", "plain, alphas only, graph", "channels last, alphas only, graph")
GPU_ROUNDS = 5
Size = tuple[int, int, int, NetworkConfig]
SIZES: dict[str, Size] = {  # (batch, frames, bands, network)
    "EmoDB": (16, 150, 40, NetworkConfig()),
    "16 channels": (8, 128, 96, NetworkConfig(cells=4, nodes=4, channels=16, stem_halves=False)),
    "published": (
        16,
        128,
        128,
        NetworkConfig(cells=4, nodes=4, channels=8, stem_halves=False, cell_dropout=0.3),
    ),
}
GROWN: dict[str, Callable[[Size], Size]] = {  # from the EmoDB size
    "twice the batch": lambda size: (2 * size[0], *size[1:]),
    "twice the frames": lambda size: (size[0], 2 * size[1], *size[2:]),
    "twice the channels": lambda size: (*size[:3], replace(size[3], channels=2 * size[3].channels)),
    "twice the nodes": lambda size: (*size[:3], replace(size[3], nodes=2 * size[3].nodes)),
    "twice the cells": lambda size: (*size[:3], replace(size[3], cells=2 * size[3].cells)),
}


def now(device: torch.device) -> float:
    """Seconds: of this process on one CPU thread, else of the clock."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (
        time.process_time() if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter()
    )


def plain_of(network: nn.Module, memory_format: torch.memory_format) -> Any:
    """The plain operations, in one memory format from the stem on."""
    plain = reference(network).to(memory_format=memory_format)
    plain.front.register_forward_pre_hook(
        lambda _, given: (given[0].contiguous(memory_format=memory_format), given[1])
    )
    return plain


def peaks(device: torch.device) -> dict[str, float]:
    """GFLOP/s of a matrix product and of a 3x3 convolution of 256 channels; the best of several."""
    square, maps, weight = torch.randn(2048, 2048), torch.randn(8, 256, 32, 32), torch.randn(256, 256, 3, 3)
    square, maps, weight = (
        each.to(device) for each in (square, maps.contiguous(memory_format=torch.channels_last), weight)
    )
    work: dict[str, tuple[Callable[[], object], float]] = {
        "GEMM": (lambda: square @ square, 2 * 2048**3),
        "convolution": (lambda: torch.conv2d(maps, weight, padding=1), 2 * maps.numel() * weight[0].numel()),
    }
    found = {}
    for name, (run, operations) in work.items():
        seconds = []
        for _ in range(8):
            start = now(device)
            run()
            seconds.append(now(device) - start)
        found[name] = operations / min(seconds) / 1e9
    return found


def highest_gb(device: torch.device) -> float:
    """Memory of the device, or of this process, so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def state_of(network: Network, config: NetworkConfig, device: torch.device) -> SearchState:
    """A search that is given its batches."""
    alphas, given = new_alphas(space(config), torch.Generator().manual_seed(0), device), cast(Any, None)
    return new_search(network, alphas, softmax(config), nn.CrossEntropyLoss(), SearchConfig(), given, given)


def measure(size: Size, variants: tuple[str, ...], device: torch.device, rounds: int) -> dict[str, float]:
    """Best seconds of a search step of each variant, and the GFLOP of a step."""
    batch, frames, bands, config = size
    torch.manual_seed(0)
    product = build(Design(front="cells"), config, (frames, bands), 4).to(device)
    networks = {"product": product}
    if len(variants) > 1:
        networks["plain"] = networks["plain, alphas only"] = plain_of(product, torch.contiguous_format)
        networks["channels last, alphas only"] = plain_of(product, torch.channels_last)
        for name in variants[4:]:
            networks[name] = copy.deepcopy(networks.get(name.removesuffix(", graph"), product))
        for name, network in networks.items():
            network.precision = "bf16" if "bf16" in name else "fp32"
    features, lengths = (
        torch.randn(batch, frames, bands, device=device),
        torch.full((batch,), frames, device=device),
    )
    inputs = Batch(features, lengths, torch.arange(batch, device=device) % 4)
    states = {name: state_of(network, config, device) for name, network in networks.items()}
    for name in variants:
        states[name].launch = GraphLauncher() if "graph" in name else launch_eagerly
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for name in variants:
            state, start = states[name], now(device)
            if name == "plain":
                state.loss_of(
                    state.network(features, lengths, state.relaxation.weights(state.alphas)), inputs.emotion
                ).backward()
                state.alpha_optimizer.step()
            else:
                darts.alpha_step(state, inputs, inputs)
            darts.weight_step(state, inputs)
            best[name] = min(best[name], now(device) - start)
    # alpha pass: forward, and back to the maps; weight pass: that, and the weights
    return best | {"GFLOP": 2 * (2 + 3) * batch * multiply_adds(product, (frames, bands)) / 1e9}


def main() -> None:
    """Print the ratios for each size, or the growth of the cost."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    pin(ComputeConfig(threads=numbers[0] if numbers else 1))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    others, rounds = (
        (PLAIN, ROUNDS) if device.type == "cpu" else ((*PLAIN, *GRAPHS), dict.fromkeys(SIZES, GPU_ROUNDS))
    )
    times = "best of 2 (EmoDB: 6)" if device.type == "cpu" else f"best of {GPU_ROUNDS}"
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} thread(s), {times}")
    if "growth" in sys.argv:
        start = measure(SIZES["EmoDB"], ("product",), device, 4)["product"]
        for name, grown in GROWN.items():
            ratio = measure(grown(SIZES["EmoDB"]), ("product",), device, 4)["product"] / start
            print(f"{name}: {ratio:.2f} times the cost", flush=True)
        return
    top = peaks(device)
    print(", ".join(f"{name} peak {value:.0f} GFLOP/s" for name, value in top.items()))
    for name, size in SIZES.items():
        best = measure(size, ("product", *others), device, rounds.get(name, 2))
        ratios = ", ".join(f"{other} / product {best[other] / best['product']:.2f}" for other in others)
        speed, memory = best["GFLOP"] / best["product"], highest_gb(device)
        reached = f"{speed:.0f} GFLOP/s ({speed / top['convolution']:.0%} of the convolution's)"
        print(
            f"{name}: {best['product']:.3f} s a step, {reached}; {ratios}; highest memory so far "
            f"{memory:.1f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()
