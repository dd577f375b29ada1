"""Processes that Tune does not know how to lose.

To Tune, a trial whose process died is a failed trial only if Ray says so with a RayActorError. When a machine
runs out of memory, or a node is lost at the wrong moment, Ray has other words, and Tune would end the run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def counted() -> Iterator[None]:
    """Within the block, whatever Ray says about a call that has failed is a trial that has failed."""
    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.exceptions import RayActorError, RayError, RayTaskError

    before = RayActorManager._actor_task_failed

    def failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayTaskError | RayActorError):
            exception = RayActorError(error_msg=str(exception))
        before(self, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = failed
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = before
