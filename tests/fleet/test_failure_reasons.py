"""Why a process is gone, from texts that Ray 2.60 wrote."""

import pytest

from raysernas.fleet.failure_reasons import FailureReason, failure_reason
from tests.support.faults import refusal

CAUSES = (
    " Some common causes include: (1) the process was killed by the OOM killer due to high memory usage, (2) "
    "ray stop --force was "
    "called, or (3) the worker crashed unexpectedly due to SIGSEGV or another unexpected error."
)
HEAD = (
    "Failure # 1 (occurred at 2026-11-25_13-16-35)\nThe actor died unexpectedly before finishing this task.\n"
    "\tclass_name: ImplicitFunc\n\tactor_id: f0a3c61d5a29d4c126910b6801000000\n\tpid: 12307\n\tip: "
    "127.0.0.1\n"
)
GONE = (
    f"{HEAD}The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker "
    "exit detail: Worker "
    f"unexpectedly exits with a connection error code 2. End of file.{CAUSES}\n"
)
EXITED = (
    f"{HEAD}The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker "
    "exit detail: Worker "
    "exits unexpectedly. Worker exits with an exit code 70.\n"
)
CROWDED = (
    "Failure # 1 (occurred at 2026-11-25_15-45-46)\n1 worker(s) were killed due to the node running low on "
    "memory. Memory on the "
    "node (IP: 127.0.0.1, ID: 50eb5a) was 5.07GB used / 23.54GB limit (0.215530)\nOOM kill reason: Memory "
    "usage 5447868416B "
    "exceeded threshold of 505530208B (2.0% of 25276510208B limit)\nObject store memory usage: [- objects "
    "spillable: 0\n"
)
NODE = (
    f"{HEAD}The actor died because its node has died. Node Id: e3a6\n\tthe actor's node was terminated "
    "unexpectedly: health check\n"
)
RAISED = (
    "Failure # 1 (occurred at 2026-01-01_00-00-01)\n\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=1, "
    "ip=127.0.0.1)\n"
    "  File 'x'\nValueError: a bug\n"
)
UNMADE = (
    "Failure # 1 (occurred at 2026-01-01_00-00-01)\nThe actor died because of an error raised in its "
    "creation task, "
    "ray::ImplicitFunc.__init__()\nModuleNotFoundError: No module named 'raysernas'\n"
)


@pytest.mark.parametrize(
    ("message", "idle_s", "kind"),
    [
        (GONE, 0.0, "lost"),
        (GONE, 599.5, "no_progress"),  # its last poll was shortly before the end by the watchdog
        (GONE, 400.0, "lost"),  # whatever killed it, its watchdog did not
        (EXITED, 0.0, "no_progress"),
        (CROWDED, 0.0, "out_of_memory"),
        (CROWDED, 599.5, "out_of_memory"),
        (
            UNMADE.replace("ModuleNotFoundError: No module named 'raysernas'", "MemoryError"),
            0.0,
            "out_of_memory",
        ),
        (NODE, 0.0, "lost"),
        (RAISED, 0.0, "error"),
        (RAISED + GONE, 0.0, "lost"),  # the last one counts
        ("", 0.0, "lost"),
    ],
)
def test_a_failure_has_a_kind_and_a_reason_of_one_line(message: str, idle_s: float, kind: str) -> None:
    found = failure_reason(message, idle_s=idle_s, no_progress_s=600.0)
    assert found.kind == kind
    assert found.text
    assert len(found.text.splitlines()) == 1


def test_possible_causes_are_not_reported_as_the_cause() -> None:
    found = failure_reason(GONE, idle_s=0.0, no_progress_s=600.0)
    assert found == FailureReason(
        "lost",
        "its process was lost: its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit "
        "detail: Worker unexpectedly "
        "exits with a connection error code 2. End of file.",
    )


def test_a_lost_node_is_named_as_the_reason() -> None:
    assert failure_reason(NODE, idle_s=0.0, no_progress_s=600.0).text.startswith("its node was lost")


def test_an_exception_is_reported_by_its_last_line() -> None:
    assert failure_reason(RAISED, idle_s=0.0, no_progress_s=600.0).text == "ValueError: a bug"


def test_a_node_without_the_code_ends_the_study_instead_of_failing_every_trial() -> None:
    message = refusal(lambda: failure_reason(UNMADE, idle_s=0.0, no_progress_s=600.0))
    assert message.startswith(
        "node: a node cannot start trials\n  got: ModuleNotFoundError: No module named 'raysernas'"
    )
