"""Laws of the recurrent layers: they equal those of torch on packed sequences, one by one or together."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raysernas.model import sequence_rnn
from raysernas.model.fast.loops import gru_together, rnn_together
from raysernas.model.sequence_rnn import Chain, chains_together, layers_one_by_one, turn, turning
from tests.support.sequences import LENGTHS, batch, frames_of, same

TORCH = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), padding=st.integers(0, 2))
def test_turning_reverses_the_true_steps_only_and_undoes_itself(lengths, padding):
    x, mask = batch(2, max(lengths) + padding, torch.tensor(lengths))
    order = turning(mask.T)
    turned = turn(x.transpose(0, 1), order).transpose(0, 1)
    for i, length in enumerate(lengths):
        assert torch.equal(turned[i, :length], x[i, :length].flip(0))
        assert torch.equal(turned[i, length:], x[i, length:])
    assert torch.equal(turn(turned.transpose(0, 1), order).transpose(0, 1), x)


def test_the_gradient_of_turning_is_right_at_any_order():
    x, mask = batch(2)
    x, order = x.transpose(0, 1).requires_grad_(), turning(mask.T)
    assert torch.autograd.gradcheck(lambda x: turn(x.sin(), order), x)
    assert torch.autograd.gradgradcheck(lambda x: turn(x.sin(), order), x)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 2])
def test_both_directions_equal_those_of_torch_on_packed_sequences(kind, layers):
    torch.manual_seed(0)
    chain = Chain(kind, 6, layers, both=True).double()
    theirs = TORCH[kind](6, 3, layers, bidirectional=True).double()
    for layer in range(layers):
        for name, value in chain.ahead[layer].named_parameters():
            getattr(theirs, name.replace("l0", f"l{layer}")).data.copy_(value)
            backward = chain.back[layer].get_parameter(name)
            getattr(theirs, name.replace("l0", f"l{layer}") + "_reverse").data.copy_(backward)
    frames = frames_of(*batch(6))
    packed = nn.utils.rnn.pack_padded_sequence(frames.x, LENGTHS, enforce_sorted=False)
    expected = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0])[0]
    same(chain(frames)[-1][frames.mask], expected[frames.mask])


@pytest.mark.parametrize("kind", TORCH)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("steps", [1, 7])
def test_chains_together_equal_layers_of_torch_one_by_one_in_outputs_and_every_gradient(
    kind, both, steps, monkeypatch
):
    torch.manual_seed(0)
    chains = [Chain(kind, 5, 2, both=both).double() for _ in range(3)]
    x, mask = batch(5, steps, LENGTHS.clamp(max=steps))
    x.requires_grad_()
    wanted = [x, *(value for chain in chains for value in chain.parameters())]
    fast = chains_together(chains, frames_of(x, mask))
    monkeypatch.setattr(sequence_rnn, "layers_together", layers_one_by_one)
    slow = chains_together(chains, frames_of(x, mask))
    same(fast, slow)
    probe = torch.randn_like(fast)
    pairs = (torch.autograd.grad((made * probe).sum(), wanted) for made in (fast, slow))
    for one, other in zip(*pairs, strict=True):
        same(one, other)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_gradients_of_the_fast_layers_are_right_at_any_order(steps):
    torch.manual_seed(0)
    rnn = torch.randn(2, steps, 2, 2), torch.randn(2, 2, 2)
    gru = torch.randn(2, steps, 2, 6), torch.randn(2, 6, 2), torch.randn(2, 2)
    for layers, tensors in ((rnn_together, rnn), (gru_together, gru)):
        wanted = tuple(each.double().requires_grad_() for each in tensors)
        assert torch.autograd.gradcheck(layers, wanted)
        assert torch.autograd.gradgradcheck(layers, wanted)


def test_a_gradient_that_can_be_differentiated_is_the_same_gradient():
    torch.manual_seed(0)
    edge, (x, mask) = Chain("gru", 5, 2, both=True).double(), batch(5)
    made = edge(frames_of(x, mask)).pow(3).sum()
    fast = torch.autograd.grad(made, list(edge.parameters()), retain_graph=True)
    differentiable = torch.autograd.grad(made, list(edge.parameters()), create_graph=True)
    for one, other in zip(fast, differentiable, strict=True):
        same(one, other)


def test_a_layer_whose_inputs_are_made_of_its_own_weights_counts_no_gradient_twice():
    torch.manual_seed(0)
    weight, rnn = (
        torch.randn(1, 6, 2).double().requires_grad_(),
        torch.randn(1, 2, 2).double().requires_grad_(),
    )
    bias, gates, steps = (torch.randn(*shape).double() for shape in ((1, 2), (1, 3, 4, 6), (1, 3, 4, 2)))
    for made, of in (
        (gru_together(gates * weight.sum(), weight, bias * weight.mean()), weight),
        (rnn_together(steps * rnn.sum(), rnn), rnn),
    ):
        (fast,) = torch.autograd.grad(made.pow(3).sum(), of, retain_graph=True)
        (differentiable,) = torch.autograd.grad(made.pow(3).sum(), of, create_graph=True)
        same(differentiable, fast)


@pytest.mark.parametrize("create_graph", [True, False])
def test_each_tensor_of_a_layer_gets_its_gradient_whichever_ones_need_it(create_graph):
    torch.manual_seed(0)
    tensors = [torch.randn(*shape).double() for shape in ((2, 3, 4, 6), (2, 6, 2), (2, 2))]
    free = [each.clone().requires_grad_() for each in tensors]
    expected = torch.autograd.grad(gru_together(*free).pow(3).sum(), free)
    for i, value in enumerate(expected):
        given = [one if i == j else other for j, (one, other) in enumerate(zip(free, tensors, strict=True))]
        (found,) = torch.autograd.grad(gru_together(*given).pow(3).sum(), given[i], create_graph=create_graph)
        same(found, value)
