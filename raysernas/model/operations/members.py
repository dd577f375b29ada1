"""The candidate operations of cells by name: the space of DARTS (arXiv 1806.09055).

A space names those that it mixes (`record/genotype.py`).
"""

from torch import nn

from raysernas.config.fault import Fault
from raysernas.model.fast.phases import Stride
from raysernas.model.operations.convolutions import dilated, separable
from raysernas.model.operations.none import NONE
from raysernas.model.operations.operation import Operation
from raysernas.model.operations.pools import AVERAGE_POOL, MAX_POOL
from raysernas.model.operations.skip_connect import SKIP_CONNECT

OPERATIONS: dict[str, Operation] = {
    "none": NONE,
    "max_pool_3x3": MAX_POOL,
    "avg_pool_3x3": AVERAGE_POOL,
    "skip_connect": SKIP_CONNECT,
    "sep_conv_3x3": separable(3),
    "sep_conv_5x5": separable(5),
    "dil_conv_3x3": dilated(3),
    "dil_conv_5x5": dilated(5),
}


def operation(name: str) -> Operation:
    """The operation of this name.

    Raises:
        Fault: where there is none.
    """
    if name not in OPERATIONS:
        raise Fault(
            "network",
            "there is no such operation on maps",
            got=name,
            expected=f"one of {', '.join(OPERATIONS)}",
            fix="add it to OPERATIONS in raysernas/model/operations/members.py",
        )
    return OPERATIONS[name]


def build(name: str, channels: int, stride: Stride, *, affine: bool) -> nn.Module:
    """The module of an operation, with fresh weights (see `Operation.build`)."""
    return operation(name).build(channels, stride, affine)
