"""The process border: one Ray trial, in a process that Ray has started somewhere.

In: a dict of scalars and lists. Out, as reports to Tune: every epoch, and one message about how the trial has
ended. The message holds its `status` and validation UA, never a test score; or `interrupted` (it continues
later); or `died` (of a kind that may be retried); or a `fault`, which ends the study. Ray would pass on an
exception without its reason, so only `ReplaceProcess` is raised, after the message.
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
from raysernas.config.files import from_study_yaml, trial_from
from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.fleet import notice, stop_signal
from raysernas.record import storage
from raysernas.record.files import StudyFiles, TrialKey, at_home, visible_study

FREE_SHARE = 0.9  # of the GPU memory that a trial may use; CUDA itself keeps the rest
FREE_WAIT_S = 60.0  # for the trial before to leave the GPU
HOLD_SLOT_S = 120.0  # on a node that is leaving: else Ray would start the same trial here again and again

Message = dict[str, Any]


class ReplaceProcess(Exception):
    """The trial's end has been reported; this process, whose GPU may be full or broken, must not be
    reused.
    """


def trainable(config: dict[str, Any]) -> None:
    """One Ray trial: run it, and report its epochs and how it has ended."""
    import ray
    from ray import tune

    key = TrialKey(arm=config["arm"], candidate=config["candidate"], fold=config["fold"], seed=config["seed"])
    leaving = partial(notice.leaving, ray.get_runtime_context().get_node_id())
    with stop_signal.poller(tune.get_context().get_trial_id() or "", leaving) as poller:
        message = attempt(config, key, poller, lambda progress: tune.report(asdict(progress)))
        tune.report(message)
    if poller.node_leaves and "interrupted" in message:
        hold_slot(leaving)
    if must_replace(message, config["compute.device"]):
        raise ReplaceProcess(message["reason"])


def must_replace(message: Message, device: str) -> bool:
    """Whether the process must not be reused: its trial has died, or failed on a GPU, and some GPU errors
    stay with a process.
    """
    return "died" in message or (device == "cuda" and message.get("status") == "failed")


def hold_slot(leaving: Callable[[], str]) -> None:
    """Hold the slot on a node that is leaving, until the node is gone or the launch is over."""
    end = time.monotonic() + HOLD_SLOT_S
    with stop_signal.poller("", str) as poller:
        while leaving() and not poller.reason and time.monotonic() < end:
            time.sleep(stop_signal.POLL_S)


def attempt(
    config: dict[str, Any], key: TrialKey, poller: stop_signal.StopPoller, report: Callable[[Any], object]
) -> Message:
    """Run a trial; the message about how it has ended."""
    import torch

    from raysernas import trial

    try:
        chosen = trial_from(config)
        files = visible_study(config["root"])
        study = study_of(check_node(chosen, files, config["plan"]))
        if reason := poller():
            return {"interrupted": reason}
        torch.set_num_threads(chosen.compute.threads)  # Ray has set it to the CPUs it gave
        if chosen.compute.device == "cuda":
            torch.cuda.empty_cache()  # of the trial before, in this process
            if reason := wait_for_gpu(config["gpus_per_trial"], torch.cuda.mem_get_info, poller):
                return {"died": "out_of_memory", "reason": reason}
        cache = at_home(Path(config["cache"]))
        rows = trial.run(
            chosen, study=study, files=files.trial(key), cache=cache, report=report, should_stop=poller
        )
    except trial.Interrupted as stop:
        return {"interrupted": stop.reason}
    except trial.Retryable as error:
        return {"died": error.kind, "reason": error.reason}
    except Fault as fault:
        return {"fault": str(fault)}
    first, valid_ua = rows.iloc[0], float(rows["valid_ua"].mean())
    return {"status": str(first["status"]), "reason": str(first["reason"]), "valid_ua": valid_ua}


def check_node(chosen: TrialConfig, files: StudyFiles, plan: str) -> str:
    """Check that this node sees the study's folder and the corpus as the launch does; the text of study.yaml.

    Raises:
        Fault: when it does not, with the node's name.
    """
    here, text = platform.node(), storage.text(files.config)
    if text is None or fingerprint(text) != plan:
        raise Fault(
            "node",
            f"{here} does not see the study's folder {files.root}",
            got="no such file" if text is None else "another study.yaml",
            expected="the study.yaml that the launch has written",
            fix="set study.storage to a folder that every node shares, or to a bucket",
        )
    for name, place in (("corpus.root", chosen.corpus.root), ("corpus.fold_file", chosen.corpus.fold_file)):
        if place and (why := _unseen(place)):
            raise Fault(
                "node",
                f"{here} does not see the corpus",
                got=why,
                expected=f"{name}, on every node at the same place",
                fix="mount or copy the corpus there on every node, or let every node read the bucket",
            )
    return text


@lru_cache(maxsize=1)  # a process runs many trials of one study
def study_of(text: str) -> StudyConfig:
    """The study that a study.yaml describes."""
    return from_study_yaml(text, "study.yaml").study


def _unseen(place: str) -> str:
    """Why a place cannot be seen from here, or ""."""
    try:
        return "" if storage.exists(storage.place(place)) else f"no {place}"
    except Fault as fault:  # a bucket that does not answer, or whose library this node lacks
        return fault.what


def fingerprint(text: str) -> str:
    """A hash of study.yaml, to be compared across nodes."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wait_for_gpu(
    share: float,
    memory: Callable[[], tuple[int, int]],
    should_stop: Callable[[], str],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait up to FREE_WAIT_S until the GPU has room for a trial; why it has none, or "".

    Args:
        share: of one GPU; of several GPUs each must be free.
        memory: gives free and total bytes.
    """
    end = clock() + FREE_WAIT_S
    while True:
        free, total = memory()
        wanted = FREE_SHARE * min(share, 1.0) * total
        if free >= wanted or should_stop():  # a trial that should stop says so itself
            return ""
        if clock() >= end:
            free_gb, total_gb, wanted_gb = (value / 2**30 for value in (free, total, wanted))
            found = f"{free_gb:.1f} of {total_gb:.1f} GiB are free on the GPU"
            return f"{found}, {wanted_gb:.1f} are needed: another process uses it"
        sleep(1.0)
