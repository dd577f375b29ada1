"""Where everything lies: one name a trial, all of it under the study's folder."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis
from raysernas.config.files import assign, from_study_yaml, load, study_yaml
from raysernas.config.schema import Config
from raysernas.config.setting import declared
from raysernas.fleet import plan
from raysernas.record import storage
from raysernas.record.files import (
    StudyFiles,
    TrialFiles,
    TrialKey,
    cache_folder,
    configuration,
    continued,
    study_config,
    study_files,
)
from tests.support.faults import refusal, told

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


# --- study.yaml


def begun(folder: Path, text: str | None = None, **study: str) -> StudyFiles:
    """A study's folder after its launch has begun."""
    config = assign(Config(), {f"study.{name}": value for name, value in study.items()})
    folder.mkdir(parents=True)
    files = StudyFiles(folder)
    files.lock.touch()
    files.config.write_text(study_yaml(config) if text is None else text, encoding="utf-8")
    return files


def test_a_cut_study_yaml_is_refused_wherever_it_was_cut() -> None:
    whole = study_yaml(Config())
    last = whole.index("# all")
    for text in (
        whole[:length] for length in (0, 1, 30, *range(60, last - 10, 97), last + 10, len(whole) - 2)
    ):
        fault = refusal(lambda text=text: from_study_yaml(text, "study.yaml"))
        assert "is not whole" in fault or "is not readable YAML" in fault
    assert from_study_yaml(whole, "study.yaml") == Config()


def test_an_empty_study_yaml_is_never_taken_for_a_study_of_defaults(tmp_path: Path) -> None:
    files = begun(tmp_path / "mine", "")
    fault = told(
        f"{files.config} is not whole",
        f"0 of {len(declared(Config))} settings",
        "the file as the launch has written it",
        "restore it from a copy; or delete it alone, and launch the study with the configuration that it "
        "began with",
        where="results",
    )
    for act in (
        lambda: study_config(files),
        lambda: continued(files.root),
        lambda: configuration(str(files.config), []),
        lambda: plan.resolve(assign(Config(), {"study.storage": str(tmp_path), "study.name": "mine"})),
        lambda: analysis.load(files.root),
    ):
        assert refusal(act) == fault


@pytest.mark.parametrize(
    "text", ["\0" * 4096, "study: [", "study:\n  name: a\n\tseed: 1\n", "[]", "text", "---"]
)
def test_a_study_yaml_that_is_something_else_is_never_a_reason_to_delete_results(
    text: str, tmp_path: Path
) -> None:
    begun(tmp_path / "mine", text)
    chosen = assign(Config(), {"study.storage": str(tmp_path), "study.name": "mine"})
    assert "restore it from a copy; or delete it alone" in refusal(lambda: plan.resolve(chosen))


def test_a_line_taken_out_of_a_study_yaml_is_seen() -> None:
    lines = study_yaml(Config()).splitlines(keepends=True)
    without = "".join(line for line in lines if "label_smoothing" not in line)
    assert "is not whole" in refusal(lambda: from_study_yaml(without, "study.yaml"))


def test_a_study_yaml_that_ends_with_an_older_last_setting_is_read() -> None:
    younger = ("precision", "cuda_graph", "cache", "relaxation", "channel", "balance")
    lines = [line for line in study_yaml(Config()).splitlines() if not line.strip().startswith(younger)]
    text = "\n".join(lines[:-1]) + "\n"
    assert from_study_yaml(text, "study.yaml") == Config()
    cut = text[: text.index("  threads")]
    assert "is not whole" in refusal(lambda: from_study_yaml(cut, "study.yaml"))


def test_a_study_yaml_of_an_older_version_is_read() -> None:
    """It has no last line, lacks settings that it did not know, and calls racing's switch `on`."""
    text = (Path(__file__).parents[1] / "golden" / "ledger" / "study.yaml").read_text(encoding="utf-8")
    assert "    'on': false\n" in text
    assert not from_study_yaml(text, "study.yaml").study.racing.enabled
    for switch in ("'on': true", "on: true", '"on": on'):
        assert from_study_yaml(text.replace("'on': false", switch), "study.yaml").study.racing.enabled


def test_a_study_yaml_among_results_means_these_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = begun(tmp_path / "there" / "mine", name="mine", storage="there")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for found in (
        configuration(str(files.config), []),
        configuration("../there/mine/study.yaml", ["search.epochs=9"]),
        continued(storage.place("../there/mine/")),
    ):
        assert study_files(found).root.resolve() == files.root
    assert (
        study_files(configuration(str(files.config), ["study.name=new"])).root == tmp_path / "there" / "new"
    )
    monkeypatch.chdir(tmp_path)
    assert continued(files.root).study.storage == "there", "as written where that is the place"


def test_a_results_folder_that_was_moved_and_renamed_is_continued_there(tmp_path: Path) -> None:
    files = begun(tmp_path / "moved" / "copy", name="mine", storage="/gone")
    assert study_files(continued(files.root)) == files


def test_a_study_yaml_of_ones_own_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("study: {name: mine}")
    (tmp_path / "folds.csv").touch()
    assert configuration(str(path), []) == load(str(path))
