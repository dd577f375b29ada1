"""The runner: every trial of a plan that has no record yet, each as a Ray trial of its own.

In: a plan. Out: records in the ledger. Ray's own state is never reused: a new launch rebuilds the queue from
the ledger and the candidates. The queue decides whether a lost trial is retried, never Tune. A first signal
lets every trial write its checkpoint; a second one does not wait.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from raysernas.features import augment, cache, loading
from raysernas.fleet import cluster, journal, lost_actors, private_folder
from raysernas.fleet.plan import StudyPlan
from raysernas.fleet.progress import Display
from raysernas.fleet.queue import Queue
from raysernas.fleet.trainable import fingerprint, trainable
from raysernas.record import storage
from raysernas.record.files import cache_folder, cache_text
from raysernas.record.progress_bar import progress_bar
from raysernas.runtime.interrupts import Interrupts, Stopped

if TYPE_CHECKING:  # it loads Ray, which must see its environment variables first
    from raysernas.fleet.proposer import LaunchState

CHECK_S = 5.0  # between two checks that the driver's own loop still runs


def run(
    plan: StudyPlan,
    display: Display,
    check_held: Callable[[], object] = lambda: None,
    stops: Interrupts | None = None,
) -> None:
    """Run what is left of a study that this process holds. If nothing is left, nothing starts.

    Args:
        check_held: raises a Fault when the process no longer holds the study.
        stops: the signals of the launch.

    Raises:
        Fault: for audio that cannot be read, a record that cannot be written, a cluster that cannot be
            reached or makes no progress.
        Stopped: after a signal, once the trials have stopped.
    """
    config, files, stops = plan.config, plan.files, stops or Interrupts()
    with journal.opened(files.journal) as opened:
        queue = Queue(config, files, opened, check_held)
        if not sum(queue.left().values()):
            return
        display.expect(queue.left(), queue.done())
        _compute_features(plan)  # once for all trials, and its faults before Ray starts
        with display, private_folder.opened() as folder, cluster.running(plan, folder, stops) as slots:
            _tune(plan, queue, display, slots, folder, stops)


def _compute_features(plan: StudyPlan) -> None:
    """Fill the cache with what the trials as written need, and delete what was used least recently."""
    import torch

    config, folder = plan.config, cache_folder(plan.config)
    with progress_bar("computing the frames") as report:
        loading.load(plan.corpus, config.features, folder, report)
    if config.features.functionals != "none":
        loading.functionals(plan.corpus, config.features, folder)
    if augment.changes_sound(config.retrain):
        loading.waveforms(plan.corpus, config.features, folder, torch.device("cpu"))
    keep = loading.folders(plan.corpus, config.features, folder)
    cache.trim(folder, config.study.resources.cache_gb, keep=keep)


def _tune(
    plan: StudyPlan, queue: Queue, display: Display, slots: cluster.Slots, folder: Path, stops: Interrupts
) -> None:
    """Let Ray Tune run the queue."""
    from ray import tune

    from raysernas.fleet.proposer import LaunchState, OverdueStopper, Proposer, TrialCallback
    from raysernas.fleet.stop_signal import StopWriter

    limit_s = plan.config.study.resources.no_progress_s
    with cluster.watched(stops):
        write, slots_now = StopWriter().write, slots()
    launch = LaunchState(queue, display, slots=slots, write=write, no_progress_s=limit_s)
    extra = {
        "root": str(plan.files.root),
        "cache": cache_text(plan.config),
        "gpus_per_trial": plan.gpus_per_trial,
        "plan": fingerprint(storage.text(plan.files.config) or ""),
    }
    display.expect(queue.left(), queue.done(), slots=slots_now)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": plan.cpus_per_trial, "gpu": plan.gpus_per_trial}),
        tune_config=tune.TuneConfig(
            search_alg=Proposer(launch, extra),
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder),
            failure_config=tune.FailureConfig(max_failures=0),
            verbose=0,
            callbacks=[TrialCallback(launch)],
            stop=OverdueStopper(launch),
        ),
    )

    def answer(number: int) -> None:
        launch.stop(f"the launch was stopped by {signal.Signals(number).name}")

    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(StringIO()))  # Ray prints every failure
        stack.enter_context(lost_actors.counted())
        stack.enter_context(stops.answered(answer))
        stack.enter_context(_driver_watched(launch, limit_s, stops))
        tuner.fit()
    if launch.error is not None:
        raise launch.error
    if stops.number:
        raise Stopped(stops.number)


@contextmanager
def _driver_watched(launch: "LaunchState", limit_s: float, stops: Interrupts) -> Iterator[None]:
    """End the process if its own loop hangs: Ray sometimes waits for ever for a process that is gone. Checks
    are counted, not seconds, so that a launch that was suspended may go on.
    """
    over = threading.Event()

    def check() -> None:
        seen_s, silent_s = 0.0, 0.0
        while not over.wait(CHECK_S):
            silent_s = silent_s + CHECK_S if launch.stepped_s == seen_s else 0.0
            seen_s = launch.stepped_s
            if launch.in_ray and silent_s > cluster.START_S:
                return stops.leave(2, str(cluster.silent("here", silent_s)))
            if silent_s > limit_s + CHECK_S:
                return stops.leave(2, str(launch.no_progress(silent_s)))

    thread = threading.Thread(target=check, name="driver-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
