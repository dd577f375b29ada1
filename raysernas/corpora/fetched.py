"""Fetches a corpus from a bucket into a folder of this machine, once for each node.

In: a URI and a cache folder. Out: the local folder (or table) for the readers. One process fetches, others
wait. A file is copied whole or not at all, and an interrupted fetch continues where it stopped. Existing
files are compared with the bucket by size and version. A name that leads out of the cache folder is refused.
"""

import hashlib
import json
import os
import platform
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from raysernas.config.fault import Fault
from raysernas.record import storage
from raysernas.record.files import at_home

# name and version of each complete file, one a line; the last line of a name counts
INDEX = ".fetched.jsonl"
WHOLE = ".complete"  # number of files; exists while all files of the last listing do
ROUNDS = 3  # of listing and fetching, in case the bucket changes meanwhile


def local(text: str, folder: Path, *, known: bool = False) -> Path:
    """Where a corpus lies on this machine: its path, or the local copy of a bucket.

    Args:
        folder: cache of this machine.
        known: the caller checks the content, so a complete copy is not compared with the bucket.

    Raises:
        Fault: for an empty bucket, or a name that must not be followed.
        StorageFault: when the bucket does not answer, or the copy cannot be written.
    """
    place = storage.place(text)
    if storage.is_local(place):
        return place
    root, inside = place, ""
    if storage.is_object(place):  # a table: its recordings lie beside it
        root, inside = place.parent, place.name
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    copy = at_home(folder) / "corpora" / f"{PurePosixPath(str(root)).name}-{mark}"
    if not (known and _whole(copy)):
        with _alone(copy):
            _fetch(root, copy)
    return copy / inside if inside else copy


def _fetch(root: Path, copy: Path) -> None:
    missing: list[str] = []
    for _ in range(ROUNDS):
        wanted = _listed(root)
        held = _held(copy)
        for name in held.keys() - wanted.keys():
            storage.delete(copy / name)
            _note(copy, name, None)
        missing = [name for name, state in wanted.items() if held.get(name) != state]
        if not missing:
            if not _whole(copy):
                storage.write_text(copy / WHOLE, str(len(wanted)))
            return
        with suppress(FileNotFoundError):
            (copy / WHOLE).unlink()
        for start in range(0, len(missing), storage.THREADS):
            some = missing[start : start + storage.THREADS]
            for name, content in zip(
                some, storage.each(_content, [root.joinpath(name) for name in some]), strict=True
            ):
                # otherwise it has changed, and the next round fetches it
                if content is not None and len(content) == _size(wanted[name]):
                    storage.put(copy / name, content)
                    _note(copy, name, wanted[name])
    raise Fault(
        "corpus",
        f"{root} changes while it is fetched",
        got=f"{len(missing)} files unlike their listing",
        expected="files at rest",
        fix="wait until nobody writes there, then run the same command again",
    )


def _content(path: Path) -> bytes | None:
    try:
        return storage.read(path)
    except FileNotFoundError:
        return None


def _listed(root: Path) -> dict[str, list[Hashable]]:
    """Name below the root -> version of every object.

    Raises:
        Fault: for no object, or a name that must not be followed.
    """
    found: dict[str, list[Hashable]] = {}
    for name, state in storage.walked(root).items():
        parts = name.split("/")
        if (
            any(part in ("", ".", "..") for part in parts)
            or "\0" in name
            or "\\" in name
            or parts[0] in (INDEX, WHOLE)
        ):
            raise Fault(
                "corpus",
                f"{root} has a name that must not be followed",
                got=repr(name),
                expected="names below the folder",
                fix="take this object out of the bucket, if you know who put it there",
            )
        found[name] = list(state)
    if not found:
        raise Fault(
            "corpus",
            f"{platform.node()} finds nothing at {root}",
            got="no objects",
            expected="the files of a corpus",
            fix="check corpus.root, and that this node may list the bucket",
        )
    folders = {str(parent) for name in found for parent in PurePosixPath(name).parents}
    if both := sorted(folders & found.keys()):
        raise Fault(
            "corpus",
            f"{root} has a name that is a file and a folder",
            got=both[0],
            expected="one of the two",
            fix="rename one of them",
        )
    return found


def _size(state: list[Hashable]) -> int:
    return int(str(state[0]))


def _held(copy: Path) -> dict[str, list[Hashable]]:
    """Name -> version of every complete file; half-written lines of killed processes are ignored."""
    held: dict[str, list[Hashable]] = {}
    for line in (storage.text(copy / INDEX) or "").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            held[entry["name"]] = entry["state"]
    return {name: state for name, state in held.items() if state and _on_disk(copy / name) == _size(state)}


def _whole(copy: Path) -> bool:
    """Whether all fetched files still exist."""
    return storage.text(copy / WHOLE) == str(len(_held(copy)))


def _on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _note(copy: Path, name: str, state: list[Hashable] | None) -> None:
    """Append an entry; it starts a new line even if the last one is half written."""
    try:
        with open(copy / INDEX, "a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps({'name': name, 'state': state})}\n")
    except OSError as error:
        raise storage.unwritable(copy / INDEX, error) from error


@contextmanager
def _alone(copy: Path) -> Iterator[None]:
    """One process at a time; its death releases the lock."""
    import fcntl

    lock = copy.with_name(f"{copy.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage.unwritable(lock, error) from error
    try:
        with suppress(OSError):  # no locks here: at worst the same files are fetched twice
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
