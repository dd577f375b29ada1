"""Laws of the network: nothing depends on batch mates, the supernet contains its derived networks, all arms share one skeleton."""

import dataclasses
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from raysernas.config import Arm, Fault, NetworkConfig
from raysernas.model.cells import ChosenCell, SearchCell
from raysernas.model.network import Network, build, count_parameters, kinds
from raysernas.model.recurrent import true_steps
from raysernas.record.genotype import OPERATIONS, Genotype, Part, draw, one_hot, sources, space
from tests.small import BANDS, CLASSES, NETWORK, WINDOW, network

ARMS = get_args(Arm)


def inputs(count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(7)
    return torch.randn(count, WINDOW, BANDS, dtype=torch.float64), torch.randint(1, WINDOW + 1, (count,))


@pytest.mark.parametrize("arm", ARMS)
def test_logits_of_an_utterance_are_the_same_alone_in_any_batch_and_in_any_order(arm):
    net = network(arm).double().eval()
    x, frames = inputs(7)
    together = net(x, frames)
    alone = torch.cat([net(x[i : i + 1], frames[i : i + 1]) for i in range(7)])
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-10)
    torch.testing.assert_close(net(x[order], frames[order]), together[order], rtol=0, atol=1e-10)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_any_batch_size_trains(arm, count):
    net = network(arm).double().train()
    x, frames = inputs(count)
    net(x, frames).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize("arm", ARMS)
def test_arms_that_claim_order_in_time_see_it_and_only_bands_are_pooled(arm):
    net = network(arm).double().eval()
    x, _ = inputs(1)
    x.requires_grad_()
    whole = torch.tensor([WINDOW])
    (gradient,) = torch.autograd.grad(net(x, whole).square().sum(), x)
    assert (gradient[0].abs().sum(dim=1) > 0).all(), "every frame reaches the logits"


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("time", [37, 64, 70, 150])
def test_the_mask_counts_the_time_steps_that_each_front_really_leaves(arm, halves, time):
    config = dataclasses.replace(NETWORK, stem_halves=halves)
    genotype = draw(np.random.default_rng(0), space(config))
    front = build(arm, config, (time, BANDS), CLASSES, genotype if arm in ("darts", "random") else None).front
    steps = front(torch.randn(1, 1, time, BANDS), None).shape[2]
    assert true_steps(torch.tensor([time]), front.halvings, steps).sum() == steps
    assert true_steps(torch.tensor([time]), front.halvings, steps + 5).sum() == steps


@pytest.mark.parametrize("arm", ARMS)
def test_steps_of_mere_padding_get_no_gradient_in_the_pooling(arm):
    net = network(arm).double().eval()
    x, frames = inputs(1)[0], torch.tensor([4])
    seen = []
    net.pooling.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].detach().requires_grad_()))
    net(x, frames)
    mask = true_steps(frames, net.front.halvings, seen[0].shape[1])
    (gradient,) = torch.autograd.grad(net.pooling(seen[0], mask).sum(), seen[0])
    steps = -(-4 // 2**net.front.halvings)
    assert (gradient[0, :steps] != 0).any()
    assert (gradient[0, steps:] == 0).all()


def test_arms_are_built_of_what_their_names_say():
    built = {arm: network(arm) for arm in ARMS}
    table = {arm: (type(net.front).__name__, net.recurrence is not None, type(net.pooling).__name__) for arm, net in built.items()}
    assert table == {
        "darts": ("Cells", True, "AttentionPooling"),
        "random": ("Cells", True, "AttentionPooling"),
        "cnn": ("Blocks", False, "MeanPooling"),
        "lstm": ("Bands", True, "MeanPooling"),
        "cnn_lstm": ("Blocks", True, "MeanPooling"),
        "cnn_lstm_attention": ("Blocks", True, "AttentionPooling"),
    }


@pytest.mark.parametrize("arm", ARMS)
def test_dropout_is_there_in_training_and_gone_in_evaluation(arm):
    net = network(arm, config=dataclasses.replace(NETWORK, dropout=0.5)).double()
    x, frames = inputs(4)
    assert not torch.equal(net.train()(x, frames), net(x, frames))
    assert torch.equal(net.eval()(x, frames), net(x, frames))


def inject(genotype: Genotype) -> dict[Part, torch.Tensor]:
    """Mixing weights of a genotype: one on the kept edges, nothing elsewhere."""
    return {part: torch.from_numpy(values) for part, values in one_hot(genotype, space(NETWORK)).items()}


def copy_weights(supernet: Network, derived: Network) -> None:
    """Give a derived network the supernet's weights (its affine norms stay at scale 1, shift 0)."""

    def fill(target: nn.Module, source: nn.Module) -> None:
        missing, unexpected = target.load_state_dict(source.state_dict(), strict=False)
        assert not unexpected
        assert all(name.endswith(("weight", "bias")) for name in missing)

    fill(derived.recurrence, supernet.recurrence)  # pyright: ignore[reportArgumentType]
    fill(derived.pooling, supernet.pooling)
    fill(derived.output, supernet.output)
    fill(derived.front.stem, supernet.front.stem)  # pyright: ignore
    for chosen, mixed in zip(derived.front.cells, supernet.front.cells, strict=True):  # pyright: ignore
        assert isinstance(chosen, ChosenCell)
        assert isinstance(mixed, SearchCell)
        fill(chosen.inputs, mixed.inputs)
        edges = iter(chosen.edges)
        for node, genes in enumerate(chosen.genes):
            for gene in genes:
                edge = mixed.edges[sources(mixed.nodes).index((node, gene.source))]
                fill(next(edges), edge.operations[OPERATIONS.index(gene.operation)])  # pyright: ignore


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("training", [True, False])
def test_supernet_with_injected_mixing_weights_equals_the_derived_network(seed, training):
    genotype = draw(np.random.default_rng(seed), space(NETWORK))
    supernet = network("darts", chosen=False).double()
    derived = build("darts", NETWORK, (WINDOW, BANDS), CLASSES, genotype).double()
    x, frames = inputs(6)
    supernet.train()(x, frames, inject(genotype))  # so that running statistics are not trivial
    copy_weights(supernet, derived)
    supernet.train(training)
    derived.train(training)
    expected = supernet(x, frames, inject(genotype))
    torch.testing.assert_close(derived(x, frames), expected, rtol=0, atol=1e-10)


def test_reductions_stand_at_a_third_and_two_thirds():
    assert kinds(4) == ["normal", "reduction", "reduction", "normal"]
    assert kinds(8) == ["normal", "normal", "reduction", "normal", "normal", "reduction", "normal", "normal"]
    assert [i for i, kind in enumerate(kinds(3)) if kind == "reduction"] == [1, 2]


def test_too_few_time_steps_are_refused_with_the_way_out():
    with pytest.raises(Fault) as caught:
        build("darts", NetworkConfig(cells=3, stem_halves=True), (7, BANDS), CLASSES)
    assert str(caught.value) == (
        "network: only 1 time step is left after 3 halvings of 7 frames\n"
        "  got: 7 frames\n"
        "  expected: at least 2 steps, or there is no order in time to learn\n"
        "  do this: set a longer features.window_s or fewer network.cells"
    )


def test_counting_parameters():
    assert count_parameters(nn.Linear(3, 2)) == 8
