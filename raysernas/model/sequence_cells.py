"""Candidates on an edge of the searched recurrent part: frames in time -> frames in time, of the same width.

The operations of emoDARTS (arXiv 2403.14083) on a real time axis: one or two layers of LSTM, GRU or RNN in
one or both directions, each with or without attention over time; multi-head self-attention; the identity.
Sequences are [time, batch, channel], true steps first. Padded steps do not affect true ones, nor does one
utterance of a batch affect another.

Every candidate ends with a normalisation of each step over its channels, without affine. Without it a
recurrent output, which its tanh bounds, would be far smaller than that of an identity early in a search, and
the mixing weights would compare scales instead of merits.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from raysernas.config.fault import Fault
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
from raysernas.record.genotype import SEQUENCE_OPERATIONS

LAYERS = 2  # of the deepest candidate
# numbers in SEQUENCE_OPERATIONS; from FIRST_RECURRENT on: chain by chain (in the order of CHAINS), layer by
# layer, without and with attention
SKIP_CONNECT, SELF_ATTENTION, FIRST_RECURRENT = 1, 2, 3
CHAINS: tuple[tuple[RnnCell, bool], ...] = tuple((cell, both) for cell in RNN_CELLS for both in (False, True))


class RecurrentOperation(NamedTuple):
    """What the name of a recurrent operation says."""

    cell: RnnCell
    both: bool  # directions
    layers: int
    attention: bool


def recurrent(operation: str) -> RecurrentOperation:
    """Read the name of an operation, such as `bigru_2_attention`.

    Raises:
        Fault: where it is none of the recurrent operations.
    """
    if operation not in SEQUENCE_OPERATIONS[FIRST_RECURRENT:]:
        raise Fault(
            "network",
            "there is no such operation on frames in time",
            got=operation,
            expected=f"one of {', '.join(SEQUENCE_OPERATIONS[SKIP_CONNECT:])}",
            fix="take the name from this list",
        )
    name, layers, *attention = operation.split("_")
    cell: Any = name.removeprefix("bi")
    return RecurrentOperation(cell, name.startswith("bi"), int(layers), bool(attention))


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
        """Attention of each step to the true steps; each row sums to 1, padded steps get 0."""
        products = einsum(query, key, "batch head to of, batch head time of -> batch head to time")
        padded = ~rearrange(mask, "time batch -> batch 1 1 time")
        return (products / query.shape[-1] ** 0.5).masked_fill(padded, float("-inf")).softmax(dim=-1)

    def forward(self, frames: SequenceState) -> TimeSteps:
        split = "time batch (part head of) -> part batch head time of"
        query, key, value = rearrange(self.project(frames.x), split, part=3, head=self.heads)
        weights = self.weights(query, key, frames.mask)
        seen = einsum(weights, value, "batch head to time, batch head time of -> batch head to of")
        return self.output(rearrange(seen, "batch head time of -> time batch (head of)"))


def attention_weights(
    x: Float[Tensor, "*layer time batch channel"], query: Float[Tensor, "*layer channel"], mask: TimeMask
) -> Float[Tensor, "*layer time batch"]:
    """Softmax of `query . step` over the true steps, one learnt query for each layer; padded steps get
    exactly 0.
    """
    scores = einsum(x, query, "... time batch channel, ... channel -> ... time batch")
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-2)


def new_queries(*shape: int) -> nn.Parameter:
    """Scaled so that the scores of normalised frames are of order 1."""
    return nn.Parameter(torch.randn(shape) / shape[-1] ** 0.5)


class MixedSequenceEdge(nn.Module):
    """The weights of all candidates of an edge; `mixed` computes them.

    An operation with attention gives (h + c) / 2, where h are the frames of its recurrence and c their
    attention-weighted mean. In the supernet it shares its recurrence with the operation without attention,
    and an operation of two layers shares its first layer with that of one: 12 recurrent layers serve 24
    candidates. A derived network shares nothing: it has the weights of its own operations only and is trained
    from scratch.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attention = SelfAttention(width)
        self.chains = nn.ModuleList(Chain(cell, width, LAYERS, both=both) for cell, both in CHAINS)
        self.queries = new_queries(len(CHAINS), LAYERS, width)


def mixed(
    edges: Sequence[MixedSequenceEdge], frames: SequenceState, mixing: Float[Tensor, "edge operation"]
) -> Float[Tensor, "edge time batch channel"]:
    """The weighted sums of all candidates on several edges from one state, which are computed together."""
    recurrent_part = mixing[:, FIRST_RECURRENT:]
    pattern = "edge (chain layer attention) -> attention chain edge layer"
    plain, attending = rearrange(recurrent_part, pattern, chain=len(CHAINS), attention=2)
    attended = torch.stack([normalised(edge.self_attention(frames)) for edge in edges])
    skip, to_itself = (mixing[:, each, None, None, None] for each in (SKIP_CONNECT, SELF_ATTENTION))
    total = skip * frames.x + to_itself * attended
    for number, (without, within) in enumerate(zip(plain, attending, strict=True)):
        chains: Any = [edge.chains[number] for edge in edges]
        x = normalised(chains_together(chains, frames))
        queries = torch.stack([edge.queries[number] for edge in edges])
        over_time = attention_weights(x, queries, frames.mask) * (within / 2)[:, :, None, None]
        context = einsum(
            over_time, x, "edge layer time batch, edge layer time batch channel -> edge batch channel"
        )
        steps = einsum(
            without + within / 2, x, "edge layer, edge layer time batch channel -> edge time batch channel"
        )
        total = total + steps + context[:, None]
    return total


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
