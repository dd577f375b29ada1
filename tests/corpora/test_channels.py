"""Channels are averaged only where that gives the sound; otherwise it is told, and one can be taken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig, FeaturesConfig
from raysernas.corpora import audio, catalogue, inspection
from raysernas.corpora.channels import ChannelLevels, LevelMeter, chosen
from raysernas.corpora.check.report import CorpusReport, check
from raysernas.corpora.inspection import inspect
from raysernas.features import loading

RATE_HZ = 16_000
SPEECH = np.random.default_rng(0).uniform(-0.3, 0.3, RATE_HZ)
OTHER = np.random.default_rng(1).uniform(-0.3, 0.3, RATE_HZ)
DELAYED = np.concatenate([np.zeros(8), 0.5 * SPEECH[:-8]])  # 0.5 ms, and softer


def levels(*channels: np.ndarray) -> ChannelLevels:
    """Of a file with these channels."""
    meter = LevelMeter(len(channels), RATE_HZ)
    meter.add(np.stack(channels, axis=1).astype(np.float32))
    return meter.levels()


def corpus(root: Path, *odd: np.ndarray, subtype: str = "PCM_16") -> str:
    """A manifest of three speakers and two emotions; the first files have these sounds."""
    rows = ["file,emotion,speaker"]
    for number in range(12):
        plain = 0.1 * np.random.default_rng(number).standard_normal(RATE_HZ)
        sound = odd[number] if number < len(odd) else plain
        soundfile.write(root / f"{number}.wav", sound, RATE_HZ, subtype=subtype)
        rows.append(f"{number}.wav,{'joy' if number % 2 else 'fear'},s{number // 4}")
    (root / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return str(root / "labels.csv")


def checked(root: Path, *odd: np.ndarray, channel: Any = "mean", subtype: str = "PCM_16") -> CorpusReport:
    """The report on `corpus`."""
    table = corpus(root, *odd, subtype=subtype)
    return check(CorpusConfig(name="manifest", root=table, channel=channel))


def told(report: CorpusReport, kind: str) -> list[str]:
    """The remarks of one kind."""
    return [f"{remark.subject} {remark.what}" for remark in report.remarks if remark.kind == kind]


def test_a_stereo_pair_agrees_and_loses_nothing() -> None:
    room = 0.03 * OTHER
    for pair in (
        (SPEECH, SPEECH),
        (SPEECH, 0.3 * SPEECH),
        (SPEECH + room, SPEECH - room),
        (SPEECH, 0 * SPEECH),
    ):
        found = levels(*pair)
        assert (found.agree, found.lost("mean"), found.lag_s, found.cancelled_db) == (True, False, 0, 0)


def test_an_inverted_channel_cancels_also_with_other_gain_and_noise() -> None:
    assert levels(SPEECH, -SPEECH).lost("mean")
    assert levels(SPEECH, -0.8 * SPEECH).cancelled_db > 15
    assert levels(SPEECH, -SPEECH + 0.1 * OTHER).cancelled_db > 15
    assert levels(SPEECH, -SPEECH, OTHER, -OTHER).cancelled_db > 15
    assert not levels(SPEECH, OTHER, *(np.roll(SPEECH, at) for at in range(100, 900, 100))).cancelled_db


def test_a_second_microphone_is_heard_at_its_lag() -> None:
    late, early, inverted = levels(SPEECH, DELAYED), levels(DELAYED, SPEECH), levels(SPEECH, -DELAYED)
    assert [found.lag_s for found in (late, early, inverted)] == pytest.approx([5e-4, -5e-4, 5e-4])
    assert not late.agree


def test_channels_with_two_talkers_are_unlike_and_a_silent_one_is_not() -> None:
    assert levels(SPEECH, OTHER).unlike
    assert not levels(SPEECH, 1e-4 * OTHER).unlike


def test_a_file_whose_average_is_silent_is_bad_and_one_that_cancels_is_doubtful(tmp_path: Path) -> None:
    odd = np.stack([SPEECH, -SPEECH], axis=1), np.stack([SPEECH, -0.9 * SPEECH], axis=1)
    report = checked(tmp_path, *odd)
    assert told(report, "bad") == ["0.wav is silent when its channels are averaged: they cancel each other"]
    assert "1.wav has channels that cancel each other: their average is 26 dB softer" in told(
        report, "warning"
    )
    assert not report.fits
    with pytest.raises(Fault, match="silent when its channels are averaged"):
        catalogue.read(CorpusConfig(name="manifest", root=report.root), None)


def test_with_one_channel_chosen_that_channel_is_the_sound(tmp_path: Path) -> None:
    root = corpus(tmp_path, np.stack([SPEECH, -0.9 * SPEECH], axis=1), np.stack([SPEECH, 0 * SPEECH], axis=1))
    heard = {}
    for channel in ("left", "auto"):
        read = catalogue.read(CorpusConfig(name="manifest", root=root, channel=channel), None)
        heard[channel] = [catalogue.waveform(row, RATE_HZ) for row in read.utterances[:2]]
    np.testing.assert_allclose(heard["left"], [SPEECH, SPEECH], atol=1e-4)
    np.testing.assert_allclose(heard["auto"], [SPEECH, 0.5 * SPEECH], atol=1e-4)
    report = check(CorpusConfig(name="manifest", root=root, channel="right"))
    assert told(report, "bad") == ["1.wav has a silent right channel"]


def test_auto_takes_the_same_microphone_in_all_files_whose_channels_do_not_agree() -> None:
    louder, softer, stereo = levels(SPEECH, DELAYED), levels(0.1 * DELAYED, SPEECH), levels(SPEECH, SPEECH)
    assert chosen("auto", [louder, louder, softer, stereo, None]) == {True: "mean", False: "left"}
    assert chosen("auto", [louder, softer, softer]) == {True: "mean", False: "right"}
    assert chosen("right", [louder]) == {True: "right", False: "right"}


def test_other_channels_have_other_features_in_the_cache(tmp_path: Path) -> None:
    root = corpus(tmp_path, np.stack([SPEECH, OTHER], axis=1))
    folders = {
        loading.folders(
            catalogue.read(CorpusConfig(name="manifest", root=root, channel=channel), None),
            FeaturesConfig(),
            tmp_path,
        )
        for channel in ("mean", "left", "right")
    }
    assert len(folders) == 3


def test_what_is_known_of_channels_is_remembered(tmp_path: Path) -> None:
    soundfile.write(path := tmp_path / "a.wav", np.stack([SPEECH, DELAYED], axis=1), RATE_HZ)
    fresh = inspect([str(path)], tmp_path)
    (tmp_path / "a.wav").chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio, "content_hash", None)  # a second look would fail
        assert inspection.inspect([str(path)], tmp_path) == fresh


@pytest.mark.parametrize("scale", [2**7, 2**15, 2**23])
def test_floats_on_the_scale_of_whole_numbers_are_not_called_clipped(scale: int, tmp_path: Path) -> None:
    report = checked(tmp_path, scale * SPEECH, subtype="FLOAT")
    (warning,) = [text for text in told(report, "warning") if text.startswith("0.wav")]
    assert warning.endswith("where 1 is full scale: whole numbers written as floats")


def test_a_float_file_a_little_over_full_scale_is_clipped_as_before(tmp_path: Path) -> None:
    report = checked(tmp_path, 5 * SPEECH, subtype="FLOAT")
    assert any(text.startswith("0.wav is clipped") for text in told(report, "warning"))
