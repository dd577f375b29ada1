"""The whole step of a joint search, CNN and recurrent part: the published one against ours, at the published
size.

    python -m tests.benchmarks.joint_step [THREADS]

Batch 16, inputs of 128 x 128, four cells of four nodes and 8 channels, width 128. The published step is
rebuilt of the plain operations (NCHW, one after another), both last maps pooled to one vector an utterance,
and the published recurrent part; its unrolled alpha step takes four forward and backward passes, its weight
step one. Ours keeps 32 frames in time and takes its alpha step of first order with frozen weights, or of
second order, exact. One process, best of several CPU seconds (one thread) or seconds of the clock.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from raysernas.config.schema import NetworkConfig, SearchConfig
from raysernas.features.parts import Batch
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import space
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.state import new_search
from tests.benchmarks.search_step import plain_of
from tests.support.published_recurrent import BATCH, EDGES, PublishedRecurrence
from tests.support.searches import softmax

ROUNDS, SIZE = 2, 128
CONFIG = NetworkConfig(
    cells=4,
    nodes=4,
    channels=8,
    stem_halves=False,
    cell_dropout=0.3,
    hidden=64,
    recurrent="searched",
    recurrent_nodes=4,
)
PASSES = 4 + 1  # forward and backward, of the published step


def published() -> Callable[[], object]:
    """One forward and backward pass of the published joint supernet."""
    cnn = plain_of(
        build(Design(front="cells"), replace(CONFIG, recurrent="lstm_attention"), (SIZE, SIZE), 4),
        torch.contiguous_format,
    ).front
    recurrent, output = PublishedRecurrence(), nn.Linear(128, 4)
    parts = space(CONFIG)
    alphas = new_alphas(parts, torch.Generator().manual_seed(0))
    over_batch = torch.zeros(EDGES, recurrent.OPERATIONS, requires_grad=True)
    x, emotion = torch.randn(BATCH, 1, SIZE, SIZE), torch.arange(BATCH) % 4

    def whole() -> None:
        maps = cnn(x, {part: value.softmax(dim=-1) for part, value in alphas.items()})
        made = output(recurrent(maps.mean(dim=(2, 3)), over_batch.softmax(dim=1)))
        nn.functional.cross_entropy(made, emotion).backward()

    return whole


def ours(order: str) -> Callable[[], object]:
    """One search step."""
    network: Network = build(Design(front="cells"), CONFIG, (SIZE, SIZE), 4)
    inputs = Batch(torch.randn(BATCH, SIZE, SIZE), torch.full((BATCH,), SIZE), torch.arange(BATCH) % 4)
    given = cast(Any, None)  # the steps are given their batches
    alphas = new_alphas(space(CONFIG), torch.Generator().manual_seed(0))
    config, loss_of = SearchConfig(order=cast(Any, order)), nn.CrossEntropyLoss()
    state = new_search(network, alphas, softmax(CONFIG), loss_of, config, given, given)

    def step() -> None:
        darts.alpha_step(state, inputs, inputs)
        darts.weight_step(state, inputs)

    return step


def now() -> float:
    """Of this process on one thread, else of the clock."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def main() -> None:
    """Print seconds and ratios."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    runs = {
        "published pass": published(),
        "ours, first": ours("first"),
        "ours, second_exact": ours("second_exact"),
    }
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = now()
            run()
            best[name] = min(best[name], now() - start)
            print(f"{name}: {best[name]:.2f} s", flush=True)
    step = PASSES * best["published pass"]
    print(f"published step of {PASSES} passes: {step:.1f} s")
    for name in list(runs)[1:]:
        print(f"published step / {name}: {step / best[name]:.1f}")


if __name__ == "__main__":
    main()
