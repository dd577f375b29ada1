"""Laws of `compute.precision`: bf16 is near fp32, as near as the plain operations get, and fp32 is the plain call."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from raysernas.config import ComputeConfig, NetworkConfig, TrialConfig, digest, settings
from raysernas.learn.curvature import alpha_curvature
from raysernas.learn.mixture import mixing, new_alphas
from raysernas.model.network import Network, build
from raysernas.record.genotype import space
from tests.faults import refusal
from tests.reference_cells import reference

SUPERNETS = {
    "narrow": ("darts", NetworkConfig(channels=4), (40, 16)),
    "wide": ("darts", NetworkConfig(channels=16, nodes=3), (64, 24)),
    "odd": ("darts", NetworkConfig(channels=8, reduction_halves="time"), (37, 11)),
    "ordered": ("darts_ordered", NetworkConfig(cnn="ordered"), (40, 16)),
    "joint": ("darts_joint", NetworkConfig(recurrent="searched", hidden=8), (40, 16)),
}


def supernet(name: str) -> Network:
    """In training, without dropout, in fp32."""
    arm, config, size = SUPERNETS[name]
    torch.manual_seed(0)
    net = build(arm, config, size, 4).train()
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return net


def step(net: Network, name: str, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss, gradient of all alphas, gradient of all weights on a batch of noise."""
    _, config, (time, bands) = SUPERNETS[name]
    torch.manual_seed(1)
    features, frames = torch.randn(12, time, bands).to(dtype), torch.randint(time // 2, time + 1, (12,))
    alphas = new_alphas(space(config), torch.Generator().manual_seed(0))
    mixtures = {part: each.to(dtype) for part, each in mixing(alphas).items()}
    loss = functional.cross_entropy(net(features, frames, mixtures), torch.arange(12) % 4)
    loss.backward()
    to_alphas = torch.cat([value.grad.flatten() for value in alphas.values() if value.grad is not None])
    assert all(parameter.grad is None or parameter.grad.dtype == parameter.dtype for parameter in net.parameters())
    to_weights = torch.cat([parameter.grad.flatten() for parameter in net.parameters() if parameter.grad is not None])
    return loss.detach(), to_alphas, to_weights


@pytest.mark.parametrize("name", SUPERNETS)
def test_a_bf16_step_is_as_near_to_the_exact_one_as_the_plain_operations_under_autocast(name):
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


def test_the_curvature_is_measured_in_fp32_and_the_precision_put_back():
    from raysernas.corpora.features import Batch

    _, config, (time, bands) = SUPERNETS["narrow"]
    torch.manual_seed(1)
    batch = Batch(torch.randn(6, time, bands), torch.full((6,), time), torch.arange(6) % 4)
    found = []
    for precision in ("fp32", "bf16"):
        net, alphas = supernet("narrow"), new_alphas(space(config), torch.Generator().manual_seed(0))
        net.precision = precision
        found.append(alpha_curvature(net, alphas, batch, nn.CrossEntropyLoss()))
        assert net.precision == precision
    assert found[0] == found[1]


def test_precision_is_part_of_the_identity_of_a_trial():
    low = TrialConfig(compute=ComputeConfig(precision="bf16"))
    assert settings(low)["compute.precision"] == "bf16"
    assert digest(low) != digest(TrialConfig())


@pytest.mark.parametrize("order", ["second_exact", "second_difference"])
def test_second_orders_are_refused_in_bf16(order):
    from raysernas.config_file import load

    assert "is not to be had in bf16" in refusal(lambda: load(None, ["compute.precision=bf16", f"search.order={order}"]))
