"""The alphas of a search: one row for each edge of each part, softmaxed into what the edge weighs its operations with."""

import torch
from torch import Tensor

from raysernas.record.genotype import KINDS, OPERATIONS, CellKind, sources

Alphas = dict[CellKind, Tensor]  # part -> [edge, operation]


def new_alphas(nodes: int, generator: torch.Generator, device: torch.device | None = None) -> Alphas:
    """[edge, operation] for each kind of cell, near zero: every operation starts with the same share."""
    shape = (len(sources(nodes)), len(OPERATIONS))
    return {kind: (1e-3 * torch.randn(shape, generator=generator)).to(device).requires_grad_() for kind in KINDS}


def mixing(alphas: Alphas, *, fixed: bool = False) -> Alphas:
    """Softmaxed alphas: what the edges weigh their operations with."""
    return {kind: (value.detach() if fixed else value).softmax(dim=-1) for kind, value in alphas.items()}
