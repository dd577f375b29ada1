"""When and where a trial was started: one small JSON file for each trial, until its record is written."""

import json
import os
import platform
from datetime import UTC, datetime
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
    try:
        found = json.loads(files.attempts.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []
