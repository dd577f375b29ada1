"""The alphas of a search: one row for each edge of each part, softmaxed into what the edge weighs its operations with."""

import torch
from torch import Tensor

from raysernas.record.genotype import Part, Space

Alphas = dict[Part, Tensor]  # part -> [edge, operation]; parts may differ in the number of both


def new_alphas(space: Space, generator: torch.Generator, device: torch.device | None = None) -> Alphas:
    """[edge, operation] for each part of a space, near zero: every operation starts with the same share."""

    def near_zero(shape: tuple[int, int]) -> Tensor:
        return (1e-3 * torch.randn(shape, generator=generator)).to(device).requires_grad_()

    return {part: near_zero((len(choice.edges), len(choice.operations))) for part, choice in space.items()}


def mixing(alphas: Alphas, *, fixed: bool = False) -> Alphas:
    """Softmaxed alphas: what the edges weigh their operations with."""
    return {part: (value.detach() if fixed else value).softmax(dim=-1) for part, value in alphas.items()}
