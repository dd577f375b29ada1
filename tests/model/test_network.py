"""Laws of the network: clips do not affect each other, and a supernet contains its derived networks."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from raysernas.arms.members import MEMBERS
from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.schema import NetworkConfig
from raysernas.model import network as network_room
from raysernas.model.designed import Blocks
from raysernas.model.network import Bands, Cells, Design, build, count_parameters
from raysernas.model.ordered import OrderedPair
from raysernas.model.recurrent import true_steps
from raysernas.model.sequence import SearchedRecurrence
from raysernas.record.genotype import (
    CELL_OPERATIONS,
    CONVOLUTIONS,
    POOLS,
    CellKind,
    Genotype,
    GenotypePart,
    draw,
    one_hot,
    sources,
    space,
)
from tests.support.marks import slow_after
from tests.support.sequences import chosen_cell
from tests.support.small import BANDS, CLASSES, LAYERS, NETWORK, WINDOW, design, network, resolved

INPUTS = {"bands": None, "layers": LAYERS}
NETWORKS = [arm for arm, member in MEMBERS.items() if member.design]


def inputs(count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(7)
    return torch.randn(count, WINDOW, BANDS, dtype=torch.float64), torch.randint(1, WINDOW + 1, (count,))


@pytest.mark.parametrize("layers", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("arm", NETWORKS)
def test_logits_of_an_utterance_are_the_same_alone_and_in_any_batch(arm, layers):
    net = network(arm, layers=layers).double().eval()
    x, frames = inputs(7)
    together = net(x, frames)
    alone = torch.cat([net(x[i : i + 1], frames[i : i + 1]) for i in range(7)])
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-10)
    torch.testing.assert_close(net(x[order], frames[order]), together[order], rtol=0, atol=1e-10)


@pytest.mark.parametrize("layers", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("arm", NETWORKS)
@pytest.mark.parametrize("count", slow_after(3, [1, 2, 5, 3, 16]))
def test_any_batch_size_trains(arm, count, layers):
    net = network(arm, layers=layers).double().train()
    x, frames = inputs(count)
    net(x, frames).sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters()
    )


@pytest.mark.parametrize("layers", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("arm", NETWORKS)
def test_every_frame_reaches_the_logits(arm, layers):
    net = network(arm, layers=layers).double().eval()
    x, _ = inputs(1)
    x.requires_grad_()
    whole = torch.tensor([WINDOW])
    (gradient,) = torch.autograd.grad(net(x, whole).square().sum(), x)
    assert (gradient[0].abs().sum(dim=1) > 0).all(), "every frame reaches the logits"


@pytest.mark.parametrize("arm", NETWORKS)
@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("time", [37, 64, 70, 150])
def test_the_mask_counts_the_time_steps_that_each_front_leaves(arm, halves, time):
    for axes in ("both", "time", "band"):
        config = resolved(arm, dataclasses.replace(NETWORK, stem_halves=halves, reduction_halves=axes))
        genotype = draw(np.random.default_rng(0), space(config)) if ARMS[arm].has_genotype else None
        front = build(design(arm), config, (time, BANDS), CLASSES, genotype).front
        made = front(torch.randn(1, 1, time, BANDS), None)
        if isinstance(front, Cells):
            assert made.shape[3] == -(-BANDS // 2**front.band_halvings)
        mask_counts(front, time, made.shape[2])


def mask_counts(front: Cells | Blocks | Bands, time: int, steps: int) -> None:
    """All steps of a full input are true ones."""
    assert true_steps(torch.tensor([time]), front.halvings, steps).sum() == steps
    assert true_steps(torch.tensor([time]), front.halvings, steps + 5).sum() == steps


@pytest.mark.parametrize("layers", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("arm", NETWORKS)
def test_padded_steps_get_no_gradient_in_the_pooling(arm, layers):
    net = network(arm, layers=layers).double().eval()
    x, frames = inputs(1)[0], torch.tensor([4])
    seen = []
    net.pooling.register_forward_pre_hook(
        lambda _, arguments: seen.append(arguments[0].detach().requires_grad_())
    )
    net(x, frames)
    mask = true_steps(frames, net.front.halvings, seen[0].shape[1])
    (gradient,) = torch.autograd.grad(net.pooling(seen[0], mask).sum(), seen[0])
    steps = -(-4 // 2**net.front.halvings)
    assert (gradient[0, :steps] != 0).any()
    assert (gradient[0, steps:] == 0).all()


def test_arms_consist_of_what_their_names_say():
    built = {arm: network(arm) for arm in NETWORKS}
    table = {
        arm: (type(net.front).__name__, type(net.recurrence).__name__, type(net.pooling).__name__)
        for arm, net in built.items()
    }
    assert table == {
        "darts": ("Cells", "Recurrence", "AttentionPooling"),
        "darts_ordered": ("Cells", "Recurrence", "AttentionPooling"),
        "darts_joint": ("Cells", "SearchedRecurrence", "AttentionPooling"),
        "random": ("Cells", "Recurrence", "AttentionPooling"),
        "random_search": ("Cells", "Recurrence", "AttentionPooling"),
        "all_skip": ("Cells", "Recurrence", "AttentionPooling"),
        "cnn": ("Blocks", "NoneType", "MeanPooling"),
        "lstm": ("Bands", "Recurrence", "MeanPooling"),
        "cnn_lstm": ("Blocks", "Recurrence", "MeanPooling"),
        "cnn_lstm_attention": ("Blocks", "Recurrence", "AttentionPooling"),
    }


@pytest.mark.parametrize("arm", NETWORKS)
def test_dropout_acts_in_training_only(arm):
    net = network(arm, config=dataclasses.replace(NETWORK, dropout=0.5)).double()
    x, frames = inputs(4)
    assert not torch.equal(net.train()(x, frames), net(x, frames))
    assert torch.equal(net.eval()(x, frames), net(x, frames))


SPACES = {
    "free": NETWORK,
    "free, only time halved, bands flattened": dataclasses.replace(
        NETWORK, reduction_halves="time", band_pooling="flatten"
    ),
    "free, searched recurrent": dataclasses.replace(NETWORK, recurrent="searched", recurrent_cells=2),
    "ordered": dataclasses.replace(NETWORK, cnn="ordered"),
    "ordered, only bands halved, searched recurrent": dataclasses.replace(
        NETWORK,
        cnn="ordered",
        reduction_halves="band",
        reductions=(0,),
        recurrent="searched",
        recurrent_nodes=3,
    ),
}


def inject(genotype: Genotype, config: NetworkConfig, layers: Any = None) -> dict[GenotypePart, torch.Tensor]:
    """The mixing weights of a genotype: 1 for its genes, else 0."""
    choices = space(config, tuple(layers or ()))
    return {part: torch.from_numpy(values) for part, values in one_hot(genotype, choices).items()}


def fill(target: Any, source: Any) -> None:
    """Give a module the weights of another; its affine norms keep scale 1 and shift 0."""
    missing, unexpected = target.load_state_dict(source.state_dict(), strict=False)
    assert not unexpected
    assert all(name.endswith(("weight", "bias")) for name in missing)


def copy_weights(supernet: Any, derived: Any, genotype: Genotype) -> None:
    """Give a derived network the supernet's weights."""
    if genotype.layer:
        number = list(LAYERS).index(genotype.layer[0][0].operation)
        fill(derived.layers.projections[0], supernet.layers.projections[number])
    fill(derived.pooling, supernet.pooling)
    fill(derived.output, supernet.output)
    fill(derived.front.stem, supernet.front.stem)
    for chosen, mixed in zip(derived.front.cells, supernet.front.cells, strict=True):
        if isinstance(chosen, OrderedPair):
            fill(chosen.fit, mixed.fit)
        else:
            fill(chosen.inputs, mixed.inputs)
    for i, (chosen, mixed) in enumerate(zip(derived.front.cells, supernet.front.cells, strict=True)):
        if isinstance(chosen, OrderedPair):
            fill(chosen.conv, mixed.conv.operations[CONVOLUTIONS.index(genotype.conv[i][0].operation)])
            fill(chosen.pool, mixed.pool.operations[POOLS.index(genotype.pool[i][0].operation)])
            continue
        edges = iter(chosen.edges)
        for node, genes in enumerate(chosen.genes):
            for gene in genes:
                edge = mixed.edges[sources(mixed.nodes).index((node, gene.source))]
                fill(next(edges), edge.operations[CELL_OPERATIONS.index(gene.operation)])
    if not isinstance(derived.recurrence, SearchedRecurrence):
        fill(derived.recurrence, supernet.recurrence)
        return
    fill(derived.recurrence.fit, supernet.recurrence.fit)
    for i, mixed in enumerate(supernet.recurrence.cells):
        derived.recurrence.cells[i] = chosen_cell(mixed, genotype.recurrent)


@pytest.mark.parametrize("layers", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", slow_after(1, range(3)))
@pytest.mark.parametrize("training", [True, False])
def test_supernet_with_injected_mixing_weights_equals_the_derived_network(name, seed, training, layers):
    config = SPACES[name]
    genotype = draw(np.random.default_rng(seed), space(config, tuple(layers or ())))
    mixing = inject(genotype, config, layers)
    supernet = network("darts", chosen=False, config=config, layers=layers).double()
    size, design = (WINDOW, BANDS), Design(front="cells")
    derived = build(design, config, size, CLASSES, genotype, layers=layers).double()
    x, frames = inputs(6)
    supernet.train()(x, frames, mixing)  # so that running statistics are not trivial
    copy_weights(supernet, derived, genotype)
    supernet.train(training)
    derived.train(training)
    expected = supernet(x, frames, mixing)
    torch.testing.assert_close(derived(x, frames), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("layers", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("name", SPACES)
def test_every_weight_and_mixing_weight_of_a_supernet_has_an_influence(name, layers):
    config, choices = SPACES[name], space(SPACES[name], tuple(layers or ()))
    net = network("darts", chosen=False, config=config, layers=layers).double().train()
    mixing: dict[GenotypePart, torch.Tensor] = {
        part: torch.full(
            (len(each.edges), len(each.operations)),
            1 / len(each.operations),
            dtype=torch.float64,
            requires_grad=True,
        )
        for part, each in choices.items()
    }
    net(*inputs(4), mixing).square().sum().backward()
    idle = {name for name, value in net.named_parameters() if value.grad is None or not value.grad.any()}
    assert idle <= {"pooling.score.2.bias"}, "a softmax does not see what all its scores have in common"
    for part, shares in mixing.items():
        assert shares.grad is not None
        real = choices[part].real
        assert (shares.grad[:, real] != 0).all(), part


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("count", slow_after(1, [4, 1]))
@pytest.mark.parametrize("memory_format", slow_after(1, [torch.channels_last, torch.contiguous_format]))
@pytest.mark.parametrize("recurrent", ["lstm_attention", "searched"])
def test_gradients_are_those_of_differences_where_one_band_is_left(chosen, count, memory_format, recurrent):
    """Memory formats look alike there, and the batch norm of torch (2.14, CPU) confuses them if it meets
    both.
    """
    config = dataclasses.replace(
        NETWORK, cells=4, reductions=(0, 1, 2), reduction_halves="band", recurrent=recurrent
    )
    net: Any = network("darts", chosen=chosen, config=config).double().train()
    net = net.to(memory_format=memory_format)
    mixing = None if chosen else inject(draw(np.random.default_rng(0), space(config)), config)
    mixing = (
        None if mixing is None else {part: torch.full_like(shares, 0.2) for part, shares in mixing.items()}
    )
    x, frames = inputs(count)
    assert net.front(x[:, None], mixing).shape[3] == 1
    weights: list[torch.Tensor] = list(net.parameters())
    slopes = torch.autograd.grad(net(x, frames, mixing).square().sum(), weights)
    along = [torch.randn_like(weight) for weight in weights]
    sides = []
    with torch.no_grad():
        for by in (1e-8, -2e-8):  # small, so that hardly any kink lies between
            torch._foreach_add_(weights, along, alpha=by)  # pyright: ignore[reportPrivateImportUsage]
            sides.append(net(x, frames, mixing).square().sum().item())
    slope = sum((one * other).sum().item() for one, other in zip(slopes, along, strict=True))
    assert slope == pytest.approx((sides[0] - sides[1]) / 2e-8, rel=1e-3)


def test_the_published_supernet_has_its_published_size():
    """346,092 parameters without the recurrent part: stem, four cells of four nodes, a linear layer on 128
    channels.
    """
    config = NetworkConfig(cells=4, nodes=4, channels=8, stem_halves=False)
    front = build(Design(front="cells"), config, (128, 128), 4).front
    assert front.channels == 128
    assert count_parameters(front) + count_parameters(nn.Linear(128, 4)) == 346_092


def test_the_ordered_network_is_as_wide_and_as_halved_as_the_free_one():
    free, ordered = (
        build(Design(front="cells"), SPACES[name], (WINDOW, BANDS), CLASSES).front
        for name in ("free", "ordered")
    )
    assert (free.channels, free.halvings) == (ordered.channels, ordered.halvings)


def test_reductions_stand_at_a_third_and_two_thirds():
    def kinds(cells: int) -> list[CellKind]:
        return network_room.kinds(NetworkConfig(cells=cells))

    assert kinds(4) == ["normal", "reduction", "reduction", "normal"]
    assert network_room.kinds(NetworkConfig(cells=3, reductions=(2,))) == ["normal", "normal", "reduction"]
    assert kinds(8) == ["normal", "normal", "reduction", "normal", "normal", "reduction", "normal", "normal"]
    assert [i for i, kind in enumerate(kinds(3)) if kind == "reduction"] == [1, 2]


def test_too_few_time_steps_are_refused():
    with pytest.raises(Fault) as caught:
        build(Design(front="cells"), NetworkConfig(cells=3, stem_halves=True), (7, BANDS), CLASSES)
    assert str(caught.value) == (
        "network: only 1 time step is left after 3 halvings of 7 frames\n"
        "  got: 7 frames\n"
        "  expected: at least 2 steps, or there is no order in time to learn\n"
        "  fix: set a longer features.window_s or fewer network.cells"
    )


def test_counting_parameters():
    assert count_parameters(nn.Linear(3, 2)) == 8
