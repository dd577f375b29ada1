"""Sound is read as it was recorded, and a damaged file is refused by name."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from raysernas.config.fault import Fault
from raysernas.corpora import audio

RATE_HZ = 16_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)


def _wav(folder: Path, samples: np.ndarray = TONE, rate_hz: int = RATE_HZ, subtype: str = "FLOAT") -> Path:
    path = folder / "a.wav"
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def _message(path: Path | str, **stretch: Any) -> str:
    with pytest.raises(Fault) as caught:
        audio.read(path, sample_rate_hz=RATE_HZ, **stretch)
    return str(caught.value)


def test_samples_come_back_bit_for_bit(tmp_path: Path) -> None:
    samples = audio.read(str(_wav(tmp_path)), sample_rate_hz=RATE_HZ)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, TONE)


@pytest.mark.parametrize("name", ["a b.flac", "ä'\"\n.wav", "a.OGG"])
def test_other_formats_and_odd_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, TONE, RATE_HZ)
    samples = audio.read(path, sample_rate_hz=RATE_HZ)
    np.testing.assert_allclose(samples, TONE, atol=0.05)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = _wav(tmp_path, np.stack([TONE, 0 * TONE], axis=1))
    np.testing.assert_allclose(audio.read(path, sample_rate_hz=RATE_HZ), TONE / 2, atol=1e-7)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_a_tone_keeps_its_pitch_and_level_at_another_rate(tmp_path: Path, rate_hz: int) -> None:
    samples = audio.read(_wav(tmp_path), sample_rate_hz=rate_hz)
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / rate_hz)
    assert abs(len(samples) - rate_hz) <= 1
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples[200:-200], wanted[200:-200], atol=1e-3)


def test_a_stretch_is_cut_to_the_sample(tmp_path: Path) -> None:
    path = _wav(tmp_path)
    np.testing.assert_array_equal(
        audio.read(path, sample_rate_hz=RATE_HZ, start_s=0.25, end_s=0.5), TONE[4_000:8_000]
    )
    np.testing.assert_array_equal(audio.read(path, sample_rate_hz=RATE_HZ, start_s=0.25), TONE[4_000:])
    np.testing.assert_array_equal(audio.read(path, sample_rate_hz=RATE_HZ, end_s=1.005), TONE)


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(1.0, 0.0), (-0.1, 0.0), (0.5, 0.5), (0.6, 0.4), (0.0, 1.02), (float("nan"), 0.0)]
)
def test_a_stretch_outside_the_file_is_refused(tmp_path: Path, start_s: float, end_s: float) -> None:
    path = _wav(tmp_path)
    assert _message(path, start_s=start_s, end_s=end_s) == (
        f"audio: {path} does not contain the stretch\n  got: start {start_s} s, end {end_s} s\n"
        "  expected: 0 <= start < end <= 1.000 s (end 0: up to the end)\n"
        "  fix: correct start and end of this utterance"
    )


def test_a_stretch_shorter_than_a_sample_is_refused(tmp_path: Path) -> None:
    assert "has no samples there" in _message(_wav(tmp_path), start_s=0.5, end_s=0.50001)


def test_missing_empty_and_foreign_files_are_refused(tmp_path: Path) -> None:
    end = "\n  fix: replace the file, or take it out of the corpus"
    path = tmp_path / "a.wav"
    assert (
        _message(path) == f"audio: {path} does not exist\n  got: no such file\n  expected: an audio file{end}"
    )
    assert "does not exist" in _message(tmp_path)
    path.touch()
    assert _message(path) == f"audio: {path} is empty\n  got: 0 bytes\n  expected: an audio file{end}"
    path.write_text("this is no sound")
    assert _message(path) == (
        f"audio: {path} is no audio that can be read\n  got: Format not recognised\n  expected: a WAV, FLAC, "
        f"OGG or MP3 file{end}"
    )


@pytest.mark.parametrize("kept", [60, 1_000, 32_043])
def test_a_wav_file_that_is_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = _wav(tmp_path, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:kept])
    assert _message(path) == (
        f"audio: {path} is cut off\n  got: {kept - 44} bytes of sound, 32000 in its header\n  expected: a "
        "whole file\n"
        "  fix: replace the file, or take it out of the corpus"
    )


@pytest.mark.parametrize("kept", [4, 12, 30, 44])
def test_a_wav_file_cut_off_in_its_header_is_refused(tmp_path: Path, kept: int) -> None:
    path = _wav(tmp_path, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in _message(path)


def test_a_flac_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, RATE_HZ), RATE_HZ)
    path.write_bytes(path.read_bytes()[:20_000])
    assert str(path) in _message(path)


@pytest.mark.parametrize("lost", [1, 100, 3_000])
def test_an_ogg_file_that_is_cut_off_is_refused(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 4 * RATE_HZ), RATE_HZ)
    assert len(audio.read(path, sample_rate_hz=RATE_HZ)) == 4 * RATE_HZ
    path.write_bytes(path.read_bytes()[:-lost])
    assert "is cut off\n  got: its last page is missing\n  expected: a whole file" in _message(path)


def test_an_ogg_file_that_lacks_whole_pages_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 4 * RATE_HZ), RATE_HZ)
    assert audio.cut_off(path) == ""
    path.write_bytes(path.read_bytes().rpartition(b"OggS")[0])
    assert audio.cut_off(path) == "its last page is missing"


def test_a_stretch_is_frames_of_its_file() -> None:
    assert audio.frames_of(0.25, 0.5, frames=RATE_HZ, rate_hz=RATE_HZ) == (4_000, 8_000)
    assert audio.frames_of(0.25, 0.0, frames=RATE_HZ, rate_hz=RATE_HZ) == (4_000, RATE_HZ)
    assert audio.frames_of(0.0, 1.005, frames=RATE_HZ, rate_hz=RATE_HZ) == (0, RATE_HZ)
    assert audio.frames_of(0.0, 1.02, frames=RATE_HZ, rate_hz=RATE_HZ) is None


def test_odd_chunks_and_unknown_sizes_of_wav_are_understood(tmp_path: Path) -> None:
    path = _wav(tmp_path, subtype="PCM_16")
    whole = path.read_bytes()
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(whole[:36] + odd + whole[36:])
    assert len(audio.read(path, sample_rate_hz=RATE_HZ)) == RATE_HZ
    path.write_bytes((whole[:36] + odd + whole[36:])[:-100])
    assert audio.cut_off(path) == "31900 bytes of sound, 32000 in its header"
    for unknown in (b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"):  # as ffmpeg and sox write into a pipe
        path.write_bytes(whole[:4] + unknown + whole[8:40] + unknown + whole[44:])
        assert len(audio.read(path, sample_rate_hz=RATE_HZ)) == RATE_HZ


def test_no_samples_and_no_numbers_are_refused(tmp_path: Path) -> None:
    assert "has no samples" in _message(_wav(tmp_path, TONE[:0]))
    broken = TONE.copy()
    broken[[3, 7]] = np.nan, np.inf
    assert "has samples that are no numbers\n  got: 2 of 16000" in _message(_wav(tmp_path, broken))


def test_content_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert audio.content_hash(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
