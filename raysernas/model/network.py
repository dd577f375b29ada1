"""The network: front -> frames in time -> recurrent part -> pooling over time -> emotions.

Frames that consist of layers are first projected to channels over time (`layers`); the front is then the
same, without bands.

A `Design` names the front: cells (mixed edges in the supernet of a search, chosen ones with a genotype),
hand-designed blocks, or none. All networks share the code behind the front, so they differ only where their
designs do. A supernet receives its mixing weights and does not know where they come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from raysernas.config.fault import Fault
from raysernas.config.schema import NetworkConfig, Precision
from raysernas.model.cells import ChosenCell, SearchCell
from raysernas.model.designed import Blocks
from raysernas.model.fast.phases import Map, NewMap, dense
from raysernas.model.layers import Layers, without_bands
from raysernas.model.ordered import OrderedPair
from raysernas.model.recurrent import TIME_POOLING, Recurrence, TimePooling, true_steps
from raysernas.model.sequence import SearchedRecurrence
from raysernas.record.genotype import CellKind, Genotype, GenotypePart

Mixing = Mapping[GenotypePart, Float[Tensor, "edge operation"]]
HALVES = {"both": (2, 2), "time": (2, 1), "band": (1, 2)}  # strides of a reduction cell


@dataclass(frozen=True)
class Design:
    """What a network consists of, independent of its sizes."""

    front: Literal["cells", "blocks", "bands"]  # `bands`: no front, the bands of the input are the channels
    recurrent: bool = True
    attention: bool = True  # how time is pooled: by attention or by the mean


class Cells(nn.Module):
    """A stem and cells, chosen ones with a genotype, else searched ones.

    Reduction cells double the channels and halve time, band or both; without bands, time.
    """

    def __init__(
        self, config: NetworkConfig, genotype: Genotype | None, channels_in: int = 1, *, bands: bool = True
    ) -> None:
        super().__init__()
        stem = config.stem_multiplier * config.channels
        convolution = nn.Conv2d(channels_in, stem, 3, 1 + config.stem_halves, padding=1, bias=False)
        self.stem = nn.Sequential(convolution, nn.BatchNorm2d(stem))
        self.cells = nn.ModuleList()
        self.cell_dropout, self.dropout = nn.Dropout(config.cell_dropout), nn.Dropout(config.dropout)
        self.drop_path = 0.0  # set by training, epoch by epoch
        halves = HALVES[config.reduction_halves if bands else "time"]
        before, channels, halved = (stem, stem), config.channels, False
        for i, kind in enumerate(kinds(config)):
            channels *= 2 if kind == "reduction" else 1
            made = channels * config.nodes
            if config.cnn == "ordered":
                genes = None if genotype is None else (genotype.conv[i], genotype.pool[i])
                cell: nn.Module = OrderedPair(
                    before[1], made, halves if kind == "reduction" else (1, 1), genes
                )
            elif genotype is None:
                cell = SearchCell(kind, config.nodes, before, channels, halves=halves, halved_before=halved)
            else:
                cell = ChosenCell(
                    kind, getattr(genotype, kind), before, channels, halves=halves, halved_before=halved
                )
            self.cells.append(cell)
            before, halved = (before[1], made), kind == "reduction"
        self.channels = before[1]
        reductions = kinds(config).count("reduction")
        self.halvings, self.band_halvings = (
            config.stem_halves + (stride - 1) * reductions for stride in halves
        )

    def forward(self, x: Map, mixing: Mixing | None) -> NewMap:
        older = newer = self.stem(x)
        for i, cell in enumerate(self.cells):
            older, newer = newer, self.cell_dropout(self._through(i, cell, older, newer, mixing))
        return self.dropout(newer)

    def _through(
        self, i: int, cell: nn.Module, older: Tensor, newer: Tensor, mixing: Mixing | None
    ) -> Tensor:
        match cell:
            case SearchCell():
                return cell(older, newer, of(mixing, cell.kind))
            case OrderedPair(searched=True):
                return cell(newer, of(mixing, "conv")[i], of(mixing, "pool")[i])
            case OrderedPair():
                return cell(newer)
            case _:
                return cell(older, newer, self.drop_path)


class Bands(nn.Module):
    """No front: the bands of a frame (without bands, its channels) are the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, self.halvings = channels, 0

    def forward(self, x: Map, _mixing: Mixing | None) -> NewMap:
        return rearrange(x, "batch channel time band -> batch (channel band) time 1")


class FunctionalsLayer(nn.Module):
    """Functionals -> what they add to the logits: nothing at first. Making it draws no random number."""

    def __init__(self, functionals: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.zeros(classes, functionals))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, functionals: Float[Tensor, "batch functional"]) -> Float[Tensor, "batch emotion"]:
        return nn.functional.linear(self.dropout(functionals), self.weight, self.bias)


class Network(nn.Module):
    """Features of utterances -> logits of emotions.

    `mixing` is for supernets only, `functionals` for networks that have a layer for them.
    """

    def __init__(
        self,
        front: Cells | Blocks | Bands,
        recurrence: Recurrence | SearchedRecurrence | None,
        pooling: TimePooling,
        layers: Layers | None,
        *,
        dropout: float,
        flatten: bool,
        classes: int,
        precision: Precision = "fp32",
    ) -> None:
        super().__init__()
        self.precision: Precision = precision
        self.layers = layers
        self.front, self.recurrence, self.pooling = front, recurrence, pooling
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(pooling.channels, classes)
        self.flatten, self.classes = flatten, classes
        self.functionals: FunctionalsLayer | None = None

    def forward(
        self,
        features: Float[Tensor, "batch time band"],
        frames: Int[Tensor, " batch"],
        mixing: Mixing | None = None,
        functionals: Float[Tensor, "batch functional"] | None = None,
    ) -> Float[Tensor, "batch emotion"]:
        logits = self._of_frames(features, frames, mixing)
        if self.functionals is None:
            return logits
        assert functionals is not None, "this network needs functionals"
        return logits + self.functionals(functionals)

    def _of_frames(self, features: Tensor, frames: Tensor, mixing: Mixing | None) -> Tensor:
        """The logits that the frames give, in the precision of the network."""
        if self.precision == "fp32":
            return self._logits(features, frames, mixing)
        with torch.autocast(features.device.type, torch.bfloat16):
            return self._logits(features, frames, mixing).float()

    def _logits(self, features: Tensor, frames: Tensor, mixing: Mixing | None) -> Tensor:
        if self.layers is None:
            x = rearrange(features, "batch time band -> batch 1 time band")
        else:
            x = self.layers(features, None if mixing is None else mixing.get("layer"))
        x = self.front(dense(x), mixing)
        if self.flatten:
            x = rearrange(x, "batch channel time band -> batch time (channel band)")
        else:
            x = reduce(x, "batch channel time band -> batch time channel", "mean")
        mask = true_steps(frames, self.front.halvings, x.shape[1])
        if isinstance(self.recurrence, SearchedRecurrence):
            x = self.recurrence(x, mask, None if mixing is None else mixing.get("recurrent"))
        elif self.recurrence is not None:
            x = self.recurrence(x, mask)
        return self.output(self.dropout(self.pooling(x, mask)))


def of(mixing: Mixing | None, part: GenotypePart) -> Tensor:
    """The mixing weights of one part of a supernet."""
    assert mixing is not None, "a supernet needs mixing weights"
    return mixing[part]


def kinds(config: NetworkConfig) -> list[CellKind]:
    """The kind of each cell in order. By default cells at a third and two thirds of the depth reduce."""
    reductions = config.reductions or (config.cells // 3, 2 * config.cells // 3)
    return ["reduction" if i in reductions else "normal" for i in range(config.cells)]


def build(
    design: Design,
    config: NetworkConfig,
    size: tuple[int, int],
    classes: int,
    genotype: Genotype | None = None,
    precision: Precision = "fp32",
    layers: Mapping[str, int] | None = None,
    functionals: int = 0,
) -> Network:
    """A network with fresh weights. Without a genotype, cells are those of a supernet.

    Args:
        size: (time, band) of every input.
        layers: name -> numbers of each layer of a frame, where it consists of layers and not of bands.
        precision: of maps and products. Weights, statistics of norms and logits always have single precision.
        functionals: numbers of each utterance, for `network.functionals`; without it they are not used.

    Raises:
        Fault: when fewer than two time steps would be left for the recurrent part.
    """
    time, bands = size
    read = None
    if layers:
        read = Layers(layers, config.projection, _layer(design, config, genotype))
    front = _front(design, config, bands, genotype, read)
    steps = -(-time // 2**front.halvings)
    if steps < 2:
        raise Fault(
            "network",
            f"only {steps} time step is left after {front.halvings} halvings of {time} frames",
            got=f"{time} frames",
            expected="at least 2 steps, or there is no order in time to learn",
            fix="set a longer features.window_s or fewer network.cells",
        )
    flatten = isinstance(front, Cells) and config.band_pooling == "flatten"
    channels = front.channels
    if isinstance(front, Cells) and flatten and read is None:
        channels *= -(-bands // 2**front.band_halvings)
    recurrence = _recurrence(design, config, channels, genotype)
    usual = "attention" if design.attention else "mean"
    pool = TIME_POOLING[usual if config.time_pooling == "usual" else config.time_pooling]
    network = Network(
        front,
        recurrence,
        pool(channels if recurrence is None else recurrence.channels),
        read,
        dropout=config.dropout,
        flatten=flatten,
        classes=classes,
        precision=precision,
    )
    if config.functionals:  # made last: all other weights are those of the network without it
        network.functionals = FunctionalsLayer(functionals, classes, config.functionals_dropout)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _layer(design: Design, config: NetworkConfig, genotype: Genotype | None) -> str | None:
    """The layer of the input that a network reads; None in a supernet."""
    if design.front != "cells":
        return config.layer
    return genotype.layer[0][0].operation if genotype and genotype.layer else None


def _front(
    design: Design, config: NetworkConfig, bands: int, genotype: Genotype | None, layers: Layers | None
) -> Cells | Blocks | Bands:
    channels = 1 if layers is None else layers.channels
    match design.front:
        case "cells":
            front: Cells | Blocks | Bands = Cells(config, genotype, channels, bands=layers is None)
        case "blocks":
            front = Blocks(config, channels)
        case "bands":
            front = Bands(bands if layers is None else channels)
    if layers is not None:
        without_bands(front)
    return front


def _recurrence(
    design: Design, config: NetworkConfig, channels: int, genotype: Genotype | None
) -> Recurrence | SearchedRecurrence | None:
    if not design.recurrent:
        return None
    if design.front != "cells" or config.recurrent == "lstm_attention":
        return Recurrence(channels, config.hidden)
    genes = None if genotype is None else genotype.recurrent
    return SearchedRecurrence(
        channels, 2 * config.hidden, config.recurrent_cells, config.recurrent_nodes, genes, config.dropout
    )


def count_parameters(network: nn.Module) -> int:
    """The number of trainable weights."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
