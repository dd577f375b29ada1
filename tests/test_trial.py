"""Laws of a trial: bit-reproducible, its record comes last, failures are recorded, the test speakers decide
nothing.
"""

import dataclasses
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from raysernas import trial as trial_room
from raysernas.config.fault import Fault
from raysernas.config.identity import digest, trial_config
from raysernas.config.schema import (
    Config,
    CorpusConfig,
    FeaturesConfig,
    NetworkConfig,
    RetrainConfig,
    SearchConfig,
    StudyConfig,
    TrialConfig,
)
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Remark
from raysernas.corpora.folds import fold_file, splits
from raysernas.features import cache, loading
from raysernas.fleet import plan as planning
from raysernas.record import ledger, lock
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey
from raysernas.record.storage import StorageFault
from raysernas.runtime import checkpoint_file
from raysernas.search import darts
from raysernas.training import fit, stored_model
from tests.support import toy
from tests.support.marks import slow_after

TINY = Config(
    corpus=CorpusConfig(synthetic_speakers=5, synthetic_takes=2),
    features=FeaturesConfig(window_s=0.6, bands=16),
    network=NetworkConfig(cells=3, nodes=1, channels=2, hidden=4, designed_channels=2),
    search=SearchConfig(epochs=2, batch=4),
    retrain=RetrainConfig(epochs=3, batch=8, seeds=(0, 1)),
)


def resolved(arm: str = "darts", config: Config = TINY) -> TrialConfig:
    return trial_config(
        trial_room.resolve(config, catalogue.read(config.corpus, None)), arm=arm, fold=0, seed=0
    )


def run(
    tmp_path: Path, trial: TrialConfig, name: str = "study", report=lambda _: None
) -> tuple[pd.DataFrame, TrialFiles]:
    files = TrialFiles(
        tmp_path / name, TrialKey(arm=trial.arm, candidate=0, fold=trial.fold, seed=trial.seed)
    )
    return trial_room.run(
        trial, study=StudyConfig(name=name), files=files, cache=tmp_path / "cache", report=report
    ), files


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> tuple[pd.DataFrame, TrialFiles, list[trial_room.Progress]]:
    """A trial with a search, and what it reported."""
    reported: list[trial_room.Progress] = []
    return *run(tmp_path_factory.mktemp("searched"), resolved(), report=reported.append), reported


@pytest.mark.parametrize("arm", slow_after(1, ["darts", "random", "cnn_lstm_attention"]))
def test_equal_trials_give_equal_genotypes_weights_and_predictions_bit_for_bit(tmp_path, arm, searched):
    first, one, _ = searched if arm == "darts" else (*run(tmp_path, resolved(arm), "one"), [])
    second, two = run(tmp_path, resolved(arm), "two")
    measured = [name for name in first if str(name).endswith(ledger.MEASURED)]
    pd.testing.assert_frame_equal(
        first.drop(columns=[*measured, "study"]), second.drop(columns=[*measured, "study"])
    )
    assert one.history.read_bytes() == two.history.read_bytes()
    pd.testing.assert_frame_equal(
        pd.read_parquet(one.predictions), pd.read_parquet(two.predictions), check_exact=True
    )
    for seed in (0, 1):
        weights = [stored_model.weights(files.weights(seed)) for files in (one, two)]
        assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    if arm != "cnn_lstm_attention":
        assert one.genotype.read_bytes() == two.genotype.read_bytes()


def test_another_seed_gives_another_result(tmp_path):
    trial = resolved("cnn")
    (_, one), (_, two) = run(tmp_path, trial), run(tmp_path, dataclasses.replace(trial, seed=1))
    assert one.history.read_text() != two.history.read_text()


def test_a_record_tells_everything_and_agrees_with_the_predictions(searched):
    rows, files, seen = searched
    kept = ledger.read(files)
    assert kept is not None
    pd.testing.assert_frame_equal(rows, kept, check_dtype=False)
    assert rows["retrain_seed"].tolist() == [0, 1]
    assert (rows["status"] == "finished").all()
    predictions = pd.read_parquet(files.predictions)
    emotions = json.loads(rows["emotions"].iloc[0])
    for _, row in rows.iterrows():
        of_seed = predictions[predictions["retrain_seed"] == row["retrain_seed"]]
        assert len(of_seed) == row["n_test"] == of_seed["key"].nunique()
        assert set(of_seed["speaker"]) == set(json.loads(row["test_speakers"]))
        posteriors = of_seed[[f"p_{emotion}" for emotion in emotions]].to_numpy()
        np.testing.assert_allclose(posteriors.sum(axis=1), 1)
        right = np.array(emotions)[posteriors.argmax(axis=1)] == of_seed["emotion"]
        assert row["test_wa"] == pytest.approx(right.mean())
        assert row["test_ua"] == pytest.approx(right.groupby(of_seed["emotion"].to_numpy()).mean().mean())
    for column in (
        "parameters",
        "latency_ms",
        "search_s",
        "retrain_s",
        "test_s",
        "search_mb",
        "retrain_mb",
        "commit",
        "versions",
        "search.epochs",
    ):
        assert rows[column].notna().all(), column
    stages = [(entry.stage, entry.epoch) for entry in seen]
    assert stages == [
        ("search", 1),
        ("search", 2),
        *[("retrain", epoch) for epoch in (1, 2, 3)] * 2,
        ("test", 1),
    ]
    history = [json.loads(line) for line in files.history.read_text().splitlines()]
    assert [line["stage"] for line in history] == ["search"] * 2 + ["retrain"] * 6
    assert list(files.tensorboard.glob("events.*"))


def test_a_finished_trial_is_returned_as_it_is_and_a_changed_one_runs_again(tmp_path):
    trial = resolved("cnn")
    _, files = run(tmp_path, trial)
    written = files.record.stat().st_mtime_ns
    run(tmp_path, trial)
    assert files.record.stat().st_mtime_ns == written
    again, _ = run(tmp_path, dataclasses.replace(trial, retrain=dataclasses.replace(trial.retrain, lr=1e-4)))
    assert files.record.stat().st_mtime_ns != written
    assert (again["retrain.lr"] == 1e-4).all()


def test_a_diverging_trial_ends_as_a_failed_record_with_its_reason(tmp_path):
    trial = resolved("cnn")
    rows, files = run(
        tmp_path, dataclasses.replace(trial, retrain=dataclasses.replace(trial.retrain, lr=1e30))
    )
    assert rows["status"].tolist() == ["failed"]
    assert rows["reason"].iloc[0].startswith("training: the loss became ")
    assert rows["digest"].iloc[0] != digest(trial)
    assert np.isnan(rows["test_ua"].iloc[0])
    assert 0 < rows["failed_s"].iloc[0] < 600
    assert files.record.exists()


def test_bad_data_ends_as_a_failed_record_with_the_five_part_reason(tmp_path):
    trial = resolved("cnn")
    rows, _ = run(tmp_path, dataclasses.replace(trial, fold=99))
    assert rows["status"].tolist() == ["failed"]
    assert "\n  fix: " in rows["reason"].iloc[0]


def test_a_record_that_cannot_be_written_is_a_fault_and_the_trial_can_run_again(tmp_path):
    trial = resolved("cnn")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "trials").write_text("a file where the folder belongs")
    with pytest.raises(Fault, match="storage: cannot write"):
        run(tmp_path, trial)
    (tmp_path / "study" / "trials").unlink()
    assert (run(tmp_path, trial)[0]["status"] == "finished").all()


def test_search_fit_and_progress_cannot_name_the_test_set():
    for function in (darts.search, fit.fit):
        assert not any("test" in name for name in inspect.signature(function).parameters)
    assert not any("test" in field.name for field in dataclasses.fields(trial_room.Progress))


def test_relabelling_the_test_speakers_changes_nothing_but_the_test_scores(tmp_path, monkeypatch, searched):
    trial, (rows, files, _) = resolved(), searched
    read, test = catalogue.read, set(pd.read_parquet(files.predictions)["key"])

    def relabelled(*arguments):
        corpus = read(*arguments)
        first = corpus.emotions[0]
        changed = [
            dataclasses.replace(each, emotion=first) if each.key in test else each
            for each in corpus.utterances
        ]
        return dataclasses.replace(corpus, utterances=tuple(changed))

    monkeypatch.setattr(catalogue, "read", relabelled)
    others, changed = run(tmp_path, trial, "relabelled")
    scores = [f"test_{name}" for name in ("ua", "wa", "f1", "confusion", "classes")]
    touched = {"study", "checksums", *scores, *(f"ensemble_{name}" for name in scores)}
    kept = [name for name in rows if name not in touched and not str(name).endswith(ledger.MEASURED)]
    pd.testing.assert_frame_equal(rows[kept], others[kept])
    assert not rows["test_confusion"].equals(others["test_confusion"])
    for seed in (0, 1):
        weights = stored_model.weights(files.weights(seed))
        assert all(
            torch.equal(value, weights[name])
            for name, value in stored_model.weights(changed.weights(seed)).items()
        )


def test_other_sound_of_the_test_speakers_changes_nothing_but_the_test_scores(
    tmp_path, monkeypatch, searched
):
    trial, (rows, files, _) = resolved(), searched
    load, test = loading.load, set(pd.read_parquet(files.predictions)["key"])

    def other(corpus, *arguments):
        frames = load(corpus, *arguments)
        clips = [frames.clip(i) for i in range(len(frames))]
        return cache.in_memory(
            dataclasses.replace(clip, values=clip.values[::-1] - 30) if utterance.key in test else clip
            for clip, utterance in zip(clips, corpus.utterances, strict=True)
        )

    monkeypatch.setattr(loading, "load", other)
    others, changed = run(tmp_path, trial, "other")
    for column in ("genotype", "search_entropy", "epoch", "valid_ua", "valid_confusion", "ensemble_valid_ua"):
        assert rows[column].tolist() == others[column].tolist()
    assert files.history.read_bytes() == changed.history.read_bytes()
    for seed in (0, 1):
        weights = stored_model.weights(files.weights(seed))
        assert all(
            torch.equal(value, weights[name])
            for name, value in stored_model.weights(changed.weights(seed)).items()
        )
    kept, moved = (pd.read_parquet(each.predictions).filter(like="p_") for each in (files, changed))
    assert not kept.equals(moved)


@pytest.mark.slow
def test_every_fold_draws_another_random_genotype(tmp_path):
    trial = resolved("random")
    drawn = {run(tmp_path, dataclasses.replace(trial, fold=fold))[0]["genotype"].iloc[0] for fold in range(3)}
    assert len(drawn) == 3


def test_a_full_disk_is_a_fault_and_no_failed_trial(tmp_path, monkeypatch):
    def full(*_):
        raise StorageFault(
            "storage", "cannot write", got="No space left on device", expected="room", fix="make room"
        )

    monkeypatch.setattr(checkpoint_file, "save", full)
    trial = resolved("cnn")
    with pytest.raises(StorageFault):
        run(tmp_path, trial)
    assert not TrialFiles(
        tmp_path / "study", TrialKey(arm="cnn", candidate=0, fold=0, seed=0)
    ).record.exists()
    monkeypatch.undo()
    assert (run(tmp_path, trial)[0]["status"] == "finished").all()


def test_the_command_runs_one_trial_here_and_tells_faults_in_five_parts(tmp_path, monkeypatch, capsys):
    settings = [
        "corpus.synthetic_speakers=5",
        "corpus.synthetic_takes=2",
        "corpus.folds=speaker",
        "features.window_s=0.6",
        "features.bands=16",
        "network.designed_channels=2",
        "retrain.epochs=1",
        f"study.storage={tmp_path}",
        "study.space={}",
    ]
    assert trial_room.main(["laptop", "arm=cnn", "fold=1", "seed=2", *settings]) == 0
    out = capsys.readouterr().out
    assert "retrain    1/1" in out
    assert "cnn-c000-f1-s2: valid_ua" in out
    assert trial_room.main(["laptop", "arm=cnn", "fold=one", *settings]) == 2
    assert (
        capsys.readouterr().err
        == "trial: fold is not a number\n  got: one\n  expected: 0, 1, 2, ...\n  fix: write fold=0\n"
    )
    assert trial_room.main(["laptop", "arm=vgg", *settings]) == 2
    assert trial_room.main(["laptop", "arm=cnn", "fold=77", *settings]) == 1
    assert "failed" in capsys.readouterr().err


def test_a_trial_alone_is_the_trial_of_the_study(tmp_path):
    config = dataclasses.replace(TINY, study=dataclasses.replace(TINY.study, storage=str(tmp_path)))
    planned = planning.resolve(config, dry=True).config
    alone = trial_room.resolve(config, catalogue.read(config.corpus, None))
    assert alone.corpus == planned.corpus
    assert "" not in (alone.corpus.fingerprint, alone.corpus.folds_hash)
    assert digest(trial_config(alone, arm="cnn", fold=1, seed=0)) == digest(
        trial_config(planned, arm="cnn", fold=1, seed=0)
    )


def test_the_command_replaces_no_record_of_other_settings_and_runs_once_at_a_time(tmp_path, capsys):
    command = ["laptop", "arm=majority", f"study.storage={tmp_path}"]
    assert trial_room.main(command) == 0
    files = StudyFiles(tmp_path / "laptop").single(TrialKey(arm="majority", candidate=0, fold=0, seed=0))
    written = files.record.read_bytes()
    assert trial_room.main([*command, "corpus.synthetic_takes=3"]) == 2
    assert "holds this trial under other settings" in capsys.readouterr().err
    with lock.held(files):
        assert trial_room.main(command) == 0  # nothing is left to run
        assert files.record.read_bytes() == written
        files.record.unlink()
        assert trial_room.main(command) == 2
    assert "is being run by another process" in capsys.readouterr().err
    assert trial_room.main(command) == 0


def test_the_command_tells_in_what_its_scores_are_optimistic(tmp_path, monkeypatch, capsys):
    whole = catalogue.read(TINY.corpus, None)
    remark = Remark(kind="bad", subject="a.wav", what="is empty", fix="copy it again")
    odd = dataclasses.replace(toy.forgotten(whole, "s01"), skipped=(remark,))
    monkeypatch.setattr(catalogue, "read", lambda *_: odd)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.csv").write_text(
        fold_file.text(whole, splits.of(whole, CorpusConfig(folds="random", speaker_dependent=True))),
        encoding="utf-8",
    )
    settings = [
        "study.space={}",
        "features.window_s=0.6",
        "network.designed_channels=2",
        "retrain.epochs=1",
        "corpus.folds=file",
        "corpus.fold_file=~/mine.csv",
        "corpus.speaker_dependent=true",
        f"study.storage={tmp_path}",
    ]
    assert trial_room.main(["laptop", "arm=cnn", *settings]) == 0
    *_, dependent, unknown, skipped, path = capsys.readouterr().out.splitlines()
    assert dependent.startswith("speaker-dependent: folds with a speaker on two sides were allowed")
    assert unknown.startswith("unknown speakers: the speaker of 8 utterances is unknown")
    assert skipped.startswith("left-out files: 1 file or row of the corpus left out")
    record = pd.read_parquet(path).iloc[0]
    assert (record["n_unknown"], record["n_skipped"], json.loads(record["skipped"])) == (
        8,
        1,
        ["a.wav is empty"],
    )


def test_a_trial_with_cached_features_imports_nothing_slow(tmp_path):
    settings = [
        "laptop",
        "arm=cnn",
        "corpus.synthetic_speakers=5",
        "corpus.synthetic_takes=2",
        "corpus.folds=speaker",
        "study.space={}",
        "features.window_s=0.6",
        "network.designed_channels=2",
        "retrain.epochs=1",
        f"study.storage={tmp_path}",
    ]
    assert trial_room.main([*settings, "seed=0"]) == 0  # fills the cache
    script = (
        "import sys; from raysernas.trial import main; assert main(sys.argv[1:]) == 0; print(*sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *settings, "seed=1"], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "torch" in loaded
    assert not loaded & {"librosa", "matplotlib", "torchaudio", "ray", "optuna", "sklearn", "numba"}
