"""Laws of the candidates on an edge over time: clips and padding have no influence, a mixed edge is their
sum.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.model.recurrent import true_steps
from raysernas.model.sequence_cells import (
    ChosenSequenceEdge,
    MixedSequenceEdge,
    SelfAttention,
    attention_weights,
    mixed,
)
from raysernas.record.genotype import SEQUENCE_OPERATIONS
from tests.support.faults import refusal
from tests.support.sequences import LENGTHS, REAL, batch, chosen_edge, frames_of, mixing_weights, run, same


def test_the_operations_are_three_and_every_recurrent_one_without_and_with_attention():
    assert len(SEQUENCE_OPERATIONS) == len(set(SEQUENCE_OPERATIONS)) == 27
    assert SEQUENCE_OPERATIONS[:5] == ("none", "skip_connect", "self_attention", "lstm_1", "lstm_1_attention")
    assert [f"{name}_attention" for name in SEQUENCE_OPERATIONS[3::2]] == list(SEQUENCE_OPERATIONS[4::2])


@pytest.mark.parametrize("name", ["none", "bilstm_3", "sep_conv_3x3", ""])
def test_an_unknown_name_is_refused(name):
    text = refusal(lambda: ChosenSequenceEdge(name, 4))
    assert text.startswith(f"network: there is no such operation on frames in time\n  got: {name}\n")


@settings(max_examples=25)
@given(
    operation=st.sampled_from(REAL),
    width=st.integers(1, 9),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    padding=st.integers(0, 3),
)
def test_every_operation_keeps_any_batch_time_and_width(operation, width, lengths, padding):
    x, mask = batch(width, max(lengths) + padding, torch.tensor(lengths))
    made = run(ChosenSequenceEdge(operation, width).double(), x, mask)
    assert made.shape == x.shape
    assert made.isfinite().all()


@pytest.mark.parametrize("operation", REAL)
def test_an_utterance_gives_the_same_alone_in_any_batch_and_with_any_padding(operation):
    torch.manual_seed(0)
    edge = ChosenSequenceEdge(operation, 6).double()
    (x, mask), order = batch(6), torch.tensor([3, 0, 4, 2, 1])
    made = run(edge, x, mask)
    same(run(edge, x[order], mask[order]), made[order])
    longer, longer_mask = torch.cat([x, 1e3 * torch.ones(5, 4, 6)], dim=1), true_steps(LENGTHS, 0, 11)
    padded = run(edge, longer, longer_mask)
    for i, length in enumerate(LENGTHS.tolist()):
        alone = run(edge, x[i : i + 1, :length], mask[i : i + 1, :length])[0]
        same(made[i, :length], alone)
        same(padded[i, :length], alone)


@pytest.mark.parametrize("operation", REAL)
def test_other_clips_and_padded_steps_have_no_gradient(operation):
    torch.manual_seed(0)
    edge = ChosenSequenceEdge(operation, 6).double()
    x, mask = batch(6)
    x.requires_grad_()
    made = run(edge, x, mask)
    probe = torch.randn(6, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((made[1, :4] * probe).sum(), x)
    assert (gradient[[0, 2, 3, 4]] == 0).all()
    assert (gradient[1, 4:] == 0).all()
    assert (gradient[1, :4] != 0).any(dim=1).all()


def test_padded_steps_get_no_attention_and_the_rest_sums_to_one():
    torch.manual_seed(0)
    x, mask = batch(8)
    x, mask = x.transpose(0, 1), mask.T
    over_time = attention_weights(torch.stack([x, x.sin()]), torch.randn(2, 8, dtype=torch.float64), mask)
    query, key = (torch.randn(5, 4, 7, 2, dtype=torch.float64) for _ in range(2))
    to_self = SelfAttention(8).weights(query, key, mask)
    assert (over_time[:, ~mask] == 0).all()
    assert (to_self.movedim((3, 0), (0, 1))[~mask] == 0).all()
    same(over_time.sum(1), torch.ones(2, 5, dtype=torch.float64))
    same(to_self.sum(3), torch.ones(5, 4, 7, dtype=torch.float64))


@pytest.mark.parametrize("operation", REAL)
@pytest.mark.parametrize("width", [4, 5])
def test_a_mixed_edge_of_one_operation_is_that_operation_with_its_shared_weights(operation, width):
    torch.manual_seed(0)
    edge, frames = MixedSequenceEdge(width).double(), frames_of(*batch(width))
    one_hot = torch.zeros(len(SEQUENCE_OPERATIONS), dtype=torch.float64)
    one_hot[SEQUENCE_OPERATIONS.index(operation)] = 1
    same(mixed([edge], frames, one_hot[None])[0], chosen_edge(edge, operation)(frames))


def test_a_mixed_edge_is_the_weighted_sum_of_its_operations_and_none_adds_nothing():
    torch.manual_seed(0)
    edge, frames, mixing = MixedSequenceEdge(4).double(), frames_of(*batch(4)), mixing_weights(1)[0]
    apart = [weight * chosen_edge(edge, name)(frames) for name, weight in zip(REAL, mixing[1:], strict=True)]
    same(mixed([edge], frames, mixing[None])[0], torch.stack(apart).sum(0))


def test_edges_computed_together_are_those_computed_apart():
    torch.manual_seed(0)
    edges, frames, mixing = (
        [MixedSequenceEdge(5).double() for _ in range(3)],
        frames_of(*batch(5)),
        mixing_weights(2),
    )
    for edge, made, weights in zip(edges, mixed(edges, frames, mixing), mixing, strict=True):
        same(made, mixed([edge], frames, weights[None])[0])
