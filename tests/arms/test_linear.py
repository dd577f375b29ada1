"""Laws of the linear arms: scikit-learn's models, whose layer and constant the validation speakers choose."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from raysernas.arms.linear import Examples, LinearArm, LinearModel, described
from raysernas.arms.members import MEMBERS
from raysernas.features import loading
from raysernas.features.cache import FrameStore, in_memory
from raysernas.features.front_end import Clip
from raysernas.features.parts import Batch, Part, Role
from raysernas.record.history import ignore
from raysernas.runtime.checkpointing import NoCheckpoint
from raysernas.training.data import Data, prepare
from raysernas.training.evaluation import evaluate
from tests.support.small import BANDS, CLASSES, WINDOW, noise_part
from tests.test_trial import TINY, resolved, run

NAMES = ["svm", "logistic"]


class Parts(Data):
    """Data of two parts of noise; of several layers where `layers` says so."""

    def __init__(self, layers: dict[str, int] | None = None, **parts: Part) -> None:
        emotions = SimpleNamespace(emotions=[str(number) for number in range(CLASSES)])
        object.__setattr__(self, "corpus", emotions)
        self.__dict__.update(parts=parts, widths=layers or {})

    def part(self, role: Role) -> Part:
        return self.__dict__["parts"][role]

    @property
    def layers(self) -> dict[str, int]:
        return self.__dict__["widths"]

    @property
    def size(self) -> tuple[int, int]:
        return WINDOW, BANDS


def fit(arm: str, data: Any) -> LinearModel:
    model = MEMBERS[arm].fit(resolved(arm), data, None, "0", ignore, NoCheckpoint())
    assert isinstance(model, LinearModel)
    return model


@pytest.fixture(scope="module")
def data() -> Parts:
    return Parts(train=noise_part("train", 40), valid=noise_part("valid", 20, seed=1))


def test_a_window_is_described_by_mean_and_deviation_of_its_true_frames() -> None:
    torch.manual_seed(0)
    features, frames = torch.randn(3, 7, 5), torch.tensor([7, 4, 1])
    found = described(Batch(features, frames, torch.zeros(3, dtype=torch.long)))
    for row, true, window in zip(found.numpy(), frames, features.double().numpy(), strict=True):
        np.testing.assert_allclose(row[:, 0], window[:true].mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(row[:, 1], window[:true].std(axis=0), atol=1e-7)


def test_logistic_is_the_regression_of_scikit_learn_on_standardised_windows(data: Parts) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    model, train, valid = fit("logistic", data), *map(Examples.of, (data.part("train"), data.part("valid")))
    scaler = StandardScaler().fit(train.numbers.flatten(1).numpy())
    plain = LogisticRegression(C=model.choice.C, class_weight="balanced", max_iter=5000)
    plain.fit(scaler.transform(train.numbers.flatten(1).numpy()), train.emotion, train.shares)
    expected = plain.predict_proba(scaler.transform(valid.numbers.flatten(1).numpy()))
    found = np.concatenate([model.posteriors(batch) for batch, _ in data.part("valid").windows(7)])
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("arm", NAMES)
def test_posteriors_sum_to_one_and_the_scores_are_those_of_every_other_arm(arm: str, data: Parts) -> None:
    model = fit(arm, data)
    scored = evaluate(model.posteriors, data.part("valid"), CLASSES)
    np.testing.assert_allclose(scored.posteriors.sum(axis=1), 1)
    assert np.array_equal(model.valid.confusion, scored.evaluation.confusion)
    assert np.array_equal(Examples.of(data.part("valid")).scores(model).confusion, model.valid.confusion)
    assert model.valid.ua > 0.8, "the classes of this noise are audible"
    assert model.choices["converged"]


@pytest.mark.parametrize("arm", NAMES)
def test_the_constant_is_the_smallest_of_those_that_validate_best(arm: str, data: Parts) -> None:
    found: dict[float, float] = {}
    member = MEMBERS[arm]
    assert isinstance(member, LinearArm)
    for constant in member.constants:
        alone = type(member)()
        alone.constants = (constant,)
        model = alone.fit(resolved(arm), data, None, "0", ignore, NoCheckpoint())  # pyright: ignore
        found[constant] = model.valid.ua
    best = max(found.values())
    assert min(constant for constant, ua in found.items() if ua == best) == fit(arm, data).choice.C


@pytest.mark.parametrize("arm", NAMES)
def test_the_layer_that_tells_the_emotion_is_found(arm: str) -> None:
    """The first layer is noise, the second tells the class."""

    def part(role: str, seed: int) -> Part:
        rng, plain = np.random.default_rng(seed), noise_part(role, 40, seed)
        clips = []
        for i, emotion in enumerate(plain.emotion):
            values = rng.standard_normal((len(plain.frames.of(i)), BANDS)).astype(np.float32)
            values[:, 5 + emotion] += 2
            clips.append(Clip(values, np.zeros(BANDS, np.float32), len(values)))
        return dataclasses.replace(plain, frames=in_memory(clips))

    model = fit(arm, Parts({"noise": 5, "voice": 3}, train=part("train", 0), valid=part("valid", 1)))
    assert model.choices["layer"] == "voice"
    assert model.columns == slice(5, 8)
    assert model.weights.shape == (CLASSES, 6)


@pytest.mark.parametrize("arm", NAMES)
@pytest.mark.parametrize("known", [(0, 1), (0, 2), (2,)])
def test_an_emotion_that_nobody_trained_on_has_no_chance(
    arm: str, known: tuple[int, ...], data: Parts
) -> None:
    train = data.part("train")
    kept = [i for i, emotion in enumerate(train.emotion) if emotion in known]
    fewer = dataclasses.replace(
        train, indices=tuple(train.indices[i] for i in kept), emotion=train.emotion[kept]
    )
    parts = Parts(train=fewer, valid=data.part("valid"))
    if len(known) == 1:
        with pytest.raises(ValueError, match="class"):
            fit(arm, parts)
        return
    batch, _ = next(data.part("valid").windows(20))
    posteriors = fit(arm, parts).posteriors(batch)
    missing = ({0, 1, 2} - set(known)).pop()
    assert not posteriors[:, missing].any()
    assert (posteriors[:, list(known)] > 0).all()
    told = posteriors[:, list(known)].argmax(axis=1)
    audible = [known.index(each) for each in batch.emotion.tolist() if each in known]
    heard = [each for each, emotion in zip(told, batch.emotion.tolist(), strict=True) if emotion in known]
    assert np.mean(np.equal(audible, heard)) > 0.8


def test_every_utterance_counts_the_same_however_many_windows_it_has(data: Parts) -> None:
    examples = Examples.of(data.part("train"))
    assert np.bincount(examples.owners).max() > 1
    np.testing.assert_allclose(np.bincount(examples.owners, examples.shares), 1)


@pytest.mark.parametrize("arm", NAMES)
def test_a_trial_records_what_was_chosen_and_repeats_bit_for_bit(arm: str, tmp_path: Path) -> None:
    one, files = run(tmp_path, resolved(arm), "one")
    _, again = run(tmp_path, resolved(arm), "two")
    choices = json.loads(one["choices"].iloc[0])
    assert choices["C"] in MEMBERS[arm].constants  # pyright: ignore[reportAttributeAccessIssue]
    assert one["status"].tolist() == ["finished"] * 2
    assert files.predictions.read_bytes() == again.predictions.read_bytes()


def test_the_validation_speakers_join_the_training_with_the_constant_that_they_chose(tmp_path: Path) -> None:
    both = dataclasses.replace(TINY, retrain=dataclasses.replace(TINY.retrain, on="all_but_test"))
    trial = resolved("logistic", both)
    data = prepare(trial, None)
    arm = MEMBERS["logistic"]
    chosen = arm.fit(trial, data, None, "0", ignore, NoCheckpoint())
    anew = arm.refit(trial, data, None, "0", chosen, ignore, NoCheckpoint())
    assert isinstance(chosen, LinearModel)
    assert isinstance(anew, LinearModel)
    assert (anew.choice.C, anew.columns) == (chosen.choice.C, chosen.columns)
    assert not torch.equal(anew.weights, chosen.weights)
    assert anew.valid is chosen.valid


@pytest.mark.parametrize("arm", NAMES)
def test_other_sound_of_the_test_speakers_changes_no_choice(
    arm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = resolved(arm)
    rows, files = run(tmp_path, trial, "one")
    tested, load = set(prepare(trial, None).split.test), loading.load

    def other(*arguments: Any) -> FrameStore:
        frames = load(*arguments)
        clips = [frames.clip(i) for i in range(len(frames))]
        return in_memory(
            dataclasses.replace(clip, values=clip.values[::-1] - 30) if i in tested else clip
            for i, clip in enumerate(clips)
        )

    monkeypatch.setattr(loading, "load", other)
    others, changed = run(tmp_path, trial, "other")
    assert rows[["choices", "valid_confusion"]].equals(others[["choices", "valid_confusion"]])
    assert files.predictions.read_bytes() != changed.predictions.read_bytes()


def test_the_number_of_threads_moves_no_bit(data: Parts) -> None:
    from threadpoolctl import threadpool_limits

    models = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            models.append(fit("logistic", data))
    assert torch.equal(models[0].weights, models[1].weights)
