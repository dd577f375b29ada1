"""The frames (or functionals, or waveforms) of a corpus on disk: computed once, shared by all processes.

In: a corpus, a folder, a function that reads an utterance and one that makes a `Clip` of its sound. Out: a
`FrameStore` whose arrays are memory-mapped. A folder holds shards of at most `SHARD` utterances,
`00012.arrow`, each written whole or not at all: a killed build continues where it stopped, and at most two
shards are in memory. Processes that build the same folder take turns; without file locks they do the same
work twice. The cache may be deleted at any time.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raysernas.config.fault import Fault
from raysernas.corpora.audio import Samples
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.features.extraction import Extract
from raysernas.features.front_end import Clip, FrameArray
from raysernas.features.threads import workers
from raysernas.record import seal, storage
from raysernas.record.limits import cores

SHARD = 512  # utterances in one file
# utterances per task of a thread: it reads them all, then extracts them all, and waits less for Python's lock
RUN = 32
KINDS = ("features", "functionals", "waveforms")  # of folders
NAME = re.compile(r"(features|functionals|waveforms)-[0-9a-f]{16}")  # of folders
SHARD_NAME = re.compile(r"\d{5}\.arrow")
MARK_WITHIN = 4096  # bytes from the beginning of a file
GB = 10**9
MARK = b"shard"  # key in the metadata of a file: folder, number of the shard, number of utterances

Read = Callable[[Utterance], Samples]


@dataclass(frozen=True, slots=True)
class Shard:
    """Clips one after another: utterance i has rows `offsets[i]:offsets[i+1]` of `values`."""

    values: FrameArray  # [sum of frames, width]
    offsets: npt.NDArray[np.int64]  # [utterance + 1]
    silence: FrameArray  # [utterance, width]
    true: npt.NDArray[np.int64]  # [utterance]


@dataclass(frozen=True, slots=True)
class FrameStore:
    """The clips of a whole corpus, by index. All shards but the last have one size."""

    shards: tuple[Shard, ...]

    def __len__(self) -> int:
        return sum(len(shard.true) for shard in self.shards)

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return self.shards[0].values.shape[1]

    def of(self, index: int) -> FrameArray:
        """Frames [time, width] of one utterance with its padding, read-only."""
        shard, i = self._at(index)
        return shard.values[shard.offsets[i] : shard.offsets[i + 1]]

    def silence_of(self, index: int) -> FrameArray:
        """A silent frame [width] of that utterance."""
        shard, i = self._at(index)
        return shard.silence[i]

    def true_frames(self, index: int) -> int:
        """Frames of an utterance that are no padding."""
        shard, i = self._at(index)
        return int(shard.true[i])

    def clip(self, index: int) -> Clip:
        """All of one utterance."""
        return Clip(self.of(index), self.silence_of(index), self.true_frames(index))

    def _at(self, index: int) -> tuple[Shard, int]:
        number, i = divmod(index, len(self.shards[0].true))
        return self.shards[number], i


def in_memory(clips: Iterable[Clip]) -> FrameStore:
    """A store in memory."""
    return FrameStore((_joined(list(clips)),))


def load(
    corpus: Corpus,
    folder: Path | None,
    read: Read,
    extractor: Callable[[], Extract],
    threads: int | None = None,
    report: Callable[[int, int], object] = lambda done, of: None,
) -> FrameStore:
    """The clips of a corpus from the cache; missing ones are computed and kept.

    Args:
        folder: of these clips alone; None keeps all in memory.
        read: gives the sound of an utterance.
        extractor: gives the function from sound to clip; called only if something is missing.
        threads: one for each core by default; no value depends on their number.
        report: called with the number of utterances that have been computed, and of those to compute.

    Raises:
        Fault: for audio that cannot be read: how many files, and the names of the first ones.
    """
    sizes = [min(SHARD, len(corpus.utterances) - first) for first in range(0, len(corpus.utterances), SHARD)]
    count = threads or cores()
    if folder is None:
        made = _made(corpus, range(len(sizes)), read, extractor(), count, report)
        return FrameStore(tuple(shard for _, shard in made))
    shards = _opened(folder, sizes)
    if None in shards:
        with _alone(folder):
            shards = _opened(folder, sizes)  # another process may have made them meanwhile
            missing = [number for number, shard in enumerate(shards) if shard is None]
            made = _made(corpus, missing, read, extractor(), count, report) if missing else ()
            for number, shard in made:
                _write(folder, number, shard)
                shards[number] = _open(folder, number, sizes[number]) or shard
    with suppress(OSError):  # a cache of another user can be read but not marked
        os.utime(folder)  # last used now
    return FrameStore(tuple(shard for shard in shards if shard is not None))


def is_whole(corpus: Corpus, folder: Path) -> bool:
    """Whether all clips of a corpus are in a folder; what is damaged is found when it is read."""
    return all(_path(folder, number).exists() for number in range(-(-len(corpus.utterances) // SHARD)))


def trim(folder: Path, cap_gb: float, keep: Collection[Path] = ()) -> int:
    """Delete folders of clips, the least recently used first, until the rest fits; returns the freed bytes.

    Folders in `keep`, and those that a process is filling, are never deleted. A process that has opened a
    deleted folder keeps its data.
    """
    kept = {path.absolute() for path in keep}
    found = sorted(_folders(folder), key=_last_used)
    size = {path: _size(path) for path in found}
    freed, left = 0, sum(size.values())
    for path in found:
        if left <= cap_gb * GB:
            break
        if path.absolute() not in kept:
            gone = _delete(path)
            freed, left = freed + gone, left - gone
    return freed


def clear(folder: Path) -> int:
    """Delete all clips of a cache; returns the freed bytes.

    Raises:
        Fault: when something else in it has such a name; that is left alone.
    """
    freed = sum(_delete(path) for path in _folders(folder))
    if others := [path for kind in KINDS for path in sorted(folder.glob(f"{kind}-*")) if _is_foreign(path)]:
        raise Fault(
            "cache",
            f"{freed / 1e6:,.1f} MB freed; not everything in {folder} was written by raysernas",
            got=", ".join(path.name for path in others),
            expected="features-0123456789abcdef, functionals-... and waveforms-..., with only clips in them",
            fix="delete it by hand if it is not needed, or set study.cache to a folder of its own",
        )
    return freed


def _made(
    corpus: Corpus,
    numbers: Sequence[int],
    read: Read,
    extract: Extract,
    threads: int,
    report: Callable[[int, int], object],
) -> Iterator[tuple[int, Shard]]:
    """Shards by number; the next is computed while one is written. Bad files are reported at the end."""
    faults: list[Fault] = []
    done, of = 0, sum(len(corpus.utterances[number * SHARD : (number + 1) * SHARD]) for number in numbers)

    def heard(utterance: Utterance) -> Samples | Fault:
        try:
            return read(utterance)
        except Fault as fault:
            return fault

    def attempts(run: Sequence[Utterance]) -> list[Clip | Fault]:
        sounds = [heard(utterance) for utterance in run]
        return [sound if isinstance(sound, Fault) else extract(sound) for sound in sounds]

    def finished() -> Iterator[tuple[int, Shard]]:
        nonlocal done
        number, results = begun.popleft()
        made: list[Clip | Fault] = []
        for run in results:
            made += run
            report(done := done + len(run), of)
        clips = [each for each in made if isinstance(each, Clip)]
        faults.extend(each for each in made if isinstance(each, Fault))
        if not faults:
            yield number, _joined(clips)

    with workers(threads) as pool:
        begun: deque[tuple[int, Iterator[list[Clip | Fault]]]] = deque()
        for number in numbers:
            shard = corpus.utterances[number * SHARD : (number + 1) * SHARD]
            begun.append(
                (number, pool.map(attempts, [shard[at : at + RUN] for at in range(0, len(shard), RUN)]))
            )
            if len(begun) > 1:
                yield from finished()
        while begun:
            yield from finished()
    if faults:
        first = "\n       ".join(fault.what for fault in faults[:3])
        raise Fault(
            "features",
            f"{len(faults)} of {len(corpus.utterances)} utterances of {corpus.name} cannot be read",
            got=first,
            expected="audio that libsndfile reads from end to end",
            fix="correct or remove these files (and their labels)",
        ) from faults[0]


def _joined(clips: Sequence[Clip]) -> Shard:
    offsets = np.cumsum([0, *(len(clip.values) for clip in clips)], dtype=np.int64)
    true = np.array([clip.true for clip in clips], dtype=np.int64)
    return Shard(
        np.concatenate([clip.values for clip in clips]),
        offsets,
        np.stack([clip.silence for clip in clips]),
        true,
    )


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.arrow"


def _mark(folder: Path, number: int, size: int) -> bytes:
    return f"{folder.name} {number} {size}".encode()


def _write(folder: Path, number: int, shard: Shard) -> None:
    width = shard.values.shape[1]
    columns = {
        "values": pa.LargeListArray.from_arrays(shard.offsets * width, pa.array(shard.values.ravel())),
        "silence": pa.FixedSizeListArray.from_arrays(pa.array(shard.silence.ravel()), width),
        "true": pa.array(shard.true),
    }
    batch = pa.record_batch(list(columns.values()), names=list(columns))
    mark = {MARK: _mark(folder, number, len(shard.true)), b"seal": seal.BLANK}
    batch = batch.replace_schema_metadata(mark)

    def fill(path: Path) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        seal.seal_file(path)

    storage.write(_path(folder, number), fill)


def _opened(folder: Path, sizes: Sequence[int]) -> list[Shard | None]:
    return [_open(folder, number, size) for number, size in enumerate(sizes)]


def _open(folder: Path, number: int, size: int) -> Shard | None:
    """A memory-mapped shard; None if the file does not exist, is damaged, or is another shard."""
    try:
        if not seal.is_sound_file(_path(folder, number)):
            return None
        with pa.memory_map(str(_path(folder, number))) as file:
            batch = pa.ipc.open_file(file).get_batch(0)
        if (batch.schema.metadata or {}).get(MARK) != _mark(folder, number, size):
            return None
        batch.validate()
    except (pa.ArrowException, ValueError, OSError):
        return None
    values, silence = batch.column("values"), batch.column("silence")
    width = silence.type.list_size
    rows = values.values.to_numpy(zero_copy_only=True).reshape(-1, width)
    quiet = silence.values.to_numpy(zero_copy_only=True).reshape(-1, width)
    return Shard(
        rows, values.offsets.to_numpy() // width, quiet, batch.column("true").to_numpy(zero_copy_only=True)
    )


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


@contextmanager
def _alone(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """One process at a time for a folder; its death releases the lock.

    Raises:
        BlockingIOError: if another process has the lock and `wait` is False.
    """
    with ExitStack() as stack:
        try:
            import fcntl

            folder.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(_lock_of(folder), "wb"))
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except (ImportError, OSError):
            pass  # without locks the same work is at worst done twice
        yield


def _folders(folder: Path) -> list[Path]:
    """The folders that `load` has made, by their names; a symbolic link is none."""
    found = (path for kind in KINDS for path in folder.glob(f"{kind}-*"))
    return [path for path in found if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]


def _is_ours(path: Path) -> bool:
    """Whether `_write` wrote this file: its name is that of a shard, and its mark names it."""
    if SHARD_NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
        with suppress(OSError), path.open("rb") as file:
            return f"{path.parent.name} {int(path.stem)} ".encode() in file.read(MARK_WITHIN)
    return False


def _is_foreign(path: Path) -> bool:
    """Whether something that has the name of a cache holds what `load` has not written."""
    if path.suffix == ".lock" and NAME.fullmatch(path.stem):
        return False
    if path not in _folders(path.parent):
        return True
    return not all(storage.PART.fullmatch(each.name) or _is_ours(each) for each in path.iterdir())


def _last_used(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0  # another process has just deleted it


def _size(path: Path) -> int:
    size = 0
    with suppress(OSError):
        for file in path.iterdir():
            with suppress(OSError):
                size += file.stat().st_size
    return size


def _delete(path: Path) -> int:
    """Delete our files in a folder of clips, unless a process is filling it; returns the freed bytes."""
    before = _size(path)
    try:
        with _alone(path, wait=False):
            storage.delete_own(path, _is_ours)
            if not path.exists():
                _lock_of(path).unlink(missing_ok=True)
    except BlockingIOError:
        return 0
    return before - _size(path)
