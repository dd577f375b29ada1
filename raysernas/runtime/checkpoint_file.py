"""Weights on disk: written whole or not at all, and read without running any code."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysernas.record import storage


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write plain data: tensors, numbers and text, in dicts and lists."""
    buffer = BytesIO()  # torch's own file writer reports a full disk as a RuntimeError
    torch.save(state, buffer)
    storage.put(path, buffer.getvalue())


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; anything else is refused (`weights_only`: no pickle is run)."""
    return torch.load(BytesIO(storage.read(path)), map_location="cpu", weights_only=True)


def copied(value: Any) -> Any:
    """The same plain data with every tensor copied to the CPU, so that later changes to them do not show."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # clone: cpu() alone returns a CPU tensor itself
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list | tuple) else value
