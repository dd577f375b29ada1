"""Candidates on an edge of the searched recurrent part: frames in time -> frames in time, of the same width.

The operations of emoDARTS (arXiv 2403.14083) on a real time axis: one or two layers of LSTM, GRU or RNN in
one or both directions, each with or without attention over time, besides multi-head self-attention and the
identity. Sequences are [time, batch, channel], true steps first; what stands in padded steps reaches no true
step, and batch mates never meet.

Every candidate ends in a normalisation of each step over its channels, without affine: a recurrent output is
bounded by its tanh, far below an identity at the beginning of a search, so that the mixing weights would
compare sizes, not uses.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.model.sequence_rnn import (
    RNN_CELLS,
    Chain,
    RnnCell,
    SequenceState,
    TimeMask,
    TimeSteps,
    chains_together,
    normalised,
)

LAYERS = 2  # of the deepest candidate
# of SEQUENCE_OPERATIONS; from here on they come in pairs, without and with attention, in the order of CHAINS
FIRST_RECURRENT = 3
CHAINS: tuple[tuple[RnnCell, bool], ...] = tuple((cell, both) for cell in RNN_CELLS for both in (False, True))


class Recurrent(NamedTuple):
    """What the name of a recurrent operation says."""

    cell: RnnCell
    both: bool  # directions
    layers: int
    attention: bool


def recurrent(operation: str) -> Recurrent:
    """`bigru_2_attention` -> its parts."""
    name, layers, *attention = operation.split("_")
    cell: Any = name.removeprefix("bi")
    return Recurrent(cell, name.startswith("bi"), int(layers), bool(attention))


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention (arXiv 1706.03762) in plain products, so that it can be
    differentiated twice.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = next(heads for heads in (4, 2, 1) if width % heads == 0)
        self.project, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def weights(
        self,
        query: Float[Tensor, "batch head time of"],
        key: Float[Tensor, "batch head time of"],
        mask: TimeMask,
    ) -> Float[Tensor, "batch head time time"]:
        """Of each step over the true steps; each row sums to 1, padded steps have 0."""
        scores = (
            einsum(query, key, "batch head to of, batch head time of -> batch head to time")
            / query.shape[-1] ** 0.5
        )
        return scores.masked_fill(~rearrange(mask, "time batch -> batch 1 1 time"), float("-inf")).softmax(
            dim=-1
        )

    def forward(self, frames: SequenceState) -> TimeSteps:
        split = "time batch (part head of) -> part batch head time of"
        query, key, value = rearrange(self.project(frames.x), split, part=3, head=self.heads)
        seen = einsum(
            self.weights(query, key, frames.mask),
            value,
            "batch head to time, batch head time of -> batch head to of",
        )
        return self.output(rearrange(seen, "batch head time of -> time batch (head of)"))


def attention_weights(
    x: Float[Tensor, "*layer time batch channel"], query: Float[Tensor, "*layer channel"], mask: TimeMask
) -> Float[Tensor, "*layer time batch"]:
    """Softmax over the true steps of `query . step`, a learnt query a layer; padded steps get exactly 0."""
    scores = einsum(x, query, "... time batch channel, ... channel -> ... time batch")
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-2)


def new_queries(*shape: int) -> nn.Parameter:
    """Such that the scores of normalised frames are of order 1."""
    return nn.Parameter(torch.randn(shape) / shape[-1] ** 0.5)


class MixedSequenceEdge(nn.Module):
    """The weights of all candidates of an edge; `mixed` computes them.

    An operation with attention gives (h + c) / 2 of the frames h of its recurrence and their
    attention-weighted mean c. In the supernet it has its recurrence in common with the operation without
    attention, and the operation of two layers its first layer with that of one: 12 recurrent layers stand for
    24 candidates. It is a weight sharing, as a supernet is one anyway: the derived network has the weights of
    its own operations only, and is trained anew.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attention = SelfAttention(width)
        self.chains = nn.ModuleList(Chain(cell, width, LAYERS, both=both) for cell, both in CHAINS)
        self.queries = new_queries(len(CHAINS), LAYERS, width)


def mixed(
    edges: Sequence[MixedSequenceEdge], frames: SequenceState, mixing: Float[Tensor, "edge operation"]
) -> Float[Tensor, "edge time batch channel"]:
    """The mixtures of several edges that take from one state: all candidates at once, weighted, all that can
    be shared shared.
    """
    pairs = rearrange(
        mixing[:, FIRST_RECURRENT:],
        "edge (chain layer attention) -> attention chain edge layer",
        chain=len(CHAINS),
        attention=2,
    )
    looking = torch.stack([normalised(edge.self_attention(frames)) for edge in edges])
    total = mixing[:, 1, None, None, None] * frames.x + mixing[:, 2, None, None, None] * looking
    for chain, (without, attending) in enumerate(zip(*pairs, strict=True)):
        x = normalised(chains_together([_chain(edge, chain) for edge in edges], frames))
        queries = torch.stack([edge.queries[chain] for edge in edges])
        over_time = attention_weights(x, queries, frames.mask) * (attending / 2)[:, :, None, None]
        context = einsum(
            over_time, x, "edge layer time batch, edge layer time batch channel -> edge batch channel"
        )
        steps = einsum(
            without + attending / 2, x, "edge layer, edge layer time batch channel -> edge time batch channel"
        )
        total = total + steps + context[:, None]
    return total


def _chain(edge: MixedSequenceEdge, number: int) -> Chain:
    chain = edge.chains[number]
    assert isinstance(chain, Chain)
    return chain


class ChosenSequenceEdge(nn.Module):
    """One operation of any name but `none`."""

    def __init__(self, operation: str, width: int) -> None:
        super().__init__()
        self.query: nn.Parameter | None = None
        if operation == "skip_connect":
            self.operation: nn.Module = nn.Identity()
        elif operation == "self_attention":
            self.operation = SelfAttention(width)
        else:
            parts = recurrent(operation)
            self.operation = Chain(parts.cell, width, parts.layers, both=parts.both)
            self.query = new_queries(width) if parts.attention else None

    def forward(self, frames: SequenceState) -> TimeSteps:
        if isinstance(self.operation, nn.Identity):
            return frames.x
        made = self.operation(frames)
        x = normalised(made[-1] if isinstance(self.operation, Chain) else made)
        if self.query is None:
            return x
        weights = attention_weights(x, self.query, frames.mask)
        return (x + einsum(weights, x, "time batch, time batch channel -> batch channel")) / 2
