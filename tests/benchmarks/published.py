"""The published setting on real speech: parameters, and seconds and memory of a dozen search steps.

    python -m tests.benchmarks.published PATH/TO/emodb [key=value ...]

Runs `configs/published.yaml` for 12 steps (alpha step, then weight step) on the first fold at batch 16, on
inputs of 128 x 128, and prints the seconds of each and the peak memory of the process. `search.order=first`
and `network.recurrent=searched` may be given.
"""

import sys
import time

import numpy as np
import torch
from torch import nn

from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.corpora import catalogue
from raysernas.model.network import Design, build, count_parameters
from raysernas.record.genotype import space
from raysernas.runtime.determinism import device_of, pin, stream
from raysernas.runtime.resource_meter import metered
from raysernas.search import darts
from raysernas.search.alphas import new_alphas
from raysernas.search.state import new_search
from raysernas.training.batches import EndlessBatches
from raysernas.training.data import prepare
from raysernas.training.state import class_weights
from raysernas.trial import resolve
from tests.support.searches import softmax

STEPS = 12


def main() -> None:
    """Print everything."""
    root, *overrides = sys.argv[1:]
    config = load("published", [f"corpus.root={root}", *overrides])
    trial = trial_config(resolve(config, catalogue.read(config.corpus, None)), arm="darts", fold=0, seed=0)
    pin(trial.compute)
    data, device = prepare(trial, None), device_of(trial)
    weights, alphas = data.part("weights"), data.part("alphas")
    torch.manual_seed(stream(trial, "supernet"))
    supernet = build(Design(front="cells"), trial.network, data.size, len(data.corpus.emotions)).to(device)
    front, head = count_parameters(supernet.front), nn.Linear(supernet.front.channels, 4)
    print(
        f"inputs {data.size[0]} x {data.size[1]}, batch {trial.search.batch}, {device}, "
        f"{trial.compute.threads} thread(s)"
    )
    total = count_parameters(supernet)
    print(
        f"parameters: {front + count_parameters(head):,} without the recurrent part (of 4 classes), "
        f"{total:,} in all"
    )
    loss_of = nn.CrossEntropyLoss(class_weights(weights, supernet.classes))
    alpha_batches = EndlessBatches(alphas, trial.search.batch, np.random.default_rng(1))
    fresh = new_alphas(space(trial.network), torch.Generator().manual_seed(0), device)
    state = new_search(
        supernet,
        fresh,
        softmax(trial.network),
        loss_of,
        trial.search,
        np.random.default_rng(0),
        alpha_batches,
    )
    supernet.train()
    with metered(device) as cost:
        for step, batch in zip(range(STEPS), weights.epoch(trial.search.batch, state.rng), strict=False):
            start = time.perf_counter()
            first = darts.alpha_step(state, batch, next(alpha_batches))
            second = darts.weight_step(state, batch)
            losses = f"{first.loss.item():.3f} and {second.loss.item():.3f}"
            print(f"step {step + 1:2}: {time.perf_counter() - start:6.2f} s, losses {losses}", flush=True)
    print(f"{cost.seconds:.0f} s in all, peak {cost.peak_mb / 1024:.1f} GB ({trial.search.order} order)")


if __name__ == "__main__":
    main()
