"""A trial that is stopped anywhere and run again is the undisturbed one bit for bit; what it cannot help is
no failed record.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas import trial as trial_room
from raysernas.config.files import assign
from raysernas.config.schema import ResourcesConfig, StudyConfig, TrialConfig
from raysernas.record import ledger
from raysernas.record.files import TrialFiles, TrialKey
from raysernas.record.storage import StorageFault
from raysernas.runtime import checkpoint_file
from raysernas.search import darts
from raysernas.training import scratch
from raysernas.trial import Interrupted, Progress, Retryable
from tests.support import disks
from tests.support.runs import Run
from tests.support.trials import assert_equal, assert_left_alike, assert_shown_alike
from tests.test_trial import TINY, resolved

ARMS: dict[str, tuple[str, dict]] = {
    "search": ("darts", {"search.warmup_epochs": 1, "search.eigenvalue_every": 2, "retrain.seeds": [0]}),
    "checks": (
        "darts",
        {"search.epochs": 2, "checks.anytime_every": 1, "checks.ranking": 8, "checks.draw_epochs": 1},
    ),
    "draws": ("random_search", {"checks.draws": 3, "checks.draw_epochs": 1}),
    "retraining": (
        "random",
        {"retrain.speeds": [0.9, 1.1], "retrain.versions": 2, "retrain.mixup": 0.5, "retrain.average": 0.9},
    ),
    "designed": ("cnn_lstm", {"retrain.shift_s": 0.1}),
    "all but test": ("cnn", {"retrain.on": "all_but_test", "retrain.mixup": 0.5, "retrain.average": 0.9}),
}


@cache
def planned(name: str) -> TrialConfig:
    arm, changes = ARMS[name]
    return resolved(arm, assign(TINY, {"retrain.epochs": 2, **changes}))


def run(
    root: Path, trial: TrialConfig, every_s: float = 60.0, pictures: int = 1, **more
) -> tuple[pd.DataFrame, TrialFiles]:
    files = TrialFiles(root, TrialKey(arm=trial.arm, candidate=0, fold=0, seed=0))
    study = StudyConfig(
        name="small",
        resources=ResourcesConfig(checkpoint_s=every_s, pictures_every=pictures, no_progress_s=0.0),
    )
    return trial_room.run(trial, study=study, files=files, cache=root.parent / "cache", **more), files


def after(polls: int) -> Callable[[], str]:
    """A reason to stop once it was asked for so often."""
    left = itertools.count(polls - 1, -1)
    return lambda: "enough" if next(left) <= 0 else ""


def stopped(root: Path, trial: TrialConfig, gaps: Iterable[int], **more) -> int:
    """Run a trial, stopped after so many steps of each attempt, then to its end; the number of attempts."""
    attempt = 0
    for attempt, gap in enumerate(gaps, 1):
        try:
            run(root, trial, should_stop=after(gap), **more)
        except Interrupted:
            assert not TrialFiles(root, TrialKey(arm=trial.arm, candidate=0, fold=0, seed=0)).record.exists()
        else:
            return attempt
    run(root, trial, **more)
    return attempt + 1


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Callable[[str], tuple[Path, TrialFiles]]:
    @cache
    def made(name: str) -> tuple[Path, TrialFiles]:
        root = tmp_path_factory.mktemp(name)
        return root, run(root / "undisturbed", planned(name))[1]

    return made


@pytest.mark.parametrize(
    "name", [*(pytest.param(each, marks=pytest.mark.slow) for each in ARMS if each != "search"), "search"]
)
def test_stopped_after_nearly_every_step_a_trial_is_the_undisturbed_one(undisturbed, name):
    """Gaps of unlike lengths: every attempt does a little, and is stopped in every place that is asked."""
    root, whole = undisturbed(name)
    attempts = stopped(root / "chain", planned(name), itertools.cycle((2, 3, 5)))
    assert attempts > 8
    files = TrialFiles(root / "chain", whole.key)
    assert_equal(files, whole)
    assert (pd.read_parquet(files.record)["attempts"] == attempts).all()
    assert (pd.read_parquet(whole.record)["attempts"] == 1).all()


@pytest.mark.slow
@settings(max_examples=2)  # of thousands, others each time
@given(gaps=st.lists(st.integers(1, 25), min_size=1, max_size=3), every_s=st.sampled_from([0.0, 60.0]))
def test_stopped_after_any_steps_a_trial_is_the_undisturbed_one(undisturbed, tmp_path_factory, gaps, every_s):
    _, whole = undisturbed("search")
    root = tmp_path_factory.mktemp("stopped")
    stopped(root / "again", planned("search"), gaps, every_s=every_s)
    assert_equal(TrialFiles(root / "again", whole.key), whole)


def test_earlier_epochs_are_told_to_tensorboard_once_and_to_the_display_only_the_last(undisturbed):
    root, whole = undisturbed("search")
    seen: list[list[Progress]] = []
    for polls in (13, 10_000):  # in the retraining, and never
        seen.append([])
        try:
            run(root / "told", planned("search"), should_stop=after(polls), report=seen[-1].append)
        except Interrupted:
            assert [(each.stage, each.epoch) for each in seen[-1]] == [
                ("search", 1),
                ("search", 2),
                ("retrain", 1),
            ]
    assert [(each.stage, each.epoch) for each in seen[1]] == [
        ("search", 2),
        ("retrain", 1),
        ("retrain", 2),
        ("test", 1),
    ]
    assert_shown_alike(TrialFiles(root / "told", whole.key), whole)


def test_pictures_change_no_number(undisturbed):
    root, whole = undisturbed("search")
    _, files = run(root / "bare", planned("search"), pictures=0)
    assert_left_alike(files, whole)
    assert {tag.split("/")[0] for tag in Run(files.tensorboard).images} == {"genotype", "result"}


@pytest.mark.slow
def test_seconds_of_a_stage_add_up_over_the_attempts(undisturbed, tmp_path):
    trial = planned("search")
    with pytest.raises(Interrupted):
        run(tmp_path / "again", trial, should_stop=after(4))
    _, whole = undisturbed("search")
    kept = torch.load(TrialFiles(tmp_path / "again", whole.key).checkpoint("search"), weights_only=True)
    rows, _ = run(tmp_path / "again", trial)
    assert kept["cost"][0] < rows["search_s"].iloc[0]


@pytest.mark.parametrize(
    "content", [b"torn", *(pytest.param(each, marks=pytest.mark.slow) for each in (b"", None))]
)
def test_a_torn_checkpoint_or_one_of_other_settings_costs_time_and_nothing_else(
    undisturbed, tmp_path, content, capfd
):
    trial, (_, whole) = planned("search"), undisturbed("search")
    if content is None:
        other = resolved("darts", assign(TINY, {"retrain.epochs": 2, "search.weights_lr": 0.1}))
        with pytest.raises(Interrupted):
            run(tmp_path / "again", other, should_stop=after(5))
    else:
        TrialFiles(tmp_path / "again", whole.key).checkpoints.mkdir(parents=True)
        TrialFiles(tmp_path / "again", whole.key).checkpoint("search").write_bytes(content)
    _, files = run(tmp_path / "again", trial)
    assert_equal(files, whole)
    assert "search starts over" in capfd.readouterr().err


@pytest.mark.slow
def test_a_disk_that_is_full_of_checkpoints_is_a_fault_and_no_record(tmp_path):
    trial = planned("search")
    files = TrialFiles(tmp_path / "again", TrialKey(arm="darts", candidate=0, fold=0, seed=0))
    with disks.small(files.checkpoints, 16):
        with pytest.raises(StorageFault, match="No space left on device"):
            run(tmp_path / "again", trial, every_s=0.0)
        assert not files.record.exists()
    assert (run(tmp_path / "again", trial)[0]["status"] == "finished").all()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        pytest.param(MemoryError("no room"), marks=pytest.mark.slow),
    ],
)
def test_memory_that_does_not_suffice_is_retryable_and_no_record(undisturbed, tmp_path, monkeypatch, error):
    """The shortage is made by hand, in the retraining; the second attempt goes on from the end of the
    search.
    """
    trial, (_, whole) = planned("search"), undisturbed("search")

    def full(*_, **__):
        raise error

    monkeypatch.setattr(scratch, "fit", full)
    with pytest.raises(Retryable) as caught:
        run(tmp_path / "again", trial)
    assert (caught.value.kind, str(error) in caught.value.reason) == ("out_of_memory", True)
    monkeypatch.undo()
    files = TrialFiles(tmp_path / "again", whole.key)
    assert not files.record.exists()
    monkeypatch.setattr(darts, "_epoch", full)
    run(tmp_path / "again", trial)
    assert_equal(files, whole)


def test_a_failure_has_its_kind(tmp_path, monkeypatch):
    trial = resolved("cnn", assign(TINY, {"retrain.epochs": 1}))
    failing = {
        "not_a_number": replace(trial, retrain=replace(trial.retrain, lr=1e30, epochs=2)),
        "bad_data": replace(trial, fold=99),
        "error": trial,
    }
    for kind, each in failing.items():
        if kind == "error":
            monkeypatch.setattr(scratch, "fit", lambda *_, **__: 1 / 0)
        rows, files = run(tmp_path / kind, each)
        assert rows[["status", "failure", "attempts"]].to_numpy().tolist() == [["failed", kind, 1]]
        assert not files.attempts.exists()
        pd.testing.assert_frame_equal(rows, pd.read_parquet(files.record), check_dtype=False)


def test_a_record_that_stood_before_its_checkpoints_were_deleted_is_kept_and_they_are_deleted(undisturbed):
    root, whole = undisturbed("search")
    written = whole.record.read_bytes()
    whole.checkpoints.mkdir(parents=True)
    checkpoint_file.save(whole.checkpoint("search"), {"of": "before"})
    run(root / "undisturbed", planned("search"))
    assert not whole.checkpoints.exists()
    assert whole.record.read_bytes() == written


def test_the_ledger_of_before_is_read_beside_that_of_now(tmp_path):
    """Version 1 of the columns had no `failure` and no `attempts`."""
    from tests.support import records

    study = records.study(tmp_path, TINY, records.record(fold=0), records.failure(fold=1))
    old = study.trial(records.record(fold=0).key)
    ledger.write_table(
        old.record, pd.read_parquet(old.record).drop(columns=["failure", "attempts"]).assign(schema_version=1)
    )
    table = ledger.table(study)
    assert table["schema_version"].tolist() == [1, 4]
    assert table["failure"].isna().tolist() == [True, False]
