"""Weights on disk: written whole or not at all, checked when read, and read without running any code."""

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysernas.record import seal, storage

# torch has no exception of its own for a torn file; what is no plain data is an UnpicklingError
TORN = (RuntimeError, ValueError, LookupError, EOFError, OSError)
HEAD, UNSEALED = 4096, (b"format", b"digest", b"stage")  # by which a checkpoint without a seal is known


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write plain data: tensors, numbers and text, in dicts and lists."""
    buffer = BytesIO()  # torch's own file writer reports a full disk as a RuntimeError
    torch.save(state, buffer)
    buffer.write(b"\n" + seal.BLANK + b"\n")  # behind the end of a zip file, where torch does not look
    storage.put(path, seal.seal(buffer.getvalue()))


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; anything else is refused (`weights_only`: no pickle is run).

    Raises:
        DamagedFault: when the file is not as it was written.
    """
    content = storage.read(path)
    if not seal.is_sound(content):
        raise seal.DamagedFault(path)
    try:
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except TORN as error:
        raise seal.DamagedFault(path) from error


def is_ours(path: Path) -> bool:
    """Whether `save` wrote this file: its name ends in `.pt`, and a local one ends with a seal, or is a
    checkpoint of an earlier version.
    """
    if path.suffix != ".pt" or not storage.is_local(path):
        return path.suffix == ".pt"
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(-min(path.stat().st_size, 2 * len(seal.BLANK)), os.SEEK_END)
        return seal.PREFIX in file.read() or (head.startswith(b"PK") and all(key in head for key in UNSEALED))


def copied(value: Any) -> Any:
    """The same plain data with every tensor copied to the CPU, so that later changes to them do not show."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # clone: cpu() alone returns a CPU tensor itself
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list | tuple) else value
