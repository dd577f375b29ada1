"""The searched recurrent part: frames in time -> frames in time (after emoDARTS, arXiv 2403.14083, whose
cells this one applies to the time axis of each utterance).

A cell has one input state, the frames, and `nodes` intermediate nodes; node i adds up edges from states 0 ..
i. In the supernet every edge mixes all operations, in a chosen cell it holds one. Every state is normalised
before it is read, each step over its channels: a weighted sum of 27 operations is far smaller than a sum of
two, yet operations should read frames of the same scale in both.

The output of a cell is the mean of its normalised nodes. emoDARTS concatenates them and pools the channels in
groups, which mixes unrelated channels of a node and works only for some widths. The mean works for any width,
costs nothing and treats all nodes alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.recurrent import FrameSequence, Mask
from raysernas.model.sequence_cells import ChosenSequenceEdge, MixedSequenceEdge, mixed
from raysernas.model.sequence_rnn import SequenceState, TimeSteps, turning
from raysernas.record.genotype import Cell, sources


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """A forward pass through recurrent layers in this context can be differentiated twice, on any device.

    cuDNN's RNNs cannot (and raise an error), torch's own can. On a CPU nothing changes. The derivatives may
    be taken outside.
    """
    cudnn = torch.backends.cudnn
    benchmark, deterministic, tf32 = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    with cudnn.flags(enabled=False, benchmark=benchmark, deterministic=deterministic, allow_tf32=tf32):
        yield


class SearchSequence(nn.Module):
    """Every edge mixes all operations."""

    def __init__(self, width: int, nodes: int, dropout: float) -> None:
        super().__init__()
        self.nodes = nodes
        self.edges = nn.ModuleList(MixedSequenceEdge(width) for _ in sources(nodes, inputs=1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: FrameSequence, mask: Mask, mixing: Float[Tensor, "edge operation"]) -> FrameSequence:
        # all edges from a state are computed together, as soon as the state is complete
        states, into = [_state(x, mask)], [[] for _ in range(self.nodes)]
        for state in range(self.nodes):
            pairs = enumerate(sources(self.nodes, inputs=1))
            out = {edge: node for edge, (node, source) in pairs if source == state}
            edges: Any = [self.edges[edge] for edge in out]
            made = mixed(edges, states[state], torch.stack([mixing[edge] for edge in out]))
            for each, node in zip(made, out.values(), strict=True):
                into[node].append(each)
            states.append(_node(into[state], states[0]))
        return self.dropout(_mean(states))


class ChosenSequence(nn.Module):
    """Only the edges of a genotype."""

    def __init__(self, width: int, genes: Cell, dropout: float) -> None:
        super().__init__()
        self.genes = genes
        edges = (ChosenSequenceEdge(gene.operation, width) for node in genes for gene in node)
        self.edges = nn.ModuleList(edges)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: FrameSequence, mask: Mask) -> FrameSequence:
        states, edges = [_state(x, mask)], iter(self.edges)
        for node in self.genes:
            states.append(_node([next(edges)(states[gene.source]) for gene in node], states[0]))
        return self.dropout(_mean(states))


class SearchedRecurrence(nn.Module):
    """Fits the frames to the width, then `cells` cells, which in a search share one set of mixing weights.

    Padded steps come out as zeros.
    """

    def __init__(
        self, channels_in: int, width: int, cells: int, nodes: int, genes: Cell | None, dropout: float
    ) -> None:
        super().__init__()
        self.channels = width
        self.fit = nn.Sequential(nn.Linear(channels_in, width), nn.LayerNorm(width))
        self.cells = nn.ModuleList(
            SearchSequence(width, nodes, dropout) if genes is None else ChosenSequence(width, genes, dropout)
            for _ in range(cells)
        )

    def forward(
        self,
        x: Float[Tensor, "batch time channel_in"],
        mask: Mask,
        mixing: Float[Tensor, "edge operation"] | None = None,
    ) -> FrameSequence:
        x = self.fit(x.masked_fill(~mask[:, :, None], 0))
        for cell in self.cells:
            if isinstance(cell, SearchSequence):
                assert mixing is not None, "a supernet needs mixing weights"
                x = cell(x, mask, mixing)
            else:
                x = cell(x, mask)
        return x


def _state(x: FrameSequence, mask: Mask) -> SequenceState:
    by_time = rearrange(mask, "batch time -> time batch")
    return SequenceState(rearrange(x, "batch time channel -> time batch channel"), by_time, turning(by_time))


def _node(into: list[TimeSteps], like: SequenceState) -> SequenceState:
    total = into[0]
    for other in into[1:]:
        total = total + other
    return SequenceState(total, like.mask, like.order)


def _mean(states: list[SequenceState]) -> FrameSequence:
    mean = torch.stack([each.x for each in states[1:]]).mean(dim=0)
    return rearrange(mean, "time batch channel -> batch time channel")
