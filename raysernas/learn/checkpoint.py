"""Weights on disk: written whole or not at all, read without running anything."""

from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from raysernas.record import storage


def save(path: Path, state: dict[str, Tensor]) -> None:
    """Write tensors by name."""
    buffer = BytesIO()  # torch's own file writer reports a full disk as a RuntimeError
    torch.save(state, buffer)
    storage.write(path, lambda part: part.write_bytes(buffer.getbuffer()))


def load(path: Path) -> dict[str, Tensor]:
    """Read tensors by name; refuses anything else (no pickle is run)."""
    return torch.load(path, map_location="cpu", weights_only=True)
