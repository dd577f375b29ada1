"""Laws of the search: the alpha gradient is the true one, each step moves only its own, test parts are refused."""

import copy

import pytest
import torch
from torch import nn

from raysernas.config import SearchConfig
from raysernas.corpora.features import Batch
from raysernas.learn import darts
from raysernas.learn.darts import Alphas, alpha_step, mixing, new_alphas, search, weight_step, weights_frozen
from raysernas.model.network import Network
from raysernas.record.genotype import KINDS, OPERATIONS, from_json, space
from tests.small import BANDS, CLASSES, NETWORK, WINDOW, network, noise_part

QUICK = SearchConfig(epochs=2, batch=4)


def smooth(net: Network) -> Network:
    """The same network without kinks: Softplus for ReLU, mean for maximum."""
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Softplus())
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    return net


def batch(count: int = 4) -> Batch:
    torch.manual_seed(3)
    features = torch.randn(count, WINDOW, BANDS, dtype=torch.float64)
    return Batch(features, torch.randint(2, WINDOW, (count,)), torch.arange(count) % CLASSES)


def test_first_order_alpha_gradient_is_the_central_difference():
    net = smooth(network("darts", chosen=False)).double()
    alphas: Alphas = {
        kind: value.detach().double().requires_grad_() for kind, value in new_alphas(space(NETWORK), torch.Generator()).items()
    }
    inputs, loss_of, eps = batch(), nn.CrossEntropyLoss(), 1e-5

    def loss() -> torch.Tensor:
        with weights_frozen(net):
            return loss_of(net(inputs.features, inputs.frames, mixing(alphas)), inputs.emotion)

    gradients = dict(zip(KINDS, torch.autograd.grad(loss(), list(alphas.values())), strict=True))
    for kind in KINDS:
        for edge, operation in [(0, 1), (1, 4), (2, 6), (4, 0), (3, 7)]:
            with torch.no_grad():
                alphas[kind][edge, operation] += eps
                above = loss().item()
                alphas[kind][edge, operation] -= 2 * eps
                below = loss().item()
                alphas[kind][edge, operation] += eps
            assert gradients[kind][edge, operation].item() == pytest.approx((above - below) / (2 * eps), abs=1e-8, rel=1e-5)


def test_freezing_the_weights_leaves_the_alpha_gradient_bit_equal():
    net, alphas, inputs = network("darts", chosen=False).double(), new_alphas(space(NETWORK), torch.Generator()), batch()
    loss_of = nn.CrossEntropyLoss()
    free = torch.autograd.grad(loss_of(net(inputs.features, inputs.frames, mixing(alphas)), inputs.emotion), list(alphas.values()))
    with weights_frozen(net):
        loss = loss_of(net(inputs.features, inputs.frames, mixing(alphas)), inputs.emotion)
    frozen = torch.autograd.grad(loss, list(alphas.values()))
    assert all(torch.equal(a, b) for a, b in zip(free, frozen, strict=True))


def test_the_alpha_step_changes_no_weight_no_weight_gradient_and_no_buffer():
    net, alphas = network("darts", chosen=False).double(), new_alphas(space(NETWORK), torch.Generator())
    inputs, loss_of = batch(), nn.CrossEntropyLoss()
    sgd, adam = torch.optim.SGD(net.parameters(), lr=0.1), torch.optim.Adam(alphas.values(), lr=0.1)
    weight_step(net, alphas, inputs, loss_of, sgd, 5.0)  # so that there are gradients and statistics to change
    state = copy.deepcopy(net.state_dict())
    gradients = {name: parameter.grad.clone() for name, parameter in net.named_parameters() if parameter.grad is not None}
    before = {kind: value.detach().clone() for kind, value in alphas.items()}
    alpha_step(net, alphas, inputs, loss_of, adam)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert gradients.keys() == {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    kept = {name: parameter.grad for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert all(torch.equal(kept[name], gradient) for name, gradient in gradients.items())
    assert all(not torch.equal(alphas[kind], before[kind]) for kind in KINDS), "the alphas themselves move"
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_the_weight_step_changes_no_alpha():
    net, alphas = network("darts", chosen=False).double(), new_alphas(space(NETWORK), torch.Generator())
    before = {kind: value.detach().clone() for kind, value in alphas.items()}
    weight_step(net, alphas, batch(), nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=0.1), 5.0)
    assert all(torch.equal(alphas[kind], before[kind]) and alphas[kind].grad is None for kind in KINDS)


def test_search_refuses_a_test_part_in_either_place():
    for weights, alphas in (("test", "alphas"), ("weights", "test"), ("weights", "valid"), ("alphas", "weights")):
        with pytest.raises(ValueError, match=r"training: a part with the role"):
            search(
                network("darts", chosen=False), noise_part(weights), noise_part(alphas), QUICK, space(NETWORK), seed=0, report=lambda _: None
            )  # fmt: skip


def test_a_search_reports_every_epoch_and_its_last_genotype_is_its_result():
    seen = []
    found = search(
        network("darts", chosen=False), noise_part("weights"), noise_part("alphas", seed=1), QUICK, space(NETWORK), seed=0, report=seen.append
    )  # fmt: skip
    assert [entry["epoch"] for entry in seen] == [1, 2]
    assert from_json(seen[-1]["genotype"]) == found.genotype
    assert 0 < found.entropy <= 1
    assert seen[-1]["entropy"] == found.entropy
    mixtures = torch.tensor(seen[-1]["mixing"]["normal"])
    assert mixtures.shape == (5, len(OPERATIONS))
    torch.testing.assert_close(mixtures.sum(1), torch.ones(5))


def test_alphas_leave_uniform_when_their_learning_rate_lets_them():
    fast = SearchConfig(epochs=6, batch=4, alphas_lr=0.3, alphas_decay=0.0)
    net = network("darts", chosen=False, config=NETWORK)
    found = search(
        net, noise_part("weights", 24), noise_part("alphas", 24, seed=1), fast, space(NETWORK), seed=0, report=lambda _: None
    )
    assert found.history[0]["entropy"] > found.entropy
    assert found.entropy < 0.9


def test_both_halves_are_seen_whole_and_alphas_move_before_weights(monkeypatch):
    steps = []
    for name in ("alpha_step", "weight_step"):
        step = getattr(darts, name)
        monkeypatch.setattr(
            darts, name, lambda *arguments, name=name, step=step: (steps.append((name, arguments[2].features)), step(*arguments))[1]
        )
    weights, alphas = noise_part("weights", 12, longest=1), noise_part("alphas", 12, seed=1, longest=1)
    search(network("darts", chosen=False), weights, alphas, QUICK, space(NETWORK), seed=0, report=lambda _: None)
    assert [name for name, _ in steps[:4]] == ["alpha_step", "weight_step"] * 2
    for name in ("alpha_step", "weight_step"):
        epoch = torch.cat([features for step, features in steps if step == name][:3])
        assert len({tuple(clip.flatten().tolist()) for clip in epoch}) == 12, f"{name} sees every utterance in an epoch"
