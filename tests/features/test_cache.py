"""Laws of the cache: same bits from disk and from memory, torn shards are made anew, builds go on, nobody is
in the way.
"""

import fcntl
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.features import cache
from raysernas.features.extraction import Extract
from raysernas.features.front_end import Clip
from tests.support.faults import refusal

A, B, C, ONE = (f"features-{digit * 16}" for digit in "abc1")
B_WAVES = f"waveforms-{'b' * 16}"

COUNT, BANDS = 11, 3


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Eleven utterances make three shards: 4, 4, 3."""
    monkeypatch.setattr(cache, "SHARD", 4)
    monkeypatch.setattr(cache, "RUN", 3)


def corpus(count: int = COUNT) -> Corpus:
    """Utterances whose keys are numbers."""
    utterances = tuple(
        Utterance(key=str(i), path=f"{i}.wav", emotion="anger", speaker="a") for i in range(count)
    )
    return Corpus(name="mine", emotions=("anger",), utterances=utterances, fingerprint="x")


def clip(number: int) -> Clip:
    """Of a length and with values that tell which utterance it is; the last frame is padding."""
    values = np.arange((number % 4 + 2) * BANDS, dtype=np.float32).reshape(-1, BANDS) + 100 * number
    return Clip(values, np.full(BANDS, -number, np.float32), len(values) - 1)


class Maker:
    """Reads and makes clips, and remembers of which utterances."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.made: list[str] = []
        self.broken = broken

    def read(self, utterance: Utterance) -> np.ndarray:
        """A sound that holds nothing but the number of the utterance."""
        self.made.append(utterance.key)
        if utterance.key in self.broken:
            raise Fault("audio", f"{utterance.path} is torn", got="noise", expected="sound", fix="correct it")
        return np.array([int(utterance.key)], np.float32)

    def extractor(self) -> Extract:
        """What makes a clip of that number."""
        return lambda sound: clip(int(sound[0]))


def load(corpus: Corpus, folder: Path | None, maker: Maker, threads: int | None = None) -> cache.FrameStore:
    """From the cache, or by this maker."""
    return cache.load(corpus, folder, maker.read, maker.extractor, threads)


def equal(frames: cache.FrameStore, count: int = COUNT) -> bool:
    """Whether these are the clips of the corpus."""
    for i in range(count):
        expected = clip(i)
        np.testing.assert_array_equal(frames.of(i), expected.values)
        np.testing.assert_array_equal(frames.silence_of(i), expected.silence)
        assert frames.true_frames(i) == frames.clip(i).true == expected.true
    return len(frames) == count and frames.width == BANDS


@pytest.mark.parametrize("count", [1, 4, 8, COUNT])
def test_memory_and_disk_hold_the_same(tmp_path, count):
    assert equal(load(corpus(count), None, Maker()), count)
    folder = tmp_path / ONE
    for maker in (Maker(), Maker()):
        assert equal(load(corpus(count), folder, maker), count)
    assert maker.made == [], "the second time nothing is made"
    assert equal(cache.in_memory(clip(i) for i in range(count)), count)


def test_nothing_is_prepared_when_nothing_is_missing(tmp_path):
    load(corpus(), tmp_path / ONE, Maker())

    def never() -> Extract:
        raise AssertionError("an extractor was asked for")

    assert equal(cache.load(corpus(), tmp_path / ONE, Maker().read, never))


def test_arrays_are_the_pages_of_the_files(tmp_path):
    frames = load(corpus(), tmp_path / ONE, Maker())
    for shard in frames.shards:
        for array in (shard.values, shard.silence, shard.true):
            assert not array.flags.owndata
            assert not array.flags.writeable
    mapped = Path("/proc/self/maps")
    if mapped.exists():
        assert f"{tmp_path}/{ONE}/00002.arrow" in mapped.read_text()
        assert not [1 for handle in Path("/proc/self/fd").iterdir() if handle.resolve().suffix == ".arrow"], (
            "no file stays open"
        )


def test_the_number_of_threads_changes_no_file(tmp_path):
    for threads in (1, 3):
        load(corpus(), tmp_path / str(threads) / ONE, Maker(), threads)
    for number in range(3):
        one, three = (tmp_path / threads / ONE / f"{number:05d}.arrow" for threads in ("1", "3"))
        assert one.read_bytes() == three.read_bytes()


@pytest.mark.parametrize("left", [b"", b"ARROW1", None, "foreign", "moved", "garbage"])
def test_a_shard_that_is_torn_or_foreign_is_made_anew_and_no_other(tmp_path, left):
    folder = tmp_path / ONE
    load(corpus(), folder, Maker())
    path = folder / "00001.arrow"
    whole = path.read_bytes()
    if left == "foreign":
        load(corpus(), tmp_path / "features-2", Maker())
        path.write_bytes((tmp_path / "features-2" / "00001.arrow").read_bytes())
    elif left == "moved":
        path.write_bytes((folder / "00000.arrow").read_bytes())
    elif left == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(len(whole)))
    else:
        path.write_bytes(whole[:-100] if left is None else left)
    maker = Maker()
    assert equal(load(corpus(), folder, maker))
    assert sorted(maker.made) == ["4", "5", "6", "7"]
    assert path.read_bytes() == whole


def test_a_killed_build_goes_on_at_the_first_missing_shard(tmp_path, monkeypatch):
    folder, write = tmp_path / ONE, cache.storage.write

    def killed(path, fill):
        if path.name == "00001.arrow":
            raise KeyboardInterrupt
        write(path, fill)

    monkeypatch.setattr(cache.storage, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        load(corpus(), folder, Maker())
    assert [path.name for path in folder.iterdir()] == ["00000.arrow"]
    monkeypatch.setattr(cache.storage, "write", write)
    maker = Maker()
    assert equal(load(corpus(), folder, maker))
    assert sorted(maker.made, key=int) == [str(i) for i in range(4, COUNT)]


def test_no_more_than_two_shards_are_made_ahead_of_what_is_written(tmp_path, monkeypatch):
    write, ahead, maker = cache.storage.write, [], Maker()

    def watched(path, fill):
        write(path, fill)
        ahead.append(len(maker.made) - 4 * len(ahead))

    monkeypatch.setattr(cache.storage, "write", watched)
    load(corpus(40), tmp_path / ONE, maker)
    assert len(ahead) == 10
    assert max(ahead) <= 8


def test_all_unreadable_utterances_are_counted_and_whole_shards_kept(tmp_path):
    folder, broken = tmp_path / ONE, Maker(("5", "6", "8", "10"))
    with pytest.raises(Fault) as caught:
        load(corpus(), folder, broken)
    assert str(caught.value) == (
        "features: 4 of 11 utterances of mine cannot be read\n"
        "  got: 5.wav is torn\n       6.wav is torn\n       8.wav is torn\n"
        "  expected: audio that libsndfile reads from end to end\n"
        "  fix: correct or remove these files (and their labels)"
    )
    assert [path.name for path in folder.iterdir()] == ["00000.arrow"]
    maker = Maker(("5", "6", "8", "10"))
    assert refusal(lambda: load(corpus(), folder, maker)) == str(caught.value)
    assert "0" not in maker.made


def test_two_builders_take_turns(tmp_path):
    """Another one holds the lock; it makes everything before this one is let in."""
    folder, maker, found = tmp_path / ONE, Maker(), []
    with cache._alone(folder):
        waiting = threading.Thread(target=lambda: found.append(load(corpus(), folder, maker)))
        waiting.start()
        other = load(corpus(), tmp_path / "other" / ONE, Maker())
        for number, shard in enumerate(other.shards):
            cache._write(folder, number, shard)
        assert not found
    waiting.join()
    assert equal(found[0])
    assert maker.made == []


def test_a_file_system_without_locks_costs_nothing_but_work(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    assert equal(load(corpus(), tmp_path / ONE, Maker()))


def filled(tmp_path: Path, name: str, used: int) -> Path:
    """A folder of clips that was last used then."""
    load(corpus(), tmp_path / name, Maker())
    os.utime(tmp_path / name, (used, used))
    return tmp_path / name


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_least_recently_used_go_first_and_the_kept_never(tmp_path):
    old, older, new = (
        filled(tmp_path, name, used)
        for name, used in (
            (A, 20),
            (B_WAVES, 10),
            (C, 30),
        )
    )
    (tmp_path / "files").write_text("not a folder of clips")
    size = bytes_of(old)
    assert cache.trim(tmp_path, 3 * size / 1e9) == 0
    assert cache.trim(tmp_path, 2.5 * size / 1e9) == size
    assert not older.exists()
    assert cache.trim(tmp_path, 0.0, keep=[old]) == size
    assert old.exists()
    assert not new.exists()
    assert cache.clear(tmp_path) == size
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


def test_a_load_counts_as_use(tmp_path):
    one, two = (
        filled(tmp_path, A, 10),
        filled(tmp_path, B, 20),
    )
    load(corpus(), one, Maker())
    cache.trim(tmp_path, 1.5 * bytes_of(one) / 1e9)
    assert one.exists()
    assert not two.exists()


def test_who_still_looks_at_a_deleted_folder_keeps_what_is_open(tmp_path):
    frames = load(corpus(), tmp_path / ONE, Maker())
    assert cache.clear(tmp_path) > 0
    assert equal(frames)


def test_a_folder_that_is_being_filled_is_not_deleted(tmp_path):
    folder = filled(tmp_path, A, 10)
    with cache._alone(folder):
        assert cache.trim(tmp_path, 0.0) == cache.clear(tmp_path) == 0
    assert equal(load(corpus(), folder, Maker()))


def test_what_another_process_deletes_meanwhile_is_no_fault(tmp_path, monkeypatch):
    filled(tmp_path, A, 10)
    found = cache._folders(tmp_path)
    monkeypatch.setattr(cache, "_folders", lambda _: [*found, tmp_path / "features-0000000000000000"])
    assert cache.trim(tmp_path, 0.0) > 0
    assert cache.trim(tmp_path, 0.0) == cache.clear(tmp_path) == 0
    monkeypatch.undo()
    assert cache.trim(tmp_path / "nowhere", 0.0) == cache.clear(tmp_path / "nowhere") == 0


def test_nothing_is_deleted_that_the_cache_has_not_written(tmp_path):
    ours = filled(tmp_path, A, 10)
    theirs = (
        tmp_path / "features-thesis-2024",
        tmp_path / "waveforms-original",
        tmp_path / B,
    )
    for folder in theirs:
        folder.mkdir()
        (folder / "00000.arrow").write_bytes(b"ten years of work")
    (tmp_path / C).symlink_to(theirs[0])
    (ours / "notes.txt").write_text("why this one works")
    assert cache.trim(tmp_path, 0.0) > 0
    with pytest.raises(Fault, match="not everything in"):
        cache.clear(tmp_path)
    assert [path.name for path in ours.iterdir()] == ["notes.txt"]
    assert all((folder / "00000.arrow").read_bytes() == b"ten years of work" for folder in theirs)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_in_the_cache_changes_no_number(tmp_path_factory, place, bit):
    folder = filled(tmp_path_factory.mktemp("flipped"), A, 10)
    path = folder / "00000.arrow"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    assert equal(load(corpus(), folder, Maker()))
