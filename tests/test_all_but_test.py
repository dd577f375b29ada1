"""Laws of `retrain.on=all_but_test`: what chooses is untouched, the tested model is another one, and every
table says so.
"""

import json
import time

import numpy as np
import pandas as pd
import pytest
import torch

import raysernas.estimate
from raysernas.arms.floors import MajorityArm
from raysernas.config.fault import Fault
from raysernas.config.files import assign, load
from raysernas.config.identity import digest, settings
from raysernas.corpora import catalogue
from raysernas.corpora.folds import splits
from raysernas.estimate import TrainingTimes, estimate
from raysernas.features import loading
from raysernas.record import soundness
from raysernas.record.files import TrialFiles
from raysernas.record.protocol import marks
from raysernas.training import stored_model
from raysernas.training.data import prepare
from tests.support.small import altered
from tests.test_trial import TINY, resolved, run

REFIT = assign(TINY, {"retrain.on": "all_but_test"})


@pytest.fixture(scope="module")
def refitted(tmp_path_factory) -> tuple[pd.DataFrame, TrialFiles]:
    return run(tmp_path_factory.mktemp("refitted"), resolved("cnn", REFIT))


def lines(files: TrialFiles) -> list[dict]:
    return [json.loads(line) for line in files.history.read_text().splitlines()]


def test_choices_and_validation_scores_are_those_of_the_first_training(refitted, tmp_path):
    (rows, files), (before, plain) = refitted, run(tmp_path, resolved("cnn"))
    chosen = [
        name for name in rows if str(name).startswith(("valid_", "epoch", "retrain_seed", "ensemble_valid"))
    ]
    assert {"valid_ua", "valid_confusion", "epoch"} <= set(chosen)
    pd.testing.assert_frame_equal(rows[chosen], before[chosen])
    assert [line for line in lines(files) if line["stage"] == "retrain"] == lines(plain)
    for seed, epoch in rows[["retrain_seed", "epoch"]].itertuples(index=False):
        anew = [line for line in lines(files) if (line["stage"], line.get("retrain_seed")) == ("refit", seed)]
        assert [line["epoch"] for line in anew] == list(range(1, epoch + 1))
        assert not any(name.startswith("valid") for line in anew for name in line)
        one, other = (stored_model.weights(each.weights(seed)) for each in (files, plain))
        assert any(not torch.equal(value, other[name]) for name, value in one.items())
    posteriors = [pd.read_parquet(each.predictions).filter(like="p_") for each in (files, plain)]
    assert not posteriors[0].equals(posteriors[1])


def test_other_sound_of_the_test_speakers_changes_no_choice_and_no_weight(refitted, tmp_path, monkeypatch):
    (rows, files), trial, read = refitted, resolved("cnn", REFIT), loading.load
    tested = set(prepare(trial, None).split.test)
    monkeypatch.setattr(
        loading,
        "load",
        lambda *given: altered(read(*given), lambda i, of: of[::-1] - 30 if i in tested else of),
    )
    others, changed = run(tmp_path, trial)
    for column in ("epoch", "valid_ua", "valid_confusion"):
        assert rows[column].tolist() == others[column].tolist()
    assert files.history.read_bytes() == changed.history.read_bytes()
    for seed in trial.retrain.seeds:
        one, other = (torch.load(each.weights(seed), weights_only=True) for each in (files, changed))
        assert all(torch.equal(value, other["weights"][name]) for name, value in one["weights"].items())
        assert all(
            torch.equal(one["moments"][name], other["moments"][name]) for name in ("mean", "deviation")
        )


def test_the_stored_model_has_the_moments_that_its_test_was_scaled_by(refitted):
    data = prepare(resolved("cnn", REFIT), None)
    mean, deviation = stored_model.load(refitted[1].weights(0)).moments or (None, None)
    test = data.part("test").normalisation
    np.testing.assert_array_equal(mean, test.mean[0])
    np.testing.assert_array_equal(deviation, test.deviation[0])
    assert not np.array_equal(test.mean, data.normalisation.mean)


def test_the_setting_belongs_to_the_identity_of_every_arm_and_its_default_to_none():
    for arm in ("darts", "cnn", "majority"):
        assert "retrain.on" not in settings(resolved(arm))
        assert settings(resolved(arm, REFIT))["retrain.on"] == "all_but_test"
        assert digest(resolved(arm)) != digest(resolved(arm, REFIT))


def test_the_overlap_of_folds_counts_the_validation_speakers_as_trained_on(refitted, tmp_path):
    for rows, more in ((refitted[0], 1), (run(tmp_path, resolved("cnn"))[0], 0)):
        known = soundness.known(rows)
        counted = rows["n_weights"] + rows["n_alphas"] + more * rows["n_valid"]
        assert known["n_train"].tolist() == counted.tolist()


def test_the_second_training_is_paid_for_like_the_first(tmp_path, monkeypatch):
    refit = MajorityArm.refit
    monkeypatch.setattr(MajorityArm, "refit", lambda *given: (time.sleep(0.2), refit(*given))[1])
    rows, _ = run(tmp_path, resolved("majority", REFIT))
    assert (rows["retrain_s"] >= 0.2).all()


def test_the_estimate_counts_the_epochs_of_both_trainings(monkeypatch):
    """With a clock on which a step takes 1 s and an evaluation none."""
    monkeypatch.setattr(raysernas.estimate, "training_times", lambda *_: TrainingTimes(step_s=1))
    corpus, seconds = catalogue.read(TINY.corpus, None), []
    for config in (TINY, REFIT):
        trial = resolved("cnn", config)
        seconds.append(estimate(trial, corpus).seconds)
    split = splits.split(corpus, trial.corpus, 0, 0)
    more = -(-(len(split.weights) + len(split.alphas) + len(split.valid)) // trial.retrain.batch)
    assert seconds[1] - seconds[0] == len(trial.retrain.seeds) * trial.retrain.epochs * more


def test_it_is_marked_and_no_candidate_can_be_chosen_by_it():
    assert marks(TINY) == {}
    assert marks(REFIT) == {
        "all but test": "the tested model was trained on the validation speakers too, for as many epochs as "
        "they chose"
    }
    with pytest.raises(Fault, match=r"study.space names retrain.on"):
        load(None, ["study.space={retrain.on: {choices: [train, all_but_test]}}", "study.candidates=2"])
