"""A process that is lost in any way is one failed trial, and never the end of the run. Starts no Ray."""

from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RaySystemError, WorkerCrashedError

from raysernas.fleet import lost_actors


def told(error: Exception) -> list[Exception]:
    """What Tune tells of a call that has ended in this error: to the actor's owner, and to the caller."""
    found: list[Exception] = []

    def note(_: Any, exception: Exception) -> None:
        found.append(exception)

    call: Any = SimpleNamespace(_tracked_actor=SimpleNamespace(_on_error=note, actor_id=1), _on_error=note)
    manager: Any = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda tracked_actor: None)
    RayActorManager._actor_task_failed(manager, call, error)
    return found


@pytest.mark.parametrize("kind", [OutOfMemoryError, NodeDiedError, RaySystemError, WorkerCrashedError])
def test_whatever_ray_calls_it_a_lost_process_is_a_failed_trial(kind: Any) -> None:
    error = kind() if kind is WorkerCrashedError else kind("the node running low on memory")
    with lost_actors.counted():
        first, second = told(error)
    assert isinstance(first, RayActorError)
    assert first is second
    assert str(error) in str(first)


def test_what_is_not_rays_ends_the_run() -> None:
    with lost_actors.counted(), pytest.raises(RuntimeError, match="unexpected exception"):
        told(ValueError("ours"))


def test_tune_itself_would_end_the_run() -> None:
    """If not, `lost_actors` may go."""
    with pytest.raises(RuntimeError, match="unexpected exception"):
        told(OutOfMemoryError("the node running low on memory"))
