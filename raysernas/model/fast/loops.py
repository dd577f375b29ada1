"""GRU and RNN layers of one size, several at once, on a CPU: input products -> outputs of every step.

oneDNN has a fast LSTM, but torch's GRU and RNN are loops of small steps, one layer after the other. Here the
layers that read at the same time (of all edges from one state, of both directions) take each step together,
as one batched product. The gradient is written out, so that weight gradients are one product over all steps
instead of one for each. Tensors are [layer, time, batch, channel]. Results equal those of nn.GRU and nn.RNN
(tests). For second derivatives the steps are repeated in plain operations (`double_backward`).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.model.fast.double_backward import differentiable_gradients

LayerSteps = Float[Tensor, "layer time batch channel"]


class _Rnn(torch.autograd.Function):
    """h[t] = tanh(inputs[t] + h[t-1] W')."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        made, across = torch.empty_like(inputs), weight.transpose(1, 2)
        torch.tanh(inputs[:, 0], out=made[:, 0])
        for t in range(1, inputs.shape[1]):
            torch.baddbmm(inputs[:, t], made[:, t - 1], across, out=made[:, t]).tanh_()
        ctx.save_for_backward(inputs, weight, made)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (read, weight, made) = gradients, ctx.saved_tensors
        if torch.is_grad_enabled():
            return tuple(differentiable_gradients(_rnn_steps, (read, weight), (gradient,)))
        slope = torch.addcmul(made.new_ones(()), made, made, value=-1)
        inputs = torch.empty_like(made)  # the gradient of them
        last = made.shape[1] - 1
        torch.mul(gradient[:, last], slope[:, last], out=inputs[:, last])
        for t in range(last - 1, -1, -1):
            torch.baddbmm(gradient[:, t], inputs[:, t + 1], weight, out=inputs[:, t]).mul_(slope[:, t])
        return inputs, _over_steps(inputs, made) if ctx.needs_input_grad[1] else None


class _Gru(torch.autograd.Function):
    """r, z = sigmoid(inputs_rz + h W_rz'), n = tanh(inputs_n + r (h W_n' + bias)), h = n + z (h - n).

    The gates are in the order r, z, n.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        layers, steps, batch, channels = inputs.shape
        size, across = channels // 3, weight.transpose(1, 2)
        gates = inputs.clone()  # becomes r, z, h W_n' + bias
        gates[..., 2 * size :] = bias[:, None, None]
        new, made = (inputs.new_empty(layers, steps, batch, size) for _ in range(2))
        before = inputs.new_zeros(layers, batch, size)
        for t in range(steps):
            step = gates[:, t] if t == 0 else gates[:, t].baddbmm_(before, across)
            opening = step[..., : 2 * size].sigmoid_()
            torch.addcmul(
                inputs[:, t, :, 2 * size :], opening[..., :size], step[..., 2 * size :], out=new[:, t]
            ).tanh_()
            before = torch.lerp(new[:, t], before, opening[..., size:], out=made[:, t])
        ctx.save_for_backward(inputs, weight, bias, gates, new, made)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (read, weight, bias, gates, new, made) = gradients, ctx.saved_tensors
        if torch.is_grad_enabled():
            return tuple(differentiable_gradients(_gru_steps, (read, weight, bias), (gradient,)))
        reset, keep, hidden = gates.chunk(3, dim=3)
        # all factors of the gradient of h, for all steps at once
        to_new = (1 - keep) * torch.addcmul(made.new_ones(()), new, new, value=-1)
        factor = torch.empty(*made.shape[:3], 3, made.shape[3], dtype=made.dtype)
        torch.mul(to_new * hidden, reset * (1 - reset), out=factor[..., 0, :])
        before = torch.cat([torch.zeros_like(made[:, :1]), made[:, :-1]], dim=1)
        torch.mul(before.sub_(new), keep * (1 - keep), out=factor[..., 1, :])
        torch.mul(to_new, reset, out=factor[..., 2, :])
        outputs = gradient.clone()  # becomes the gradient of every h, later steps included
        inner = factor.flatten(3)  # becomes that of h W' + bias
        for t in range(made.shape[1] - 1, -1, -1):
            factor[:, t].mul_(outputs[:, t, :, None])
            if t:
                outputs[:, t - 1].addcmul_(outputs[:, t], keep[:, t]).baddbmm_(inner[:, t], weight)
        inputs = torch.cat([inner[..., : 2 * made.shape[3]], outputs.mul_(to_new)], dim=3)
        to_weight = _over_steps(inner, made) if ctx.needs_input_grad[1] else None
        to_bias = inner[..., 2 * made.shape[3] :].sum(dim=(1, 2)) if ctx.needs_input_grad[2] else None
        return inputs, to_weight, to_bias


def _rnn_steps(inputs: Tensor, weight: Tensor) -> Tensor:
    made = [inputs[:, 0].tanh()]
    for step in inputs.unbind(1)[1:]:
        made.append(torch.baddbmm(step, made[-1], weight.transpose(1, 2)).tanh())
    return torch.stack(made, dim=1)


def _gru_steps(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    size, made = bias.shape[1], [inputs.new_zeros(*inputs[:, 0].shape[:2], bias.shape[1])]
    for step in inputs.unbind(1):
        hidden = made[-1] @ weight.transpose(1, 2)
        reset, keep = (step + hidden)[..., : 2 * size].sigmoid().chunk(2, dim=2)
        new = (step[..., 2 * size :] + reset * (hidden[..., 2 * size :] + bias[:, None])).tanh()
        made.append(new + keep * (made[-1] - new))
    return torch.stack(made[1:], dim=1)


def _over_steps(gradient: Tensor, made: Tensor) -> Tensor:
    """Gradient of the weights between steps: that of each step times the output of the step before."""
    return gradient[:, 1:].flatten(1, 2).transpose(1, 2) @ made[:, :-1].flatten(1, 2)


def rnn_together(inputs: LayerSteps, weight: Float[Tensor, "layer channel channel"]) -> LayerSteps:
    """Outputs of RNN layers; `inputs` are the products with the input plus both biases."""
    return _Rnn.apply(inputs, weight)  # pyright: ignore[reportReturnType]


def gru_together(
    inputs: Float[Tensor, "layer time batch gates"],
    weight: Float[Tensor, "layer gates channel"],
    bias: Float[Tensor, "layer channel"],
) -> LayerSteps:
    """Outputs of GRU layers; `inputs` are the products with the input plus all biases but the recurrent one
    of n, which is `bias`.
    """
    return _Gru.apply(inputs, weight, bias)  # pyright: ignore[reportReturnType]
