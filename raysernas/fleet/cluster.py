"""The cluster: Ray for the time of one study, started here or joined.

In: a plan. Out: a function that says how many trials may run at once; it is called again and again, because a
cluster grows and shrinks. Without an address Ray is started here: on loopback, without a dashboard, behind a
secret token, in a folder that is deleted at the end, or by the next launch if this one is killed.
"""

import fcntl
import functools
import logging
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.fleet.plan import StudyPlan, cpus

OBJECT_STORE_BYTES = 100 * 2**20  # only scalars go through it
ANSWER_S = 10.0  # timeout of a connection to a cluster
SIZE_S = 2.0  # between two looks at the size of the cluster
LONGEST_TEMPORARY = 30  # characters: Ray puts sockets into this folder, whose paths may have 107
PREFIX, OWNER = "rsn-", "owner"  # of temporary folders; the file in each that its launch locks
QUIET = {  # Ray's own switches, for this process and its children
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
def running(plan: StudyPlan, folder: str) -> Iterator[Slots]:
    """A Ray cluster for the time of the study.

    Raises:
        Fault: when there is none to join.
    """
    address = plan.config.study.resources.address
    here = {} if address else LOCAL | {"RAY_AUTH_TOKEN": _token()}
    with environment(QUIET | here | home(folder)):
        import ray

        try:
            if address:
                _join(address)
            else:
                with chdir(importable(folder)):
                    _start_here(plan, folder)
            yield slots(plan, ray.cluster_resources)
        finally:
            ray.shutdown()


def home(folder: str) -> dict[str, str]:
    """A home for Ray, which wants one, where the user of a container has none."""
    return {"HOME": folder} if os.path.expanduser("~") == "~" else {}


def importable(folder: str) -> str:
    """Where to start Ray: its workers import from there before anything else, and a random.py of the user's
    folder must not be taken for Python's. Of a clone that is not installed, they must find the package.
    """
    here, listed = Path.cwd(), filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    found_from_here = here == Path(__file__).parents[2] or not all(map(os.path.isabs, listed))
    return str(here) if found_from_here else folder


def slots(
    plan: StudyPlan, resources: Callable[[], Mapping[str, float]], clock: Callable[[], float] = time.monotonic
) -> Slots:
    """How many trials to start, those that wait for a machine included.

    `study.resources.trials_at_once` if it is set. Else, on this machine, as many as fit; on a cluster one
    more than fit: it waits, and so shows an autoscaler that a machine is missing (also the first one).
    """
    if fixed := plan.config.study.resources.trials_at_once or plan.slots:
        return lambda: fixed
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


def _join(address: str) -> None:
    import ray

    if address.startswith("ray://"):
        raise Fault(
            "cluster",
            "a study cannot run through Ray Client",
            got=address,
            expected="auto, or HOST:PORT of a head",
            fix="launch on a node of the cluster: `ray job submit -- python -m raysernas.launch ...`",
        )
    _close_token()
    try:
        _require_answer(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except OSError as error:  # no connection, no such host, no answer in time
        raise Fault(
            "cluster",
            f"Ray at {address} does not answer",
            got=str(error).splitlines()[0],
            expected="a running Ray cluster",
            fix="check study.resources.address, or leave it empty to run here",
        ) from error


def _close_token() -> None:
    """Ray leaves the file of its token readable for everybody."""
    token = Path.home() / ".ray" / "auth_token"
    if token.is_file() and token.stat().st_uid == os.getuid() and token.stat().st_mode & 0o077:
        token.chmod(0o600)


def _require_answer(address: str) -> None:
    """Fail early: Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()


def _start_here(plan: StudyPlan, folder: str) -> None:
    import ray

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
        _temp_dir=folder,
    )


@functools.cache
def _token() -> str:
    """One token for this process, because Ray reads it only once. It is never written to disk."""
    return secrets.token_hex(32)


@contextmanager
def temporary() -> Iterator[str]:
    """A folder for Ray that no other user can read. Folders that killed launches left behind are deleted."""
    parent = Path("/tmp" if len(tempfile.gettempdir()) > LONGEST_TEMPORARY else tempfile.gettempdir())
    sweep(parent)
    made = tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True)
    with made as folder, Path(folder, OWNER).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield folder


def sweep(parent: Path) -> None:
    """Delete the temporary folders of launches that no longer run."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / OWNER).open("r") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _clear(folder)
        except OSError:
            continue  # locked, not yet locked, or already gone


def _clear(folder: Path) -> None:
    """Delete the owner's file last: Ray's agents outlive their cluster by a minute and keep writing."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != OWNER:
            path.unlink()
    if {path.name for path in folder.iterdir()} == {OWNER}:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables, and restore them at the end."""
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
