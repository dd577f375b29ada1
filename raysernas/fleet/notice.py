"""Spot notices: a node that is about to be taken away says so, and its trials write their checkpoints and
move.

    python -m raysernas.fleet.notice [--cloud aws|gcp|azure|none] [--address HOST:PORT] [--node-id ID]

runs beside `ray start` on every spot node, in the same container. In: the cloud's notice, from its metadata
service, or SIGTERM. Out: a file that the trials of this node read once a second, and Ray's own `drain-node`,
after which Ray starts nothing here. The file counts only while it is fresh, so a withdrawn notice expires by
itself. Sources: AWS "spot instance interruption notices" and "rebalance
recommendations" (IMDSv2); GCP "preempted" metadata; Azure "Scheduled Events".
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

POLL_S = 5.0
FRESH_S = 30.0  # an older file no longer counts
ANSWER_S = 2.0  # timeout of a metadata service
DEADLINE_S = {"aws": 120, "gcp": 30, "azure": 30, "SIGTERM": 30}  # until the node is gone, at least
LINK_LOCAL = "http://169.254.169.254"
HOSTS = {"aws": LINK_LOCAL, "gcp": "http://metadata.google.internal", "azure": LINK_LOCAL}
EVERY_NODE = "node"  # all Ray nodes of this machine


def leaving(node_id: str = EVERY_NODE) -> str:
    """Why this node will be gone soon, or ""."""
    for name in {EVERY_NODE, node_id}:
        path = _folder() / name
        try:
            about = path.stat()
            if about.st_uid == os.getuid() and time.time() - about.st_mtime < FRESH_S:
                return path.read_text(encoding="utf-8") or "this node is leaving"
        except OSError:
            continue  # no such file
    return ""


def announce(reason: str, node_id: str = EVERY_NODE) -> None:
    """Write the file, which counts for FRESH_S."""
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / f".{node_id}.{os.getpid()}"
    part.write_text(reason, encoding="utf-8")
    part.replace(folder / node_id)


def withdraw(node_id: str = EVERY_NODE) -> None:
    """Delete the file."""
    (_folder() / node_id).unlink(missing_ok=True)


def _folder() -> Path:
    """One folder for all processes of this user on this machine; other users cannot write to it."""
    return Path(tempfile.gettempdir()) / f"raysernas-leaving-{os.getuid()}"


def cloud_notice(cloud: str, host: str = "") -> str:
    """Why the cloud will take this machine away, or "", also when its metadata service does not answer."""
    ask = {"aws": _aws, "gcp": _gcp, "azure": _azure}[cloud]
    try:
        return ask(host or HOSTS[cloud])
    except (HTTPError, URLError, OSError, ValueError):  # AWS says 404 when there is no notice
        return ""


def _aws(host: str) -> str:
    token = _get(f"{host}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, method="PUT")
    kinds = {
        "spot/instance-action": "a spot interruption",
        "events/recommendations/rebalance": "a rebalance recommendation",
    }
    for path, kind in kinds.items():
        try:
            notice = json.loads(_get(f"{host}/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": token}))
            return f"{kind} of AWS, at {notice.get('time') or notice.get('noticeTime')}"
        except HTTPError:
            continue
    return ""


def _gcp(host: str) -> str:
    answer = _get(f"{host}/computeMetadata/v1/instance/preempted", {"Metadata-Flavor": "Google"})
    return "a preemption by GCP" if answer.strip().upper() == "TRUE" else ""


def _azure(host: str) -> str:
    def ask(path: str) -> Any:
        return json.loads(_get(f"{host}/metadata/{path}", {"Metadata": "true"}))

    events = ask("scheduledevents?api-version=2020-07-01").get("Events", [])
    name = ask("instance/compute?api-version=2021-02-01").get("name", "") if events else ""
    ours = [event for event in events if not name or name in event.get("Resources", [name])]
    kinds = [event.get("EventType") for event in ours]
    ends = [kind for kind in kinds if kind in ("Preempt", "Terminate", "Redeploy", "Reboot")]
    return f"a scheduled event of Azure: {ends[0]}" if ends else ""


def _get(url: str, headers: Mapping[str, str], method: str = "GET") -> str:
    request = Request(url, headers=dict(headers), method=method)
    with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_S) as answer:  # never through a proxy
        return answer.read().decode()


def drain(reason: str, deadline_s: int, *, address: str = "", node_id: str = "") -> str:
    """Have Ray start nothing more on this node; what Ray said if it refused, or ""."""
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "drain-node"),
        *("--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", reason),
        *("--deadline-remaining-seconds", str(deadline_s)),
    ]
    command += ["--address", address] if address else []
    command += ["--node-id", node_id] if node_id else []
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return "Ray did not answer"
    return (ended.stderr or ended.stdout).strip() if ended.returncode else ""


class Agent:
    """Watches for a notice. It drains the node once, and announces the notice again and again while it
    stands.
    """

    def __init__(
        self,
        ask: Callable[[], str],
        drain: Callable[[str, int], str],
        *,
        cloud: str,
        node_id: str = EVERY_NODE,
    ):
        self._ask, self._drain, self._cloud, self._node_id = ask, drain, cloud, node_id
        self._drained = False

    def look(self, signalled: str = "") -> str:
        """Ask the cloud once; the reason, if there is one. `signalled`: the reason, if a signal came
        instead.
        """
        if reason := signalled or self._ask():
            announce(reason, self._node_id)  # first: trials need the time that draining takes
            if not self._drained:
                self._drained = True
                refused = self._drain(reason, DEADLINE_S["SIGTERM" if signalled else self._cloud])
                print(f"{reason}; {f'draining failed: {refused}' if refused else 'draining'}", flush=True)
        elif self._drained:
            withdraw(self._node_id)
        return reason


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT, which count as a notice."""
    parser = argparse.ArgumentParser(prog="python -m raysernas.fleet.notice", allow_abbrev=False)
    parser.add_argument(
        "--cloud",
        choices=[*HOSTS, "none"],
        default="none",
        help="watch for notices of this cloud, besides SIGTERM",
    )
    parser.add_argument("--host", default="", help="the metadata service, if it is not the usual one")
    parser.add_argument("--address", default="", help="the Ray cluster, if there are several here")
    parser.add_argument("--node-id", default="", help="this Ray node, if there are several here")
    given = parser.parse_args(arguments)
    agent = Agent(
        (lambda: cloud_notice(given.cloud, given.host)) if given.cloud != "none" else (lambda: ""),
        lambda reason, deadline_s: drain(reason, deadline_s, address=given.address, node_id=given.node_id),
        cloud=given.cloud,
        node_id=given.node_id or EVERY_NODE,
    )
    signalled, end = [""], threading.Event()

    def receive(number: int, frame: FrameType | None) -> None:
        signalled[0] = f"{signal.Signals(number).name} for this node"
        end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, receive)
    while not end.wait(POLL_S):
        agent.look()
    agent.look(signalled[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
