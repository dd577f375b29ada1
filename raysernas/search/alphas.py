"""The alphas of a search: one row for each edge of each part of the space, one number for each operation."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from raysernas.record.genotype import GenotypePart, Space

Alphas = dict[GenotypePart, Tensor]  # part -> [edge, operation]; parts may differ in the number of both


def new_alphas(space: Space, generator: torch.Generator, device: torch.device | None = None) -> Alphas:
    """[edge, operation] for each part of a space, near zero: every operation starts with the same weight."""

    def near_zero(shape: tuple[int, int]) -> Tensor:
        return (1e-3 * torch.randn(shape, generator=generator)).to(device).requires_grad_()

    return {part: near_zero((len(choice.edges), len(choice.operations))) for part, choice in space.items()}


def named_weights(
    weights: Mapping[GenotypePart, Sequence[Sequence[float]]], space: Space
) -> dict[str, dict[str, dict[str, float]]]:
    """Part -> edge -> operation -> mixing weight: `{"normal": {"node1_from2": {"skip_connect": 0.2}}}`."""
    return {
        part: {
            f"node{node}_from{source}": dict(zip(choice.operations, row, strict=True))
            for (node, source), row in zip(choice.edges, weights[part], strict=True)
        }
        for part, choice in space.items()
    }
