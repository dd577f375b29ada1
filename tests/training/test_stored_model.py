"""Laws of a stored model: without its corpus it gives the same posteriors, and it says how it is used."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from raysernas.arms.members import MEMBERS
from raysernas.config.fault import Fault
from raysernas.features import normalisation, threads
from raysernas.record.genotype import draw, space
from raysernas.record.history import ignore
from raysernas.record.metrics import Evaluation
from raysernas.runtime import checkpoint_file
from raysernas.runtime.checkpointing import NoCheckpoint
from raysernas.training import scratch, stored_model
from raysernas.training.data import prepare
from raysernas.training.model import TrainedNetwork
from tests.support.small import design
from tests.test_trial import resolved

# what somebody else does with the file: no corpus, no study
USE = """
import sys, numpy, torch
from pathlib import Path
from raysernas.training import stored_model
torch.set_num_threads(1)
model = stored_model.load(Path(sys.argv[1]))
given = numpy.load(sys.argv[2])
frames = torch.from_numpy(given["frames"])
if model.moments is not None:
    mean, deviation = model.moments
    frames = (frames - mean) / deviation
with torch.no_grad():
    found = stored_model.restored(model)(frames, torch.from_numpy(given["true"])).softmax(dim=1)
numpy.save(sys.argv[3], found.numpy())
"""


def stored(path, arm: Any = "cnn_lstm_attention", normalised_by: Any = "train"):
    """A trial's network with fresh weights, in a file; its data and the network itself."""
    trial = resolved(arm)
    trial = replace(trial, features=replace(trial.features, normalisation=normalised_by))
    data = prepare(trial, None)
    genotype = draw(np.random.default_rng(0), space(trial.network)) if arm == "random" else None
    network = scratch.new_network(trial, data, design(arm), genotype, "network 0").eval()
    model = TrainedNetwork(network, 1, Evaluation(np.zeros((4, 4), np.int64)), [])
    stored_model.save(path, trial, data, design(arm), genotype, model)
    return trial, data, network


@pytest.mark.parametrize("arm", [pytest.param("random", marks=pytest.mark.slow), "cnn_lstm_attention"])
def test_a_fresh_process_without_the_corpus_gives_the_same_posteriors(tmp_path, arm):
    path = tmp_path / "model.pt"
    _, data, network = stored(path, arm)
    unscaled = replace(data.part("valid"), normalisation=normalisation.unscaled(data.size[1]))
    given, _ = next(unscaled.windows(4))
    np.savez(tmp_path / "given.npz", frames=given.features.numpy(), true=given.frames.numpy())
    names = [str(tmp_path / name) for name in ("model.pt", "given.npz", "found.npy")]
    subprocess.run([sys.executable, "-c", USE, *names], check=True)
    batch, _ = next(data.part("valid").windows(4))
    with torch.no_grad(), threads.one_thread():
        expected = network(batch.features, batch.frames).softmax(dim=1)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), expected.numpy())


def test_a_model_keeps_its_classes_its_settings_and_the_training_speakers_moments(tmp_path):
    trial, data, _ = stored(tmp_path / "model.pt", "random")
    model = stored_model.load(tmp_path / "model.pt")
    assert (model.classes, model.size) == (data.corpus.emotions, data.size)
    assert (model.features, model.network) == (trial.features, trial.network)
    assert (model.arm, model.precision) == ("random", "fp32")
    assert model.genotype == draw(np.random.default_rng(0), space(trial.network))
    assert model.moments is not None
    np.testing.assert_array_equal(model.moments[0], data.normalisation.mean[0])
    np.testing.assert_array_equal(model.moments[1], data.normalisation.deviation[0])
    written = checkpoint_file.load(tmp_path / "model.pt")
    assert written["input"] == {"frames": data.size[0], "width": data.size[1], "sample_rate_hz": 16_000}


@pytest.mark.parametrize("name", ["utterance", "speaker", "none"])
def test_a_model_names_its_normalisation_where_it_has_no_moments_of_its_own(tmp_path, name):
    stored(tmp_path / "model.pt", normalised_by=name)
    assert checkpoint_file.load(tmp_path / "model.pt")["moments"] == {"of": name}
    assert stored_model.load(tmp_path / "model.pt").moments is None


def test_the_majority_is_stored_but_is_no_network(tmp_path):
    trial = resolved("majority")
    data, path = prepare(trial, None), tmp_path / "model.pt"
    arm = MEMBERS["majority"]
    model = arm.fit(trial, data, None, "0", ignore, NoCheckpoint())
    stored_model.save(path, trial, data, arm.design, None, model)
    assert torch.equal(stored_model.weights(path)["shares"], model.state_dict()["shares"])
    with pytest.raises(Fault, match="trains no network"):
        stored_model.restored(stored_model.load(path))


def test_weights_of_an_earlier_version_are_read_but_are_no_model(tmp_path):
    path = tmp_path / "old.pt"
    checkpoint_file.save(path, {"output.bias": torch.ones(3)})
    assert stored_model.weights(path)["output.bias"].tolist() == [1, 1, 1]
    with pytest.raises(Fault, match="moments and classes are missing"):
        stored_model.load(path)


def test_a_file_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "new.pt"
    checkpoint_file.save(path, {"format": 2, "weights": {}})
    with pytest.raises(Fault, match="format 2"):
        stored_model.load(path)
