"""The cost of a network: multiply-adds of one forward pass of one utterance, from its layers and the sizes of
its maps.

Convolutions, linear maps and recurrent layers are counted as the plain operations define them, even where a
faster form computes them. Norms, pools, activations, attention scores and attention-weighted means are not
counted. A weight that candidates share counts once. So the budgets of different searches can be compared
without a clock.
"""

from math import prod

from torch import nn

from raysernas.model.cells import ChosenCell, SearchCell
from raysernas.model.mixed import MixedEdge
from raysernas.model.network import Cells, Network
from raysernas.model.operations.skip_connect import Halve
from raysernas.model.ordered import OrderedPair
from raysernas.record.genotype import sources

Size = tuple[int, int]  # (time, band)


def multiply_adds(network: Network, size: Size) -> int:
    """Multiply-adds of a supernet (all of its operations), a derived or a hand-designed network.

    Args:
        size: (time, band) of the input.
    """
    front, before = network.front, 0
    if network.layers is not None:  # each frame is projected; what follows has one band
        before, size = size[0] * _each_step(network.layers), (size[0], 1)
    spent, size = _layers(front.stem, size) if isinstance(front, Cells) else _layers(front, size)
    if isinstance(front, Cells):
        older = size
        for cell in front.cells:
            more, made = _pair(cell, size) if isinstance(cell, OrderedPair) else _cell(cell, older, size)
            spent, older, size = spent + more, size, made
    sequence = [part for part in (network.recurrence, network.pooling) if part is not None]
    last = network.output.weight.numel()
    if network.functionals is not None:
        last += network.functionals.weight.numel()
    return before + spent + size[0] * sum(map(_each_step, sequence)) + last


def _cell(cell: nn.Module, older: Size, size: Size) -> tuple[int, Size]:
    """Multiply-adds of a cell and the size of its nodes."""
    assert isinstance(cell, SearchCell | ChosenCell)
    spent = _layers(cell.inputs[0], older)[0] + _layers(cell.inputs[1], size)[0]
    if isinstance(cell, SearchCell):
        into = [source for _, source in sources(cell.nodes)]
        candidates = [list(edge.operations) for edge in cell.edges]  # pyright: ignore - of MixedEdge
    else:
        into = [gene.source for node in cell.genes for gene in node]
        candidates = [[edge] for edge in cell.edges]
    made = (-(-size[0] // cell.strides[0][0]), -(-size[1] // cell.strides[0][1]))
    for source, operations in zip(into, candidates, strict=True):
        spent += sum(_layers(operation, size if source < 2 else made)[0] for operation in operations)
    return spent, made


def _pair(pair: OrderedPair, size: Size) -> tuple[int, Size]:
    spent, size = _layers(pair.fit, size)
    for slot in (pair.conv, pair.pool):
        operations = list(slot.operations) if isinstance(slot, MixedEdge) else [slot]
        found = [_layers(operation, size) for operation in operations]
        spent, size = spent + sum(more for more, _ in found), found[0][1]
    return spent, size


def _layers(chain: nn.Module, size: Size) -> tuple[int, Size]:
    """Multiply-adds of layers one after the other, and the size of the last map."""
    spent = 0
    for layer in chain.modules():
        match layer:
            case Halve():
                size = (-(-size[0] // layer.stride[0]), -(-size[1] // layer.stride[1]))
            case nn.Conv2d():
                size = (-(-size[0] // layer.stride[0]), -(-size[1] // layer.stride[1]))
                spent += prod(size) * layer.weight.numel()
            case nn.MaxPool2d() | nn.AvgPool2d():
                time, band = layer.stride if isinstance(layer.stride, tuple) else (layer.stride, layer.stride)
                size = (-(-size[0] // time), -(-size[1] // band))
            case _:
                pass
    return spent, size


def _each_step(sequence: nn.Module) -> int:
    """Multiply-adds of one time step, which uses every matrix of a linear or recurrent layer once."""
    layers = (layer for layer in sequence.modules() if isinstance(layer, nn.Linear | nn.RNNBase))
    return sum(
        weight.numel()
        for layer in layers
        for name, weight in layer.named_parameters()
        if name.startswith("weight")
    )
