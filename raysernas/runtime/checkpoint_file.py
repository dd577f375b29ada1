"""Weights on disk: written whole or not at all, read without running anything."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysernas.record import storage


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors by name; a search also has lists, numbers and text."""
    buffer = BytesIO()  # torch's own file writer reports a full disk as a RuntimeError
    torch.save(state, buffer)
    storage.put(path, buffer.getvalue())


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; refuses anything that is no plain data (no pickle is run)."""
    return torch.load(BytesIO(storage.read(path)), map_location="cpu", weights_only=True)


def copied(value: Any) -> Any:
    """The same plain data, its tensors copied to the CPU: what happens to theirs afterwards is not seen
    here.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # clone: cpu() alone returns a CPU tensor itself
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list | tuple) else value
