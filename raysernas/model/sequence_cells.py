"""Candidates on an edge of the searched recurrent part: frames in time -> frames in time, of the same width.

The operations of emoDARTS (arXiv 2403.14083) on a real time axis: one or two layers of LSTM, GRU or RNN in one or both
directions, each with or without attention over time, besides multi-head self-attention and the identity. Sequences are
[batch, time, channel], true steps first; what stands in padded steps reaches no true step, and batch mates never meet.

Every candidate ends in a normalisation of each step over its channels, without affine: a recurrent output is bounded by its
tanh, far below an identity at the beginning of a search, so that the mixing weights would compare sizes, not uses.
"""

from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

Sequence = Float[Tensor, "batch time channel"]
Mask = Bool[Tensor, "batch time"]
RnnCell = Literal["lstm", "gru", "rnn"]
RNN_CELLS: tuple[RnnCell, ...] = get_args(RnnCell)
LAYERS = 2  # the deepest candidate
SEQUENCE_OPERATIONS: tuple[str, ...] = (
    *("none", "skip_connect", "self_attention"),
    *(
        f"{direction}{cell}_{layers}{attention}"
        for cell in RNN_CELLS
        for direction in ("", "bi")
        for layers in range(1, LAYERS + 1)
        for attention in ("", "_attention")
    ),
)
FIRST_RECURRENT = 3  # of the operations; from here on they come in pairs, without and with attention


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


CHAINS: tuple[tuple[RnnCell, bool], ...] = tuple((cell, both) for cell in RNN_CELLS for both in (False, True))


class _Turn(torch.autograd.Function):
    """Rows in another order that undoes itself, so that the gradient takes the same way: no scatter, any derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return rearrange(rearrange(x, "batch time channel -> (batch time) channel")[order], "(b t) c -> b t c", b=x.shape[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return turn(gradients[0], ctx.saved_tensors[0]), None


def turn(x: Sequence, order: Int[Tensor, " batch_time"]) -> Sequence:
    """Each sequence backwards within its true length; done twice it is as before."""
    return _Turn.apply(x, order)  # pyright: ignore[reportReturnType]


def turning(mask: Mask) -> Int[Tensor, " batch_time"]:
    """The order of all steps of a batch that `turn` takes: the last true step first, padding where it was."""
    batch, steps = mask.shape
    at = torch.arange(steps, device=mask.device)
    within = torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - at, at)
    return rearrange(within + steps * torch.arange(batch, device=mask.device)[:, None], "batch time -> (batch time)")


def normalised(x: Float[Tensor, "*any channel"]) -> Float[Tensor, "*any channel"]:
    """Each step over its channels, without affine; zeros stay zeros."""
    return functional.layer_norm(x, x.shape[-1:])


class Frames:
    """One state of a cell as its candidates read it: normalised, once for all of them, and reversed, once for all too."""

    def __init__(self, state: Sequence, mask: Mask, order: Int[Tensor, " batch_time"]) -> None:
        self.mask, self.order = mask, order
        self.x = normalised(state.masked_fill(~mask[:, :, None], 0))

    @cached_property
    def turned(self) -> Sequence:
        """Backwards within the true lengths."""
        return turn(self.x, self.order)


class Chain(nn.Module):
    """Layers of one RNN cell, one upon the other; every layer reads and gives frames of the width.

    Both directions have half the width each, rounded up; the last channel of an odd width is cut off. The backward one reads
    the reversed sequence, so it begins at the last true step and torch's fastest RNN is used without packing.
    """

    def __init__(self, cell: RnnCell, width: int, layers: int, *, both: bool) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
        hidden = (width + 1) // 2 if both else width
        self.width = width
        self.ahead = nn.ModuleList(kind(width, hidden, batch_first=True) for _ in range(layers))
        self.back = nn.ModuleList(kind(width, hidden, batch_first=True) for _ in range(layers if both else 0))

    def forward(self, frames: Frames) -> list[Sequence]:
        """The frames that each layer gives."""
        made: list[Tensor] = []
        read, read_turned = frames.x, frames.turned if self.back else frames.x
        for layer, rnn in enumerate(self.ahead):
            read_before, read = read_turned, rnn(read)[0]
            if self.back:
                back = self.back[layer](read_before)[0]
                read_turned = torch.cat([turn(read, frames.order), back], dim=2)[:, :, : self.width]
                read = torch.cat([read, turn(back, frames.order)], dim=2)[:, :, : self.width]
            made.append(read)
        return made


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention (arXiv 1706.03762) in plain products, so that it can be differentiated twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = next(heads for heads in (4, 2, 1) if width % heads == 0)
        self.project, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def weights(
        self, query: Float[Tensor, "batch head time of"], key: Float[Tensor, "batch head time of"], mask: Mask
    ) -> Float[Tensor, "batch head time time"]:
        """Of each step over the true steps; each row sums to 1, padded steps have 0."""
        scores = einsum(query, key, "batch head to of, batch head time of -> batch head to time") / query.shape[-1] ** 0.5
        return scores.masked_fill(~mask[:, None, None], float("-inf")).softmax(dim=-1)

    def forward(self, frames: Frames) -> Sequence:
        split = "batch time (part head of) -> part batch head time of"
        query, key, value = rearrange(self.project(frames.x), split, part=3, head=self.heads)
        seen = einsum(self.weights(query, key, frames.mask), value, "batch head to time, batch head time of -> batch head to of")
        return self.output(rearrange(seen, "batch head time of -> batch time (head of)"))


def attention_weights(
    x: Float[Tensor, "layer batch time channel"], query: Float[Tensor, "layer channel"], mask: Mask
) -> Float[Tensor, "layer batch time"]:
    """Softmax over the true steps of `query . step`, a learnt query a layer; padded steps get exactly 0."""
    scores = einsum(x, query, "layer batch time channel, layer channel -> layer batch time")
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)


def new_queries(layers: int, width: int) -> nn.Parameter:
    """Such that the scores of normalised frames are of order 1."""
    return nn.Parameter(torch.randn(layers, width) / width**0.5)


class MixedSequenceEdge(nn.Module):
    """All candidates at once, weighted, with everything shared that can be.

    An operation with attention gives (h + c) / 2 of the frames h of its recurrence and their attention-weighted mean c. In
    the supernet it has its recurrence in common with the operation without attention, and the operation of two layers its
    first layer with that of one: 12 recurrent layers stand for 24 candidates. It is a weight sharing, as a supernet is one
    anyway: the derived network has the weights of its own operations only, and is trained anew.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attention = SelfAttention(width)
        self.chains = nn.ModuleList(Chain(cell, width, LAYERS, both=both) for cell, both in CHAINS)
        self.queries = new_queries(LAYERS * len(CHAINS), width)

    def forward(self, frames: Frames, mixing: Float[Tensor, " operation"]) -> Sequence:
        x = normalised(torch.stack([made for chain in self.chains for made in chain(frames)]))
        without, attending = rearrange(mixing[FIRST_RECURRENT:], "(layer attention) -> attention layer", attention=2)
        steps = attention_weights(x, self.queries, frames.mask) * (attending / 2)[:, None, None]
        context = einsum(steps, x, "layer batch time, layer batch time channel -> batch channel")
        mixed = einsum(without + attending / 2, x, "layer, layer batch time channel -> batch time channel")
        return mixed + context[:, None] + mixing[1] * frames.x + mixing[2] * normalised(self.self_attention(frames))

    def chosen(self, operation: str) -> "ChosenSequenceEdge":
        """One operation with the weights that it has here."""
        edge = ChosenSequenceEdge(operation, self.queries.shape[1]).to(self.queries)
        if operation == "self_attention":
            edge.operation.load_state_dict(self.self_attention.state_dict())
        elif operation != "skip_connect":
            parts = recurrent(operation)
            chain = CHAINS.index((parts.cell, parts.both))
            edge.operation.load_state_dict(self.chains[chain].state_dict(), strict=False)  # without its second layer
            if edge.queries is not None:
                edge.queries.data.copy_(self.queries[LAYERS * chain + parts.layers - 1 :][:1])
        return edge


class ChosenSequenceEdge(nn.Module):
    """One operation of any name but `none`."""

    def __init__(self, operation: str, width: int) -> None:
        super().__init__()
        self.queries: nn.Parameter | None = None
        if operation == "skip_connect":
            self.operation: nn.Module = nn.Identity()
        elif operation == "self_attention":
            self.operation = SelfAttention(width)
        else:
            parts = recurrent(operation)
            self.operation = Chain(parts.cell, width, parts.layers, both=parts.both)
            self.queries = new_queries(1, width) if parts.attention else None

    def forward(self, frames: Frames) -> Sequence:
        if isinstance(self.operation, nn.Identity):
            return frames.x
        made = self.operation(frames)
        x = normalised(made[-1] if isinstance(self.operation, Chain) else made)
        if self.queries is None:
            return x
        context = einsum(attention_weights(x[None], self.queries, frames.mask)[0], x, "batch time, batch time of -> batch of")
        return (x + context[:, None]) / 2
