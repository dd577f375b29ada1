"""An architecture as data: which operations stand on which edges of its parts, and what each part is chosen
from.

`network.cnn=free` has two kinds of cell, `normal` and `reduction`: a cell has two input states (the outputs
of the two cells before it), node i can take from states 0 .. i+1. `network.cnn=ordered` has two chains,
`conv` and `pool`, whose slot i belongs to cell i. `network.recurrent=searched` adds a `recurrent` cell with
one input state, node i taking from states 0 .. i. Edges are numbered node by node, source by source. Choosing
follows DARTS (arXiv 1806.09055, section 2.4), from softmaxed alphas; ties go to the lower number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from raysernas.config.fault import Fault
from raysernas.config.schema import NetworkConfig

OperationName = str
GenotypePart = Literal["normal", "reduction", "conv", "pool", "recurrent"]
CellKind = Literal["normal", "reduction"]
PARTS: tuple[GenotypePart, ...] = get_args(GenotypePart)
KINDS: tuple[CellKind, ...] = get_args(CellKind)
CONVOLUTIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
POOLS = ("max_pool_3x3", "avg_pool_3x3")
# of the edges of a free cell
CELL_OPERATIONS: tuple[OperationName, ...] = ("none", *POOLS, "skip_connect", *CONVOLUTIONS)
SEQUENCE_OPERATIONS: tuple[OperationName, ...] = (
    *("none", "skip_connect", "self_attention"),
    *(
        f"{direction}{cell}_{layers}{attention}"
        for cell in ("lstm", "gru", "rnn")
        for direction in ("", "bi")
        for layers in (1, 2)
        for attention in ("", "_attention")
    ),
)
KEPT = 2  # edges into each node of a chosen cell, where there are as many
Cell = tuple[tuple["Gene", ...], ...]


@dataclass(frozen=True, order=True, slots=True)
class Gene:
    """One kept edge: the state it takes from, and the operation on it."""

    source: int
    operation: OperationName


@dataclass(frozen=True, kw_only=True, slots=True)
class Genotype:
    """A chosen architecture; `normal[node]` are the genes whose results are added up in that node; a part it
    lacks is empty.
    """

    normal: Cell = ()
    reduction: Cell = ()
    conv: Cell = ()
    pool: Cell = ()
    recurrent: Cell = ()

    @property
    def parts(self) -> dict[GenotypePart, Cell]:
        """The parts that it has."""
        return {part: getattr(self, part) for part in PARTS if getattr(self, part)}

    def to_json(self) -> str:
        """One line, stable under equality."""
        cells = {
            part: [[[gene.source, gene.operation] for gene in node] for node in cell]
            for part, cell in self.parts.items()
        }
        return json.dumps(cells)

    @property
    def genes(self) -> list[tuple[GenotypePart, int, Gene]]:
        """(part, node, gene) of every kept edge."""
        return [
            (part, i, gene)
            for part, cell in self.parts.items()
            for i, node in enumerate(cell)
            for gene in node
        ]


@dataclass(frozen=True, slots=True)
class PartSpace:
    """What one part is chosen from: on each of its edges one of the operations, into each node at most `kept`
    edges.
    """

    edges: tuple[tuple[int, int], ...]  # (node, source)
    operations: tuple[OperationName, ...]
    kept: int = KEPT

    @property
    def nodes(self) -> int:
        """Nodes of a cell, or slots of a chain."""
        return self.edges[-1][0] + 1

    @property
    def real(self) -> list[int]:
        """The numbers of the operations that may be chosen: all but `none`."""
        return [i for i, operation in enumerate(self.operations) if operation != "none"]

    def into(self, node: int) -> list[tuple[int, int]]:
        """(edge, source) of every edge into a node."""
        return [(edge, source) for edge, (to, source) in enumerate(self.edges) if to == node]


Space = Mapping[GenotypePart, PartSpace]
MixingWeights = Mapping[
    GenotypePart, npt.NDArray[np.floating]
]  # softmaxed alphas of each part, [edge, operation]


def sources(nodes: int, inputs: int = 2) -> list[tuple[int, int]]:
    """(node, source) of every edge of a cell, in the order of its edges."""
    return [(node, source) for node in range(nodes) for source in range(node + inputs)]


def space(config: NetworkConfig) -> Space:
    """What the architectures of a network are chosen from."""
    if config.cnn == "free":
        cell = PartSpace(tuple(sources(config.nodes)), CELL_OPERATIONS)
        found: dict[GenotypePart, PartSpace] = {"normal": cell, "reduction": cell}
    else:
        chain = tuple((slot, slot) for slot in range(config.cells))
        found = {"conv": PartSpace(chain, CONVOLUTIONS, kept=1), "pool": PartSpace(chain, POOLS, kept=1)}
    if config.recurrent == "searched":
        found["recurrent"] = PartSpace(tuple(sources(config.recurrent_nodes, inputs=1)), SEQUENCE_OPERATIONS)
    return found


def from_json(text: str) -> Genotype:
    """Read what `to_json` wrote.

    Raises:
        Fault: for text that is not a genotype.
    """
    try:
        cells = json.loads(text)
        genotype = Genotype(
            **{part: tuple(_node(part, i, node) for i, node in enumerate(cells[part])) for part in cells}
        )
        if set(genotype.parts) != set(cells) or not _whole(genotype):
            raise ValueError("not two cells, or two chains, of one size")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Fault(
            "genotype",
            "this is not a genotype",
            got=f"{text[:80]} ({error})",
            expected='{"normal": ..., "reduction": ...}',
            fix="take one from the genotypes folder of a study",
        ) from error
    return genotype


def _whole(genotype: Genotype) -> bool:
    pairs = [
        pair for pair in ((genotype.normal, genotype.reduction), (genotype.conv, genotype.pool)) if any(pair)
    ]
    return len(pairs) == 1 and len(pairs[0][0]) == len(pairs[0][1])


def _node(part: GenotypePart, i: int, genes: list[tuple[int, OperationName]]) -> tuple[Gene, ...]:
    possible, operations = {
        "normal": (range(i + 2), CELL_OPERATIONS),
        "reduction": (range(i + 2), CELL_OPERATIONS),
        "conv": (range(i, i + 1), CONVOLUTIONS),
        "pool": (range(i, i + 1), POOLS),
        "recurrent": (range(i + 1), SEQUENCE_OPERATIONS),
    }[part]
    node, kept = tuple(Gene(source, operation) for source, operation in genes), min(KEPT, len(possible))
    states = [gene.source for gene in node]
    if (
        any(type(state) is not int or state not in possible for state in states)
        or not len(set(states)) == len(node) == kept
    ):
        raise ValueError(f"node {i} of {part} does not take from {kept} different states before it")
    if any(gene.operation not in operations or gene.operation == "none" for gene in node):
        raise ValueError(f"node {i} of {part} has an unknown operation")
    return tuple(sorted(node))


def choose(mixing: MixingWeights, space: Space) -> Genotype:
    """The strongest architecture: per edge the best operation except `none`, per node the strongest edges.

    Args:
        mixing: of each part of the space.

    Raises:
        ValueError: for mixing values of another shape, or that are not finite: nothing can be chosen from
            those.
    """
    return Genotype(
        **{
            part: _strongest(np.asarray(mixing[part], dtype=np.float64), choice)
            for part, choice in space.items()
        }
    )


def _strongest(mixing: npt.NDArray[np.float64], choice: PartSpace) -> Cell:
    expected = (len(choice.edges), len(choice.operations))
    if mixing.shape != expected or not np.isfinite(mixing).all():
        raise ValueError(
            f"no mixing values {expected}: shape {mixing.shape}, finite: {np.isfinite(mixing).all()}"
        )
    best = [choice.real[int(np.argmax(row[choice.real]))] for row in mixing]
    cell = []
    for node in range(choice.nodes):
        ranked = sorted(choice.into(node), key=lambda pair: (-mixing[pair[0], best[pair[0]]], pair[1]))[
            : choice.kept
        ]
        cell.append(tuple(sorted(Gene(source, choice.operations[best[edge]]) for edge, source in ranked)))
    return tuple(cell)


def one_hot(genotype: Genotype, space: Space) -> dict[GenotypePart, npt.NDArray[np.float64]]:
    """The mixing values under which a supernet is the network of a genotype: 1 on its genes, no other
    operation has a share.
    """
    mixing: dict[GenotypePart, npt.NDArray[np.float64]] = {
        part: np.zeros((len(choice.edges), len(choice.operations))) for part, choice in space.items()
    }
    for part, node, gene in genotype.genes:
        edge = space[part].edges.index((node, gene.source))
        mixing[part][edge, space[part].operations.index(gene.operation)] = 1
    return mixing


def draw(rng: np.random.Generator, space: Space) -> Genotype:
    """A uniformly drawn genotype of a space: different sources for each node, any operation but `none` on
    each.
    """

    def node(choice: PartSpace, number: int) -> list[int]:
        states = [source for _, source in choice.into(number)]
        return sorted(rng.choice(states, size=min(choice.kept, len(states)), replace=False).tolist())

    def cell(choice: PartSpace) -> Cell:
        taken = [node(choice, number) for number in range(choice.nodes)]
        real = [choice.operations[i] for i in choice.real]
        return tuple(
            tuple(Gene(source, real[int(rng.integers(len(real)))]) for source in states) for states in taken
        )

    return Genotype(**{part: cell(choice) for part, choice in space.items()})


def all_skip(space: Space) -> Genotype:
    """The genotype that does nothing: every node takes its first states by skip connections. For spaces that
    have them.
    """
    return Genotype(
        **{
            part: tuple(
                tuple(Gene(source, "skip_connect") for _, source in choice.into(node)[: choice.kept])
                for node in range(choice.nodes)
            )
            for part, choice in space.items()
        }
    )


def entropy(mixing: MixingWeights) -> float:
    """Mean entropy of an edge's mixture over ln(operations): 1 = uniform (nothing learnt), 0 = one operation
    each.
    """
    rows = [row for values in mixing.values() for row in np.asarray(values, dtype=np.float64)]
    return float(
        np.mean([-(row * np.log(np.clip(row, 1e-300, None))).sum() / np.log(len(row)) for row in rows])
    )
