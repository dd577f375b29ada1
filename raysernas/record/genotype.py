"""An architecture as data: which operations stand on which edges of the two kinds of cell.

A cell has two input states (the outputs of the two cells before it) and `nodes` intermediate nodes; node i can take from
states 0 .. i+1. Edges are numbered node by node, source by source: node 0 has edges 0, 1; node 1 has 2, 3, 4; ...
Choosing follows DARTS (arXiv 1806.09055, section 2.4), from softmaxed alphas; ties go to the lower number.
"""

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from raysernas.config import Fault

Operation = Literal[
    "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"
]
OPERATIONS: tuple[Operation, ...] = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
CellKind = Literal["normal", "reduction"]
KINDS: tuple[CellKind, ...] = ("normal", "reduction")
KEPT = 2  # edges into each node of a chosen cell
Cell = tuple[tuple["Gene", ...], ...]


@dataclass(frozen=True, order=True, slots=True)
class Gene:
    """One kept edge: the state it takes from, and the operation on it."""

    source: int
    operation: Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class Genotype:
    """The two cells of a chosen network; `normal[node]` are the genes whose results are added up in that node."""

    normal: Cell
    reduction: Cell

    def to_json(self) -> str:
        """One line, stable under equality."""
        cells = {kind: [[[gene.source, gene.operation] for gene in node] for node in getattr(self, kind)] for kind in KINDS}
        return json.dumps(cells)

    @property
    def nodes(self) -> int:
        """Intermediate nodes of a cell."""
        return len(self.normal)


def from_json(text: str) -> Genotype:
    """Read what `to_json` wrote.

    Raises:
        Fault: for text that is not a genotype.
    """
    try:
        cells = json.loads(text)
        genotype = Genotype(**{kind: tuple(_node(i, node) for i, node in enumerate(cells[kind])) for kind in KINDS})
        if set(cells) != set(KINDS) or not 0 < len(genotype.normal) == len(genotype.reduction):
            raise ValueError("not two cells of one size")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Fault(
            "genotype", "this is not a genotype", got=f"{text[:80]} ({error})", expected='{"normal": ..., "reduction": ...}',
            do="take one from the genotypes folder of a study",
        ) from error  # fmt: skip
    return genotype


def _node(i: int, genes: list[tuple[int, Operation]]) -> tuple[Gene, ...]:
    node = tuple(Gene(source, operation) for source, operation in genes)
    states = [gene.source for gene in node]
    if any(type(state) is not int or not 0 <= state < i + 2 for state in states) or len(set(states)) != KEPT or len(node) != KEPT:
        raise ValueError(f"node {i} does not take from {KEPT} different states before it")
    if any(gene.operation not in OPERATIONS or gene.operation == "none" for gene in node):
        raise ValueError(f"node {i} has an unknown operation")
    return tuple(sorted(node))


def sources(nodes: int) -> list[tuple[int, int]]:
    """(node, source) of every edge of a cell, in the order of its edges."""
    return [(node, source) for node in range(nodes) for source in range(node + 2)]


def choose(mixing: dict[CellKind, npt.NDArray[np.floating]], nodes: int) -> Genotype:
    """The strongest architecture: per edge the best operation except `none`, per node the two strongest edges.

    Args:
        mixing: for each kind of cell the softmaxed alphas, [edge, operation].
        nodes: intermediate nodes of a cell.

    Raises:
        ValueError: for mixing values of another shape, or that are not finite: nothing can be chosen from those.
    """
    return Genotype(**{kind: _choose_cell(np.asarray(mixing[kind], dtype=np.float64), nodes) for kind in KINDS})


def _choose_cell(mixing: npt.NDArray[np.float64], nodes: int) -> Cell:
    if mixing.shape != (len(sources(nodes)), len(OPERATIONS)) or not np.isfinite(mixing).all():
        raise ValueError(f"no mixing values of {nodes} nodes: shape {mixing.shape}, finite: {np.isfinite(mixing).all()}")
    real = [i for i, operation in enumerate(OPERATIONS) if operation != "none"]
    best = [real[int(np.argmax(row[real]))] for row in mixing]
    cell = []
    for node in range(nodes):
        edges = [(edge, source) for edge, (to, source) in enumerate(sources(nodes)) if to == node]
        ranked = sorted(edges, key=lambda pair: (-mixing[pair[0], best[pair[0]]], pair[1]))[:KEPT]
        cell.append(tuple(sorted(Gene(source, OPERATIONS[best[edge]]) for edge, source in ranked)))
    return tuple(cell)


def draw(rng: np.random.Generator, nodes: int) -> Genotype:
    """A uniformly drawn genotype of the same space: two different sources a node, any operation but `none` on each."""
    real: list[Operation] = [operation for operation in OPERATIONS if operation != "none"]

    def cell() -> Cell:
        chosen = [sorted(rng.choice(node + 2, size=KEPT, replace=False).tolist()) for node in range(nodes)]
        return tuple(tuple(Gene(source, real[int(rng.integers(len(real)))]) for source in pair) for pair in chosen)

    return Genotype(normal=cell(), reduction=cell())


def entropy(mixing: dict[CellKind, npt.NDArray[np.floating]]) -> float:
    """Mean entropy of an edge's mixture over ln(operations): 1 = uniform (nothing learnt), 0 = one operation each."""
    rows = np.concatenate([np.asarray(mixing[kind], dtype=np.float64) for kind in KINDS])
    logs = np.log(np.clip(rows, 1e-300, None))
    return float(np.mean(-(rows * logs).sum(axis=1)) / np.log(rows.shape[1]))
