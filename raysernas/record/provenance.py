"""Where a result comes from: code, versions, machine."""

import json
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "raysernas",
    "torch",
    "torchaudio",
    "librosa",
    "numpy",
    "scipy",
    "ray",
    "optuna",
    "soundfile",
    "soxr",
    "transformers",
    "scikit-learn",
    "opensmile",
)


@cache
def provenance() -> dict[str, Any]:
    """Columns `commit` (with `+changes` for an unclean checkout), `versions` (JSON), `host`, `cpu`."""
    return {
        "commit": _commit(),
        "versions": json.dumps(
            {name: package_version(name) for name in PACKAGES} | {"python": platform.python_version()}
        ),
        "host": platform.node(),
        "cpu": _processor(),
    }


def package_version(package: str) -> str:
    """Empty when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    """The commit of the checkout that holds this file; empty for an installed wheel, which has a version."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return ""
    head, changes = (
        subprocess.run(
            ["git", "-C", str(here), *command], capture_output=True, text=True, check=False
        ).stdout.strip()
        for command in (
            ["rev-parse", "--short=12", "HEAD"],
            ["status", "--porcelain", "--untracked-files=no"],
        )
    )
    return head + ("+changes" if changes else "")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
