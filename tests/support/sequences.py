"""What several tests of sequences need: utterances of unlike lengths, mixing weights, genes, chosen cells."""

from collections.abc import Callable

import torch
from torch import nn

from raysernas.model.recurrent import true_steps
from raysernas.model.sequence import ChosenSequence, SearchSequence
from raysernas.model.sequence_cells import CHAINS, ChosenSequenceEdge, MixedSequenceEdge, recurrent
from raysernas.model.sequence_rnn import SequenceState, turning
from raysernas.record.genotype import SEQUENCE_OPERATIONS, Cell, Gene, sources

REAL = SEQUENCE_OPERATIONS[1:]
LENGTHS = torch.tensor([7, 4, 1, 6, 2])


def batch(width: int, steps: int = 7, lengths: torch.Tensor = LENGTHS) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise of utterances of unlike lengths, and which steps are true; noise stands in the padded steps
    too.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(lengths), steps, width, dtype=torch.float64, generator=generator)
    return x, true_steps(lengths, 0, steps)


def frames_of(x: torch.Tensor, mask: torch.Tensor) -> SequenceState:
    """A state, [batch, time, channel], as the candidates read it."""
    return SequenceState(x.transpose(0, 1), mask.T, turning(mask.T))


def run(edge: Callable[[SequenceState], torch.Tensor], x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What an edge makes of a state, [batch, time, channel] too."""
    return edge(frames_of(x, mask)).transpose(-3, -2)


def chosen_edge(mixed: MixedSequenceEdge, operation: str) -> ChosenSequenceEdge:
    """One operation with a copy of the weights that it has in a mixed edge."""
    edge = ChosenSequenceEdge(operation, mixed.queries.shape[-1]).to(mixed.queries)
    if operation == "self_attention":
        edge.operation.load_state_dict(mixed.self_attention.state_dict())
    elif operation != "skip_connect":
        parts = recurrent(operation)
        chain = CHAINS.index((parts.cell, parts.both))
        # perhaps without its second layer
        edge.operation.load_state_dict(mixed.chains[chain].state_dict(), strict=False)
        if edge.query is not None:
            edge.query.data.copy_(mixed.queries[chain, parts.layers - 1])
    return edge


def chosen_cell(searched: SearchSequence, genes: Cell) -> ChosenSequence:
    """The cell of these genes with a copy of the weights that its operations have in a searched one."""
    cell, numbers = ChosenSequence(1, genes, searched.dropout.p), sources(searched.nodes, inputs=1)
    edges = []
    for node, into in enumerate(genes):
        for gene in into:
            mixed = searched.edges[numbers.index((node, gene.source))]
            assert isinstance(mixed, MixedSequenceEdge)
            edges.append(chosen_edge(mixed, gene.operation))
    cell.edges = nn.ModuleList(edges)
    return cell.train(searched.training)


def mixing_weights(nodes: int) -> torch.Tensor:
    """Uneven mixing weights of every edge."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(
        len(sources(nodes, inputs=1)), len(SEQUENCE_OPERATIONS), dtype=torch.float64, generator=generator
    ).softmax(1)


def a_cell(seed: int, nodes: int) -> Cell:
    """Genes drawn from the space."""
    pick = torch.Generator().manual_seed(seed)
    cell = []
    for node in range(nodes):
        kept = sorted(torch.randperm(node + 1, generator=pick)[:2].tolist())
        names = [REAL[int(torch.randint(len(REAL), (), generator=pick))] for _ in kept]
        cell.append(tuple(Gene(source, name) for source, name in zip(kept, names, strict=True)))
    return tuple(cell)


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    """Equal up to the last digits of float64."""
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
