"""The curvature of the validation loss in the alphas: the largest eigenvalue of its Hessian.

Source: arXiv 1909.09656, section 4. In: the objective of a supernet on a batch that stays the same over the
epochs, and the alphas. Out: one number. Products of the Hessian with a vector are exact (a second backward
pass). Lanczos needs a few dozen of them; the whole Hessian would need one for each alpha. The batch has its
own batch-norm statistics, as in an alpha step, but no dropout. Weights, statistics and random states stay as
they are, so a search gives the same bits whether the curvature is measured or not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from raysernas.model.sequence import twice_differentiable
from raysernas.runtime.determinism import random_state, set_random_state
from raysernas.search.alphas import Alphas
from raysernas.search.bilevel import Objective, frozen_weights

STEPS = 200  # most Lanczos steps; a few dozen do unless the largest eigenvalues lie close together
Vector = Float[Tensor, " alpha"]
Product = Callable[[Vector], Vector]


def alpha_curvature(objective: Objective, alphas: Alphas) -> float:
    """Largest eigenvalue of the Hessian of an objective in all alphas."""
    size = sum(value.numel() for value in alphas.values())
    with _observed(objective.network, objective.batch.features.device):
        with twice_differentiable():
            loss = objective(None, alphas)
        return largest_eigenvalue(hessian_product(loss, list(alphas.values())), size, loss.dtype)


def hessian_product(loss: Tensor, of: list[Tensor]) -> Product:
    """v -> H v, exact, for a loss in some tensors, flattened one after the other; the graph is kept."""
    gradients = torch.autograd.grad(loss, of, create_graph=True, materialize_grads=True)
    flat = torch.cat([gradient.flatten() for gradient in gradients])

    def product(v: Vector) -> Vector:
        if not flat.requires_grad:  # a loss that is linear
            return torch.zeros_like(v)
        found = torch.autograd.grad(flat, of, v.to(flat), retain_graph=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in found]).to(v)

    return product


def largest_eigenvalue(product: Product, size: int, dtype: torch.dtype) -> float:
    """By Lanczos in double precision with full reorthogonalisation, from a start that is always the same.

    Args:
        size: of the vectors that `product` takes.
        dtype: that `product` calculates in: the residual of the result is brought below the root of its
            rounding error.
    """
    tolerance = torch.finfo(dtype).eps ** 0.5
    start = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vectors = [start / start.norm()]
    tridiagonal = torch.zeros(STEPS + 1, STEPS + 1, dtype=torch.float64)
    value = 0.0
    for step in range(min(size, STEPS)):
        basis = torch.stack(vectors)
        new = product(vectors[-1])
        tridiagonal[step, step] = new @ vectors[-1]
        for _ in range(2):  # once is not enough in floating point
            new = new - basis.T @ (basis @ new)
        left = new.norm()
        values, columns = torch.linalg.eigh(tridiagonal[: step + 1, : step + 1])
        value = values[-1].item()
        if (left * columns[-1, -1].abs()).item() <= tolerance * values.abs().max().item():
            break
        tridiagonal[step, step + 1] = tridiagonal[step + 1, step] = left
        vectors.append(new / left)
    return value


@contextmanager
def _observed(network: nn.Module, device: torch.device) -> Iterator[None]:
    """In fp32, without dropout, statistics or weight gradients; the random state is put back afterwards."""
    before, precision = random_state(device), getattr(network, "precision", "fp32")
    setattr(network, "precision", "fp32")  # noqa: B010 - any module may be observed
    dropouts = [module for module in network.modules() if isinstance(module, _DropoutNd) and module.training]
    for dropout in dropouts:
        dropout.training = False
    torch.manual_seed(0)  # for what else may draw
    try:
        with frozen_weights(network):
            yield
    finally:
        setattr(network, "precision", precision)  # noqa: B010
        for dropout in dropouts:
            dropout.training = True
        set_random_state(before, device)
