"""Whisper's encoder at the true length of a recording (arXiv 2212.04356).

The encoder of transformers takes 30 s and nothing else: shorter recordings are filled up with silence, which
has no mask and changes all states. This one computes the same layers on as many frames as there are; on 30 s
it gives the same bits. A clip of 2 s takes a seventeenth of the time (`tests.benchmarks.whisper_length`).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def states(encoder: Any, mel: Float[Tensor, "1 band frame"]) -> list[Float[Tensor, "1 time width"]]:
    """The states after the convolutions and after each layer; the last one after the last norm.

    Args:
        encoder: `WhisperEncoder` of transformers, in evaluation mode.
        mel: its log-mel frames, at most 3,000.
    """
    x = functional.gelu(encoder.conv1(mel))
    x = functional.gelu(encoder.conv2(x)).permute(0, 2, 1)
    positions = torch.arange(x.shape[1], device=x.device)
    x = x + encoder.embed_positions(positions)
    found = [x]
    for layer in encoder.layers:
        x = layer(x, None)
        found.append(x)
    found[-1] = encoder.layer_norm(x)
    return found
