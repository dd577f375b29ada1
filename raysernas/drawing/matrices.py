"""Matrices as pictures: a confusion with the recall of each class, and the alphas of a searched part.

In: counts, or softmaxed alphas. Out: pictures whose shades are shares of a row, so that rare classes are as
visible as frequent ones. Up to PRINTED classes every tile shows its numbers; with more it is only shaded, and
with more than NAMED only some classes are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raysernas.drawing.palette import on_tile
from raysernas.drawing.shapes import Box, Picture, Shape, Tiles, Words, printed, width
from raysernas.drawing.wiring import INPUTS, state_name
from raysernas.record.genotype import Genotype, GenotypePart, MixingWeights, PartSpace, Space
from raysernas.record.metrics import Evaluation

PRINTED, NAMED = 20, 60  # classes
ABREAST = 12  # operations in a row
MARGIN, GAP = 8.0, 6.0
TYPE, SMALL = 12.0, 10.0
LONGEST = 18  # characters of a name in a margin; the description has the full name
LINE = 22.0  # of the heading
ABSENT = "no utterance"
LARGEST_SIDE = 640.0  # of the tiles of many classes


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the tiles are."""

    left: float
    top: float
    wide: float  # of one tile
    high: float
    rows: int
    columns: int

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.wide * self.columns

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.high * self.rows

    def middle(self, row: float, column: float) -> tuple[float, float]:
        """The centre of a tile."""
        return self.left + (column + 0.5) * self.wide, self.top + (row + 0.5) * self.high

    def shaded(self, values: npt.NDArray[np.float64]) -> list[Shape]:
        """The tiles and a frame around them."""
        place = self.left, self.top, self.right - self.left, self.bottom - self.top
        frame = Box(*place, "", outline="soft")
        return [Tiles(self.left, self.top, self.wide, self.high, values), frame]


def confusion(counts: npt.ArrayLike, emotions: Sequence[str], heading: str = "") -> Picture:
    """A confusion matrix, truth by row: the number of utterances and their share of the row, with recalls.

    Args:
        counts: [truth, prediction].
        heading: such as `validation of fold 2`; the scores stand below it.

    Raises:
        ValueError: for counts that do not fit the emotions.
    """
    table, number = Evaluation(np.asarray(counts, dtype=np.int64)), len(emotions)
    if not number or table.confusion.shape != (number, number):
        raise ValueError(f"counts {table.confusion.shape} are not of {number} emotions")
    names, values, side = (
        [printed(name, LONGEST) for name in emotions],
        _of_rows(table.confusion),
        _side(number),
    )
    margin = _longest(names, _size(number, side))
    above = [*([printed(heading)] if heading else []), str(table)]
    grid = Grid(MARGIN + margin + 18, MARGIN + LINE * len(above) + margin + 20, side, side, number, number)
    shapes = grid.shaded(values)
    for line, text in enumerate(above):
        y = MARGIN + TYPE / 2 + 0.8 * LINE * line
        shapes.append(Words(MARGIN, y, text, size=TYPE, bold=line == 0))
    shapes += [*_named(names, grid), *_recalls(table, grid)]
    below = ""
    if number <= PRINTED:
        for row, column in np.ndindex(number, number):
            shapes += _counted(
                int(table.confusion[row, column]), float(values[row, column]), *grid.middle(row, column)
            )
    else:  # the tiles are too small for numbers
        below = printed(_confused(table, emotions, 1), 90)
        shapes.append(Words(MARGIN, grid.bottom + GAP + SMALL, below, size=SMALL))
    recalls = [width(percent(value, ABSENT), TYPE) for value in table.recalls] if number <= NAMED else [0.0]
    across = max(
        grid.right + GAP + max(recalls),
        MARGIN + max(*(width(text, 1.15 * TYPE) for text in above), width(below, SMALL)),
    )
    about = f"confusion matrix, {heading}" if heading else "confusion matrix"
    high = grid.bottom + (30 if below else MARGIN)
    return Picture(across + MARGIN, high, about, shapes, _in_words(table, emotions))


def alphas(
    mixing: MixingWeights, space: Space, part: GenotypePart, genotype: Genotype | None = None
) -> Picture:
    """The weights of the operations on each edge of a part; the genes of `genotype` are framed.

    Edges are rows, or columns if there are more than ABREAST operations.
    """
    choice, values = space[part], np.asarray(mixing[part], dtype=np.float64)
    edges, operations, kept = edge_names(part, choice), choice.operations, _kept(genotype, part, choice)
    best = [
        f"{edge}: {operations[int(row.argmax())]} {row.max():.2f}"
        for edge, row in zip(edges, values, strict=True)
    ]
    down, beside, mono = edges, operations, False
    if len(operations) > ABREAST:
        down, beside, mono, values = operations, edges, True, values.T
        kept = [(column, row) for row, column in kept]
    left = MARGIN + max(width(name, TYPE, mono) for name in down) + GAP
    top = MARGIN + LINE + max(width(name, SMALL, not mono) for name in beside) + GAP
    grid = Grid(left, top, 36.0, 24.0, len(down), len(beside))
    kind = "cell" if part in INPUTS else "of the frames" if part == "layer" else "chain"
    title = f"softmaxed alphas of the {part} {kind}"
    shapes = [Words(MARGIN, MARGIN + TYPE / 2, title, size=TYPE, bold=True), *grid.shaded(values)]
    for row, name in enumerate(down):
        shapes.append(Words(left - GAP, grid.middle(row, 0)[1], name, "ink", TYPE, "end", mono))
    for column, name in enumerate(beside):
        x = grid.middle(0, column)[0]
        shapes.append(Words(x, top - GAP, name, size=SMALL, mono=not mono, turned=True))
    for (row, column), value in np.ndenumerate(values):
        shapes.append(Words(*grid.middle(row, column), f"{value:.2f}", on_tile(value), SMALL, "middle"))
    for row, column in kept:
        x, y = grid.middle(row - 0.5, column - 0.5)
        shapes.append(Box(x + 1, y + 1, grid.wide - 2, grid.high - 2, "", outline="ink", edge=2, radius=2))
    across = max(grid.right, MARGIN + width(title, 1.15 * TYPE)) + MARGIN
    return Picture(across, grid.bottom + MARGIN, title, shapes, f"Strongest on each edge: {'; '.join(best)}.")


def edge_names(part: GenotypePart, choice: PartSpace) -> list[str]:
    """`node 1 from input 0`, `slot 2` of a chain, or the `input` of layers."""
    if part == "layer":
        return ["input"]
    if part not in INPUTS:
        return [f"slot {node}" for node, _ in choice.edges]
    return [f"node {node} from {state_name(source, INPUTS[part])}" for node, source in choice.edges]


def percent(share: float, missing: str = "none") -> str:
    """`71.3 %`, or `missing` for NaN."""
    return missing if np.isnan(share) else f"{100 * share:.1f} %"


def _side(classes: int) -> float:
    """The side of a tile."""
    return 46.0 if classes <= 10 else 38.0 if classes <= PRINTED else max(3.0, float(LARGEST_SIDE // classes))


def _size(classes: int, side: float) -> float:
    """The font size of the names, which must fit into a tile where all are named."""
    return TYPE if classes <= PRINTED else min(SMALL, max(side, 8.0))


def _longest(names: Sequence[str], size: float) -> float:
    """The width of a margin for the names."""
    return max(24.0, *(width(name, size) for name in names)) + GAP


def _of_rows(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Shares of each row; NaN in an empty row."""
    sums = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, sums, out=np.full(counts.shape, np.nan), where=sums > 0)


def _named(names: Sequence[str], grid: Grid) -> list[Shape]:
    """The names of the classes on both axes (of many classes only some), and the titles of the axes."""
    size = _size(grid.rows, grid.high)
    across, down = grid.middle(grid.rows / 2 - 0.5, grid.rows / 2 - 0.5)
    shapes: list[Shape] = [
        Words(MARGIN + 6, down, "truth", "soft", TYPE, "middle", turned=True),
        Words(across, grid.top - _longest(names, size) - 14, "prediction", "soft", TYPE, "middle"),
    ]
    for at in range(0, grid.rows, 1 if grid.rows <= NAMED else -(-grid.rows // 20)):
        x, y = grid.middle(at, at)
        shapes += [
            Words(grid.left - GAP, y, names[at], "ink", size, "end"),
            Words(x, grid.top - GAP, names[at], size=size, turned=True),
        ]
    return shapes


def _recalls(table: Evaluation, grid: Grid) -> list[Shape]:
    """The recall of each class beside its row, if there is room."""
    if grid.rows > NAMED:
        return []
    x, size = grid.right + GAP, _size(grid.rows, grid.high)
    shapes: list[Shape] = [Words(x, grid.top - GAP - TYPE / 2, "recall", "soft", TYPE)]
    for row, value in enumerate(table.recalls):
        shapes.append(Words(x, grid.middle(row, 0)[1], percent(value, ABSENT), size=size))
    return shapes


def _counted(count: int, share: float, x: float, y: float) -> list[Shape]:
    """The numbers of one tile; none for a count of 0."""
    if not count:
        return []
    role = on_tile(share)
    return [
        Words(x, y - 6, str(count), role, TYPE, "middle"),
        Words(x, y + 8, f"{100 * share:.0f} %", role, 9.0, "middle"),
    ]


def _confused(table: Evaluation, emotions: Sequence[str], most: int) -> str:
    wrong = table.confusion * (1 - np.eye(len(emotions), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [np.unravel_index(at, wrong.shape) for at in order]
    found = [
        f"{emotions[row]} for {emotions[column]} ({wrong[row, column]})"
        for row, column in pairs
        if wrong[row, column]
    ]
    return f"most often taken: {', '.join(found)}" if found else "nothing was confused"


def _in_words(table: Evaluation, emotions: Sequence[str]) -> str:
    recalls = ", ".join(
        f"{name} {percent(value, ABSENT)}" for name, value in zip(emotions, table.recalls, strict=True)
    )
    return f"{table!s}. Recall: {recalls}. {_confused(table, emotions, 3).capitalize()}."


def _kept(genotype: Genotype | None, part: GenotypePart, choice: PartSpace) -> list[tuple[int, int]]:
    """(edge, operation) of the genes of a part."""
    cell = genotype.parts.get(part, ()) if genotype else ()
    return [
        (choice.edges.index((node, gene.source)), choice.operations.index(gene.operation))
        for node, genes in enumerate(cell)
        for gene in genes
    ]
