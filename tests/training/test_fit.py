"""Laws of training: test parts are refused, nothing is dropped or averaged over batches, the best validation
epoch is kept.
"""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from raysernas.config.schema import RetrainConfig
from raysernas.training.evaluation import require
from raysernas.training.fit import fit
from raysernas.training.losses import DivergedError, class_weights
from raysernas.training.state import _warm_cosine
from tests.support.small import CLASSES, network, noise_part, scores

QUICK = RetrainConfig(epochs=4, batch=5, masks=1, mask_frames=4, mask_bands=2)


def test_fit_refuses_a_test_part_in_either_place():
    for train, valid in (("test", "valid"), ("train", "test"), ("valid", "valid"), ("train", "train")):
        with pytest.raises(ValueError, match=r"training: a part with the role"):
            fit(network("cnn"), noise_part(train), noise_part(valid), QUICK, seed=0, report=lambda _: None)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_every_utterance_is_evaluated_once_whatever_the_batch_size(batch):
    part, net = noise_part("test", 11, longest=50), network("cnn_lstm_attention").double()
    found = scores(_float_input(net), part, batch)
    assert found.posteriors.shape == (11, CLASSES)
    np.testing.assert_allclose(found.posteriors.sum(axis=1), 1)
    assert found.evaluation.total == 11
    np.testing.assert_allclose(found.posteriors, scores(_float_input(net), part, 64).posteriors, atol=1e-12)


def _float_input(net):
    """A float64 network that takes float32 batches."""
    net.register_forward_pre_hook(lambda _, args: (args[0].double(), *args[1:]))
    return net


def test_the_posterior_of_a_long_utterance_is_the_mean_over_its_windows():
    part, net = noise_part("valid", 6, longest=60), network("cnn").eval()
    found = scores(net, part)
    for i in range(len(part)):
        windows = [batch for batch, owners in part.windows(1) if owners[0] == i]
        with torch.no_grad():
            each = [net(batch.features, batch.frames).softmax(1)[0].double().numpy() for batch in windows]
        np.testing.assert_allclose(found.posteriors[i], np.mean(each, axis=0), atol=1e-6)


def test_fit_keeps_the_epoch_with_the_best_validation_ua_the_earlier_on_a_tie():
    net = network("cnn")
    valid = noise_part("valid", 12, seed=1)
    seen = []
    fitted = fit(net, noise_part("train", 24), valid, QUICK, seed=0, report=seen.append)
    ua = [entry["valid_ua"] for entry in fitted.history]
    assert fitted.epoch == 1 + int(np.argmax(ua))
    assert scores(net, valid).evaluation.ua == fitted.valid.ua == max(ua)
    confusions = [entry.pop("confusion") for entry in seen]
    assert seen == fitted.history
    assert confusions[fitted.epoch - 1] == fitted.valid.confusion.tolist()


def test_fit_learns_what_can_be_learnt():
    fitted = fit(
        network("cnn"),
        noise_part("train", 60),
        noise_part("valid", 30, seed=1),
        dataclasses.replace(QUICK, epochs=15, lr=1e-2),
        seed=0,
        report=lambda _: None,
    )
    assert fitted.valid.ua > 0.6


def test_a_loss_that_is_not_a_number_ends_the_training():
    net = network("cnn")
    with torch.no_grad():
        net.output.bias.fill_(float("nan"))
    with pytest.raises(DivergedError, match="the loss became nan"):
        fit(net, noise_part("train"), noise_part("valid"), QUICK, seed=0, report=lambda _: None)


def test_class_weights_are_inverse_frequencies_and_one_on_average():
    part = dataclasses.replace(noise_part("train", 6), emotion=np.array([0, 0, 0, 0, 1, 1]))
    weights = class_weights(part, 3).numpy()
    np.testing.assert_allclose(weights, [6 / 8, 6 / 4, 0])
    assert weights[part.emotion].mean() == pytest.approx(1)


def test_the_learning_rate_rises_then_falls_to_nothing():
    rates = [_warm_cosine(step, 100) for step in range(100)]
    assert rates[9] == rates[10] == max(rates) == 1
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


def test_require_names_the_role_and_what_belongs_there():
    with pytest.raises(
        ValueError, match=r"training: a part with the role 'test' was given where weights or alphas belongs"
    ):
        require(noise_part("test"), "weights", "alphas")


def test_drop_path_rises_evenly_to_its_maximum():
    net, seen = network("random", seed=4), []
    config = dataclasses.replace(QUICK, batch=12, drop_path=0.4)
    fit(
        net,
        noise_part("train"),
        noise_part("valid"),
        config,
        seed=0,
        report=lambda _: seen.append(net.front.drop_path),
    )
    assert seen == pytest.approx([0.1, 0.2, 0.3, 0.4])


REGULARISERS = [
    {"masks": 0},
    {"drop_path": 0.5},
    {"label_smoothing": 0.3},
    {"clip": 1e-3},
    {"weight_decay": 0.5},
    {"mixup": 0.5},
]


def test_every_regulariser_takes_part_in_the_training():
    losses = []
    for change in ({}, *REGULARISERS):
        config = dataclasses.replace(QUICK, **{"epochs": 2, **change})
        net = network("random", seed=4)
        fitted = fit(
            net, noise_part("train"), noise_part("valid", seed=1), config, seed=0, report=lambda _: None
        )
        losses.append(fitted.history[-1]["loss"])
    assert len(set(losses)) == len(losses)


def test_rare_classes_weigh_more_in_the_training():
    part = noise_part("train", 12)
    rare = dataclasses.replace(part, emotion=np.array([0] * 10 + [1, 2]))
    seen = []
    net = network("cnn", seed=4)
    net.output.register_full_backward_hook(lambda _, __, gradient: seen.append(gradient[0]))
    fit(
        net,
        rare,
        noise_part("valid"),
        dataclasses.replace(QUICK, epochs=1, batch=12),
        seed=0,
        report=lambda _: None,
    )
    by_row = seen[0].abs().sum(dim=1).sort().values
    assert by_row[-1] > 3 * by_row[0], "an utterance of a rare class pulls harder"


def test_posteriors_that_are_no_numbers_end_the_training():
    net = network("cnn")
    with torch.no_grad():
        net.output.weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match="posteriors that are not finite"):
        scores(net, noise_part("valid"))


def test_what_is_kept_is_the_moving_average_of_the_weights_and_norms_if_that_is_asked():
    net, valid = network("cnn", seed=4), noise_part("valid", 12, seed=1)
    seen = []
    net.register_forward_hook(
        lambda *_: seen.append(copy.deepcopy(net.state_dict())) if net.training else None
    )
    config = dataclasses.replace(QUICK, epochs=1, average=0.6)
    fitted = fit(net, noise_part("train", 15), valid, config, seed=0, report=lambda _: None)
    plain = network("cnn", seed=4)
    fit(
        plain,
        noise_part("train", 15),
        valid,
        dataclasses.replace(config, average=0.0),
        seed=0,
        report=lambda _: None,
    )
    # the hook sees the weights before each of 3 steps; those after the first two are seen before the next
    after = [state["output.weight"] for state in (*seen[1:], plain.state_dict())]
    expected = 0.6 * (0.6 * after[0] + 0.4 * after[1]) + 0.4 * after[2]
    torch.testing.assert_close(net.output.weight.detach(), expected)
    assert scores(net, valid).evaluation.ua == fitted.valid.ua
    norms = [name for name in net.state_dict() if name.endswith("running_var")]
    assert norms
    assert all(not torch.equal(net.state_dict()[name], plain.state_dict()[name]) for name in norms)
