"""The process border: one Ray trial, in a process that Ray has started somewhere.

Comes in: a dict of scalars and lists. Goes out, as reports to Tune: every epoch, and how the trial has ended:
with its `status` and validation UA, never a test score; or `interrupted` (it goes on later), or `died` (of a
kind that may run again), or with a `fault`, which ends the study. What is raised here Ray would tell without
its reason, so nothing is, but for a process that is to be replaced.
"""

import hashlib
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from raysernas.config.fault import Fault
from raysernas.config.files import parse, trial_from
from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.fleet import notice, stop_signal
from raysernas.record import storage
from raysernas.record.files import StudyFiles, TrialKey, seen

FREE_SHARE = 0.9  # of the GPU memory that a trial is to have; the rest is what CUDA itself keeps
FREE_WAIT_S = 60.0  # for a predecessor to leave the GPU
# on a node that is leaving: the slot is taken, so that Ray does not start the same trial here again and again
STAY_S = 120.0

Told = dict[str, Any]


class Replaced(Exception):
    """Has been told already; the process, whose GPU may be full or broken, is not used again."""


def trainable(config: dict[str, Any]) -> None:
    """One Ray trial: run it, report its epochs, and how it has ended."""
    import ray
    from ray import tune

    key = TrialKey(arm=config["arm"], candidate=config["candidate"], fold=config["fold"], seed=config["seed"])
    leaving = partial(notice.leaving, ray.get_runtime_context().get_node_id())
    with stop_signal.asking(tune.get_context().get_trial_id() or "", leaving) as asking:
        told = attempt(config, key, asking, lambda progress: tune.report(asdict(progress)))
        tune.report(told)
    if asking.left and "interrupted" in told:
        stay(leaving)
    if spent(told, config["compute.device"]):
        raise Replaced(told["reason"])


def spent(told: Told, device: str) -> bool:
    """Whether the process is of no more use: its trial has died, or failed on a GPU, some of whose errors
    stay with a process.
    """
    return "died" in told or (device == "cuda" and told.get("status") == "failed")


def stay(leaving: Callable[[], str]) -> None:
    """Take up the slot on a node that is leaving, until it is gone or the launch is over."""
    end = time.monotonic() + STAY_S
    with stop_signal.asking("", str) as asking:
        while leaving() and not asking.reason and time.monotonic() < end:
            time.sleep(stop_signal.ASK_S)


def attempt(
    config: dict[str, Any], key: TrialKey, asking: stop_signal.Asking, report: Callable[[Any], object]
) -> Told:
    """Run a trial; how it has ended, as it is told to the driver."""
    import torch

    from raysernas import trial

    try:
        chosen = trial_from(config)
        files = seen(config["root"])
        study = study_of(look(chosen, files, config["plan"]))
        if reason := asking():
            return {"interrupted": reason}
        torch.set_num_threads(chosen.compute.threads)  # Ray has set it to the CPUs it gave
        if chosen.compute.device == "cuda":
            torch.cuda.empty_cache()  # of the trial before, in this process
            if reason := crowded(config["gpus_per_trial"], torch.cuda.mem_get_info, asking):
                return {"died": "out_of_memory", "reason": reason}
        cache = Path(config["cache"]).expanduser()
        rows = trial.run(
            chosen, study=study, files=files.trial(key), cache=cache, report=report, should_stop=asking
        )
    except trial.Interrupted as stop:
        return {"interrupted": stop.reason}
    except trial.Retryable as error:
        return {"died": error.kind, "reason": error.reason}
    except Fault as fault:
        return {"fault": str(fault)}
    first = rows.iloc[0]
    return {
        "status": str(first["status"]),
        "reason": str(first["reason"]),
        "valid_ua": float(rows["valid_ua"].mean()),
    }


def look(chosen: TrialConfig, files: StudyFiles, plan: str) -> str:
    """Whether this node sees what the launch sees; the text of study.yaml.

    Raises:
        Fault: when it does not, with the node's name.
    """
    here, told = platform.node(), storage.text(files.config)
    if told is None or fingerprint(told) != plan:
        raise Fault(
            "node",
            f"{here} does not see the study's folder {files.root}",
            got="no such file" if told is None else "another study.yaml",
            expected="the study.yaml that the launch has written",
            fix="set study.storage to a folder that every node shares, or to a bucket",
        )
    for name, text in (("corpus.root", chosen.corpus.root), ("corpus.fold_file", chosen.corpus.fold_file)):
        if text and (why := _unseen(text)):
            raise Fault(
                "node",
                f"{here} does not see the corpus",
                got=why,
                expected=f"{name}, on every node at the same place",
                fix="mount or copy the corpus there on every node, or let every node read the bucket",
            )
    return told


@lru_cache(maxsize=1)  # a process runs many trials of one study
def study_of(text: str) -> StudyConfig:
    """The study that a study.yaml describes."""
    return parse(text, "study.yaml").study


def _unseen(text: str) -> str:
    """Why a place is not to be seen from here; nothing where it is."""
    try:
        return "" if storage.exists(storage.place(text)) else f"no {text}"
    except Fault as fault:  # a bucket that does not answer, or whose library is not installed on this node
        return fault.what


def fingerprint(text: str) -> str:
    """Of the plan, to be compared across nodes."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def crowded(
    share: float,
    memory: Callable[[], tuple[int, int]],
    asking: Callable[[], str],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until the GPU has room for a trial; why it has none, if it has none for FREE_WAIT_S.

    Args:
        share: of one GPU; more than one GPU are each wanted whole.
        memory: gives free and total bytes.
    """
    end = clock() + FREE_WAIT_S
    while True:
        free, total = memory()
        wanted = FREE_SHARE * min(share, 1.0) * total
        if free >= wanted or asking():  # a trial that is to stop says so itself
            return ""
        if clock() >= end:
            gb = 2**30
            return (
                f"{free / gb:.1f} GiB of {total / gb:.1f} are free on the GPU, {wanted / gb:.1f} are "
                "wanted: others use it"
            )
        sleep(1.0)
