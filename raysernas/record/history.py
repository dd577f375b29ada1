"""The history of a trial: one entry for each epoch of each stage, plain data that `json` can write."""

from collections.abc import Callable
from typing import Any

HistoryEntry = dict[str, Any]  # "epoch", counted from 1, and whatever the stage measured in it
ReportEpoch = Callable[[HistoryEntry], object]


def ignore(_: HistoryEntry) -> None:
    """Report an epoch to nobody."""
