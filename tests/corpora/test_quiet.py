"""A damaged MP3 file is told in one sentence, and its decoder writes nothing to the terminal."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas.config.fault import Fault
from raysernas.corpora import audio
from raysernas.corpora.inspection import inspect
from raysernas.corpora.quiet import quiet


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """An MP3 file with wrong bytes in its middle, about which libmpg123 has a lot to say."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, 48_000), 16_000)
    data = bytearray(path.read_bytes())
    for at in np.random.default_rng(1).integers(200, len(data), 60):
        data[at] ^= 0xFF
    path.write_bytes(data)
    return path


def test_a_damaged_mp3_prints_nothing(damaged: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (sound,) = inspect([str(damaged)], None).values()
    assert sound.fault.startswith("is cut off: ")
    with pytest.raises(Fault, match="is cut off"):
        audio.read(damaged, sample_rate_hz=16_000)
    with audio.opened(damaged) as file:
        assert capfd.readouterr().err == ""
        file.read()
    assert capfd.readouterr().err, "the decoder no longer writes to the terminal: quiet is not needed"


def test_standard_error_is_back_when_the_last_thread_has_decoded(capfd: pytest.CaptureFixture[str]) -> None:
    decoding, done = threading.Barrier(3), threading.Event()

    def decode() -> None:
        with quiet("a.MP3"):
            decoding.wait()
            done.wait()

    threads = [threading.Thread(target=decode) for _ in range(2)]
    for thread in threads:
        thread.start()
    decoding.wait()
    os.write(2, b"lost")
    done.set()
    for thread in threads:
        thread.join()
    with quiet("a.wav"):
        os.write(2, b"kept")
    assert capfd.readouterr().err == "kept"


def test_a_process_without_a_standard_error_decodes_too(damaged: Path) -> None:
    kept = os.dup(2)
    os.close(2)
    try:
        with quiet(damaged):
            pass
    finally:
        os.dup2(kept, 2)
        os.close(kept)
