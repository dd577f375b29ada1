"""Cells of the convolutional part: candidate operations, mixed edges (search) and chosen edges (final network).

The space of DARTS (arXiv 1806.09055) and of arXiv 2305.14402: any operation on any edge, no order of layers imposed. Maps are
[batch, channel, time, band]; reduction cells halve time and band (rounding up) on the edges from their two inputs.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from raysernas.record.genotype import OPERATIONS, Cell, CellKind, Operation, sources

Map = Float[Tensor, "batch channel time band"]
NewMap = Float[Tensor, "batch channel_made time_made band_made"]  # of a function that may change their number


class Zero(nn.Module):
    """`none`: contributes nothing; in a mixture it only takes its share of the softmax."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Map) -> NewMap:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class Halve(nn.Module):
    """Halve time and band without losing a phase: one 1x1 convolution on the even cells, one on the odd ones."""

    def __init__(self, channels_in: int, channels: int, *, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(channels_in, channels - channels // 2, 1, bias=False)
        self.odd = nn.Conv2d(channels_in, channels // 2, 1, bias=False) if channels > 1 else None
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Map) -> NewMap:
        x = self.relu(x)
        # each phase is copied and convolved at stride 1: oneDNN (torch 2.14, CPU) corrupts memory in the backward pass of a
        # channels-last 1x1 convolution of stride 2 with 4 channels
        halves = [self.even(_dense(x[:, :, ::2, ::2]))]
        if self.odd is not None:
            padded = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))  # so that both phases of odd sizes are equally large
            halves.append(self.odd(_dense(padded[:, :, 1::2, 1::2])))
        return self.norm(torch.cat(halves, dim=1))


def _dense(x: Map) -> Map:
    return x.contiguous(memory_format=torch.channels_last)


def depthwise(channels: int, kernel: int, stride: int, dilation: int, *, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise convolution, 1x1 convolution, norm."""
    padding = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def pointwise(channels_in: int, channels: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1x1 convolution, norm: fits a state to the width of a cell."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels, affine=affine))


def build(operation: Operation, channels: int, stride: int, *, affine: bool) -> nn.Module:
    """One candidate operation: [batch, channel, time, band] to the same, or to halves at stride 2."""
    norm = nn.BatchNorm2d(channels, affine=affine)
    match operation:
        case "none":
            return Zero(stride)
        case "max_pool_3x3":
            return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm)
        case "avg_pool_3x3":
            return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm)
        case "skip_connect":
            return nn.Identity() if stride == 1 else Halve(channels, channels, affine=affine)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(operation[-1])
            twice = [*depthwise(channels, kernel, stride, 1, affine=affine), *depthwise(channels, kernel, 1, 1, affine=affine)]
            return nn.Sequential(*twice)
        case "dil_conv_3x3" | "dil_conv_5x5":
            return nn.Sequential(*depthwise(channels, int(operation[-1]), stride, 2, affine=affine))
        case _:
            raise ValueError(f"{operation} is no operation on maps")


class MixedEdge(nn.Module):
    """All candidate operations at once, weighted: `sum(mixing[k] * operation[k](x))`."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        # without affine norms: a scale could undo the mixing weight
        self.operations = nn.ModuleList(build(operation, channels, stride, affine=False) for operation in OPERATIONS)

    def forward(self, x: Map, mixing: Float[Tensor, " operation"]) -> NewMap:
        terms = [weight * op(x) for weight, op in zip(mixing, self.operations, strict=True) if not isinstance(op, Zero)]
        return sum_of(terms)


class SearchCell(nn.Module):
    """Every edge mixes all operations; the output is the concatenation of the nodes."""

    def __init__(self, kind: CellKind, nodes: int, before: tuple[int, int], channels: int, *, halved_before: bool) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.nodes = nodes
        self.inputs = _inputs(before, channels, halved_before=halved_before, affine=False)
        self.edges = nn.ModuleList(MixedEdge(channels, _stride(kind, source)) for _, source in sources(nodes))

    def forward(self, before: Float[Tensor, "batch _ _ _"], last: Map, mixing: Float[Tensor, "edge operation"]) -> NewMap:
        states = [self.inputs[0](before), self.inputs[1](last)]
        for node in range(self.nodes):
            edges = [(edge, source) for edge, (to, source) in enumerate(sources(self.nodes)) if to == node]
            states.append(sum_of([self.edges[edge](states[source], mixing[edge]) for edge, source in edges]))
        return torch.cat(states[2:], dim=1)


class ChosenCell(nn.Module):
    """Only the edges of a genotype."""

    def __init__(self, kind: CellKind, genes: Cell, before: tuple[int, int], channels: int, *, halved_before: bool) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.genes = genes
        self.inputs = _inputs(before, channels, halved_before=halved_before, affine=True)
        self.edges = nn.ModuleList(
            build(gene.operation, channels, _stride(kind, gene.source), affine=True) for node in genes for gene in node
        )

    def forward(self, before: Float[Tensor, "batch _ _ _"], last: Map, drop_path: float) -> NewMap:
        states = [self.inputs[0](before), self.inputs[1](last)]
        edges = iter(self.edges)
        for node in self.genes:
            states.append(sum_of([_drop(edge := next(edges), edge(states[gene.source]), drop_path, self) for gene in node]))
        return torch.cat(states[2:], dim=1)


def sum_of(maps: list[Map]) -> Map:
    """Sum in a fixed order."""
    total = maps[0]
    for other in maps[1:]:
        total = total + other
    return total


def _inputs(before: tuple[int, int], channels: int, *, halved_before: bool, affine: bool) -> nn.ModuleList:
    """Fit the outputs of the two cells before to this cell; the older one is twice as large if the newer one halved it."""
    older = Halve(before[0], channels, affine=affine) if halved_before else pointwise(before[0], channels, affine=affine)
    return nn.ModuleList([older, pointwise(before[1], channels, affine=affine)])


def _stride(kind: CellKind, source: int) -> int:
    return 2 if kind == "reduction" and source < 2 else 1


def _drop(edge: nn.Module, x: Map, rate: float, cell: nn.Module) -> Map:
    """Drop-path: a whole edge is silent for a random share of the clips; an identity never is."""
    if not cell.training or rate == 0 or isinstance(edge, nn.Identity):
        return x
    keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device, dtype=x.dtype) >= rate
    return x * keep / (1 - rate)
