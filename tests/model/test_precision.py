"""Laws of `compute.precision`: bf16 is as near to fp32 as the plain operations get; fp32 changes nothing."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from raysernas.config.files import load
from raysernas.config.identity import digest, settings
from raysernas.config.schema import ComputeConfig, NetworkConfig, RetrainConfig, SearchConfig, TrialConfig
from raysernas.features.parts import Batch
from raysernas.model.network import Design, Network, build
from raysernas.record.genotype import draw, one_hot, space
from raysernas.search.alphas import new_alphas
from raysernas.search.curvature import alpha_curvature
from raysernas.search.darts import SearchResult, search
from raysernas.training.fit import fit
from tests.support.checkpoints import RecordingCheckpoint
from tests.support.faults import refusal
from tests.support.marks import slow_after
from tests.support.reference_cells import reference
from tests.support.searches import objective, softmax
from tests.support.small import design, noise_part

SUPERNETS: dict[str, tuple[str, NetworkConfig, tuple[int, int]]] = {
    "narrow": ("darts", NetworkConfig(channels=4), (40, 16)),
    "wide": ("darts", NetworkConfig(channels=16), (64, 24)),
    "odd": ("darts", NetworkConfig(channels=8, reduction_halves="time"), (37, 11)),
    "ordered": ("darts_ordered", NetworkConfig(cnn="ordered"), (40, 16)),
    "joint": ("darts_joint", NetworkConfig(recurrent="searched", hidden=8), (40, 16)),
}


def supernet(name: str) -> Network:
    """In training, without dropout, in fp32."""
    arm, config, size = SUPERNETS[name]
    torch.manual_seed(0)
    net = build(design(arm), config, size, 4).train()
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return net


def step(
    net: Network, name: str, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss, gradient of all alphas, gradient of all weights on a batch of noise."""
    _, config, (time, bands) = SUPERNETS[name]
    torch.manual_seed(1)
    features, frames = torch.randn(12, time, bands).to(dtype), torch.randint(time // 2, time + 1, (12,))
    alphas = new_alphas(space(config), torch.Generator().manual_seed(0))
    mixtures = {part: each.to(dtype) for part, each in softmax(SUPERNETS[name][1]).weights(alphas).items()}
    loss = functional.cross_entropy(net(features, frames, mixtures), torch.arange(12) % 4)
    loss.backward()
    to_alphas = torch.cat([value.grad.flatten() for value in alphas.values() if value.grad is not None])
    assert all(
        parameter.grad is None or parameter.grad.dtype == parameter.dtype for parameter in net.parameters()
    )
    to_weights = torch.cat(
        [parameter.grad.flatten() for parameter in net.parameters() if parameter.grad is not None]
    )
    return loss.detach(), to_alphas, to_weights


@pytest.mark.parametrize("name", slow_after(1, SUPERNETS))
def test_a_bf16_step_is_as_exact_as_the_plain_operations_under_autocast(name):
    exact, low, plain = supernet(name).double(), supernet(name), reference(supernet(name))
    low.precision = plain.precision = "bf16"
    loss, *gradients = step(exact, name, torch.float64)
    found, expected = step(low, name), step(plain, name)
    assert found[0].dtype == torch.float32
    assert abs(found[0] - loss) < 5e-3 * loss
    for one, other, truth in zip(found[1:], expected[1:], gradients, strict=True):
        scale = truth.norm()
        assert (one - truth).norm() < 2 * (other - truth).norm() + 0.02 * scale
    assert (found[2] - gradients[1]).norm() < 0.5 * gradients[1].norm()


@pytest.mark.parametrize("name", SUPERNETS)
def test_running_statistics_of_a_bf16_step_are_fp32_and_near_those_of_fp32(name):
    whole, low = supernet(name), supernet(name)
    low.precision = "bf16"
    step(whole, name)
    step(low, name)
    for one, other in zip(low.buffers(), whole.buffers(), strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("name", SUPERNETS)
def test_fp32_is_the_plain_call(name):
    net, twin = supernet(name), supernet(name)
    twin.forward = twin._logits  # pyright: ignore
    for one, other in zip(step(net, name), step(twin, name), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_the_curvature_is_measured_in_fp32_and_the_precision_restored():
    _, config, (time, bands) = SUPERNETS["ordered"]
    torch.manual_seed(1)
    batch = Batch(torch.randn(6, time, bands), torch.full((6,), time), torch.arange(6) % 4)
    found = []
    for precision in ("fp32", "bf16"):
        net, alphas = supernet("ordered"), new_alphas(space(config), torch.Generator().manual_seed(0))
        net.precision = precision
        found.append(alpha_curvature(objective(net, batch, softmax(config)), alphas))
        assert net.precision == precision
    assert found[0] == found[1]


def test_precision_is_part_of_the_identity_of_a_trial():
    low = TrialConfig(compute=ComputeConfig(precision="bf16"))
    assert settings(low)["compute.precision"] == "bf16"
    assert digest(low) != digest(TrialConfig())


@pytest.mark.parametrize("order", ["second_exact", "second_difference"])
def test_second_orders_are_refused_in_bf16(order):
    assert "does not work in bf16" in refusal(
        lambda: load(None, ["compute.precision=bf16", f"search.order={order}"])
    )


def test_a_tiny_trial_runs_in_bf16_and_gives_the_same_bits_twice():
    torch.manual_seed(0)
    config = NetworkConfig(channels=4, hidden=4, nodes=1)
    weights, alphas = noise_part("weights", 12), noise_part("alphas", 18, seed=1)
    size = weights.window, weights.frames.width

    def searched(checkpoint: RecordingCheckpoint) -> SearchResult:
        net = build(Design(front="cells"), config, size, 4, precision="bf16")
        short = SearchConfig(epochs=2, batch=4)
        return search(
            net, weights, alphas, short, space(config), seed=0, report=lambda _: None, checkpoint=checkpoint
        )

    whole = searched(first := RecordingCheckpoint())
    again = searched(RecordingCheckpoint(first.states[4]))
    assert again.history == whole.history
    for name, value in whole.state["network"].items():
        assert torch.equal(again.state["network"][name], value)
        assert value.dtype in (torch.float32, torch.int64)
    net = build(Design(front="cells"), config, size, 4, whole.genotype, precision="bf16")
    short = RetrainConfig(epochs=1, batch=4, masks=0)
    fitted = fit(
        net, noise_part("train", 12), noise_part("valid", 6, seed=2), short, seed=0, report=lambda _: None
    )
    assert fitted.history[0]["loss"] > 0


@pytest.mark.parametrize("name", ["narrow", "wide", "joint"])
def test_one_hot_mixing_weights_are_nearly_the_same_in_bf16(name):
    _, config, (time, bands) = SUPERNETS[name]
    parts = space(config)
    weights = {
        part: torch.from_numpy(each).float()
        for part, each in one_hot(draw(np.random.default_rng(0), parts), parts).items()
    }
    whole, low = supernet(name).eval(), supernet(name).eval()
    low.precision = "bf16"
    torch.manual_seed(1)
    features, frames = torch.randn(4, time, bands), torch.full((4,), time)
    with torch.no_grad():
        one, other = (net(features, frames, weights).softmax(dim=1) for net in (low, whole))
    torch.testing.assert_close(one, other, rtol=0, atol=2e-2)
