"""An architecture as data: the operation on each edge of its parts, and the space that each part is chosen
from.

`network.cnn=free` has two kinds of cell, `normal` and `reduction`. A cell has two input states (the outputs
of the two cells before it), and node i can take from states 0 .. i+1. `network.cnn=ordered` has two chains,
`conv` and `pool`, whose slot i belongs to cell i. `network.recurrent=searched` adds a `recurrent` cell with
one input state, whose node i can take from states 0 .. i. A front end whose frames consist of layers adds a
`layer`: a single edge whose operations are the layers. Edges are numbered node by node, source by source.
Choosing follows DARTS (arXiv 1806.09055, section 2.4), from mixing weights; ties go to the lower number.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from raysernas.config.fault import Fault
from raysernas.config.front_ends import layer_names
from raysernas.config.schema import NetworkConfig, TrialConfig

OperationName = str
GenotypePart = Literal["normal", "reduction", "conv", "pool", "recurrent", "layer"]
CellKind = Literal["normal", "reduction"]
PARTS: tuple[GenotypePart, ...] = get_args(GenotypePart)
KINDS: tuple[CellKind, ...] = get_args(CellKind)
CONVOLUTIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
POOLS = ("max_pool_3x3", "avg_pool_3x3")
# those of free cells, named as in raysernas/model/operations/members.py
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
KEPT = 2  # edges into each node of a chosen cell, or all if there are fewer
Cell = tuple[tuple["Gene", ...], ...]


@dataclass(frozen=True, order=True, slots=True)
class Gene:
    """A kept edge: the state that it takes from, and the operation on it."""

    source: int
    operation: OperationName


@dataclass(frozen=True, kw_only=True, slots=True)
class Genotype:
    """A chosen architecture. `normal[node]` are the genes whose results add up to that node.

    Parts that it does not have are empty.
    """

    normal: Cell = ()
    reduction: Cell = ()
    conv: Cell = ()
    pool: Cell = ()
    recurrent: Cell = ()
    layer: Cell = ()

    @property
    def parts(self) -> dict[GenotypePart, Cell]:
        """The parts that it has."""
        return {part: getattr(self, part) for part in PARTS if getattr(self, part)}

    def to_json(self) -> str:
        """One line, the same for equal genotypes."""
        cells = {
            part: [[[gene.source, gene.operation] for gene in node] for node in cell]
            for part, cell in self.parts.items()
        }
        return json.dumps(cells)

    @property
    def genes(self) -> list[tuple[GenotypePart, int, Gene]]:
        """(part, node, gene) of every kept edge."""
        cells = self.parts.items()
        return [(part, i, gene) for part, cell in cells for i, node in enumerate(cell) for gene in node]


@dataclass(frozen=True, slots=True)
class PartSpace:
    """What one part is chosen from: one of the operations on each edge, at most `kept` edges into each
    node.
    """

    edges: tuple[tuple[int, int], ...]  # (node, source)
    operations: tuple[OperationName, ...]
    kept: int = KEPT

    @property
    def nodes(self) -> int:
        """The number of nodes of a cell, or of slots of a chain."""
        return self.edges[-1][0] + 1

    @property
    def real(self) -> list[int]:
        """The numbers of the operations that can be chosen: all but `none`."""
        return [i for i, operation in enumerate(self.operations) if operation != "none"]

    def into(self, node: int) -> list[tuple[int, int]]:
        """(edge, source) of every edge into a node."""
        return [(edge, source) for edge, (to, source) in enumerate(self.edges) if to == node]


Space = Mapping[GenotypePart, PartSpace]
MixingWeights = Mapping[GenotypePart, npt.NDArray[np.floating]]  # [edge, operation] of each part


def sources(nodes: int, inputs: int = 2) -> list[tuple[int, int]]:
    """(node, source) of every edge of a cell, in the order of its edges."""
    return [(node, source) for node in range(nodes) for source in range(node + inputs)]


def space(config: NetworkConfig, layers: Sequence[str] = ()) -> Space:
    """What the architectures of a network are chosen from.

    Args:
        layers: names of the layers of a frame (`config.front_ends`).
    """
    if config.cnn == "free":
        cell = PartSpace(tuple(sources(config.nodes)), CELL_OPERATIONS)
        found: dict[GenotypePart, PartSpace] = {"normal": cell, "reduction": cell}
    else:
        chain = tuple((slot, slot) for slot in range(config.cells))
        found = {"conv": PartSpace(chain, CONVOLUTIONS, kept=1), "pool": PartSpace(chain, POOLS, kept=1)}
    if config.recurrent == "searched":
        found["recurrent"] = PartSpace(tuple(sources(config.recurrent_nodes, inputs=1)), SEQUENCE_OPERATIONS)
    if len(layers) > 1:
        found["layer"] = PartSpace(((0, 0),), tuple(layers), kept=1)
    return found


def space_of(trial: TrialConfig) -> Space:
    """What the architectures of a trial are chosen from."""
    return space(trial.network, layer_names(trial.features))


def from_json(text: str) -> Genotype:
    """Read what `to_json` wrote.

    Raises:
        Fault: for text that is not a genotype.
    """
    try:
        cells = json.loads(text)
        read = {part: tuple(_node(part, i, node) for i, node in enumerate(cells[part])) for part in cells}
        genotype = Genotype(**read)
        if set(genotype.parts) != set(cells) or not _whole(genotype):
            raise ValueError("it needs two cells or two chains of one size, and at most one layer")
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
    return len(pairs) == 1 and len(pairs[0][0]) == len(pairs[0][1]) and len(genotype.layer) <= 1


def _node(part: GenotypePart, i: int, genes: list[tuple[int, OperationName]]) -> tuple[Gene, ...]:
    possible, operations = {
        "normal": (range(i + 2), CELL_OPERATIONS),
        "reduction": (range(i + 2), CELL_OPERATIONS),
        "conv": (range(i, i + 1), CONVOLUTIONS),
        "pool": (range(i, i + 1), POOLS),
        "recurrent": (range(i + 1), SEQUENCE_OPERATIONS),
        "layer": (range(1 - i), None),  # any name: which there are is the front end's matter
    }[part]
    node, kept = tuple(Gene(source, operation) for source, operation in genes), min(KEPT, len(possible))
    states = [gene.source for gene in node]
    if (
        any(type(state) is not int or state not in possible for state in states)
        or not len(set(states)) == len(node) == kept
    ):
        raise ValueError(f"node {i} of {part} has to take from {kept} different states before it")
    for gene in node:
        known = type(gene.operation) is str if operations is None else gene.operation in operations
        if not known or gene.operation == "none":
            raise ValueError(f"node {i} of {part} has an unknown operation")
    return tuple(sorted(node))


def choose(mixing: MixingWeights, space: Space) -> Genotype:
    """The strongest architecture: the best operation on each edge except `none`, the strongest edges of each
    node.

    Raises:
        ValueError: for mixing weights of another shape, or that are not finite.
    """
    arrays = {name: np.asarray(mixing[name], dtype=np.float64) for name in space}
    return Genotype(**{name: _strongest(arrays[name], part) for name, part in space.items()})


def _strongest(mixing: npt.NDArray[np.float64], part: PartSpace) -> Cell:
    expected, finite = (len(part.edges), len(part.operations)), np.isfinite(mixing).all()
    if mixing.shape != expected or not finite:
        raise ValueError(f"no mixing weights {expected}: shape {mixing.shape}, finite: {finite}")
    best = [part.real[int(np.argmax(row[part.real]))] for row in mixing]
    cell = []
    for node in range(part.nodes):
        ranked = sorted(part.into(node), key=lambda pair: (-mixing[pair[0], best[pair[0]]], pair[1]))
        kept = ranked[: part.kept]
        cell.append(tuple(sorted(Gene(source, part.operations[best[edge]]) for edge, source in kept)))
    return tuple(cell)


def one_hot(genotype: Genotype, space: Space) -> dict[GenotypePart, npt.NDArray[np.float64]]:
    """The mixing weights that make a supernet the network of a genotype: 1 for its genes, else 0."""
    mixing: dict[GenotypePart, npt.NDArray[np.float64]]
    mixing = {name: np.zeros((len(part.edges), len(part.operations))) for name, part in space.items()}
    for name, node, gene in genotype.genes:
        edge = space[name].edges.index((node, gene.source))
        mixing[name][edge, space[name].operations.index(gene.operation)] = 1
    return mixing


def draw(rng: np.random.Generator, space: Space) -> Genotype:
    """A uniformly drawn genotype: different sources for each node, any operation but `none` on each edge."""

    def node(part: PartSpace, number: int) -> list[int]:
        states = [source for _, source in part.into(number)]
        return sorted(rng.choice(states, size=min(part.kept, len(states)), replace=False).tolist())

    def cell(part: PartSpace) -> Cell:
        taken = [node(part, number) for number in range(part.nodes)]
        real = [part.operations[i] for i in part.real]
        return tuple(
            tuple(Gene(source, real[int(rng.integers(len(real)))]) for source in states) for states in taken
        )

    return Genotype(**{name: cell(part) for name, part in space.items()})


def all_skip(space: Space) -> Genotype:
    """The genotype whose nodes take their first states by skip connections, for spaces that have them; of
    layers it takes the last.
    """

    def cell(part: PartSpace) -> Cell:
        name = "skip_connect" if "skip_connect" in part.operations else part.operations[-1]
        nodes = (part.into(node)[: part.kept] for node in range(part.nodes))
        return tuple(tuple(Gene(source, name) for _, source in edges) for edges in nodes)

    return Genotype(**{name: cell(part) for name, part in space.items()})


def entropy(mixing: MixingWeights) -> float:
    """Mean over the edges of the entropy of their mixing weights, divided by ln(operations).

    1 = uniform (nothing learnt), 0 = one operation on each edge.
    """
    rows = [row for values in mixing.values() for row in np.asarray(values, dtype=np.float64)]
    of_rows = [-(row * np.log(np.clip(row, 1e-300, None))).sum() / np.log(len(row)) for row in rows]
    return float(np.mean(of_rows))
