"""Softmaxed alphas over the epochs of a search, one panel for each edge of a part.

In: the mixing weights of every epoch of one search. Out: a picture.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from raysernas.drawing.matrices import edge_names
from raysernas.drawing.shapes import SMALL, Picture, Shape, Tiles, Words, width
from raysernas.record.genotype import GenotypePart, PartSpace

ACROSS = 150.0  # of a panel
HIGH, SIZE = 11.0, 9.0  # of an operation's row and of its name
GAP, HEAD, COLUMNS = 16.0, 20.0, 2


def evolution(
    mixing: Sequence[npt.NDArray[np.float64]], part: GenotypePart, choice: PartSpace, epochs: Sequence[int]
) -> Picture:
    """Operations by row and epochs from left to right, in a panel for each edge.

    Args:
        mixing: [edge, operation] of each of the `epochs`.
    """
    values = np.asarray(mixing, dtype=np.float64).transpose(1, 2, 0)  # edge, operation, epoch
    edges, operations = edge_names(part, choice), choice.operations
    left = 8 + max(width(name, SIZE, mono=True) for name in operations) + 6
    tall = HEAD + HIGH * len(operations) + GAP
    shapes: list[Shape] = []
    columns = min(COLUMNS, len(edges))
    for i, name in enumerate(edges):
        x, y = left + (ACROSS + GAP) * (i % columns), tall * (i // columns)
        shapes.append(Words(x, y + HEAD / 2, name, size=SMALL))
        shapes.append(Tiles(x, y + HEAD, ACROSS / values.shape[2], HIGH, values[i]))
        if i % columns == 0:
            for row, operation in enumerate(operations):
                middle = y + HEAD + HIGH * (row + 0.5)
                shapes.append(Words(left - 6, middle, operation, "soft", SIZE, "end", mono=True))
    high = tall * -(-len(edges) // columns)
    below = f"{values.shape[2]} epochs, {epochs[0]} to {epochs[-1]}, from left to right"
    shapes.append(Words(left, high, below, "soft", 10))
    last = [
        f"{name}: {operations[int(edge[:, -1].argmax())]}" for name, edge in zip(edges, values, strict=True)
    ]
    about = f"Strongest operation of each edge in the last epoch: {'; '.join(last)}."
    title = f"softmaxed alphas of the {part} part over epochs"
    return Picture(left + (ACROSS + GAP) * columns, high + 14, title, shapes, about)
