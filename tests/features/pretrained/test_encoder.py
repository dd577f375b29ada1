"""Laws of pretrained encoders: their states are those of transformers, of one recording and nothing else."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raysernas.config.fault import Fault
from raysernas.features.pretrained import encoder, folder, whisper
from tests.support.encoders import KINDS, LAYERS, WIDTH, model, preprocessor, saved
from tests.support.faults import refusal

CPU = torch.device("cpu")


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(16_000 * seconds)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_the_states_are_those_that_transformers_gives_for_the_recording_alone(
    kind: str, tmp_path: Path
) -> None:
    loaded, wave = encoder.load(saved(tmp_path, kind), CPU), noise(1.3)
    found = loaded.states(wave)
    assert found.shape[0] == LAYERS + 1
    assert found.shape[2] == WIDTH
    if kind == "whisper":
        return  # transformers takes 30 s only: below
    inputs = preprocessor(kind)(wave, sampling_rate=16_000, return_tensors="pt")
    plain = model(kind).eval()(**inputs, output_hidden_states=True).hidden_states
    assert torch.equal(found[:, : plain[0].shape[1]], torch.cat(plain))


@torch.inference_mode()
def test_whisper_at_its_true_length_is_the_whisper_of_transformers_bit_for_bit_on_thirty_seconds() -> None:
    module = model("whisper").eval().get_encoder()
    mel = preprocessor("whisper")(noise(3), sampling_rate=16_000, return_tensors="pt").input_features
    expected = module(mel, output_hidden_states=True).hidden_states
    found = whisper.states(module, mel)
    assert mel.shape[2] == 3000
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@torch.inference_mode()
def test_whisper_gives_a_frame_for_twenty_milliseconds_of_sound_and_none_for_padding(tmp_path: Path) -> None:
    loaded = encoder.load(saved(tmp_path, "whisper"), CPU)
    assert loaded.states(noise(1.3)).shape[1] == 65


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2"])
@torch.inference_mode()
def test_long_and_tiny_recordings_have_states_too(kind: str, tmp_path: Path) -> None:
    loaded = encoder.load(saved(tmp_path, kind), CPU)
    assert loaded.states(noise(0.0001)).shape[1] >= 1
    pieces = np.array_split(noise(70), 3)
    apart = torch.cat([loaded.states(piece) for piece in pieces], dim=1)
    assert torch.equal(loaded.states(noise(70)), apart)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_width_and_rate_are_measured(kind: str, tmp_path: Path) -> None:
    shape = encoder.measured(encoder.load(saved(tmp_path, kind), CPU))
    assert shape == encoder.EncoderShape(LAYERS + 1, WIDTH, 320, 16_000)


def without_a_weight(place: Path) -> None:
    """Whisper's encoder with one tensor less; what is left is a sound file."""
    from safetensors.torch import load_file, save_file

    weights = load_file(place / "model.safetensors")
    del weights["encoder.layers.1.fc1.weight"]
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})


def cut(place: Path) -> None:
    file = place / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def torn_header(place: Path) -> None:
    file = place / "model.safetensors"
    content = file.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    file.write_bytes(content[:8] + b"{" * size + content[8 + size :])


def other_sizes(place: Path) -> None:
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"encoder_ffn_dim": 32}))


def text_model(place: Path) -> None:
    (place / "config.json").write_text('{"model_type": "bert"}')


def unknown_model(place: Path) -> None:
    (place / "config.json").write_text('{"model_type": "of_tomorrow"}')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_a_weight, "no weights for encoder.layers.1.fc1.weight"),
        (cut, "Error"),
        (torn_header, "Error"),
        (other_sizes, ""),
        (text_model, ""),
        (unknown_model, "of_tomorrow"),
    ],
)
def test_an_encoder_that_is_not_whole_is_refused_in_five_parts(
    damage: Any, says: str, tmp_path: Path
) -> None:
    place = saved(tmp_path, "whisper")
    damage(place)
    text = refusal(lambda: encoder.measured(encoder.load(place, CPU)))
    assert says in text
    assert text.startswith(f"features: {place} holds no speech encoder that can be used")


def test_a_decoder_may_be_missing(tmp_path: Path) -> None:
    """Encoders of Whisper are published without it."""
    from safetensors.torch import load_file, save_file

    place = saved(tmp_path, "whisper")
    weights = {name: value for name, value in load_file(place / "model.safetensors").items() if "enc" in name}
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    shape = encoder.measured(encoder.load(place, CPU))
    assert shape.layers == LAYERS + 1


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    place = saved(tmp_path)
    (place / name).unlink()
    text = refusal(lambda: folder.fingerprint(place))
    assert "is no whole model" in text
    assert f"({name.replace('model.', '*.')}) missing" in text


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    place = saved(tmp_path)
    torch.save(model("wav2vec2").state_dict(), place / "pytorch_model.bin")
    (place / "model.safetensors").unlink()
    with pytest.raises(Fault, match="safetensors"):
        folder.fingerprint(place)


def test_the_fingerprint_is_that_of_the_contents_and_not_of_the_place(tmp_path: Path) -> None:
    one, same, other = (saved(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    (same / "README.md").write_text("notes")
    assert folder.fingerprint(one) == folder.fingerprint(same) != folder.fingerprint(other)
    (same / "preprocessor_config.json").write_text("{}")
    assert folder.fingerprint(one) != folder.fingerprint(same)


def test_a_name_that_the_hub_does_not_give_is_refused_with_the_way_without_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub

    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    text = refusal(lambda: folder.local("lab/encoder@main", None, fetch=True))
    assert "no route to host" in text
    assert "bring the folder" in text
    with pytest.raises(Fault, match="there is no folder lab/encoder"):
        folder.local("lab/encoder", None)  # a trial fetches nothing
    with pytest.raises(Fault, match=r"features\.model is not set"):
        folder.local("", None)


def test_a_machine_without_transformers_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    text = refusal(folder.import_transformers)
    assert "fix: pip install 'raysernas[pretrained]', or set features.kind=logmel" in text
