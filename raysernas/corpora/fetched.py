"""A corpus that lies in a bucket, as a folder of this machine: every node fetches it once.

In: a URI and a cache folder. Out: the local folder (or table) that the readers are given. One process
fetches, others wait; a file is there whole or not at all, and a stopped fetch goes on where it was. What lies
here already is compared with the bucket by size and version. Names in the bucket were chosen by others: one
that would lead out of the cache folder ends the fetch.
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

# name and version of each file that is here whole; one line a file, the last line of a name counts
INDEX = ".fetched.jsonl"
WHOLE = ".complete"  # there while every file of the last listing is, and says how many these are
ROUNDS = 3  # of listing and fetching, where somebody changes the bucket meanwhile


def local(text: str, folder: Path, *, known: bool = False) -> Path:
    """Where a corpus lies on this machine: the path itself, or the copy of a bucket.

    Args:
        folder: cache of this machine.
        known: its content is checked by the caller, so that a whole copy is not compared with the bucket,
            only with its index.

    Raises:
        Fault: when there is nothing, or names that must not be followed.
        StorageFault: when the bucket does not answer, or the copy cannot be written.
    """
    place = storage.place(text)
    if storage.is_local(place):
        return place
    root, inside = place, ""
    if storage.is_object(place):  # a table: its recordings lie beside it
        root, inside = place.parent, place.name
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    copy = folder / "corpora" / f"{PurePosixPath(str(root)).name}-{mark}"
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
                # else it has changed: seen in the next round
                if content is not None and len(content) == _size(wanted[name]):
                    storage.put(copy / name, content)
                    _note(copy, name, wanted[name])
    raise Fault(
        "corpus",
        f"{root} changes while it is fetched",
        got=f"{len(missing)} files unlike their listing",
        expected="files at rest",
        fix="wait until whoever writes there has ended, then run the same command again",
    )


def _content(path: Path) -> bytes | None:
    try:
        return storage.read(path)
    except FileNotFoundError:
        return None


def _listed(root: Path) -> dict[str, list[Hashable]]:
    """Name below the root -> version of every object.

    Raises:
        Fault: for no object, or a name that no copy may have.
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
    """Name -> version of every file that is here whole; a line that a killed process left half written counts
    for nothing.
    """
    held: dict[str, list[Hashable]] = {}
    for line in (storage.text(copy / INDEX) or "").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)
            held[told["name"]] = told["state"]
    return {name: state for name, state in held.items() if state and _on_disk(copy / name) == _size(state)}


def _whole(copy: Path) -> bool:
    """Whether everything that was fetched last is still here."""
    return storage.text(copy / WHOLE) == str(len(_held(copy)))


def _on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _note(copy: Path, name: str, state: list[Hashable] | None) -> None:
    """One line, begun on a new one even where the last is half written."""
    try:
        with open(copy / INDEX, "a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps({'name': name, 'state': state})}\n")
    except OSError as error:
        raise storage.unwritable(copy / INDEX, error) from error


@contextmanager
def _alone(copy: Path) -> Iterator[None]:
    """While one process fetches, others wait; its death lets them go on."""
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
