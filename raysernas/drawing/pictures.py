"""The pictures that TensorBoard and the analysis share: derived cells, confusion matrices, alphas.

In: a genotype, counts or softmaxed alphas. Out: a `Picture`, and from it SVG (`svg`) or PNG (`png`). Equal
input gives equal bytes.
"""

from raysernas.drawing import wiring
from raysernas.drawing.matrices import alphas, confusion
from raysernas.drawing.raster import png
from raysernas.drawing.shapes import Picture
from raysernas.drawing.svg import svg
from raysernas.record.genotype import Genotype

__all__ = ["Picture", "alphas", "cells", "confusion", "png", "svg"]


def cells(genotype: Genotype) -> dict[str, Picture]:
    """A picture for each cell: `normal` and `reduction`, or `chain` for both chains of an ordered genotype;
    `recurrent`; and `layer` where one was chosen.
    """
    found = {"chain": wiring.chain(genotype)} if genotype.conv else {}
    for part, nodes in genotype.parts.items():
        if part in wiring.INPUTS:
            found[part] = wiring.cell(part, nodes)
    return found | ({"layer": wiring.layer(genotype)} if genotype.layer else {})
