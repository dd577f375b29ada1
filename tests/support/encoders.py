"""Tiny pretrained encoders with random weights, saved as real ones are: a few kilobytes each, no download."""

from pathlib import Path
from typing import Any

import pytest
import torch

transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")

WIDTH, LAYERS = 16, 2
# 320 samples to a frame, as in the published ones
CONVOLUTIONS = {"conv_dim": (8, 8, 8), "conv_kernel": (10, 8, 4), "conv_stride": (5, 8, 8)}
POSITIONS = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 3}
SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
KINDS = ("whisper", "wav2vec2", "hubert", "wavlm", "data2vec", "w2v_bert")


def model(kind: str, seed: int = 0) -> Any:
    """A model of this kind, with fresh weights."""
    torch.manual_seed(seed)
    match kind:
        case "whisper":
            sizes = {"d_model": WIDTH, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "vocab_size": 50}
            heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
            tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 1)
            layers = {"encoder_layers": LAYERS, "decoder_layers": 1, "decoder_start_token_id": 1}
            suppressed = {"suppress_tokens": [], "begin_suppress_tokens": []}
            config = transformers.WhisperConfig(**sizes, **heads, **tokens, **layers, **suppressed)
            return transformers.WhisperModel(config)
        case "w2v_bert":
            config = transformers.Wav2Vec2BertConfig(**SIZES, feature_projection_input_dim=160)
            return transformers.Wav2Vec2BertModel(config)
    name = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM", "data2vec": "Data2VecAudio"}[kind]
    config = getattr(transformers, f"{name}Config")(**SIZES, **CONVOLUTIONS, **POSITIONS)
    return getattr(transformers, f"{name}Model")(config)


def preprocessor(kind: str) -> Any:
    """What prepares its input."""
    if kind == "whisper":
        return transformers.WhisperFeatureExtractor()
    if kind == "w2v_bert":
        return transformers.SeamlessM4TFeatureExtractor()
    return transformers.Wav2Vec2FeatureExtractor(do_normalize=True)


def saved(folder: Path, kind: str = "wav2vec2", seed: int = 0) -> Path:
    """The folder of a model, as `save_pretrained` leaves it."""
    model(kind, seed).save_pretrained(folder)
    preprocessor(kind).save_pretrained(folder)
    return folder
