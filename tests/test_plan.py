"""The plan: what is resolved, refused and written before a study runs."""

import stat
from pathlib import Path

import pytest
import torch

from raysernas.config import Config
from raysernas.config_file import load
from raysernas.fleet import plan as planning
from raysernas.fleet.plan import Plan, header, resolve
from raysernas.record import ledger
from raysernas.record.files import study_files
from tests import records
from tests.faults import refusal, told

SMALL = (
    "corpus.synthetic_speakers=4",
    "corpus.synthetic_takes=2",
    "retrain.lr=0.003",
    "search.epochs=30",
    "study.arms=[darts,cnn]",
    "study.resources.cpus=4",
)


def config(root: Path, *overrides: str) -> Config:
    return load(None, [f"study.storage={root}", *SMALL, *overrides])


def planned(root: Path, *overrides: str, dry: bool = False) -> Plan:
    return resolve(config(root, *overrides), dry=dry)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_gpus", lambda: (2, "H200"))


@pytest.fixture
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_gpus", lambda: (0, ""))


def test_everything_that_the_machine_and_the_corpus_decide_is_resolved(tmp_path: Path, no_gpus: None) -> None:
    plan = planned(tmp_path)
    assert plan.config.compute.device == "cpu"
    assert plan.config.corpus.fingerprint == plan.corpus.fingerprint != ""
    assert plan.config.study.folds == (0, 1, 2, 3) == tuple(plan.folds)
    assert (plan.slots, plan.cpus_per_trial, plan.gpus_per_trial) == (4, 1, 0.0)
    assert load(str(plan.files.config)) == plan.config


@pytest.mark.parametrize(
    ("overrides", "slots", "cpus", "share"),
    [
        ((), 2, 1, 1.0),
        (("study.resources.gpus_per_trial=0.5",), 4, 1, 0.5),
        (("study.resources.gpus_per_trial=0.25",), 4, 1, 0.25),  # four CPUs
        (("study.resources.gpus_per_trial=2",), 1, 1, 2.0),
        (("compute.threads=3",), 1, 3, 1.0),
        (("compute.threads=9",), 1, 4, 1.0),
        (("compute.device=cpu",), 4, 1, 0.0),
        (("study.resources.address=1.2.3.4:6379",), 0, 1, 1.0),
    ],
)
def test_trials_at_once(tmp_path: Path, gpus: None, overrides: tuple[str, ...], slots: int, cpus: int, share: float) -> None:
    plan = planned(tmp_path, *overrides, dry=True)
    assert (plan.slots, plan.cpus_per_trial, plan.gpus_per_trial) == (slots, cpus, share)


def test_gpus_are_asked_of_torch(tmp_path: Path) -> None:
    plan = planned(tmp_path, dry=True)
    assert plan.config.compute.device == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, no_gpus: None) -> None:
    assert refusal(lambda: planned(tmp_path, "compute.device=cuda")) == told(
        "compute.device is cuda, but there is no GPU here", "cuda", "auto or cpu",
        "set compute.device=auto, or study.resources.address to a cluster that has GPUs",
    )  # fmt: skip


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    planned(tmp_path, dry=True)
    assert list(tmp_path.iterdir()) == []


def test_a_fold_out_of_range_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: planned(tmp_path, "study.folds=[0,4]")) == told(
        "study.folds names fold 4", [0, 4], "numbers from 0 to 3", "set study.folds"
    )


def test_every_planned_fold_is_split_before_anything_runs(tmp_path: Path) -> None:
    assert "too few speakers" in refusal(lambda: planned(tmp_path, "corpus.valid_fraction=0.75"))
    assert list(tmp_path.iterdir()) == []


def test_another_setting_under_the_same_name_is_refused_readably(tmp_path: Path, no_gpus: None) -> None:
    planned(tmp_path)
    before = study_files(config(tmp_path)).config.read_text()
    told = refusal(lambda: planned(tmp_path, "search.epochs=7", "retrain.lr=0.1", "study.seed=3"))
    assert told == (
        f"study: {tmp_path}/study was run with other settings\n"
        "  got: 3 changed (old -> new):\n"
        "    study.seed: 0 -> 3\n"
        "    search.epochs: 30 -> 7\n"
        "    retrain.lr: 0.003 -> 0.1\n"
        "  expected: the settings of study.yaml; only arms, candidates, folds, seeds and resources may change\n"
        "  do this: set another study.name for the new settings, or take back the change, or delete "
        f"{tmp_path}/study"
    )
    assert study_files(config(tmp_path)).config.read_text() == before


def test_the_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    path = planned(tmp_path).files.config
    path.write_text("search: {old_key: 3}")
    assert refusal(lambda: planned(tmp_path)).startswith(
        f"study: {path} is not of this version of raysernas\n  got: search.old_key"
    )


@pytest.mark.parametrize("override", ["study.sampler=random", "study.space={retrain.lr: {low: 1e-6, high: 1}}"])
def test_another_way_to_propose_is_refused(tmp_path: Path, override: str) -> None:
    planned(tmp_path)
    assert "was run with other settings" in refusal(lambda: planned(tmp_path, override))


@pytest.mark.parametrize(
    "override",
    ["study.candidates=9", "study.folds=[1]", "study.seeds=[0,1]", "study.arms=[cnn]", "study.resources.cpus=1",
     "study.retry_failed=true"],
)  # fmt: skip
def test_a_study_may_grow_and_shrink(tmp_path: Path, override: str) -> None:
    planned(tmp_path)
    plan = planned(tmp_path, override)
    assert load(str(plan.files.config)) == plan.config  # study.yaml states the latest plan


def test_an_arm_that_reads_no_key_of_the_space_has_one_candidate(tmp_path: Path) -> None:
    plan = planned(tmp_path, "study.candidates=3", "study.space={search.alphas_lr: {low: 1e-6, high: 1}}", dry=True)
    assert (plan.trials("darts"), plan.trials("cnn")) == (12, 4)


def test_ended_trials_are_counted(tmp_path: Path) -> None:
    files = study_files(config(tmp_path))
    for one in (records.record("cnn", fold=0), records.record("cnn", fold=7), records.failure("cnn", fold=1)):
        ledger.write(files.trial(one.key), [one])
    plan = planned(tmp_path)
    assert (plan.finished, plan.failed) == ({"cnn": 1}, {"cnn": 1})
    assert (plan.left("cnn"), plan.left("darts")) == (2, 4)
    assert planned(tmp_path, "study.retry_failed=true").left("cnn") == 3


def test_the_header_says_what_will_run(tmp_path: Path, no_gpus: None) -> None:
    text = header(planned(tmp_path, "study.folds=[0,2]"))
    assert text["study"] == f"study in {tmp_path}/study"
    assert text["corpus"].startswith("synthetic: 32 utterances of 4 speakers (")
    assert text["protocol"] == "leave one speaker out, 2 folds, 1 seed; validation: speakers(0.2); no speaker is on two sides"
    assert text["trials"] == "4 planned, 0 finished"
    assert text["runs on"] == "4 CPUs, 1 thread a trial, 4 at once"


def test_a_finished_study_may_be_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path)
    plan.files.config.chmod(stat.S_IREAD)
    monkeypatch.setattr("raysernas.record.storage.write_text", lambda *_: pytest.fail("written"))
    assert planned(tmp_path).config == plan.config


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the way")
    assert "storage: cannot write" in refusal(lambda: planned(tmp_path / "results"))
