"""Laws of the process border: what a node must see, what a GPU must have free, and which processes are
replaced. Starts no Ray.
"""

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config
from raysernas.fleet.trainable import FREE_WAIT_S, check_node, fingerprint, must_replace, wait_for_gpu
from raysernas.record.files import StudyFiles
from tests.support.faults import refusal

GB = 2**30
PLAN = "study: {}\n"


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def waited(
    share: float, free_gb: Callable[[float], float], stop: Callable[[float], str] = lambda _: ""
) -> tuple[str, float]:
    """The reason and the seconds waited, on a GPU of 80 GiB whose free memory depends on the time."""
    clock = Clock()
    reason = wait_for_gpu(
        share,
        lambda: (int(free_gb(clock.now_s) * GB), 80 * GB),
        lambda: stop(clock.now_s),
        clock=clock,
        sleep=clock.sleep,
    )
    return reason, clock.now_s


@pytest.mark.parametrize(("share", "free_gb"), [(1.0, 72.1), (0.25, 18.1), (2.0, 72.1)])
def test_a_trial_begins_at_once_where_its_share_of_the_gpu_is_free(share: float, free_gb: float) -> None:
    assert waited(share, lambda _: free_gb) == ("", 0.0)


def test_a_trial_waits_until_the_one_before_has_left_the_gpu() -> None:
    reason, seconds = waited(1.0, lambda now_s: 80 if now_s > 20 else 30)
    assert reason == ""
    assert 20 < seconds < 23


def test_a_gpu_that_stays_full_is_a_reason_after_a_bounded_time() -> None:
    reason, seconds = waited(0.5, lambda _: 30)
    assert reason == "30.0 of 80.0 GiB are free on the GPU, 36.0 are needed: another process uses it"
    assert FREE_WAIT_S <= seconds <= FREE_WAIT_S + 1


def test_a_trial_that_should_stop_does_not_wait() -> None:
    reason, seconds = waited(1.0, lambda _: 30, lambda now_s: "the end" if now_s > 5 else "")
    assert (reason, seconds) == ("", 6.0)


@pytest.fixture
def files(tmp_path: Path) -> StudyFiles:
    found = StudyFiles(tmp_path / "study")
    found.root.mkdir()
    found.config.write_text(PLAN)
    return found


def test_a_node_that_sees_study_and_corpus_is_accepted(files: StudyFiles) -> None:
    check_node(trial_config(Config(), arm="cnn", fold=0, seed=0), files, fingerprint(PLAN))


def test_a_node_that_does_not_see_the_study_is_named(files: StudyFiles) -> None:
    files.config.unlink()
    fault = refusal(
        lambda: check_node(trial_config(Config(), arm="cnn", fold=0, seed=0), files, fingerprint(PLAN))
    )
    assert fault == (
        f"node: {platform.node()} does not see the study's folder {files.root}\n  got: no such file\n"
        "  expected: the study.yaml that the launch has written\n"
        "  fix: set study.storage to a folder that every node shares, or to a bucket"
    )


def test_another_folder_of_the_same_name_is_refused(files: StudyFiles) -> None:
    fault = refusal(
        lambda: check_node(
            trial_config(Config(), arm="cnn", fold=0, seed=0), files, fingerprint("study: {name: x}\n")
        )
    )
    assert "got: another study.yaml" in fault


def test_a_node_that_does_not_see_the_corpus_is_named(files: StudyFiles, tmp_path: Path) -> None:
    config = load(None, ["corpus.name=emodb", f"corpus.root={tmp_path / 'emodb'}"])
    fault = refusal(
        lambda: check_node(trial_config(config, arm="cnn", fold=0, seed=0), files, fingerprint(PLAN))
    )
    assert fault.startswith(
        f"node: {platform.node()} does not see the corpus\n  got: no {tmp_path / 'emodb'}\n"
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_process_is_reused_unless_its_trial_died_or_failed_on_a_gpu(device):
    """An illegal access stays with the process: the trials after it would fail too, each for good."""
    failed = {"status": "failed", "reason": "CUDA error: an illegal memory access", "valid_ua": float("nan")}
    assert must_replace({"died": "out_of_memory", "reason": "full"}, device)
    assert must_replace(failed, device) == (device == "cuda")
    assert not must_replace(failed | {"status": "finished"}, device)
    assert not must_replace({"interrupted": "the launch ends"}, device)
