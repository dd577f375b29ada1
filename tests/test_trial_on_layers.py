"""Laws of trials on the layers of a pretrained encoder: resolved once, cached in half precision, sealed off
from the test speakers like all others.
"""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raysernas import trial as trial_room
from raysernas.config.identity import differences, digest, settings
from raysernas.config.schema import Config, FeaturesConfig, TrialConfig
from raysernas.corpora import catalogue
from raysernas.features import cache, extraction, loading
from raysernas.features.pretrained import encoder
from raysernas.record.genotype import from_json
from raysernas.record.protocol import marks
from raysernas.training import stored_model
from raysernas.training.data import prepare
from tests.support.encoders import LAYERS, WIDTH, saved
from tests.support.faults import refusal
from tests.support.marks import slow_after
from tests.test_trial import TINY, resolved, run

EXTRACT = """
import os, signal, sys
from pathlib import Path
from raysernas.corpora import catalogue
from raysernas.features import cache, loading
from tests.test_trial_on_layers import TINY, FeaturesConfig
cache.SHARD, left, write = 4, int(sys.argv[2]), cache._write

def written(*given):
    global left
    write(*given)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

cache._write = written
loading.load(catalogue.read(TINY.corpus, None), FeaturesConfig(**{!r}), Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The small trial on a tiny Whisper."""
    place = saved(tmp_path_factory.mktemp("whisper"), "whisper")
    features = FeaturesConfig(kind="pretrained", model=str(place), window_s=0.6, pool_frames=2)
    return dataclasses.replace(TINY, features=features)


@pytest.fixture(scope="module")
def trial(config: Config) -> TrialConfig:
    return resolved("darts", config)


def of_arm(trial: TrialConfig, arm: str) -> TrialConfig:
    return dataclasses.replace(trial, arm=arm)


def test_a_study_fills_in_what_the_model_decides(config: Config, trial: TrialConfig) -> None:
    found = trial.features
    assert (found.layers, found.layer_width, found.hop_samples) == ((0, 1, 2), WIDTH, 320)
    assert len(found.fingerprint) == 16
    assert settings(trial)["features.fingerprint"] == found.fingerprint
    assert "features.model" not in settings(trial)
    moved = dataclasses.replace(trial, features=dataclasses.replace(found, model="/elsewhere"))
    assert digest(moved) == digest(trial)
    other = dataclasses.replace(config, features=dataclasses.replace(found, fingerprint="0" * 16))
    assert any("features.fingerprint" in line for line in differences(config, other))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sample_rate_hz": 8000}, "the encoder was trained on sound of another rate"),
        ({"layers": (1, 7)}, "names a layer that the encoder does not have"),
        ({"fingerprint": "0" * 16}, "is not the model that this study began with"),
        ({"model": "/nowhere"}, "there is no folder /nowhere"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_before_anything_runs(
    config: Config, changes: dict[str, Any], says: str
) -> None:
    features = dataclasses.replace(config.features, **changes)
    assert says in refusal(lambda: extraction.resolved(features, None))


@pytest.mark.parametrize(
    "arm", slow_after(2, ["darts", "lstm", "random", "cnn_lstm_attention", "darts_joint"])
)
def test_trials_of_every_kind_run_and_repeat_bit_for_bit(
    arm: str, trial: TrialConfig, tmp_path: Path
) -> None:
    one, first = run(tmp_path, of_arm(trial, arm), "one")
    two, second = run(tmp_path, of_arm(trial, arm), "two")
    assert (one["status"] == "finished").all()
    assert first.predictions.read_bytes() == second.predictions.read_bytes()
    assert one["genotype"].tolist() == two["genotype"].tolist()
    if one["genotype"].iloc[0]:
        layer = from_json(one["genotype"].iloc[0]).layer
        assert layer[0][0].operation in {f"layer_{number}" for number in range(LAYERS + 1)}


def test_a_stored_model_names_its_layer_and_can_be_restored(trial: TrialConfig, tmp_path: Path) -> None:
    named = dataclasses.replace(trial, network=dataclasses.replace(trial.network, layer="layer_1"))
    _, files = run(tmp_path, of_arm(named, "cnn"))
    network = stored_model.restored(stored_model.load(files.weights(0)))
    assert network.layers is not None
    assert network.layers.read == [1]


def test_a_full_cache_needs_neither_the_model_nor_transformers(
    trial: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(trial, tmp_path)

    def never(*_: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(encoder, "load", never)
    gone = dataclasses.replace(trial, features=dataclasses.replace(trial.features, model="/gone"))
    again = prepare(gone, tmp_path)
    np.testing.assert_array_equal(first.frames.of(3), again.frames.of(3))


def test_frames_are_kept_in_half_precision_and_mapped(trial: TrialConfig, tmp_path: Path) -> None:
    frames = prepare(trial, tmp_path).frames
    values = frames.shards[0].values
    assert (values.dtype, frames.width) == (np.float16, (LAYERS + 1) * WIDTH)
    assert not values.flags.owndata
    assert not values.flags.writeable
    in_memory = prepare(trial, None).frames
    np.testing.assert_array_equal(frames.of(5), in_memory.of(5))


def test_frames_depend_on_neither_neighbours_nor_threads(trial: TrialConfig, tmp_path: Path) -> None:
    corpus = catalogue.read(trial.corpus, None)
    turned = dataclasses.replace(corpus, utterances=corpus.utterances[::-1])
    one = loading.load(corpus, trial.features, None)
    read = lambda utterance: catalogue.waveform(utterance, 16_000)  # noqa: E731
    other = cache.load(turned, None, read, lambda: extraction.extractor(trial.features), threads=3)
    last = len(corpus.utterances) - 1
    assert all(np.array_equal(one.of(i), other.of(last - i)) for i in range(len(corpus.utterances)))


@pytest.mark.parametrize("normalisation", ["train", "none"])
def test_padding_is_the_mean_of_training(normalisation: Any, trial: TrialConfig) -> None:
    features = dataclasses.replace(trial.features, window_s=3.0, normalisation=normalisation)
    part = prepare(dataclasses.replace(trial, features=features), None).part("train")
    batch, _ = next(part.windows(len(part)))
    assert (batch.frames < batch.features.shape[1]).any()
    for row, true in zip(batch.features, batch.frames, strict=True):
        assert (row[true:] == part.fill).all()
    assert part.fill.any() == (normalisation == "none")


def test_another_weight_file_is_refused_by_a_trial(
    config: Config, trial: TrialConfig, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    shutil.copytree(config.features.model, place)
    saved(place, "whisper", seed=1)
    swapped = dataclasses.replace(trial, features=dataclasses.replace(trial.features, model=str(place)))
    rows, _ = run(tmp_path, swapped)
    assert rows["status"].tolist() == ["failed"]
    assert "is not the model that this study began with" in rows["reason"].iloc[0]


def test_every_table_is_marked(config: Config) -> None:
    assert "pretrained front end" in marks(config)
    assert "pretrained front end" not in marks(TINY)
    offered = dataclasses.replace(TINY.study, space={"features.kind": {"choices": ["logmel", "pretrained"]}})
    assert "pretrained front end" in marks(dataclasses.replace(TINY, study=offered))


def test_other_sound_of_the_test_speakers_changes_no_choice(
    trial: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, files = run(tmp_path, trial, "one")
    tested = set(prepare(trial, tmp_path / "cache").split.test)
    load = loading.load

    def other(*arguments: Any) -> cache.FrameStore:
        frames = load(*arguments)
        clips = [frames.clip(i) for i in range(len(frames))]
        changed = (
            dataclasses.replace(clip, values=clip.values[::-1] - np.float16(3)) if i in tested else clip
            for i, clip in enumerate(clips)
        )
        return cache.in_memory(changed)

    monkeypatch.setattr(loading, "load", other)
    others, changed = run(tmp_path, trial, "other")
    for column in ("genotype", "search_entropy", "epoch", "valid_ua", "valid_confusion"):
        assert rows[column].tolist() == others[column].tolist()
    weights = [stored_model.weights(each.weights(0)) for each in (files, changed)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert files.predictions.read_bytes() != changed.predictions.read_bytes()


@pytest.mark.chaos
def test_an_extraction_that_was_killed_continues_with_the_same_frames(
    config: Config, trial: TrialConfig, tmp_path: Path
) -> None:
    code = EXTRACT.format(dataclasses.asdict(trial.features))
    place = tmp_path / "cache"
    killed = subprocess.run([sys.executable, "-c", code, str(place), "2"], check=False)
    assert killed.returncode == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in place.glob("features-*/*.arrow")}
    assert len(done) == 2
    subprocess.run([sys.executable, "-c", code, str(place), "0"], check=True)
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    corpus = catalogue.read(trial.corpus, None)
    fresh = loading.load(corpus, trial.features, None)
    before = cache.SHARD
    try:
        cache.SHARD = 4
        kept = loading.load(corpus, trial.features, place)
    finally:
        cache.SHARD = before
    assert all(np.array_equal(fresh.of(i), kept.of(i)) for i in range(len(corpus.utterances)))


def test_a_plan_says_what_the_frames_will_cost(trial: TrialConfig, tmp_path: Path) -> None:
    corpus = catalogue.read(trial.corpus, None)
    expected = loading.expected(corpus, trial.features, tmp_path)
    size = sum(
        loading.load(corpus, trial.features, tmp_path).of(i).nbytes for i in range(len(corpus.utterances))
    )
    assert expected.size == pytest.approx(size, rel=0.3)
    assert expected.seconds > 0
    assert loading.expected(corpus, trial.features, tmp_path) == loading.ExpectedFrames(0.0, 0)


def test_a_study_resolved_twice_is_the_same_study(config: Config) -> None:
    corpus = catalogue.read(config.corpus, None)
    once = trial_room.resolve(config, corpus)
    assert trial_room.resolve(once, corpus) == once
    assert os.path.isabs(once.features.model)
