"""The cluster: Ray for the time of one study, started here or joined.

In: a plan. Out: a function that says how many trials may run at once; it is called again and again, because a
cluster grows and shrinks. Without an address Ray is started here: on loopback, without a dashboard, behind a
secret token, in a folder that only this user can open. Its processes are deaf to the signals of the launch.
"""

import functools
import logging
import os
import re
import secrets
import select
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from raysernas.config.fault import Fault
from raysernas.fleet import joining
from raysernas.fleet.plan import StudyPlan, cpus
from raysernas.record.limits import processes_left
from raysernas.runtime.interrupts import SIGNALS, Interrupts

OBJECT_STORE_BYTES = 100 * 2**20  # only scalars go through it
SHARED_MEMORY = Path("/dev/shm")
PROCESSES, PROCESSES_EACH = (
    180,
    30,
)  # with their threads: of Ray, and of a trial (236 for 2 trials on 2 cores)
START_S, JOIN_S = 60.0, 20.0  # after which Ray counts as silent
WATCH_S = 0.1
SIZE_S = 2.0  # between two looks at the size of the cluster
# variables that would change how Ray and Tune behave; where Ray is started here also those of other clusters
HIDDEN, HIDDEN_HERE = re.compile("TUNE_|RAY_(AIR|STORAGE|TRAIN|TUNE)"), re.compile("TUNE_|RAY_[A-Z]")
QUIET = {  # Ray's own switches, for this process and its children
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # it would copy the current folder to every trial
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a banner even when silenced
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # Tune's state is never restored, and grows with every trial
    "TUNE_MAX_PENDING_TRIALS_PG": "10000",  # the proposer counts
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the record and the display say it
    "TUNE_WARN_SLOW_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "1000000",
}
LOCAL = {  # where Ray is started here
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the one switch that keeps all of Ray's ports on loopback
}

Slots = Callable[[], int]  # how many trials may run at once, now


@contextmanager
def running(plan: StudyPlan, folder: Path, stops: Interrupts) -> Iterator[Slots]:
    """A Ray cluster for the time of the study.

    Args:
        folder: of this launch, deleted after it.

    Raises:
        Fault: when there is none to join.
    """
    address = plan.config.study.resources.address
    with ExitStack() as stack:
        switches = QUIET | home(folder) | ({} if address else LOCAL | {"RAY_AUTH_TOKEN": _token()})
        stack.enter_context(environment(switches, HIDDEN if address else HIDDEN_HERE))
        import ray

        stack.callback(_end, stops, None if address else folder)
        stack.enter_context(stops.ending(functools.partial(_end_now, folder)))
        with watched(stops, JOIN_S if address else START_S, address or "here"):
            if address:
                joining.join(address)
            else:
                with chdir(importable(folder)):
                    _start_here(plan, folder)
        yield slots(plan, ray.cluster_resources)


@contextmanager
def watched(stops: Interrupts, limit_s: float = START_S, place: str = "here") -> Iterator[None]:
    """While Ray starts, is joined or ends, signals are blocked, and a thread ends the process at a signal, or
    when Ray is silent for too long.

    Ray's processes inherit the blocked signals. `timeout`, Slurm and systemd send a signal to every process
    of a launch, but Ray has to go on until the trials have written their checkpoints.
    """
    over, end_s, (heard, write) = threading.Event(), time.monotonic() + limit_s, os.pipe()
    os.set_blocking(write, False)

    def watch() -> None:
        done = False
        while not done:
            done = over.is_set()  # a last look, for a signal that has ended the block
            came = (
                set(os.read(heard, 64))
                if select.select([heard], [], [], 0 if done else WATCH_S)[0]
                else set()
            )
            if number := min((came | signal.sigpending()) & stops.heeded, default=0):
                stops.number = number
                return stops.force()
            if not done and time.monotonic() > end_s:
                return stops.leave(2, str(silent(place, limit_s)))

    thread = threading.Thread(target=watch, name="ray-watchdog", daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    others = signal.set_wakeup_fd(write)  # threads from before have not blocked them
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.set_wakeup_fd(others)
        os.close(heard)
        os.close(write)
        stops.listen()  # Ray has a handler of its own
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def silent(place: str, for_s: float) -> Fault:
    """The error of a Ray that does not answer; `place` is its address, or "here"."""
    return Fault(
        "cluster",
        f"Ray {'here' if place == 'here' else f'at {place}'} does not answer",
        got=f"no answer for {for_s:.0f} s",
        expected="an answer within seconds",
        fix="look whether the machine has memory, disk space and processes left (ulimit -u); then run the "
        "same command again: it continues",
    )


def _end(stops: Interrupts, folder: Path | None) -> None:
    """Leave the cluster. One that was started here, with its folder, ends at once: its processes block the
    SIGTERM that Ray would try first.
    """
    import ray

    with watched(stops):
        if folder is None:
            ray.shutdown()
            return
        everyone = _children()
        node: Any = import_module("ray._private.worker")._global_node
        if node is not None:
            kill = node.kill_all_processes
            node.kill_all_processes = lambda **_: kill(check_alive=False, allow_graceful=False)
        ray.shutdown()
        _kill(everyone)  # Ray's agents would look for it for a minute
        shutil.rmtree(folder / "ray", ignore_errors=True)


def _end_now(folder: Path) -> None:
    """The same without waiting, whatever Ray does."""
    _kill(_children())
    shutil.rmtree(folder, ignore_errors=True)


def _children() -> list[Any]:
    """All processes that this one has started, and theirs."""
    return import_module("psutil").Process().children(recursive=True)  # it comes with Ray


def _kill(processes: list[Any]) -> None:
    for process in processes:
        with suppress(Exception):  # it has ended
            process.kill()


def home(folder: Path) -> dict[str, str]:
    """A home for Ray, which wants one, where the user of a container has none."""
    return {"HOME": str(folder)} if os.path.expanduser("~") == "~" else {}


def importable(folder: Path) -> Path:
    """Where to start Ray: its workers import from there before anything else, and a random.py of the user's
    folder must not be taken for Python's. Of a clone that is not installed, they must find the package.
    """
    here, listed = Path.cwd(), filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    found_from_here = here == Path(__file__).parents[2] or not all(map(os.path.isabs, listed))
    return here if found_from_here else folder


def slots(
    plan: StudyPlan, resources: Callable[[], Mapping[str, float]], clock: Callable[[], float] = time.monotonic
) -> Slots:
    """How many trials to start, those that wait for a machine included.

    As the plan says. If that leaves it open, on a cluster, one more than fit: it waits, and so shows an
    autoscaler that a machine is missing (also the first one).
    """
    if plan.slots:
        return lambda: plan.slots
    last: list[float] = []  # time, slots

    def now() -> int:
        if not last or clock() - last[0] > SIZE_S:
            last[:] = [clock(), trials_that_fit(plan, resources()) + 1]
        return int(last[1])

    return now


def trials_that_fit(plan: StudyPlan, found: Mapping[str, float]) -> int:
    """How many trials the CPUs and GPUs of a cluster suffice for. Fewer may run: one trial cannot use two
    nodes.
    """
    most = found.get("CPU", 0) / plan.cpus_per_trial
    if plan.gpus_per_trial:
        most = min(most, found.get("GPU", 0) / plan.gpus_per_trial)
    return int(most + 1e-9)


def _start_here(plan: StudyPlan, folder: Path) -> None:
    import ray

    needed = PROCESSES + PROCESSES_EACH * plan.slots
    if (left := processes_left()) < needed:
        raise Fault(
            "cluster",
            "too few processes and threads may be started here",
            got=f"{max(0, left):.0f} are left",
            expected=f"about {needed} for Ray and {plan.slots} trials at once",
            fix="raise the limit (ulimit -u, docker run --pids-limit), or set study.resources.trials_at_once",
        )
    if ray.util.get_node_ip_address() != "127.0.0.1":
        raise Fault(
            "cluster",
            "Ray would listen on the network",
            got="Ray was loaded before the launch",
            expected="loopback only",
            fix="run the launch in a process of its own",
        )
    ray.init(
        address="local",  # never the cluster that RAY_ADDRESS or an earlier launch names
        num_cpus=cpus(plan.config),
        num_gpus=None if plan.gpus_per_trial else 0,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        _temp_dir=str(folder / "ray"),  # Ray opens it to everybody; `folder` is closed
        _plasma_directory=None if _has_room(SHARED_MEMORY) else str(folder),
    )


def _has_room(place: Path) -> bool:
    """Whether the object store fits there."""
    return os.access(place, os.W_OK) and shutil.disk_usage(place).free > OBJECT_STORE_BYTES


@functools.cache
def _token() -> str:
    """One token for this process, because Ray reads it only once. It is never written to disk."""
    return secrets.token_hex(32)


@contextmanager
def environment(values: dict[str, str], hidden: re.Pattern[str]) -> Iterator[None]:
    """Set environment variables, remove those whose names begin with `hidden`, and restore all at the end."""
    removed = [name for name in os.environ if hidden.match(name)]
    before = {name: os.environ.get(name) for name in [*removed, *values]}
    for name in removed:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is not None:
                os.environ[name] = value
            elif name in os.environ:
                del os.environ[name]
