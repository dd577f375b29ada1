"""The searched recurrent part against the published one: seconds, share of the GEMM peak, weights, memory.

    python -m tests.benchmarks.recurrent_part [THREADS]

One process, the variants in turn, best of several CPU seconds of a forward and backward pass of a supernet at
batch 16, width 128 and 4 nodes; ours reads 32 true frames an utterance in 1 cell, the published one the batch
as one sequence in 4 cells. Peak memory is that of a fresh process each, less what importing torch takes.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from raysernas.model import sequence_rnn
from raysernas.model.sequence import SearchedRecurrence, SearchSequence
from raysernas.model.sequence_cells import ChosenSequenceEdge
from raysernas.model.sequence_rnn import SequenceState
from raysernas.record.genotype import SEQUENCE_OPERATIONS, sources
from tests.support.published_recurrent import BATCH, EDGES, NODES, WIDTH, PublishedRecurrence
from tests.support.sequences import REAL, frames_of

ROUNDS, FRAMES = 5, 32
Step = Callable[[], object]


def published() -> tuple[Step, Step, int]:
    """A forward and backward pass, the same for the alphas alone, weights."""
    part = PublishedRecurrence()
    alphas = torch.zeros(EDGES, part.OPERATIONS, requires_grad=True)
    x = torch.randn(BATCH, WIDTH)
    return *passes(part, alphas, lambda: part(x, alphas.softmax(1))), weights_of(part)


def ours() -> tuple[Step, Step, int]:
    """The same of ours."""
    part = SearchedRecurrence(WIDTH, WIDTH, 1, NODES, None, 0.3)
    alphas = torch.zeros(len(sources(NODES, inputs=1)), len(SEQUENCE_OPERATIONS), requires_grad=True)
    x, mask = torch.randn(BATCH, FRAMES, WIDTH), torch.ones(BATCH, FRAMES, dtype=torch.bool)
    return *passes(part, alphas, lambda: part(x, mask, alphas.softmax(1))), weights_of(part)


class Apart(SearchSequence):
    """Every candidate for itself, weights and all."""

    def __init__(self) -> None:
        super().__init__(WIDTH, NODES, 0.3)
        self.edges = nn.ModuleList(
            nn.ModuleList(ChosenSequenceEdge(name, WIDTH) for name in REAL) for _ in self.edges
        )

    def forward(self, x: torch.Tensor, mask: torch.Tensor, mixing: torch.Tensor) -> torch.Tensor:
        frames = [frames_of(x, mask)]
        into: list[list[torch.Tensor]] = [[] for _ in range(NODES)]
        for (node, source), weights, edge in zip(sources(NODES, inputs=1), mixing, self.edges, strict=True):
            if source == 0 and node:
                frames.append(
                    SequenceState(torch.stack(into[node - 1]).sum(dim=0), frames[0].mask, frames[0].order)
                )
            assert isinstance(edge, nn.ModuleList)
            into[node] += [
                weight * candidate(frames[source])
                for candidate, weight in zip(edge, weights[1:], strict=True)
            ]
        return torch.stack(into[-1]).sum(dim=0)


def apart() -> tuple[Step, Step, int]:
    """The same of our space without any sharing."""
    part = Apart()
    alphas = torch.zeros(len(sources(NODES, inputs=1)), len(SEQUENCE_OPERATIONS), requires_grad=True)
    x, mask = torch.randn(BATCH, FRAMES, WIDTH), torch.ones(BATCH, FRAMES, dtype=torch.bool)

    def forward() -> torch.Tensor:
        with patch.object(sequence_rnn, "layers_together", sequence_rnn.layers_one_by_one):
            return part(x, mask, alphas.softmax(1))

    return *passes(part, alphas, forward), weights_of(part)


def passes(part: nn.Module, alphas: torch.Tensor, forward: Callable[[], torch.Tensor]) -> tuple[Step, Step]:
    """Forward and backward, with gradients to the weights and the alphas, and to the alphas alone."""

    def whole() -> None:
        part.zero_grad()
        forward().pow(2).sum().backward()

    def alphas_only() -> None:
        part.requires_grad_(False)
        torch.autograd.grad(forward().pow(2).sum(), alphas)
        part.requires_grad_(True)

    return whole, alphas_only


def weights_of(part: nn.Module) -> int:
    """Their number."""
    return sum(value.numel() for value in part.parameters())


PARTS = {"published": published, "apart": apart, "ours": ours}


def best_s(step: Step) -> float:
    """CPU seconds of one step."""
    start = time.process_time()
    step()
    return time.process_time() - start


def flop_of_ours() -> float:
    """Of a forward and backward pass: 2 a weight and frame, three times; the attention products are left
    out.
    """
    part = SearchedRecurrence(WIDTH, WIDTH, 1, NODES, None, 0.3)
    return 3 * 2 * BATCH * FRAMES * sum(value.numel() for value in part.parameters() if value.ndim > 1)


def gemm_peak() -> float:
    """FLOP a CPU second of a large product."""
    x = torch.randn(1024, 1024)
    return 2 * 1024**3 / min(best_s(lambda: x @ x) for _ in range(20))


def high_water_gb() -> float:
    """The most memory that this process has held so far (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def peak_gb(name: str) -> float:
    """GB that one pass takes in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.recurrent_part", str(torch.get_num_threads()), name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Print a table; with the name of a part, its peak memory only."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    if len(sys.argv) > 2:
        before = high_water_gb()
        PARTS[sys.argv[2]]()[0]()
        print(high_water_gb() - before)
        return
    parts = {name: build() for name, build in PARTS.items()}
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in parts}
    for _ in range(ROUNDS):
        for name, (whole, alphas_only, _weights) in parts.items():
            seconds[name][0].append(best_s(whole))
            seconds[name][1].append(best_s(alphas_only))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), CPU seconds, best of {ROUNDS}")
    for name, (_, _, weights) in parts.items():
        whole, alphas_only = (min(each) for each in seconds[name])
        print(
            f"{name:9} whole {whole:.3f}  alphas only {alphas_only:.3f}  weights {weights:,}  peak "
            f"{peak_gb(name):.2f} GB"
        )
    for name in ("published", "apart"):
        ratios = [
            min(theirs) / min(mine) for theirs, mine in zip(seconds[name], seconds["ours"], strict=True)
        ]
        print("ratio {} / ours: whole {:.1f}, alphas only {:.1f}".format(name, *ratios))
    print(
        f"ours at {flop_of_ours() / min(seconds['ours'][0]) / gemm_peak():.0%} of the peak of a large product"
    )


if __name__ == "__main__":
    main()
