"""Every file is looked at from end to end; a bad one is told in a sentence, and a good one is not looked at
twice.
"""

import os
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora import audio, inspection
from raysernas.corpora.inspection import MEMORY, Sound, inspect

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000)


def _wav(path: Path, samples: np.ndarray = NOISE, subtype: str = "PCM_16") -> str:
    soundfile.write(path, samples, RATE_HZ, subtype=subtype)
    return str(path)


def _one(path: Path | str) -> Sound:
    return inspect([str(path)], None)[str(path)]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "audio").mkdir()
    return [
        _wav(tmp_path / "audio" / f"{name}.wav", NOISE[: 1_000 * number])
        for number, name in enumerate("abc", start=1)
    ]


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were really read."""
    seen: list[str] = []
    real = audio.content_hash
    monkeypatch.setattr(audio, "content_hash", lambda path: (seen.append(str(path)), real(path))[1])
    return seen


# --- what a good file holds


def test_a_good_file_is_measured(tmp_path: Path) -> None:
    samples = np.stack([NOISE, 0.25 * NOISE], axis=1)
    samples[5] = -0.75, 0
    sound = _one(path := _wav(tmp_path / "a.wav", samples, "FLOAT"))
    assert replace(sound, levels=None, loud_db=None) == Sound(
        audio.content_hash(path), RATE_HZ, 2, 8_000, 0.75, 0.0
    )
    assert sound.levels
    assert sound.levels.right / sound.levels.left == pytest.approx(1 / 16, rel=0.01)


@pytest.mark.parametrize(
    ("subtype", "full"),
    [("PCM_16", 1.0), ("PCM_24", 1.0), ("FLOAT", 1.5), ("PCM_U8", 1.0), ("PCM_16", -1.0), ("PCM_U8", -1.0)],
)
def test_samples_at_full_scale_are_clipped_alone_or_in_runs(
    tmp_path: Path, subtype: str, full: float
) -> None:
    samples = 0.9 * NOISE
    samples[[3, 100, 101, 102]] = full
    assert _one(_wav(tmp_path / "a.wav", samples, subtype)).clipped == 4 / 8_000


def test_a_long_file_is_measured_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.stack([NOISE, -NOISE], axis=1)
    samples[-1, 1] = 1.0
    whole = _one(path := _wav(tmp_path / "a.flac", samples))
    monkeypatch.setattr(inspection, "BLOCK", 999)
    parts = _one(path)
    assert replace(parts, levels=None) == replace(whole, levels=None)
    assert whole.levels
    assert parts.levels
    assert astuple(parts.levels) == pytest.approx(astuple(whole.levels))
    assert whole.clipped == 1 / 16_000


@pytest.mark.parametrize("name", ["ä'\"[red]\n.wav", "a b.flac", "A.OGG", os.fsdecode(b"\xff.wav")])
def test_odd_names_are_no_fault(tmp_path: Path, name: str) -> None:
    wanted = tmp_path / name
    _wav(
        plain := tmp_path / f"plain{wanted.suffix}", subtype="VORBIS" if wanted.suffix == ".OGG" else "PCM_16"
    )
    plain.rename(wanted)
    memory = tmp_path / "memory"
    assert inspect([str(wanted)], memory)[str(wanted)].fault == ""
    assert inspect([str(wanted)], memory)[str(wanted)].frames == 8_000
    assert len(audio.read(wanted, sample_rate_hz=RATE_HZ)) == 8_000


# --- bad files


def test_bad_files_are_told_in_a_sentence_and_what_helps(tmp_path: Path) -> None:
    folder, loop, empty, dangling, pipe = (
        tmp_path / name for name in ("folder", "loop", "empty.wav", "dangling", "pipe")
    )
    folder.mkdir()
    loop.symlink_to(loop)
    dangling.symlink_to("nowhere.wav")
    empty.touch()
    os.mkfifo(pipe)
    foreign, raw, pointer = tmp_path / "text.wav", tmp_path / "a.raw", tmp_path / "lfs.wav"
    for path in (foreign, raw):
        path.write_text("this is no sound")
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    paths = [
        tmp_path / "gone",
        empty / "below",
        folder,
        loop,
        dangling,
        pipe,
        empty,
        foreign,
        raw,
        pointer,
        tmp_path / "a\0b",
    ]
    found = inspect(map(str, paths), None)
    place, convert = "put the recording in its place", "convert it to WAV, FLAC, OGG or MP3"
    assert [(sound.fault, sound.fix) for sound in found.values()] == [
        ("is missing", place),
        ("is missing", place),
        ("is a folder", place),
        ("cannot be read: Too many levels of symbolic links", "check the disk and the name"),
        ("is a link to nowhere.wav, which is missing", place),
        ("is no file", place),
        ("is empty: 0 bytes", "fetch it again"),
        ("is no audio that can be read: Format not recognised", "replace it by a whole copy"),
        ("is no audio that can be read: samplerate must be specified", convert),
        ("is a Git-LFS pointer, not the audio", "run git lfs pull in its folder"),
        ("cannot be read: embedded null byte", "check the disk and the name"),
    ]


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3", ".FLAC"])
def test_a_broken_file_is_to_be_copied_again_not_to_be_converted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"fLaC this is no sound" * 99)
    assert _one(path).fix == "replace it by a whole copy"
    assert "possibly a pipe" not in _one(path).fault


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    path = _wav(tmp_path / "a.wav")
    monkeypatch.setattr(audio, "content_hash", refuse)
    assert (_one(path).fault, _one(path).fix) == ("may not be read", "allow it with chmod")


def test_bad_sound_is_told_in_a_sentence(tmp_path: Path) -> None:
    numbers = NOISE.copy()
    numbers[[3, 7]] = np.nan, np.inf
    cut, none, silent, broken = (tmp_path / f"{name}.wav" for name in ("cut", "none", "silent", "broken"))
    _wav(cut)
    cut.write_bytes(cut.read_bytes()[:144])
    _wav(none, NOISE[:0])
    _wav(silent, 0 * NOISE)
    _wav(broken, numbers, "FLOAT")
    assert [_one(path).fault for path in (cut, none, silent, broken)] == [
        "is cut off: 100 bytes of sound, 16000 in its header",
        "has no samples",
        "is silent: all 8000 samples are 0",
        "has samples that are no numbers: 2 of 8000",
    ]


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_file_that_is_cut_off_is_bad_in_every_format(tmp_path: Path, suffix: str, share: float) -> None:
    _wav(
        path := tmp_path / f"a{suffix}",
        NOISE,
        {".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}.get(suffix, "PCM_16"),
    )
    assert _one(path).fault == ""
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert _one(path).fault


@settings(max_examples=60)
@given(
    st.sampled_from([".wav", ".flac", ".ogg"]),
    st.integers(0, 200),
    st.binary(min_size=1, max_size=12),
    st.floats(0.05, 1),
)
def test_what_is_good_here_can_be_read_later_and_what_is_bad_cannot(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, at: int, garbage: bytes, share: float
) -> None:
    """Damage to the first bytes, and to the end; silence is the one thing that can be read and is bad."""
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    _wav(path, NOISE[:2_000], "VORBIS" if suffix == ".ogg" else "PCM_16")
    content = path.read_bytes()
    path.write_bytes((content[:at] + garbage + content[at + len(garbage) :])[: int(share * len(content))])
    sound = _one(path)
    try:
        audio.read(path, sample_rate_hz=sound.rate_hz or RATE_HZ)
        readable = True
    except Fault:
        readable = False
    assert readable == (not sound.fault or sound.fault.startswith("is silent"))


# --- memory


def test_a_file_is_looked_at_again_only_when_it_changed(
    tmp_path: Path, files: list[str], examined: list[str]
) -> None:
    memory = tmp_path / "deep" / "memory"
    first = inspect([*files, files[0]], memory)
    assert sorted(examined) == files
    assert inspect(files, memory) == first
    assert len(examined) == 3
    _wav(Path(files[1]))
    os.utime(files[2], ns=(1, 1))
    second = inspect(files, memory)
    assert sorted(examined[3:]) == files[1:]
    assert [first[file] == second[file] for file in files] == [True, False, True]
    assert [path.name for path in memory.iterdir()] == [MEMORY]


def test_nothing_is_written_without_a_memory_or_without_news(
    tmp_path: Path, files: list[str], examined: list[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert inspect(files, None) == inspect(files, None)
    assert sorted(tmp_path.rglob("*")) == before
    assert len(examined) == 6
    inspect(files, tmp_path)
    (tmp_path / MEMORY).chmod(0o400)
    written = (tmp_path / MEMORY).stat()
    inspect(files, tmp_path)
    again = (tmp_path / MEMORY).stat()  # the time of access changes, nothing else
    assert (again.st_ino, again.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_a_bad_file_is_looked_at_every_time(tmp_path: Path) -> None:
    path = _wav(tmp_path / "a.wav", 0 * NOISE)
    state = os.stat(path)
    assert all(inspect([path], tmp_path)[path].fault for _ in range(2))
    Path(path).write_bytes(Path(_wav(tmp_path / "b.wav")).read_bytes())
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert inspect([path], tmp_path)[path].fault == ""


def test_a_name_that_stands_for_another_file_elsewhere_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "xy":
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        os.utime(_wav(Path("a.wav"), NOISE * (1 if name == "x" else -1)), ns=(0, 0))
        assert inspect(["a.wav"], tmp_path)["a.wav"].hash == audio.content_hash("a.wav")


def test_a_memory_serves_several_corpora(tmp_path: Path, files: list[str], examined: list[str]) -> None:
    for part in (files[:1], files[1:], files):
        inspect(part, tmp_path)
    assert sorted(examined) == files


def test_what_another_process_wrote_meanwhile_is_kept(
    tmp_path: Path, files: list[str], examined: list[str]
) -> None:
    inspect(files[:1], tmp_path, report=lambda done, of: inspect(files[1:], tmp_path))
    examined.clear()
    inspect(files, tmp_path)
    assert examined == []


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)


def _of_another_version(path: Path) -> None:
    table = pq.ParquetFile(path).read()
    pq.write_table(table.replace_schema_metadata({"version": "0"}), path)


def _of_another_shape(path: Path) -> None:
    pq.write_table(pa.table({"path": [b"/a"]}, metadata={"version": inspection.VERSION}), path)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_text(""),
        lambda path: path.write_text("{"),
        _torn,
        _flipped,
        _of_another_version,
        _of_another_shape,
    ],
)
def test_a_memory_that_cannot_be_understood_is_rebuilt(
    tmp_path: Path, files: list[str], examined: list[str], spoil: Callable[[Path], object]
) -> None:
    whole = inspect(files, tmp_path)
    spoil(tmp_path / MEMORY)
    examined.clear()
    assert inspect(files, tmp_path) == whole
    assert sorted(examined) == files
    assert inspect(files, tmp_path) == whole
    assert len(examined) == 3


def test_a_memory_that_is_no_folder_is_a_fault(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "memory").touch()
    with pytest.raises(Fault, match="cannot write"):
        inspect(files, tmp_path / "memory")


# --- progress


def test_progress_is_reported_up_to_the_last_file(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "PART", 1)
    told: list[tuple[int, int]] = []
    inspect([*files, str(tmp_path / "gone")], None, lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupted_inspection_keeps_what_it_found(
    tmp_path: Path, files: list[str], examined: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "PART", 1)
    with pytest.raises(KeyboardInterrupt):
        inspect(files, tmp_path, interrupt)
    seen = len(examined)
    assert seen > 0
    inspect(files, tmp_path)
    assert sorted(examined) == files


def test_a_missing_file_that_is_there_in_another_format_is_told(tmp_path: Path) -> None:
    _wav(tmp_path / "a.flac")
    assert _one(tmp_path / "a.wav").fault == "is missing, but a.flac is there"
    assert _one(tmp_path / "b.wav").fault == "is missing"
    assert _one(tmp_path / "a.mp3").fix == "convert it, or correct the name in the table"


def test_a_fault_leaves_what_could_be_found_out(tmp_path: Path) -> None:
    sound = _one(_wav(tmp_path / "a.wav", 0 * NOISE))
    assert replace(sound, fault="", fix="") == Sound(
        audio.content_hash(tmp_path / "a.wav"), RATE_HZ, 1, 8_000, 0.0, 0.0
    )
