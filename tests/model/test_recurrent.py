"""Laws of the recurrent part: it runs along time, clips do not affect each other, padding weighs nothing."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.model.recurrent import AttentionPooling, MeanPooling, Recurrence, true_steps


@given(frames=st.integers(1, 64), halvings=st.integers(0, 3))
def test_true_steps_follow_the_halvings_of_a_full_input(frames, halvings):
    steps = 64 // 2**halvings
    mask = true_steps(torch.tensor([frames]), halvings, steps)
    assert mask.sum().item() == -(-frames // 2**halvings)
    assert mask[0, : mask.sum()].all(), "true steps come first"


def test_padded_steps_get_no_attention_and_the_rest_sums_to_one():
    torch.manual_seed(0)
    pooling = AttentionPooling(6).double()
    x, mask = torch.randn(3, 7, 6, dtype=torch.float64), true_steps(torch.tensor([7, 4, 1]), 0, 7)
    weights = pooling.weights(x, mask)
    assert (weights[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64))
    changed = x.masked_fill(~mask[:, :, None], 1e6)
    torch.testing.assert_close(pooling(changed, mask), pooling(x, mask), rtol=0, atol=0)


def test_mean_pooling_is_the_mean_of_the_true_steps():
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    pooled = MeanPooling(3)(x, true_steps(torch.tensor([5, 2]), 0, 5))
    torch.testing.assert_close(pooled, torch.stack([x[0].mean(0), x[1, :2].mean(0)]))


def test_the_recurrence_runs_along_time_and_not_across_the_batch():
    torch.manual_seed(0)
    recurrence = Recurrence(4, 5).double()
    x = torch.randn(3, 6, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(recurrence(x, torch.ones(3, 6, dtype=torch.bool))[1].sum(), x)
    assert (gradient[[0, 2]] == 0).all(), "other clips have no influence"
    assert (gradient[1] != 0).any(dim=1).all(), "every frame of the clip has one"


def test_order_of_frames_matters_to_the_recurrence():
    torch.manual_seed(0)
    recurrence, pooling = Recurrence(4, 5).double(), MeanPooling(10)
    x, mask = torch.randn(1, 6, 4, dtype=torch.float64), torch.ones(1, 6, dtype=torch.bool)
    assert not torch.allclose(pooling(recurrence(x, mask), mask), pooling(recurrence(x.flip(1), mask), mask))


@given(frames=st.lists(st.integers(1, 7), min_size=2, max_size=4))
def test_padding_affects_no_true_step_in_either_direction(frames):
    torch.manual_seed(0)
    recurrence = Recurrence(4, 5).double()
    x, mask = torch.randn(len(frames), 7, 4, dtype=torch.float64), true_steps(torch.tensor(frames), 0, 7)
    read = recurrence(x, mask)
    for i, true in enumerate(frames):
        alone = recurrence(x[i : i + 1, :true], mask[i : i + 1, :true])
        torch.testing.assert_close(read[i, :true], alone[0])


def test_it_is_the_bidirectional_lstm_of_torch_where_nothing_is_padded():
    torch.manual_seed(0)
    ours, reference = (
        Recurrence(4, 5).double(),
        torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True).double(),
    )
    own = [*ours.ahead.parameters(), *ours.back.parameters()]
    for mine, theirs in zip(own, reference.parameters(), strict=True):
        theirs.data.copy_(mine)
    x, mask = torch.randn(2, 6, 4, dtype=torch.float64), torch.ones(2, 6, dtype=torch.bool)
    torch.testing.assert_close(ours(x, mask), reference(x)[0])
