"""Laws of the linear baselines: they are scikit-learn's models, choose on validation speakers, and say what
they chose.
"""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from raysernas.arms import linear
from raysernas.arms.linear import CONSTANTS, Kind, LinearArm, LinearModel, fitted
from raysernas.arms.members import MEMBERS
from raysernas.config.schema import TrialConfig
from raysernas.features import loading, utterance_table
from raysernas.features.cache import in_memory
from raysernas.features.front_end import Clip
from raysernas.features.parts import Batch
from raysernas.record.history import ignore
from raysernas.record.metrics import Evaluation
from raysernas.runtime.checkpointing import NoCheckpoint
from raysernas.training import stored_model
from raysernas.training.data import Data, prepare
from raysernas.training.model import predict
from tests.support.small import altered
from tests.test_trial import TINY, resolved, run

OWN = dataclasses.replace(TINY, features=dataclasses.replace(TINY.features, functionals="own"))
ARMS: list[Kind] = ["svm", "logistic"]


def fit(trial: TrialConfig, data: Data) -> LinearModel:
    model = MEMBERS[trial.arm].fit(trial, data, None, "0", ignore, NoCheckpoint())
    assert isinstance(model, LinearModel)
    return model


def raw_rows(data: Data, indices: Sequence[int]) -> np.ndarray:
    assert data.functionals is not None
    return np.concatenate([data.functionals.rows.of(i) for i in indices])


def model_of(coefficients: np.ndarray, intercepts: np.ndarray) -> LinearModel:
    nothing = Evaluation(np.zeros((len(intercepts),) * 2, np.int64))
    return LinearModel(coefficients, intercepts, 0, {}, nothing)


def posteriors(model: LinearModel, rows: np.ndarray) -> np.ndarray:
    count, given = len(rows), torch.from_numpy(rows.astype(np.float32))
    return model.posteriors(
        Batch(torch.zeros(count, 1, 1), torch.ones(count, dtype=torch.long), torch.zeros(count).long(), given)
    )


@pytest.mark.parametrize("kind", ARMS)
@pytest.mark.parametrize("heard", [(0, 1, 2), (0, 2), (1,)])
def test_posteriors_are_those_of_scikit_learn_and_none_is_left_for_an_unheard_emotion(kind, heard):
    rng = np.random.default_rng(0)
    emotion = rng.choice(heard, 60).astype(np.int64)
    rows = (rng.standard_normal((60, 4)) + emotion[:, None]).astype(np.float32)
    found = posteriors(model_of(*fitted(kind, rows, emotion, 3, 0.1)[:2]), rows)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert not np.delete(found, heard, axis=1).any()
    if len(heard) == 1:
        return
    same = {"C": 0.1, "class_weight": "balanced", "random_state": 0}
    if kind == "logistic":
        known = LogisticRegression(**same).fit(rows.astype(float), emotion)
        np.testing.assert_allclose(found[:, heard], known.predict_proba(rows.astype(float)), atol=1e-6)
    else:
        known = LinearSVC(**same).fit(rows.astype(float), emotion)
        np.testing.assert_array_equal(found.argmax(axis=1), known.predict(rows.astype(float)))


def test_posteriors_of_an_utterance_do_not_depend_on_its_neighbours():
    rng = np.random.default_rng(0)
    model = model_of(rng.standard_normal((4, 300)), rng.standard_normal(4))
    rows = rng.standard_normal((9, 300))
    alone = np.concatenate([posteriors(model, rows[i : i + 1]) for i in range(9)])
    np.testing.assert_array_equal(alone, posteriors(model, rows))


def test_iterations_that_do_not_converge_are_told(monkeypatch):
    rng = np.random.default_rng(0)
    rows, emotion = rng.standard_normal((40, 30)), rng.integers(0, 3, 40)
    assert fitted("logistic", rows, emotion, 3, 1.0)[2]
    monkeypatch.setattr(linear, "ITERATIONS", 2)
    assert not fitted("logistic", rows, emotion, 3, 1.0)[2]


@pytest.mark.parametrize("config", [TINY, OWN], ids=["frames", "own"])
@pytest.mark.parametrize("arm", ARMS)
def test_the_constant_is_the_smallest_of_those_with_the_best_validation_ua(arm, config):
    trial = resolved(arm, config)
    data = prepare(trial, None)
    model, train, valid = fit(trial, data), data.part("train"), data.part("valid")
    assert data.functionals is not None
    rows = {part.role: data.functionals.of(part.indices) for part in (train, valid)}
    scores = []
    for constant in CONSTANTS:
        coefficients, intercepts, _ = fitted(arm, rows["train"], train.emotion, model.classes, constant)
        found = posteriors(model_of(coefficients, intercepts), rows["valid"]).argmax(axis=1)
        recalls = [np.mean(found[valid.emotion == each] == each) for each in np.unique(valid.emotion)]
        scores.append(np.mean(recalls))
    assert model.facts["constant"] == CONSTANTS[int(np.argmax(scores))]
    assert model.valid.ua == pytest.approx(max(scores))
    assert (model.facts["layer"], model.epoch) == ("", 0)


def test_of_layers_side_by_side_the_one_that_validates_best_is_chosen_and_the_others_have_no_weight(
    monkeypatch,
):
    trial = resolved("logistic")
    data = prepare(trial, None)
    rng, width, plain = np.random.default_rng(0), data.frames.width, fit(trial, data)

    def layered(clip: Clip) -> Clip:
        noise = rng.standard_normal(clip.values.shape).astype(np.float32)
        values = np.concatenate([noise, clip.values, noise], axis=1)
        return Clip(values, np.zeros(3 * width, np.float32), clip.true)

    frames = in_memory(layered(data.frames.clip(i)) for i in range(len(data.frames)))
    table = utterance_table.fitted(utterance_table.pooled(frames), data.part("train").indices)
    monkeypatch.setattr(Data, "layers", {"before": width, "own": width, "after": width})
    model = fit(trial, dataclasses.replace(data, functionals=table))
    assert model.facts["layer"] == "own"
    used = np.flatnonzero(model.coefficients.any(axis=0))
    expected = [*range(width, 2 * width), *range(4 * width, 5 * width)]
    assert set(used) <= set(expected)
    np.testing.assert_allclose(model.coefficients[:, expected], plain.coefficients, atol=1e-6)
    assert model.parameters == plain.parameters


@pytest.mark.parametrize("config", [TINY, OWN], ids=["frames", "own"])
@pytest.mark.parametrize("arm", ARMS)
def test_other_sound_of_the_test_speakers_changes_no_choice_of_a_linear_arm(arm, config, monkeypatch):
    trial = resolved(arm, config)
    data = prepare(trial, None)
    test, model = set(data.split.test), fit(trial, data)
    change = lambda i, values: values[::-1] * 3 - 30 if i in test else values  # noqa: E731
    for name in ("load", "functionals"):
        real = getattr(loading, name)
        monkeypatch.setattr(loading, name, lambda *given, real=real: altered(real(*given), change))
    other_data = prepare(trial, None)
    other = fit(trial, other_data)
    np.testing.assert_array_equal(other.coefficients, model.coefficients)
    np.testing.assert_array_equal(other.intercepts, model.intercepts)
    assert other.facts == model.facts
    assert other.valid.ua == model.valid.ua
    kept, moved = (
        predict(each, of.part("test")).posteriors for each, of in ((model, data), (other, other_data))
    )
    assert not np.array_equal(kept, moved)


def test_a_trial_records_what_was_chosen_and_its_model_can_be_used_without_the_corpus(tmp_path):
    trial = resolved("svm", OWN)
    rows, files = run(tmp_path, trial)
    assert (rows["status"] == "finished").all(), rows["reason"].tolist()
    assert set(rows["constant"]) <= set(CONSTANTS)
    assert set(rows["layer"]) == {""}
    assert json.loads(rows["unconverged"][0]) == []
    assert rows["features.functionals"].tolist() == ["own", "own"]
    assert rows["valid_ua"].nunique() == rows["test_ua"].nunique() == 1, "nothing in it is random"
    stored = stored_model.load(files.weights(0))
    data = prepare(trial, None)
    assert stored.functionals is not None
    mean, deviation = (each.numpy() for each in stored.functionals)
    tested = utterance_table.scaled(raw_rows(data, data.split.test), mean, deviation)
    coefficients, intercepts = (stored.weights[name].numpy() for name in ("coefficients", "intercepts"))
    guessed = (tested @ coefficients.T + intercepts).argmax(axis=1)
    test = data.part("test")
    recalls = [np.mean(guessed[test.emotion == each] == each) for each in np.unique(test.emotion)]
    assert np.mean(recalls) == pytest.approx(rows["test_ua"][0])


def test_a_linear_arm_trains_no_epochs():
    assert LinearArm("svm").epochs(resolved("svm")) == 0
