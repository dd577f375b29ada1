"""What a process may use of its machine, of which it may be given a part: cores and processes."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

INFINITY = float("inf")
ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """Processor cores, at least 1; of a quota the whole ones. `root` has the folders `proc` and `sys`."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([given, *(_cores(folder) for folder in _groups("cpu", root))])))


def processes_left(root: Path = ROOT) -> float:
    """How many more processes and threads may be started; infinity without a limit."""
    return min([_of_user(root), *(_processes(folder) for folder in _groups("pids", root))])


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """The folders of the control groups of this process, and of those above them (man 7 cgroups)."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # version 2, also beside version 1; in a container the group's own folder may be the mounted one
        group = Path(path.strip("/"))
        for mount in [controllers, controller] if controllers else [".", "unified"]:
            yield from (root / "sys/fs/cgroup" / mount / above for above in (group, *group.parents))


def _cores(group: Path) -> float:
    """The quota of one group, in either version's files: microseconds of processor time, and of time."""
    used, _, period = _text(group / "cpu.max").partition(" ")
    quota = _number(used or _text(group / "cpu.cfs_quota_us"))
    quota /= _number(period or _text(group / "cpu.cfs_period_us"))
    return quota if quota > 0 else INFINITY  # -1 or infinity / infinity without a quota


def _processes(group: Path) -> float:
    used = _number(_text(group / "pids.current"))
    return _number(_text(group / "pids.max")) - used if used < INFINITY else INFINITY


def _of_user(root: Path) -> float:
    """By the limit of the user (`ulimit -u`), which root does not have."""
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if not os.getuid() or most == resource.RLIM_INFINITY or not (root / "proc").is_dir():
        return INFINITY
    return most - sum(_threads(process) for process in (root / "proc").glob("[0-9]*"))


def _threads(process: Path) -> int:
    """Threads of a process of this user."""
    try:
        return len(list((process / "task").iterdir())) if process.stat().st_uid == os.getuid() else 0
    except OSError:  # it has just ended
        return 0


def _number(text: str) -> float:
    return float(text) if text.lstrip("-").isdecimal() else INFINITY  # no file, or "max"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
