"""The searched recurrent part (after emoDARTS, arXiv 2403.14083, on the time axis of each utterance): frames
-> frames in time.

A cell has one input state, the frames, and `nodes` intermediate nodes; node i adds up edges from states 0 ..
i. In the supernet every edge mixes all operations, in a chosen cell it holds one. Every state is normalised,
step by step over its channels, before it is read: a mixture of 27 operations is far smaller than a sum of
two, and the operations are to meet frames of one size.

A cell gives the mean of its normalised nodes. emoDARTS concatenates them and pools the channels in groups,
which mixes unlike channels of a node and fits only widths that divide; the mean keeps any width, costs
nothing and lets every node be heard alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager

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
    """Within it a forward pass through recurrent layers can be differentiated twice, on any device.

    cuDNN's RNNs cannot (and say so), torch's own can; on a CPU everything can, and nothing changes. The
    forward pass has to stand within, not the derivatives.
    """
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=False,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=cudnn.allow_tf32,
    ):
        yield


class SearchSequence(nn.Module):
    """Every edge mixes all operations."""

    def __init__(self, width: int, nodes: int, dropout: float) -> None:
        super().__init__()
        self.nodes = nodes
        self.edges = nn.ModuleList(MixedSequenceEdge(width) for _ in sources(nodes, inputs=1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: FrameSequence, mask: Mask, mixing: Float[Tensor, "edge operation"]) -> FrameSequence:
        # source by source: all edges from a state are computed together as soon as it is whole
        frames, into = [_frames(x, mask)], [[] for _ in range(self.nodes)]
        for state in range(self.nodes):
            out = [
                (edge, node)
                for edge, (node, source) in enumerate(sources(self.nodes, inputs=1))
                if source == state
            ]
            numbers = [edge for edge, _ in out]
            made = mixed(
                [self._edge(edge) for edge in numbers],
                frames[state],
                torch.stack([mixing[edge] for edge in numbers]),
            )
            for each, (_, node) in zip(made, out, strict=True):
                into[node].append(each)
            frames.append(_node(into[state], frames[0]))
        return self.dropout(_mean(frames))

    def _edge(self, number: int) -> MixedSequenceEdge:
        edge = self.edges[number]
        assert isinstance(edge, MixedSequenceEdge)
        return edge


class ChosenSequence(nn.Module):
    """Only the edges of a genotype."""

    def __init__(self, width: int, genes: Cell, dropout: float) -> None:
        super().__init__()
        self.genes = genes
        self.edges = nn.ModuleList(
            ChosenSequenceEdge(gene.operation, width) for node in genes for gene in node
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: FrameSequence, mask: Mask) -> FrameSequence:
        frames, edges = [_frames(x, mask)], iter(self.edges)
        for node in self.genes:
            frames.append(_node([next(edges)(frames[gene.source]) for gene in node], frames[0]))
        return self.dropout(_mean(frames))


class SearchedRecurrence(nn.Module):
    """Fits the frames to the width, then `cells` cells, which in a search share one set of mixing weights.

    Padded steps come out as zeros. Parameters are created in one order, so a seed fixes them.
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


def _frames(x: FrameSequence, mask: Mask) -> SequenceState:
    by_time = rearrange(mask, "batch time -> time batch")
    return SequenceState(rearrange(x, "batch time channel -> time batch channel"), by_time, turning(by_time))


def _node(into: list[TimeSteps], like: SequenceState) -> SequenceState:
    total = into[0]
    for other in into[1:]:
        total = total + other
    return SequenceState(total, like.mask, like.order)


def _mean(frames: list[SequenceState]) -> FrameSequence:
    mean = torch.stack([each.x for each in frames[1:]]).mean(dim=0)
    return rearrange(mean, "time batch channel -> batch time channel")
