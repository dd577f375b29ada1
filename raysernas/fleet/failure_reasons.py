"""Failure reasons: why a trial's process is gone, from what Ray says and from when the trial made its last
step.

In: Ray's text. Out: a kind, by which the queue decides whether the trial is retried, and one line for the
ledger. Knows no Ray.
"""

import re
from dataclasses import dataclass

from raysernas.config.fault import Fault
from raysernas.record.ledger import Failure

WATCHDOG_EXIT = 70  # exit code of a process that its watchdog has ended
SLACK_S = 3.0  # between the last poll of the stop signal and such an end
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HOST_MEMORY = ("running low on memory", "memory pressure (OOM)", "OutOfMemoryError")
PROCESS_MEMORY = ("MemoryError", "Cannot allocate memory", *HOST_MEMORY)  # also as the process itself says it
AMONG_CAUSES = "Some common causes include"  # Ray lists possible causes after this, memory among them
NODE = (
    *("node was terminated", "node is dead", "node died", "its node has died"),
    *("node failure", "node death", "unreachable"),
)


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Why a trial's process is gone. Kinds: `lost`, `out_of_memory`, `no_progress`, and `error` for what was
    raised.
    """

    kind: Failure
    text: str


def failure_reason(message: str, *, idle_s: float, no_progress_s: float) -> FailureReason:
    """Why a trial has ended without a report of its own.

    Args:
        message: what Ray wrote about the failures of this Ray trial.
        idle_s: seconds without a step at the trial's last poll of the stop signal.
        no_progress_s: after which a trial's process ends itself.

    Raises:
        Fault: when no trial can run on that node, because it cannot load the code.
    """
    lines = [line.strip() for line in COLOURS.sub("", message).splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.startswith("Failure #")]
    last = lines[starts[-1] + 1 :] if starts else lines
    text = "\n".join(last)
    unmade = "error raised in its creation task" in text
    starved = unmade and any(word in text for word in PROCESS_MEMORY)
    if unmade and not starved:
        raise Fault(
            "node",
            "a node cannot start trials",
            got=last[-1],
            expected="the same raysernas, ray and python on every node",
            fix="install them there, or submit the launch with `ray job submit --working-dir`",
        )
    if last and last[0].startswith("ray::"):
        return FailureReason("lost" if "reset_config" in text else "error", last[-1])
    sure = text.partition(AMONG_CAUSES)[0]
    if starved or any(word in sure for word in HOST_MEMORY):
        killed = "its process was killed because its machine was running out of memory"
        return FailureReason("out_of_memory", killed)
    hung = idle_s > no_progress_s / 2 and idle_s + SLACK_S > no_progress_s
    if hung or f"exit code {WATCHDOG_EXIT}" in sure:
        return FailureReason("no_progress", f"it made no step for {no_progress_s:g} s")
    lost = "node" if any(word in sure for word in NODE) else "process"
    return FailureReason("lost", f"its {lost} was lost: {_cause(last)}")


def _cause(lines: list[str]) -> str:
    """What Ray says about the end itself, without ids; else its first line."""
    for line in lines:
        if line.startswith(("The actor is dead because", "The actor died because")):
            return line.partition(AMONG_CAUSES)[0].removeprefix("The actor is dead because ").strip()
    return next(iter(lines), "nothing is known about it")
