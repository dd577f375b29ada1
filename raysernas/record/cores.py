"""How many processor cores a process may use: those of its affinity, up to its container's quota."""

import os
from pathlib import Path


def cores(root: Path = Path("/")) -> int:
    """At least 1; of a quota the whole cores. `root` has the `proc` and `sys` of the process."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(given, _quota(root))))


def _quota(root: Path) -> float:
    """Cores that the control groups of this process may use, infinity without a limit (man 7 cgroups)."""
    found = [float("inf")]
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # version 2, also beside version 1; in a container the group's own folder may be the mounted one
        mounts = [controllers, "cpu"] if controllers else [".", "unified"]
        group = Path(path.strip("/"))
        folders = [
            root / "sys/fs/cgroup" / mount / above for mount in mounts for above in (group, *group.parents)
        ]
        found += [_limit(folder) for folder in folders]
    return min(found)


def _limit(folder: Path) -> float:
    """The limit of one group, in either version's files: microseconds of processor time, and of time."""
    used, _, period = _text(folder / "cpu.max").partition(" ")
    used = used or _text(folder / "cpu.cfs_quota_us")
    period = period or _text(folder / "cpu.cfs_period_us")
    try:
        limit = int(used) / int(period)
    except (ValueError, ZeroDivisionError):  # no file, or "max"
        return float("inf")
    return limit if limit > 0 else float("inf")  # -1 without a limit


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
