"""The recurrent part of emoDARTS as its public code builds it, for comparison only: from published facts,
faults included.

Width 128, 4 cells of 4 nodes, 2 input states, 14 edges a cell, 14 operations an edge, 210,710,528 weights.
Its frames are the utterances of a batch, which are read as the steps of one sequence; its attention is a
softmax over channels, not over time, and fits a batch of 16 only.
"""

import torch
from torch import Tensor, nn

WIDTH, BATCH, CELLS, NODES, INPUTS = 128, 16, 4, 4, 2
EDGES = sum(node + INPUTS for node in range(NODES))


class Plain(nn.Module):
    """`lstm_1` ... `lstm_4`, `rnn_1` ... `rnn_4`."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.RNN], layers: int) -> None:
        super().__init__()
        self.rnn = kind(WIDTH, WIDTH, layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


class Gated(nn.Module):
    """`lstm_att_1`, `lstm_att_2`, `rnn_att_1`, `rnn_att_2`: the last states are cut into one piece a row,
    whatever they mean.
    """

    def __init__(self, kind: type[nn.LSTM] | type[nn.RNN], layers: int) -> None:
        super().__init__()
        self.rnn = kind(WIDTH, WIDTH, layers, bidirectional=True, dropout=0.3 if layers > 1 else 0.0)
        states = 2 if kind is nn.LSTM else 1
        self.gate = nn.Linear(states * 2 * layers * WIDTH // BATCH + 2 * WIDTH, 2 * WIDTH)
        self.join, self.fit = nn.Linear(4 * WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        made, last = self.rnn(x)
        pieces = [state.reshape(len(x), -1) for state in (last if isinstance(last, tuple) else (last,))]
        gate = self.gate(torch.cat([*pieces, made], dim=1)).softmax(dim=1)
        return self.fit(self.join(torch.cat([gate * made, made], dim=1)))


class PublishedEdge(nn.Module):
    """12 recurrent candidates, the identity, and none, whose zeros are added too."""

    def __init__(self) -> None:
        super().__init__()
        kinds: tuple[type[nn.LSTM] | type[nn.RNN], ...] = (nn.LSTM, nn.RNN)
        plain = [Plain(kind, layers) for kind in kinds for layers in (1, 2, 3, 4)]
        self.operations = nn.ModuleList(
            [*plain, *(Gated(kind, layers) for kind in kinds for layers in (1, 2))]
        )

    def forward(self, x: Tensor, mixing: Tensor) -> Tensor:
        candidates = [*(operation(x) for operation in self.operations), x, x * 0.0]
        return torch.stack([weight * made for weight, made in zip(mixing, candidates, strict=True)]).sum(
            dim=0
        )


class PublishedRecurrence(nn.Module):
    """[utterance, channel] and mixing weights [edge, operation] -> [utterance, channel]."""

    OPERATIONS = 14

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList(nn.ModuleList(PublishedEdge() for _ in range(EDGES)) for _ in range(CELLS))
        self.pool, self.dropout = nn.AdaptiveAvgPool1d(WIDTH), nn.Dropout(0.3)

    def forward(self, x: Tensor, mixing: Tensor) -> Tensor:
        older = newer = x
        for cell in self.cells:
            assert isinstance(cell, nn.ModuleList)
            states, edges = [older, newer], iter(zip(cell, mixing, strict=True))
            for _ in range(NODES):
                into = [
                    edge(state, weights) for state, (edge, weights) in zip(list(states), edges, strict=False)
                ]
                states.append(torch.stack(into).sum(dim=0))
            made = self.pool(torch.cat(states[INPUTS:], dim=1)[:, None])[:, 0]
            older, newer = newer, self.dropout(made)
        return newer
