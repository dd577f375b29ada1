"""Laws of the searched recurrent part: any size, time is time, batch mates and padding have no influence, chosen = searched."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from raysernas.model.recurrent import Recurrence, true_steps
from raysernas.model.sequence import (
    ChosenSequence,
    SearchedRecurrence,
    SearchSequence,
    sequence_sources,
    twice_differentiable,
)
from raysernas.model.sequence_cells import (
    LAYERS,
    SEQUENCE_OPERATIONS,
    Chain,
    ChosenSequenceEdge,
    Frames,
    MixedSequenceEdge,
    SelfAttention,
    attention_weights,
    turn,
    turning,
)
from raysernas.record.genotype import Cell, Gene

REAL = SEQUENCE_OPERATIONS[1:]
LENGTHS = torch.tensor([7, 4, 1, 6, 2])


def batch(width: int, steps: int = 7, lengths: torch.Tensor = LENGTHS) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise of utterances of unlike lengths, and which steps are true; noise stands in the padded steps too."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(lengths), steps, width, dtype=torch.float64, generator=generator)
    return x, true_steps(lengths, 0, steps)


def frames_of(x: torch.Tensor, mask: torch.Tensor) -> Frames:
    """A state as the candidates read it."""
    return Frames(x, mask, turning(mask))


def mixtures(nodes: int) -> torch.Tensor:
    """Uneven mixing weights of every edge."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(sequence_sources(nodes)), len(SEQUENCE_OPERATIONS), dtype=torch.float64, generator=generator).softmax(1)


def a_cell(seed: int, nodes: int) -> Cell:
    """Genes drawn from the space."""
    pick = torch.Generator().manual_seed(seed)
    cell = []
    for node in range(nodes):
        kept = sorted(torch.randperm(node + 1, generator=pick)[:2].tolist())
        names = [REAL[int(torch.randint(len(REAL), (), generator=pick))] for _ in kept]
        cell.append(tuple(Gene(source, name) for source, name in zip(kept, names, strict=True)))  # type: ignore[arg-type]
    return tuple(cell)


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    """Equal up to the last digits of float64."""
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


# --- shapes and names -------------------------------------------------------------------------------------------------


def test_the_operations_are_three_and_every_recurrent_one_without_and_with_attention():
    assert len(SEQUENCE_OPERATIONS) == len(set(SEQUENCE_OPERATIONS)) == 27
    assert SEQUENCE_OPERATIONS[:5] == ("none", "skip_connect", "self_attention", "lstm_1", "lstm_1_attention")
    assert [f"{name}_attention" for name in SEQUENCE_OPERATIONS[3::2]] == list(SEQUENCE_OPERATIONS[4::2])


@settings(max_examples=25)
@given(
    operation=st.sampled_from(REAL),
    width=st.integers(1, 9),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    padding=st.integers(0, 3),
)
def test_every_operation_keeps_batch_time_and_width_whatever_they_are(operation, width, lengths, padding):
    x, mask = batch(width, max(lengths) + padding, torch.tensor(lengths))
    made = ChosenSequenceEdge(operation, width).double()(frames_of(x, mask))
    assert made.shape == x.shape
    assert made.isfinite().all()


@settings(max_examples=10)
@given(
    channels=st.integers(1, 5), width=st.integers(2, 9), steps=st.integers(1, 6), size=st.integers(1, 4),
    nodes=st.integers(1, 3), cells=st.integers(1, 2), searched=st.booleans(),
)  # fmt: skip
def test_the_part_fits_any_channels_to_its_width(channels, width, steps, size, nodes, cells, searched):
    part = SearchedRecurrence(channels, width, cells, nodes, None if searched else a_cell(steps, nodes), 0.1).double()
    x, mask = batch(channels, steps, torch.full((size,), steps))
    assert part.channels == width
    assert part(x, mask, mixtures(nodes) if searched else None).shape == (size, steps, width)


# --- batch mates and padding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", REAL)
def test_an_utterance_gives_the_same_alone_in_any_batch_and_under_any_padding(operation):
    torch.manual_seed(0)
    edge = ChosenSequenceEdge(operation, 6).double()
    (x, mask), order = batch(6), torch.tensor([3, 0, 4, 2, 1])
    made = edge(frames_of(x, mask))
    same(edge(frames_of(x[order], mask[order])), made[order])
    longer, longer_mask = torch.cat([x, 1e3 * torch.ones(5, 4, 6)], dim=1), true_steps(LENGTHS, 0, 11)
    padded = edge(frames_of(longer, longer_mask))
    for i, length in enumerate(LENGTHS.tolist()):
        alone = edge(frames_of(x[i : i + 1, :length], mask[i : i + 1, :length]))[0]
        same(made[i, :length], alone)
        same(padded[i, :length], alone)


@pytest.mark.parametrize("operation", REAL)
def test_batch_mates_and_padded_steps_have_no_gradient(operation):
    torch.manual_seed(0)
    edge = ChosenSequenceEdge(operation, 6).double()
    x, mask = batch(6)
    x.requires_grad_()
    made = edge(frames_of(x, mask))
    probe = torch.randn(6, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((made[1, :4] * probe).sum(), x)
    assert (gradient[[0, 2, 3, 4]] == 0).all()
    assert (gradient[1, 4:] == 0).all()
    assert (gradient[1, :4] != 0).any(dim=1).all()


@pytest.mark.parametrize("searched", [True, False])
def test_what_stands_in_padded_steps_changes_nothing_and_comes_out_as_zero(searched):
    torch.manual_seed(0)
    part = SearchedRecurrence(5, 6, 2, 3, None if searched else a_cell(0, 3), 0.0).double()
    mixing, (x, mask) = mixtures(3) if searched else None, batch(5)
    made = part(x, mask, mixing)
    assert torch.equal(part(x.masked_fill(~mask[:, :, None], float("nan")), mask, mixing), made)
    assert (made[~mask] == 0).all()
    assert (made[mask] != 0).any(dim=1).all()
    for i, length in enumerate(LENGTHS.tolist()):
        same(part(x[i : i + 1, :length], mask[i : i + 1, :length], mixing)[0], made[i, :length])


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), padding=st.integers(0, 2))
def test_turning_reverses_the_true_steps_only_and_twice_is_nothing(lengths, padding):
    x, mask = batch(2, max(lengths) + padding, torch.tensor(lengths))
    turned = turn(x, turning(mask))
    for i, length in enumerate(lengths):
        assert torch.equal(turned[i, :length], x[i, :length].flip(0))
        assert torch.equal(turned[i, length:], x[i, length:])
    assert torch.equal(turn(turned, turning(mask)), x)


def test_the_gradient_of_turning_is_right_at_any_order():
    x, mask = batch(2)
    order = turning(mask)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: turn(x.sin(), order), x)
    assert torch.autograd.gradgradcheck(lambda x: turn(x.sin(), order), x)


def test_padded_steps_get_no_attention_and_the_rest_sums_to_one():
    torch.manual_seed(0)
    x, mask = batch(8)
    over_time = attention_weights(torch.stack([x, x + 1]), torch.randn(2, 8, dtype=torch.float64), mask)
    query, key = (torch.randn(5, 4, 7, 2, dtype=torch.float64) for _ in range(2))
    to_self = SelfAttention(8).weights(query, key, mask)
    assert (over_time[:, ~mask] == 0).all()
    assert (to_self.movedim(3, 1)[~mask] == 0).all()
    same(over_time.sum(2), torch.ones(2, 5, dtype=torch.float64))
    same(to_self.sum(3), torch.ones(5, 4, 7, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 2])
def test_both_directions_equal_those_of_torch_on_packed_sequences(kind, layers):
    torch.manual_seed(0)
    chain = Chain(kind, 6, layers, both=True).double()
    theirs = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind](6, 3, layers, batch_first=True, bidirectional=True).double()
    for layer in range(layers):
        for name, value in chain.ahead[layer].named_parameters():
            getattr(theirs, name.replace("l0", f"l{layer}")).data.copy_(value)
            backward = dict(chain.back[layer].named_parameters())[name]
            getattr(theirs, name.replace("l0", f"l{layer}") + "_reverse").data.copy_(backward)
    x, mask = batch(6)
    frames = frames_of(x, mask)
    packed = nn.utils.rnn.pack_padded_sequence(frames.x, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)[0]
    same(chain(frames)[-1][mask], expected[mask])


# --- searched and chosen ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", REAL)
@pytest.mark.parametrize("width", [4, 5])
def test_a_mixture_of_one_operation_is_that_operation_with_its_shared_weights(operation, width):
    torch.manual_seed(0)
    edge, frames = MixedSequenceEdge(width).double(), frames_of(*batch(width))
    one_hot = torch.zeros(len(SEQUENCE_OPERATIONS), dtype=torch.float64)
    one_hot[SEQUENCE_OPERATIONS.index(operation)] = 1
    same(edge(frames, one_hot), edge.chosen(operation)(frames))


def test_a_mixture_is_the_weighted_sum_of_its_operations_and_none_adds_nothing():
    torch.manual_seed(0)
    edge, frames, mixing = MixedSequenceEdge(4).double(), frames_of(*batch(4)), mixtures(1)[0]
    apart = [weight * edge.chosen(name)(frames) for name, weight in zip(REAL, mixing[1:], strict=True)]
    same(edge(frames, mixing), torch.stack(apart).sum(0))


@pytest.mark.parametrize("seed", range(6))
def test_a_searched_cell_under_one_hot_mixing_is_the_chosen_cell_of_its_weights(seed):
    torch.manual_seed(0)
    nodes = 3
    searched, genes = SearchSequence(6, nodes, 0.0).double(), a_cell(seed, nodes)
    mixing = torch.zeros_like(mixtures(nodes))
    mixing[:, 0] = 1
    for node, into in enumerate(genes):
        for gene in into:
            edge = sequence_sources(nodes).index((node, gene.source))
            mixing[edge] = torch.zeros(len(SEQUENCE_OPERATIONS))
            mixing[edge, SEQUENCE_OPERATIONS.index(gene.operation)] = 1
    x, mask = batch(6)
    chosen = searched.chosen(genes)
    assert isinstance(chosen, ChosenSequence)
    same(searched(x, mask, mixing), chosen(x, mask))


def test_a_chosen_cell_has_its_own_copy_of_the_weights():
    searched = SearchSequence(4, 1, 0.0)
    chosen = searched.chosen(((Gene(0, "bigru_1_attention"),),))  # type: ignore[arg-type]
    before = [value.clone() for value in chosen.parameters()]
    with torch.no_grad():
        for value in searched.parameters():
            value.add_(1)
    assert all(torch.equal(value, kept) for value, kept in zip(chosen.parameters(), before, strict=True))


# --- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("searched", [True, False])
def test_every_parameter_gets_a_gradient(searched):
    torch.manual_seed(0)
    part = SearchedRecurrence(5, 7, 2, 3, None if searched else a_cell(1, 3), 0.0).double()
    mixing, (x, mask) = mixtures(3).requires_grad_(), batch(5)
    made = part(x, mask, mixing if searched else None)
    (made * torch.randn_like(made)).sum().backward()
    for name, value in part.named_parameters():
        assert value.grad is not None, name
        assert (value.grad != 0).any(), name
    if searched:
        assert mixing.grad is not None
        assert (mixing.grad[:, 1:] != 0).all()
        assert (mixing.grad[:, 0] == 0).all()


def test_the_supernet_is_smooth_enough_for_its_gradients_to_be_checked():
    torch.manual_seed(0)
    cell, (x, mask) = SearchSequence(3, 1, 0.0).double(), batch(3, 3, torch.tensor([3, 2]))
    with twice_differentiable():
        assert torch.autograd.gradcheck(lambda x, mixing: cell(x, mask, mixing), (x.requires_grad_(), mixtures(1).requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_with_the_hessian_is_exact(dtype):
    """d/de of the gradient at weights + e * direction, by double backward and by differences in float64."""
    torch.manual_seed(0)
    cell, (x, mask), mixing = SearchSequence(4, 2, 0.0).double(), batch(4), mixtures(2)
    weights = list(cell.parameters())
    direction = [torch.randn_like(value) for value in weights]
    mixing.requires_grad_()

    def towards_mixing(step: float) -> torch.Tensor:
        with torch.no_grad():
            for value, way in zip(weights, direction, strict=True):
                value.add_(way, alpha=step)
        return torch.autograd.grad(cell(x, mask, mixing).pow(3).sum(), mixing)[0]

    difference = (towards_mixing(1e-6) - towards_mixing(-2e-6)) / 2e-6
    towards_mixing(1e-6)
    cell.to(dtype)
    weights, mixing_as = list(cell.parameters()), mixing.detach().to(dtype).requires_grad_()
    with twice_differentiable():
        loss = cell(x.to(dtype), mask, mixing_as).pow(3).sum()
    first = torch.autograd.grad(loss, weights, create_graph=True)
    along = sum((gradient * way.to(dtype)).sum() for gradient, way in zip(first, direction, strict=True))
    (product,) = torch.autograd.grad(along, mixing_as)
    error = (product.double() - difference).norm() / difference.norm()
    assert error < (1e-6 if dtype == torch.float64 else 1e-4)


def test_the_fixed_recurrence_can_be_differentiated_twice():
    torch.manual_seed(0)
    recurrence, (x, _) = Recurrence(4, 3), batch(4)
    with twice_differentiable():
        loss = recurrence(x.float()).pow(3).sum()
    first = torch.autograd.grad(loss, list(recurrence.parameters()), create_graph=True)
    second = torch.autograd.grad(sum(gradient.pow(2).sum() for gradient in first), list(recurrence.parameters()))
    assert all(gradient.isfinite().all() and (gradient != 0).any() for gradient in second)


def test_layers_above_the_first_are_shared_by_no_other_chain():
    edge = MixedSequenceEdge(4)
    layers = [rnn for chain in edge.chains for rnn in chain.ahead]
    assert len(layers) == 6 * LAYERS == len({id(layer) for layer in layers})
