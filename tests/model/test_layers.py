"""Laws of the layers of a frame: which ones are read, and convolutions over time alone."""

import dataclasses

import pytest
import torch
from torch import nn

from raysernas.config.fault import Fault
from raysernas.model.layers import Layers, without_bands
from raysernas.model.network import build
from raysernas.model.recurrent import TIME_POOLING, true_steps
from tests.support.small import BANDS, CLASSES, LAYERS, NETWORK, WINDOW, design, network


def test_a_named_layer_is_the_only_one_that_is_read():
    torch.manual_seed(0)
    frames = torch.randn(2, 4, BANDS, requires_grad=True)
    Layers(LAYERS, 3, "layer_1")(frames, None).square().sum().backward()
    assert frames.grad is not None
    assert (frames.grad[:, :, 5:7] != 0).all()
    assert not frames.grad[:, :, :5].any()
    assert not frames.grad[:, :, 7:].any()


def test_a_trained_mixture_begins_as_the_mean_and_leaves_it_for_the_layer_that_helps():
    """Layer 1 is the target, the others are noise; the learning rate is that of every retraining."""
    torch.manual_seed(0)
    layers = Layers({"a": 2, "b": 2, "c": 2}, 2, "mix")
    assert layers.shares is not None
    begun = torch.stack([project(torch.ones(1, 1, 2)) for project in layers.projections]).mean(0)
    torch.testing.assert_close(layers(torch.ones(1, 1, 6), None)[0, :, :, 0].T, begun[0])
    optimizer = torch.optim.AdamW(layers.parameters(), 2e-3)
    for _ in range(100):
        frames = torch.randn(16, 5, 6)
        target = nn.functional.layer_norm(frames[:, :, 2:4], (2,)).permute(0, 2, 1)[..., None]
        optimizer.zero_grad()
        (layers(frames, None) - target).square().mean().backward()
        optimizer.step()
    assert (30 * layers.shares).softmax(0).argmax() == 1
    assert (30 * layers.shares).softmax(0).max() > 0.6


def test_a_layer_that_the_front_end_lacks_is_refused():
    with pytest.raises(Fault, match=r"no such layer[\s\S]*layer_9[\s\S]*mix, layer_0, layer_1, layer_2"):
        build(design("cnn"), dataclasses.replace(NETWORK, layer="layer_9"), (WINDOW, BANDS), 3, layers=LAYERS)


def test_a_kernel_over_time_is_the_middle_column_of_a_square_one_on_a_single_band():
    torch.manual_seed(0)
    square = nn.Conv2d(3, 4, 5, stride=2, padding=4, dilation=2)
    column = nn.Conv2d(3, 4, 5, stride=2, padding=4, dilation=2)
    without_bands(column)
    with torch.no_grad():
        column.weight.copy_(square.weight[..., 2:3])
        column.bias.copy_(square.bias)  # pyright: ignore
    x = torch.randn(2, 3, 9, 1)
    torch.testing.assert_close(column(x), square(x))


def test_networks_on_layers_have_no_weight_beside_a_band():
    for arm in ("darts", "cnn"):
        net = network(arm, layers=LAYERS)
        kernels = [layer.kernel_size for layer in net.modules() if isinstance(layer, nn.Conv2d)]
        assert kernels
        assert all(band == 1 for _, band in kernels)


@pytest.mark.parametrize("name", TIME_POOLING)
def test_pooling_over_time_ignores_padding_and_gives_the_width_that_it_says(name):
    torch.manual_seed(0)
    pooling = TIME_POOLING[name](6).double()
    x, mask = torch.randn(3, 7, 6, dtype=torch.float64), true_steps(torch.tensor([7, 4, 1]), 0, 7)
    pooled = pooling(x, mask)
    assert pooled.shape == (3, pooling.channels)
    assert torch.equal(pooling(x.masked_fill(~mask[:, :, None], 1e6), mask), pooled)
    torch.testing.assert_close(pooling(x[1:2, :4], mask[1:2, :4]), pooled[1:2])


def test_mean_and_deviation_are_those_of_the_true_steps_and_can_be_learnt_from_where_nothing_changes():
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    pooled = TIME_POOLING["mean_deviation"](3)(x, true_steps(torch.tensor([5, 2]), 0, 5))
    true = [x[0], x[1, :2]]
    expected = torch.stack([torch.cat([each.mean(0), each.std(0, correction=0)]) for each in true])
    torch.testing.assert_close(pooled, expected, rtol=0, atol=2e-4)
    constant = torch.ones(1, 4, 3, requires_grad=True)
    TIME_POOLING["mean_deviation"](3)(constant, torch.ones(1, 4, dtype=torch.bool)).sum().backward()
    assert constant.grad is not None
    assert constant.grad.isfinite().all()


@pytest.mark.parametrize("name", ["attention", "mean_deviation", "multi_attention"])
def test_the_setting_decides_how_every_arm_pools_time(name):
    for arm in ("cnn", "lstm", "darts"):
        net = network(arm, config=dataclasses.replace(NETWORK, time_pooling=name), layers=LAYERS)
        assert type(net.pooling) is TIME_POOLING[name]
        assert net(torch.randn(2, WINDOW, BANDS), torch.tensor([3, WINDOW])).shape == (2, CLASSES)
