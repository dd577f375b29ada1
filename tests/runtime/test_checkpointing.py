"""Laws of checkpoints: a stage gets back what it saved, a wrong file is ignored with a warning, a full
disk is a fault.
"""

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.record import seal
from raysernas.record.files import TrialFiles, TrialKey
from raysernas.record.storage import StorageFault
from raysernas.runtime import checkpoint_file
from raysernas.runtime.checkpointing import Interrupted, TrialCheckpoints, discard, is_out_of_memory, replay
from tests.support import disks
from tests.support.searches import equal

KEY = TrialKey(arm="darts", candidate=0, fold=0, seed=0)
STATE = {"a": torch.arange(6.0).reshape(2, 3), "text": "x", "inner": [{"n": 1, "none": None}]}


def opened(
    root: Path,
    digest: str = "d",
    every_s: float = 0.0,
    should_stop: Callable[[], str] = lambda: "",
    warnings: list[str] | None = None,
) -> TrialCheckpoints:
    warn = (lambda _: None) if warnings is None else warnings.append
    return TrialCheckpoints(
        TrialFiles(root, KEY), digest, torch.device("cpu"), every_s, should_stop, lambda: None, warn
    )


def kept(root: Path, state: dict, name: str = "search", *, ended: bool = False, digest: str = "d") -> Path:
    checkpoints = opened(root, digest)
    stage = checkpoints.stage(name)
    if ended:
        stage.finish(lambda: state)
    else:
        stage.step(lambda: state)
    checkpoints.close()
    return checkpoints.files.checkpoint(name)


@pytest.mark.parametrize("ended", [True, False])
def test_a_checkpoint_comes_back_with_its_state_and_whether_it_is_complete(tmp_path, ended):
    kept(tmp_path, STATE, ended=ended)
    stage = opened(tmp_path).stage("search")
    assert equal(stage.restored, STATE)
    assert stage.complete == ended
    assert opened(tmp_path).stage("retrain-0").restored is None


def test_a_checkpoint_of_other_settings_or_another_stage_is_ignored_with_a_warning(tmp_path):
    path = kept(tmp_path, STATE)
    path.with_name("retrain-0.pt").write_bytes(path.read_bytes())
    warnings: list[str] = []
    assert opened(tmp_path, "other", warnings=warnings).stage("search").restored is None
    assert opened(tmp_path, warnings=warnings).stage("retrain-0").restored is None
    assert warnings == [
        f"{path} was written under other settings or by another version: search starts over",
        f"{path.with_name('retrain-0.pt')} was written under other settings or by another version: retrain-0 "
        "starts over",
    ]


@given(share=st.floats(0, 1, exclude_max=True), junk=st.binary(max_size=40))
def test_a_torn_checkpoint_is_ignored_with_a_warning_wherever_it_is_torn(tmp_path_factory, share, junk):
    root = tmp_path_factory.mktemp("torn")
    path = kept(root, STATE)
    whole = path.read_bytes()
    payload = whole.rindex(seal.PREFIX) - 1  # a cut behind it loses a part of the seal alone
    for content in (whole[: int(share * payload)], junk):
        path.write_bytes(content)
        warnings: list[str] = []
        assert opened(root, warnings=warnings).stage("search").restored is None
        assert len(warnings) == 1
        assert warnings[0].startswith((f"{path} cannot be read (", f"{path} is damaged"))


def test_a_foreign_file_or_a_folder_in_place_of_a_checkpoint_is_ignored(tmp_path):
    path = kept(tmp_path, STATE)
    for content in ([1, 2], {"a": torch.ones(2)}, {"format": 1}):
        torch.save(content, path)
        assert opened(tmp_path).stage("search").restored is None
    path.unlink()
    path.mkdir()
    assert opened(tmp_path).stage("search").restored is None


def test_a_reason_to_stop_is_raised_after_the_state_is_on_disk(tmp_path):
    reasons = iter(["", "", "the node goes away"])
    stage = opened(tmp_path, every_s=1e9, should_stop=lambda: next(reasons)).stage("search")
    for _ in range(2):
        stage.step(lambda: pytest.fail("not yet due"))
    with pytest.raises(Interrupted) as caught:
        stage.step(lambda: {"number": 3})
    assert caught.value.reason == "the node goes away"
    assert opened(tmp_path).stage("search").restored == {"number": 3}


def test_at_most_one_write_is_under_way_and_the_training_goes_on_meanwhile(tmp_path, monkeypatch):
    """A slow disk, held by hand: steps meanwhile take no copy, the next copy is the newest, the end waits for
    its turn.
    """
    gate, at_disk, save, asked_for = threading.Event(), threading.Event(), checkpoint_file.save, []

    def slow(path, state):
        at_disk.set()
        assert gate.wait(60)
        save(path, state)

    monkeypatch.setattr(checkpoint_file, "save", slow)
    checkpoints = opened(tmp_path)
    stage = checkpoints.stage("search")

    def capture(number: int) -> Callable[[], dict]:
        return lambda: asked_for.append(number) or {"number": number}

    for number in range(5):
        stage.step(capture(number))
    assert at_disk.wait(60)
    assert asked_for == [0]
    assert not checkpoints.files.checkpoint("search").exists()
    gate.set()
    stage.finish(capture(5))
    assert asked_for == [0, 5]
    assert opened(tmp_path).stage("search").restored == {"number": 5}
    checkpoints.close()


def test_a_full_disk_is_a_fault_at_the_next_step_and_leaves_the_earlier_checkpoint(tmp_path):
    files = TrialFiles(tmp_path, KEY)
    with disks.small(files.checkpoints, 64):
        kept(tmp_path, STATE)
        checkpoints = opened(tmp_path)
        stage = checkpoints.stage("search")
        stage.step(lambda: {"large": torch.randn(100_000)})
        with pytest.raises(StorageFault, match="No space left on device"):  # noqa: PT012
            while True:
                stage.step(lambda: {"large": torch.randn(100_000)})
        checkpoints.close()
        assert [path.name for path in files.checkpoints.iterdir()] == ["search.pt"]
        assert equal(opened(tmp_path).stage("search").restored, STATE)


def test_the_cost_of_earlier_attempts_adds_up_over_attempts_and_stages(tmp_path):
    files, spent = TrialFiles(tmp_path, KEY), []
    for _ in range(3):
        for name in ("draw-0", "draw-1"):
            kept(tmp_path, STATE, name)
        spent.append([checkpoint_file.load(files.checkpoint(name))["cost"] for name in ("draw-0", "draw-1")])
    assert all(
        later[0] > earlier[0] > 0 for i in (0, 1) for earlier, later in pairwise([each[i] for each in spent])
    )
    checkpoints = opened(tmp_path)
    for name in ("draw-0", "draw-1"):
        checkpoints.stage(name)
    assert checkpoints.earlier_cost.seconds == pytest.approx(sum(seconds for seconds, *_ in spent[-1]))
    assert checkpoints.earlier_cost.peak_mb == max(peak for _, peak, _ in spent[-1]) > 0


def test_the_checkpoints_of_an_ended_trial_are_deleted(tmp_path):
    path = kept(tmp_path, STATE)
    path.with_name(".search.pt.0123abcd.part").write_bytes(b"killed while it was written")
    files = TrialFiles(tmp_path, KEY)
    for _ in range(2):
        discard(files)
        assert not files.checkpoints.exists()


def test_all_replayed_epochs_but_the_last_are_marked_as_restored():
    reported = []
    replay([{"epoch": epoch} for epoch in (1, 2, 3)], reported.append)
    assert reported == [{"epoch": 1, "restored": True}, {"epoch": 2, "restored": True}, {"epoch": 3}]


def test_every_kind_of_out_of_memory_error_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.AcceleratorError("CUDA error: out of memory"))
    assert not is_out_of_memory(
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    )
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
