"""The plain operations that `raysernas.model` must equal, as PyTorch has them, in any memory format.

`reference(module)` copies a module of the product and gives every part of the copy its plain forward pass.
Where only one band or step is left, its gradients are right only if all maps are channels last: the batch
norm of torch (2.14, CPU) then mistakes a gradient in another memory format for one in its own (`test_network`
compares with differences there).
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysernas.model.cells import SearchCell
from raysernas.model.mixed import MixedEdge
from raysernas.model.operations.layers import Depthwise, Pointwise
from raysernas.record.genotype import sources


def reference(module: nn.Module) -> Any:
    """A copy with the same weights and buffers, that computes plainly."""
    plain = copy.deepcopy(module)
    for part in plain.modules():
        if isinstance(part, SearchCell):
            part.__class__ = PlainCell
        elif isinstance(part, MixedEdge):
            part.__class__ = PlainEdge
        elif isinstance(part, (Depthwise, Pointwise)):
            part.__class__ = nn.Conv2d  # pyright: ignore[reportAttributeAccessIssue]
    return plain


class PlainEdge(MixedEdge):
    """`sum(mixing[k] * operation[k](x))`, each operation by itself."""

    def forward(self, x: Tensor, mixing: Tensor) -> Tensor:
        terms = [
            weight * op(x)
            for weight, op, name in zip(mixing, self.operations, self.names, strict=True)
            if name != "none"
        ]
        return _total(terms)


class PlainCell(SearchCell):
    """Edge by edge."""

    def forward(self, before: Tensor, last: Tensor, mixing: Tensor) -> Tensor:
        states = [self.inputs[0](before), self.inputs[1](last)]
        for node in range(self.nodes):
            edges = [(edge, source) for edge, (to, source) in enumerate(sources(self.nodes)) if to == node]
            states.append(_total([self.edges[edge](states[source], mixing[edge]) for edge, source in edges]))
        return torch.cat(states[2:], dim=1)


def _total(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def depthwise(x: Tensor, weight: Tensor, stride: tuple[int, int], dilation: int = 1) -> Tensor:
    """A depthwise convolution as PyTorch has it."""
    padding = dilation * (weight.shape[2] // 2)
    return functional.conv2d(x, weight, None, stride, padding, dilation, x.shape[1])
