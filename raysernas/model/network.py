"""The network: front -> frames in time -> recurrent part -> pooling over time -> emotions. One skeleton for every arm.

With mixed edges its front is the supernet of a search, with a genotype the final network; hand-designed arms put plain
convolution blocks (or nothing) there. Everything after the front is the same code, so arms differ only in what they claim.
"""

from collections.abc import Mapping

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn

from raysernas.config import Arm, Fault, NetworkConfig
from raysernas.model.cells import ChosenCell, Map, NewMap, SearchCell
from raysernas.model.designed import Blocks
from raysernas.model.recurrent import AttentionPooling, MeanPooling, Recurrence, true_steps
from raysernas.record.genotype import CellKind, Genotype, Part

Mixing = Mapping[Part, Float[Tensor, "edge operation"]]
RECURRENT: dict[Arm, bool] = {
    "darts": True, "darts_ordered": True, "darts_joint": True, "random": True, "random_search": True, "all_skip": True,
    "majority": False, "cnn": False, "lstm": True, "cnn_lstm": True, "cnn_lstm_attention": True,
}  # fmt: skip
ATTENTION: tuple[Arm, ...] = ("darts", "random", "cnn_lstm_attention")


class Cells(nn.Module):
    """Stem and cells; reduction cells stand at a third and at two thirds of the depth and double the channels."""

    def __init__(self, config: NetworkConfig, genotype: Genotype | None) -> None:
        super().__init__()
        stem = 3 * config.channels
        self.stem = nn.Sequential(nn.Conv2d(1, stem, 3, 1 + config.stem_halves, padding=1, bias=False), nn.BatchNorm2d(stem))
        self.cells = nn.ModuleList()
        self.cell_dropout, self.dropout = nn.Dropout(config.cell_dropout), nn.Dropout(config.dropout)
        self.drop_path = 0.0  # set by training, epoch by epoch
        before, channels, halved = (stem, stem), config.channels, False
        for kind in kinds(config.cells):
            channels *= 2 if kind == "reduction" else 1
            if genotype is None:
                cell: nn.Module = SearchCell(kind, config.nodes, before, channels, halved_before=halved)
            else:
                cell = ChosenCell(kind, getattr(genotype, kind), before, channels, halved_before=halved)
            self.cells.append(cell)
            before, halved = (before[1], channels * config.nodes), kind == "reduction"
        self.channels = before[1]
        self.halvings = kinds(config.cells).count("reduction") + config.stem_halves

    def forward(self, x: Map, mixing: Mixing | None) -> NewMap:
        older = newer = self.stem(x)
        for cell in self.cells:
            if isinstance(cell, SearchCell):
                assert mixing is not None, "a supernet needs mixing weights"
                made = cell(older, newer, mixing[cell.kind])
            else:
                made = cell(older, newer, self.drop_path)
            older, newer = newer, self.cell_dropout(made)
        return self.dropout(newer)


class Bands(nn.Module):
    """No convolution: the bands of a frame are its channels."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.channels, self.halvings = bands, 0

    def forward(self, x: Map, _mixing: Mixing | None) -> NewMap:
        return rearrange(x, "batch 1 time band -> batch band time 1")


class Network(nn.Module):
    """Features of clips to logits of emotions; `mixing` only for a supernet."""

    def __init__(
        self, front: Cells | Blocks | Bands, config: NetworkConfig, *, recurrent: bool, attention: bool, classes: int
    ) -> None:
        super().__init__()
        self.front = front
        self.recurrence = Recurrence(front.channels, config.hidden) if recurrent else None
        channels = self.recurrence.channels if self.recurrence else front.channels
        self.pooling = AttentionPooling(channels) if attention else MeanPooling()
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(channels, classes)

    def forward(
        self, features: Float[Tensor, "batch time band"], frames: Int[Tensor, " batch"], mixing: Mixing | None = None
    ) -> Float[Tensor, "batch emotion"]:
        x = rearrange(features, "batch time band -> batch 1 time band").contiguous(memory_format=torch.channels_last)
        x = reduce(self.front(x, mixing), "batch channel time band -> batch time channel", "mean")
        mask = true_steps(frames, self.front.halvings, x.shape[1])
        if self.recurrence is not None:
            x = self.recurrence(x)
        return self.output(self.dropout(self.pooling(x, mask)))


def kinds(cells: int) -> list[CellKind]:
    """The kind of each cell in order; at least 3 cells, so that both kinds occur."""
    return ["reduction" if i in (cells // 3, 2 * cells // 3) else "normal" for i in range(cells)]


def build(arm: Arm, config: NetworkConfig, size: tuple[int, int], classes: int, genotype: Genotype | None = None) -> Network:
    """The network of an arm; for `darts` and `random` the supernet unless a genotype is given.

    Args:
        size: (time, band) of every input.

    Raises:
        Fault: when fewer than two time steps would be left for the recurrent part.
    """
    time, bands = size
    if arm in ("darts", "random"):
        front: Cells | Blocks | Bands = Cells(config, genotype)
    else:
        front = Bands(bands) if arm == "lstm" else Blocks(config)
    steps = -(-time // 2**front.halvings)
    if steps < 2:
        raise Fault(
            "network",
            f"only {steps} time step is left after {front.halvings} halvings of {time} frames",
            got=f"{time} frames",
            expected="at least 2 steps, or there is no order in time to learn",
            do="set a longer features.window_s or fewer network.cells",
        )
    network = Network(front, config, recurrent=RECURRENT[arm], attention=arm in ATTENTION, classes=classes)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing in torch's stub


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
