"""The runner: every trial of a plan that has no record yet, each as a Ray trial of its own.

Comes in: a plan. Goes out: records in the ledger. Without an address it starts a Ray cluster for itself, on loopback, without
a dashboard, behind a token that nobody else is told, in a folder that is deleted at the end. Ray's own state is never used
again: a new launch rebuilds the queue from the journal and the ledger. A dict of scalars crosses the process border.
"""

import functools
import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from raysernas.config import Fault
from raysernas.config_file import trial_from
from raysernas.corpora import augment, cache, features
from raysernas.fleet import journal
from raysernas.fleet.plan import Plan, cpus
from raysernas.fleet.progress import Display
from raysernas.fleet.queue import Queue
from raysernas.record.files import TrialKey, cache_folder, cache_text, seen

OBJECT_STORE_BYTES = 100 * 2**20  # only scalars go through it
ANSWER_S = 10.0  # within which a cluster takes a connection
LONGEST_TEMPORARY = 30  # characters; Ray puts sockets into this folder, whose paths may have 107
QUIET = {  # Ray's own switches, for this process and those it starts
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints a banner even when it is told to be silent
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the record and the display say it
    "TUNE_WARN_SLOW_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "1000000",
}
LOCAL = {  # where Ray is started here
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the one switch that keeps all of Ray's ports on loopback
}


def run(plan: Plan, display: Display) -> None:
    """Run what is left of a study; nothing is started when nothing is left.

    Raises:
        Fault: for audio that cannot be read, a record that cannot be written, a study that another process runs, or a
            cluster that cannot be reached.
    """
    config, files = plan.config, plan.files
    with journal.opened(files.journal) as held:
        queue = Queue(config, files, held)
        if not sum(queue.left().values()):
            return
        display.expect(queue.left(), queue.done())
        with display, _temporary() as folder:
            _compute_features(plan)  # for all trials, and its faults before Ray starts
            with _cluster(plan, folder) as slots:
                broken = _tune(plan, queue, display, slots, Path(folder))
    if broken is not None:
        raise broken


def trainable(config: dict[str, Any]) -> None:
    """One Ray trial: run it, report its epochs, and at the end its status and validation UA; never a test score."""
    import torch
    from ray import tune

    from raysernas import trial

    chosen = trial_from(config)
    torch.set_num_threads(chosen.compute.threads)  # Ray has set it to the CPUs it gave
    key = TrialKey(arm=chosen.arm, candidate=config["candidate"], fold=chosen.fold, seed=chosen.seed)
    try:
        rows = trial.run(
            chosen, study=config["study"], files=seen(config["root"]).trial(key), cache=Path(config["cache"]).expanduser(),
            report=lambda progress: tune.report(asdict(progress)),
        )  # fmt: skip
    except Fault as fault:  # as an exception it would be retried and lose its text
        tune.report({"fault": str(fault)})
        return
    status, reason = str(rows["status"].iloc[0]), str(rows["reason"].iloc[0])
    tune.report({"status": status, "reason": reason, "valid_ua": float(rows["valid_ua"].mean())})


def _compute_features(plan: Plan) -> None:
    """Fill the cache with what the trials as written need, and make room for it by the least recently used."""
    import torch

    config, folder = plan.config, cache_folder(plan.config)
    features.load(plan.corpus, config.features, folder)
    if augment.changes_sound(config.retrain):
        features.source(plan.corpus, config.features, folder, torch.device("cpu"))
    cache.trim(folder, config.study.resources.cache_gb, keep=features.folders(plan.corpus, config.features, folder))


def _tune(plan: Plan, queue: Queue, display: Display, slots: int, folder: Path) -> Exception | None:
    """Let Ray Tune empty the queue; what went wrong for good, if anything did."""
    from ray import tune

    from raysernas.fleet.proposer import Course, Halt, Proposer, Watch

    course = Course(queue, display)
    extra = {"study": plan.config.study.name, "root": str(plan.files.root), "cache": cache_text(plan.config)}
    display.expect(queue.left(), queue.done(), slots=slots)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": plan.cpus_per_trial, "gpu": plan.gpus_per_trial}),
        tune_config=tune.TuneConfig(
            search_alg=Proposer(course, extra), max_concurrent_trials=slots, num_samples=sum(queue.left().values()),
            trial_dirname_creator=lambda trial: trial.trial_id, reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="tune", storage_path=str(folder), failure_config=tune.FailureConfig(max_failures=1), verbose=0,
            callbacks=[Watch(course)], stop=Halt(course),
        ),
    )  # fmt: skip
    with redirect_stdout(StringIO()):  # Ray prints the death of a process whatever it is told; the display has its own file
        tuner.fit()
    return course.broken


@contextmanager
def _cluster(plan: Plan, folder: str) -> Iterator[int]:
    """A Ray cluster for the time of the study; how many trials it takes at once."""
    here = not plan.config.study.resources.address
    with _environment(QUIET | LOCAL | {"RAY_AUTH_TOKEN": _token()} if here else QUIET):
        import ray

        try:
            if here:
                _start_here(plan, folder)
            else:
                _join(plan.config.study.resources.address)
            yield plan.slots or _slots(plan, ray.cluster_resources())
        finally:
            ray.shutdown()


def _join(address: str) -> None:
    import ray

    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except OSError as error:  # no connection, no such host, no answer in time
        raise Fault(
            "cluster", f"Ray at {address} does not answer", got=str(error).splitlines()[0], expected="a running Ray cluster",
            do="check study.resources.address, or leave it empty to run here",
        ) from error  # fmt: skip


def _knock(address: str) -> None:
    """Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()


def _start_here(plan: Plan, folder: str) -> None:
    import ray

    if ray.util.get_node_ip_address() != "127.0.0.1":
        raise Fault(
            "cluster", "Ray would listen on the network", got="Ray was loaded before the launch", expected="loopback only",
            do="run the launch in a process of its own",
        )  # fmt: skip
    ray.init(
        address="local",  # never the cluster that RAY_ADDRESS or an earlier launch names
        num_cpus=cpus(plan.config), num_gpus=None if plan.gpus_per_trial else 0, object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL, _temp_dir=folder,
    )  # fmt: skip


def _slots(plan: Plan, found: Mapping[str, float]) -> int:
    fit = found.get("CPU", 0) / plan.cpus_per_trial
    if plan.gpus_per_trial:
        fit = min(fit, found.get("GPU", 0) / plan.gpus_per_trial)
    return max(1, int(fit))


@functools.cache
def _token() -> str:
    """One for this process, because Ray reads it only once; never written to disk."""
    return secrets.token_hex(32)


def _temporary() -> tempfile.TemporaryDirectory[str]:
    parent = "/tmp" if len(tempfile.gettempdir()) > LONGEST_TEMPORARY else None
    return tempfile.TemporaryDirectory(prefix="rsn-", dir=parent, ignore_cleanup_errors=True)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables, put back at the end."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
