"""A pretrained speech encoder of transformers: from a waveform to the states of all of its layers.

Any encoder with hidden states: Whisper, wav2vec 2.0, HuBERT, WavLM, data2vec, w2v-BERT. Each recording is
computed by itself and at its true length, so neither neighbours nor padding reach its states.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.corpora.audio import Samples
from raysernas.features.pretrained import whisper
from raysernas.features.pretrained.folder import import_transformers

LONGEST_S = 30.0  # a longer recording is cut into equal pieces: attention grows with the square of the length
SHORTEST_S = 0.1  # a shorter one is filled up with zeros: convolutions need that much
UNUSED = ("masked_spec_embed",)  # weights that only pretraining uses; some models are published without them


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder on its device, with what prepares its input."""

    module: Any
    prepare: Any  # the feature extractor of transformers
    device: torch.device

    @property
    def sample_rate_hz(self) -> int:
        """Of the waveforms that it takes."""
        return int(self.prepare.sampling_rate)

    def states(self, wave: Samples) -> Float[Tensor, "layer time width"]:
        """The states of every layer; 0 is what the first layer reads."""
        rate_hz = self.sample_rate_hz
        if len(wave) < (fewest := round(SHORTEST_S * rate_hz)):
            wave = np.concatenate([wave, np.zeros(fewest - len(wave), np.float32)])
        pieces = np.array_split(wave, -(-len(wave) // round(LONGEST_S * rate_hz)))
        return torch.cat([self._piece(piece) for piece in pieces], dim=1)

    def _piece(self, wave: Samples) -> Float[Tensor, "layer time width"]:
        inputs = self.prepare(wave, sampling_rate=self.sample_rate_hz, return_tensors="pt", padding=False)
        inputs = {name: value.to(self.device) for name, value in inputs.items()}
        if self.module.config.model_type == "whisper":
            return torch.cat(whisper.states(self.module, inputs["input_features"]))
        found = getattr(self.module(**inputs, output_hidden_states=True), "hidden_states", None)
        if not found:
            raise Fault(
                "features",
                f"the encoder {type(self.module).__name__} gives no hidden states",
                got="a model without layers to choose from",
                expected="an encoder such as Whisper, wav2vec 2.0, HuBERT, WavLM, data2vec or w2v-BERT",
                fix="set features.model to such an encoder",
            )
        return torch.cat(list(found))


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """What an encoder gives, measured."""

    layers: int  # states that can be chosen from
    width: int  # numbers in each
    hop_samples: int
    sample_rate_hz: int


def load(folder: Path, device: torch.device) -> Encoder:
    """The encoder in a folder, with single-precision weights.

    Raises:
        Fault: for a folder that transformers cannot read, that lacks weights, or needs other code.
    """
    transformers = import_transformers()
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        prepare = transformers.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        module = model.get_encoder() if getattr(config, "is_encoder_decoder", False) else model
    except Fault:
        raise
    except Exception as error:  # of safetensors, transformers, torch or the disk: all mean an unusable folder
        raise _unusable(
            folder, f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
        ) from error
    _check_whole(folder, model, module, report)
    return Encoder(module.eval().requires_grad_(False).to(device), prepare, device)


def measured(encoder: Encoder) -> EncoderShape:
    """What an encoder gives for noise."""
    rate_hz = encoder.sample_rate_hz
    noise = np.random.default_rng(0).standard_normal(3 * rate_hz).astype(np.float32)
    with torch.inference_mode():
        short, long = encoder.states(noise[:rate_hz]), encoder.states(noise)
    hop = round(2 * rate_hz / (long.shape[1] - short.shape[1]))
    return EncoderShape(len(long), long.shape[2], hop, rate_hz)


def _check_whole(folder: Path, model: Any, module: Any, report: Any) -> None:
    """Refuse an encoder some of whose weights are random: transformers only warns."""
    prefix = next((f"{name}." for name, each in model.named_modules() if each is module and name), "")
    absent = [*report["missing_keys"], *(key for key, *_ in report.get("mismatched_keys", ()))]
    needed = [key for key in absent if key.startswith(prefix) and not key.endswith(UNUSED)]
    if needed:
        more = f" and {len(needed) - 3} more" if len(needed) > 3 else ""
        raise _unusable(folder, f"no weights for {', '.join(sorted(needed)[:3])}{more}")


def _unusable(folder: Path, why: str) -> Fault:
    return Fault(
        "features",
        f"{folder} holds no speech encoder that can be used",
        got=why,
        expected="a whole encoder in safetensors, saved by transformers (save_pretrained)",
        fix="fetch the folder again, or set features.model to another one",
    )
