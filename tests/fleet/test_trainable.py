"""The process border: what a node must see, what a GPU must have, and what is told of a trial's end. Starts
no Ray.
"""

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config
from raysernas.fleet.trainable import FREE_WAIT_S, crowded, fingerprint, look, spent
from raysernas.record.files import StudyFiles
from tests.support.faults import refusal

GB = 2**30
PLAN = "study: {}\n"


class Clock:
    """Time that only sleeping makes pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def waited(
    share: float, free_gb: Callable[[float], float], stop: Callable[[float], str] = lambda _: ""
) -> tuple[str, float]:
    """What is told, and after how long, on a GPU of 80 GB with so much free memory at a time."""
    clock = Clock()
    told = crowded(
        share,
        lambda: (int(free_gb(clock.now_s) * GB), 80 * GB),
        lambda: stop(clock.now_s),
        clock=clock,
        sleep=clock.sleep,
    )
    return told, clock.now_s


@pytest.mark.parametrize(("share", "free_gb"), [(1.0, 72.1), (0.25, 18.1), (2.0, 72.1)])
def test_a_trial_begins_at_once_where_its_share_of_the_gpu_is_free(share: float, free_gb: float) -> None:
    assert waited(share, lambda _: free_gb) == ("", 0.0)


def test_it_waits_for_its_predecessor_to_leave_the_gpu() -> None:
    told, seconds = waited(1.0, lambda now_s: 80 if now_s > 20 else 30)
    assert told == ""
    assert 20 < seconds < 23


def test_a_gpu_that_stays_full_is_told_after_a_bounded_time() -> None:
    told, seconds = waited(0.5, lambda _: 30)
    assert told == "30.0 GiB of 80.0 are free on the GPU, 36.0 are wanted: others use it"
    assert FREE_WAIT_S <= seconds <= FREE_WAIT_S + 1


def test_a_trial_that_is_to_stop_does_not_wait() -> None:
    told, seconds = waited(1.0, lambda _: 30, lambda now_s: "the end" if now_s > 5 else "")
    assert (told, seconds) == ("", 6.0)


@pytest.fixture
def files(tmp_path: Path) -> StudyFiles:
    found = StudyFiles(tmp_path / "study")
    found.root.mkdir()
    found.config.write_text(PLAN)
    return found


def test_a_node_that_sees_everything_is_silent(files: StudyFiles) -> None:
    look(trial_config(Config(), arm="cnn", fold=0, seed=0), files, fingerprint(PLAN))


def test_a_node_that_does_not_see_the_study_is_named(files: StudyFiles) -> None:
    files.config.unlink()
    told = refusal(lambda: look(trial_config(Config(), arm="cnn", fold=0, seed=0), files, fingerprint(PLAN)))
    assert told == (
        f"node: {platform.node()} does not see the study's folder {files.root}\n  got: no such file\n"
        "  expected: the study.yaml that the launch has written\n"
        "  fix: set study.storage to a folder that every node shares, or to a bucket"
    )


def test_a_folder_of_the_same_name_is_not_the_studys(files: StudyFiles) -> None:
    told = refusal(
        lambda: look(
            trial_config(Config(), arm="cnn", fold=0, seed=0), files, fingerprint("study: {name: x}\n")
        )
    )
    assert "got: another study.yaml" in told


def test_a_node_that_does_not_see_the_corpus_is_named(files: StudyFiles, tmp_path: Path) -> None:
    config = load(None, ["corpus.name=emodb", f"corpus.root={tmp_path / 'emodb'}"])
    told = refusal(lambda: look(trial_config(config, arm="cnn", fold=0, seed=0), files, fingerprint(PLAN)))
    assert told.startswith(
        f"node: {platform.node()} does not see the corpus\n  got: no {tmp_path / 'emodb'}\n"
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_process_is_used_again_unless_its_trial_died_or_failed_on_a_gpu(device):
    """An illegal access stays with the process: the trials after it would fail too, each for good."""
    failed = {"status": "failed", "reason": "CUDA error: an illegal memory access", "valid_ua": float("nan")}
    assert spent({"died": "out_of_memory", "reason": "full"}, device)
    assert spent(failed, device) == (device == "cuda")
    assert not spent(failed | {"status": "finished"}, device)
    assert not spent({"interrupted": "the launch ends"}, device)
