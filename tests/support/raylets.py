"""A Ray cluster of several nodes on loopback, real processes all of them, that can be killed one by one.

`python -m tests.support.raylets` starts a head without CPUs and waits: each line on its standard input adds a
node with one CPU, its end ends the cluster. Each answer is one line of JSON. It is a process of its own,
because Ray reads its environment only once.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

STORE_BYTES = 80 * 2**20
STARTS = 3  # of a node
WORKING = "ray::"  # begins the title of a worker process; what follows is its actor and method
NOT_TRIALS = ("ray::IDLE", "ray::Board", "ray::DashboardAgent", "ray::RuntimeEnvAgent")


class Raylets:
    """The cluster as its test sees it."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.environment = os.environ | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "TMPDIR": str(folder),
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.raylets", str(folder)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
        )
        self.address = str(self._answer()["address"])
        self.nodes = [self.add() for _ in range(nodes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        everyone = descendants(self._process.pid)
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=60)
        for pid in everyone:
            kill(pid)
        self._process.communicate()

    def add(self) -> int:
        """One node more; the process of its raylet."""
        assert self._process.stdin is not None
        self._process.stdin.write("node\n")
        self._process.stdin.flush()
        return int(self._answer()["raylet"])

    def replace(self, number: int) -> None:
        """Kill a node, with all that runs on it, and let another one join."""
        kill(self.nodes[number])
        self.nodes[number] = self.add()

    def trials(self) -> list[int]:
        """The processes that run trials now."""
        found = {pid for raylet in self.nodes for pid in descendants(raylet)}
        return sorted(
            pid for pid in found if title(pid).startswith(WORKING) and not title(pid).startswith(NOT_TRIALS)
        )

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the cluster did not start"
        return json.loads(line)


def kill(pid: int) -> None:
    """SIGKILL; it may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def title(pid: int) -> str:
    """What a process calls itself; nothing for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").partition("\0")[0]
    except OSError:
        return ""


def descendants(pid: int) -> set[int]:
    """A process and all that it has started, as far as their parents live."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def main(folder: str) -> None:
    """The process of the cluster."""
    from ray.cluster_utils import Cluster

    told, sys.stdout = sys.stdout, sys.stderr  # Ray prints
    Path(folder, "ray").mkdir()  # where it writes down its address
    cluster = Cluster(
        initialize_head=True,
        connect=False,
        head_node_args={
            "num_cpus": 0,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
            "temp_dir": folder,
        },
    )
    print(json.dumps({"address": cluster.address}), file=told, flush=True)
    for _ in sys.stdin:
        print(json.dumps({"raylet": added(cluster)}), file=told, flush=True)
    cluster.shutdown()


def added(cluster: Any) -> int:
    """The raylet of a new node. Ray gives a node 30 s to start, which a busy machine may not keep: then
    another one is tried.
    """
    for left in reversed(range(STARTS)):
        try:
            node = cluster.add_node(
                num_cpus=1, num_gpus=0, object_store_memory=STORE_BYTES, include_dashboard=False
            )
            return node.all_processes["raylet"][0].process.pid
        except Exception:  # Ray has no better word for it
            if not left:
                raise
    raise AssertionError("the last start returns or raises")


if __name__ == "__main__":
    main(sys.argv[1])
