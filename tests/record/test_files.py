"""Where everything lies: one name a trial, all of it under the study's folder."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.files import assign
from raysernas.config.schema import Config
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey, cache_folder, study_files

KEYS = st.builds(
    TrialKey,
    arm=st.sampled_from(["darts", "random", "cnn", "lstm", "cnn_lstm", "cnn_lstm_attention"]),
    candidate=st.integers(0, 2000),
    fold=st.integers(0, 200),
    seed=st.integers(0, 2**32 - 1),
)


def files_of(files: TrialFiles) -> list[Path]:
    """Everything that a trial may write."""
    found = [
        files.record,
        files.predictions,
        files.genotype,
        files.history,
        files.tensorboard,
        files.weights(0),
        files.weights(1),
    ]
    assert len(set(found)) == len(found)
    return found


def test_the_names_of_a_trial() -> None:
    files = StudyFiles(Path("/r/laptop")).trial(TrialKey(arm="darts", candidate=3, fold=2, seed=1))
    assert [str(path) for path in files_of(files)] == [
        "/r/laptop/trials/darts-c003-f2-s1.parquet",
        "/r/laptop/predictions/darts-c003-f2-s1.parquet",
        "/r/laptop/genotypes/darts-c003-f2-s1.json",
        "/r/laptop/history/darts-c003-f2-s1.jsonl",
        "/r/laptop/tensorboard/darts/c003/f2/s1",
        "/r/laptop/weights/darts-c003-f2-s1-r0.pt",
        "/r/laptop/weights/darts-c003-f2-s1-r1.pt",
    ]


@given(one=KEYS, other=KEYS)
def test_two_trials_never_share_a_file(one: TrialKey, other: TrialKey) -> None:
    study = StudyFiles(Path("/r"))
    shared = set(files_of(study.trial(one))) & set(files_of(study.trial(other)))
    assert bool(shared) == (one == other)


@given(key=KEYS)
def test_a_trial_writes_nowhere_but_under_its_study(key: TrialKey) -> None:
    study = StudyFiles(Path("/r/laptop"))
    assert all(path.is_relative_to(study.root) for path in files_of(study.trial(key)))
    assert study.trial(key).record.parent == study.trials
    assert study.trial(key).tensorboard.is_relative_to(study.tensorboard)


def test_trials_are_sorted_by_arm_candidate_fold_and_seed() -> None:
    keys = [
        TrialKey(arm=a, candidate=c, fold=f, seed=s)
        for a, c, f, s in product(("cnn", "darts"), (0, 10), (0, 2), (0, 1))
    ]
    assert sorted(set(keys)) == keys


def test_a_study_lies_in_its_storage_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute from the start: a Ray worker has another working directory."""
    monkeypatch.chdir(tmp_path)
    config = assign(Config(), {"study.name": "mine", "study.storage": "some where"})
    files = study_files(config)
    assert files.root == tmp_path / "some where" / "mine"
    assert (files.config, files.journal) == (files.root / "study.yaml", files.root / "optuna.journal")
    assert cache_folder(config).parent == files.root.parent


def test_the_home_folder_may_be_written_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (
        study_files(assign(Config(), {"study.storage": "~/results"})).root == tmp_path / "results" / "study"
    )
