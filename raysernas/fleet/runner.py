"""The runner: every trial of a plan that has no record yet, each as a Ray trial of its own.

Comes in: a plan. Goes out: records in the ledger. Ray's own state is never used again: a new launch rebuilds
the queue from the ledger and the candidates. Whether a lost trial runs again is the queue's decision, never
Tune's. A first SIGINT or SIGTERM lets every trial write its checkpoint; a second one does not wait.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from raysernas.features import augment, cache, loading
from raysernas.fleet import cluster, journal
from raysernas.fleet.plan import Plan
from raysernas.fleet.progress import Display
from raysernas.fleet.queue import Queue
from raysernas.fleet.trainable import fingerprint, trainable
from raysernas.record import storage
from raysernas.record.files import cache_folder, cache_text

if TYPE_CHECKING:  # it needs Ray, which needs its environment
    from raysernas.fleet.proposer import Course

HANGS_S = 5.0  # between two looks at whether the driver itself moves


class Stopped(KeyboardInterrupt):
    """A signal has ended the launch; the same command continues the study."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


def run(plan: Plan, display: Display, check: Callable[[], object] = lambda: None) -> None:
    """Run what is left of a study that this process holds; nothing is started when nothing is left.

    Args:
        check: raises a Fault when the process holds it no longer.

    Raises:
        Fault: for audio that cannot be read, a record that cannot be written, a cluster that cannot be
            reached or does not move.
        Stopped: after a signal, once the trials have stopped.
    """
    config, files = plan.config, plan.files
    with journal.opened(files.journal) as held:
        queue = Queue(config, files, held, check)
        if not sum(queue.left().values()):
            return
        display.expect(queue.left(), queue.done())
        with display, cluster.temporary() as folder:
            _compute_features(plan)  # for all trials, and its faults before Ray starts
            with cluster.running(plan, folder) as room:
                _tune(plan, queue, display, room, Path(folder))


def _compute_features(plan: Plan) -> None:
    """Fill the cache with what the trials as written need, and make room for it by the least recently
    used.
    """
    import torch

    config, folder = plan.config, cache_folder(plan.config)
    loading.load(plan.corpus, config.features, folder)
    if augment.changes_sound(config.retrain):
        loading.waveforms(plan.corpus, config.features, folder, torch.device("cpu"))
    cache.trim(
        folder, config.study.resources.cache_gb, keep=loading.folders(plan.corpus, config.features, folder)
    )


def _tune(plan: Plan, queue: Queue, display: Display, room: cluster.Room, folder: Path) -> None:
    """Let Ray Tune empty the queue."""
    from ray import tune

    from raysernas.fleet.proposer import Course, Halt, Proposer, Watch
    from raysernas.fleet.stop_signal import Chalk

    resources = plan.config.study.resources
    course = Course(queue, display, room=room, write=Chalk().write, no_progress_s=resources.no_progress_s)
    extra = {
        "root": str(plan.files.root),
        "cache": cache_text(plan.config),
        "gpus_per_trial": plan.gpus_per_trial,
        "plan": fingerprint(storage.text(plan.files.config) or ""),
    }
    display.expect(queue.left(), queue.done(), slots=room())
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": plan.cpus_per_trial, "gpu": plan.gpus_per_trial}),
        tune_config=tune.TuneConfig(
            search_alg=Proposer(course, extra),
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder),
            failure_config=tune.FailureConfig(max_failures=0),
            verbose=0,
            callbacks=[Watch(course)],
            stop=Halt(course),
        ),
    )
    # Ray prints every death
    with redirect_stdout(StringIO()), _signals(course), _overseen(course, resources.no_progress_s):
        tuner.fit()
    if course.broken is not None:
        raise course.broken
    if course.signal:
        raise Stopped(course.signal)


@contextmanager
def _signals(course: "Course") -> Iterator[None]:
    """The first one asks the trials to stop, the second one ends everything at once."""

    def hear(number: int, frame: FrameType | None) -> None:
        if course.signal:
            raise Stopped(number)
        course.signal = number
        course.stop(f"the launch was stopped by {signal.Signals(number).name}")

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _overseen(course: "Course", limit_s: float, leave: Callable[[int], object] = os._exit) -> Iterator[None]:
    """End the process if its own loop has stood still for too long: Ray has been seen to wait for ever for
    what is gone.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(HANGS_S):
            if time.monotonic() - course.stepped_s > limit_s + HANGS_S:
                print(course.stands(limit_s), file=sys.stderr, flush=True)
                leave(2)
                return

    thread = threading.Thread(target=look, name="overseer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
