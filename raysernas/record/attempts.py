"""When and where a trial was started: one small JSON file for each trial, until its record is written."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raysernas.record import storage
from raysernas.record.files import TrialFiles


def begin(files: TrialFiles) -> None:
    """Note another start.

    Raises:
        Fault: when the file cannot be written.
    """
    now = {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "pid": os.getpid(),
    }
    storage.write_text(files.attempts, json.dumps([*read(files), now], indent=1) + "\n")


def read(files: TrialFiles) -> list[dict[str, Any]]:
    """`began`, `host` and `pid` of every start; empty if the file is missing or damaged."""
    return _parsed(files.attempts)


def is_list(path: Path) -> bool:
    """Whether `begin` wrote this file."""
    return any(each.keys() == {"began", "host", "pid"} for each in _parsed(path))


def _parsed(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(storage.read(path))
    except (OSError, ValueError):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
