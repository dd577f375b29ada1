"""Deaths: why a trial's process is gone, from what Ray tells and from when the trial moved last.

Comes in: Ray's text. Goes out: a kind, by which the queue decides whether the trial runs again, and one line
for the ledger. Knows no Ray.
"""

import re
from dataclasses import dataclass

from raysernas.config.fault import Fault
from raysernas.record.ledger import Failure

WATCHDOG_EXIT = 70  # of a process that ended itself because its trial stood still
SLACK_S = 3.0  # between the last question to the board and such an end
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HOST_MEMORY = ("running low on memory", "memory pressure (OOM)", "OutOfMemoryError")
AMONG_CAUSES = "Some common causes include"  # after this, Ray names what it might have been, memory too
NODE = (
    "node was terminated",
    "node is dead",
    "node died",
    "its node has died",
    "node failure",
    "node death",
    "unreachable",
)


@dataclass(frozen=True, slots=True)
class Death:
    """Of a trial's process. Kinds: `lost`, `out_of_memory`, `no_progress`, and `error` for what was
    raised.
    """

    kind: Failure
    reason: str


def death(told: str, *, idle_s: float, no_progress_s: float) -> Death:
    """Why a trial has ended without telling.

    Args:
        told: Ray's file of a Ray trial's failures.
        idle_s: seconds without a step when it asked the board last.
        no_progress_s: after which a trial's process ends itself.

    Raises:
        Fault: when no trial can run on that node, because it cannot load the code.
    """
    lines = [line.strip() for line in COLOURS.sub("", told).splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.startswith("Failure #")]
    last = lines[starts[-1] + 1 :] if starts else lines
    text = "\n".join(last)
    if "error raised in its creation task" in text:
        raise Fault(
            "node",
            "a node cannot start trials",
            got=last[-1],
            expected="the same raysernas, ray and python on every node",
            fix="install them there, or submit the launch with `ray job submit --working-dir`",
        )
    if last and last[0].startswith("ray::"):
        return Death("lost" if "reset_config" in text else "error", last[-1])
    sure = text.partition(AMONG_CAUSES)[0]
    if any(word in sure for word in HOST_MEMORY):
        return Death("out_of_memory", "its process was killed because its machine was running out of memory")
    standing = idle_s > no_progress_s / 2 and idle_s + SLACK_S > no_progress_s
    if standing or f"exit code {WATCHDOG_EXIT}" in sure:
        return Death("no_progress", f"it made no step for {no_progress_s:g} s")
    if any(word in sure for word in NODE):
        return Death("lost", f"its node was lost: {_said(last)}")
    return Death("lost", f"its process was lost: {_said(last)}")


def _said(lines: list[str]) -> str:
    """What Ray says about the end itself, without the ids; else its first line."""
    for line in lines:
        if line.startswith(("The actor is dead because", "The actor died because")):
            return line.partition(AMONG_CAUSES)[0].removeprefix("The actor is dead because ").strip()
    return next(iter(lines), "nothing is known about it")
