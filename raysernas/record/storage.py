"""Local folders and object stores, with atomic writes: a file appears whole under its name, or not at all.

A place is a local folder (NFS too) or a URI of fsspec, such as s3://bucket/prefix. A local file is written
under a temporary name, synced and renamed; an object of a bucket is one PUT, which is atomic. Answers of a
store are never cached, because another machine may have written since. Only failed connections are retried;
missing or forbidden objects are reported at once.
"""

import errno
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from raysernas.config.fault import Fault
from raysernas.record.location import check_location

PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # names of files that are being written
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# protocol -> the extra that installs its library
LIBRARY = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
NO_CACHE = {"use_listings_cache": False}
# s3fs requests the size of an object before each read unless it reads in one piece
OPTIONS: dict[str, dict[str, Any]] = {
    protocol: {**NO_CACHE, "max_concurrency": 1} for protocol in ("s3", "s3a")
}
ATTEMPTS = 4  # of each request, in addition to the retries of the store's library
PAUSE_S = 0.5  # before the second attempt, doubled each time
# attributes that identify the version of an object, by the names that stores give them
VERSION = ("size", "ETag", "etag", "generation", "LastModified", "mtime", "created")
# what file systems say to a request that they do not know; EACCES: of a folder that may not be listed
UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES)
THREADS = 16  # for requests to a store

Result = TypeVar("Result")


class StorageFault(Fault):
    """A place that cannot be written or reached. No result is wrong; it only cannot be stored."""


def place(text: str) -> Path:
    """A local folder as an absolute Path, or a place in an object store as a UPath.

    Raises:
        Fault: for an unknown protocol, one whose library is not installed, and a text that only looks like a
            place (`check_location`).
    """
    check_location(text)
    found = SCHEME.match(text)
    if found is None:
        return Path(os.path.expanduser(text)).absolute()
    protocol = found[1].lower()
    if protocol == "file":
        return Path(text[found.end() :]).absolute()
    from upath import UPath

    try:
        remote = UPath(f"{protocol}://{text[found.end() :]}".rstrip("/"), **OPTIONS.get(protocol, NO_CACHE))
        _ = remote.fs  # imports the library without connecting
    except Exception as error:  # some libraries connect at once, and each has errors of its own
        extra = LIBRARY.get(protocol)
        raise Fault(
            "storage",
            f"{text} cannot be reached",
            got=_reason(error),
            expected="a folder, or a URI such as s3://",
            fix=f"pip install 'raysernas[{extra}]'"
            if extra
            else "check the URI, or install the library of its protocol",
        ) from error
    return cast(Path, remote)


def is_local(path: Path) -> bool:
    """Whether a place is in the file system of this machine, mounts included."""
    return isinstance(path, Path)


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write a temporary local file, sync it, then give it its name.

    Raises:
        StorageFault: when the folder cannot be written or the disk is full. No file is left then.
    """
    if not is_local(path):
        with tempfile.TemporaryDirectory(prefix="rsn-") as folder:
            part = Path(folder) / path.name
            fill(part)
            put(path, part.read_bytes())
        return
    part = _part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(part)
        _sync(part)
        os.replace(part, path)
        with _tolerant():
            _sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        # a folder that refuses the file also refuses its removal; the fault above says why
        with suppress(OSError):
            part.unlink()


def _part_of(path: Path) -> Path:
    """A temporary name, which PART matches."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    put(path, text.encode())


def put(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all."""
    if is_local(path):
        write(path, lambda part: part.write_bytes(content))
        return
    try:
        _request(path, lambda remote: remote.fs.pipe_file(remote.path, content), unwritable)
    except FileNotFoundError as error:  # no such bucket
        raise unwritable(path, error) from error


def create(path: Path, content: bytes) -> bool:
    """Write bytes whole if the name is free; False if another file has it. Of two concurrent calls, one gets
    True.

    The bytes should name their writer: a request whose answer was lost is repeated, and then finds its own
    bytes.

    Raises:
        StorageFault: when the place cannot be written.
    """
    try:
        if not is_local(path):
            _request(
                path, lambda remote: remote.fs.pipe_file(remote.path, content, mode="create"), unwritable
            )
            return True
        part = _part_of(path)
        write(part, lambda each: each.write_bytes(content))
        try:
            _link(part, path)
        finally:
            part.unlink()
    except FileExistsError:
        return not is_local(path) and read(path) == content
    except OSError as error:
        raise unwritable(path, error) from error
    return True


def read(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        FileNotFoundError: when it is not there.
        OSError: for a local file that cannot be read.
        StorageFault: when an object store does not answer.
    """
    return (
        path.read_bytes()
        if is_local(path)
        else _request(path, lambda remote: remote.fs.cat_file(remote.path), unreadable)
    )


def text(path: Path) -> str | None:
    """UTF-8 text; None when there is no such file.

    Raises:
        StorageFault: when it cannot be read.
    """
    try:
        return read(path).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error


def exists(path: Path) -> bool:
    """Whether a file exists now."""
    return (
        path.exists()
        if is_local(path)
        else _request(path, lambda remote: remote.fs.exists(remote.path), unreadable)
    )


def listed(folder: Path, suffix: str = "") -> list[Path]:
    """The files of a folder whose names end so, sorted, without temporary files; none if there is no folder.

    Raises:
        StorageFault: when it cannot be listed.
    """
    return list(states(folder, suffix))


def states(folder: Path, suffix: str = "") -> dict[Path, Hashable]:
    """As `listed`, with a state that changes when a file is written again: size and time, or VERSION."""
    try:
        if is_local(folder):
            found = {name: _stat(folder / name) for name in os.listdir(folder)}
        else:
            entries = _request(
                folder, lambda remote: remote.fs.ls(remote.path, detail=True, refresh=True), unreadable
            )
            found = {one["name"].rstrip("/").rpartition("/")[2]: _version(one) for one in entries}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise unreadable(folder, error) from error
    return {
        folder / name: found[name]
        for name in sorted(found)
        if name.endswith(suffix) and not name.startswith(".")
    }


def walked(root: Path) -> dict[str, tuple[str, ...]]:
    """Every object of a store below a place: relative name -> VERSION, size first.

    Raises:
        StorageFault: when the store does not answer.
    """
    try:
        objects = _request(
            root, lambda remote: remote.fs.find(remote.path, detail=True, refresh=True), unreadable
        )
    except FileNotFoundError:
        return {}
    begin = len(cast(Any, root).path.rstrip("/")) + 1
    return {
        name[begin:]: _version(one)
        for name, one in objects.items()
        if one.get("type") != "directory" and not name.endswith("/")
    }


def is_object(path: Path) -> bool:
    """Whether an object of a store has exactly this name."""
    return _request(path, lambda remote: remote.fs.isfile(remote.path), unreadable)


def _version(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(key)) for key in VERSION)


def _stat(path: Path) -> Hashable:
    with suppress(FileNotFoundError):  # deleted since it was listed
        found = path.stat()
        return found.st_size, found.st_mtime_ns, found.st_ino
    return None


def delete(path: Path) -> None:
    """Delete a file, if it exists.

    Raises:
        StorageFault: when it cannot be deleted.
    """
    try:
        if is_local(path):
            path.unlink()
        else:
            _request(path, lambda remote: remote.fs.rm_file(remote.path), unwritable)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error) from error


def delete_own(folder: Path, is_ours: Callable[[Path], bool]) -> None:
    """Delete those files of a folder that are ours, and the folder if nothing else is in it; as far as
    permissions allow. Symbolic links are neither followed nor deleted, and neither are folders.
    """
    if not is_local(folder):
        each(delete, [path for path in listed(folder) if is_ours(path)])
        return
    with suppress(OSError):
        if not folder.is_symlink():
            for entry in list(os.scandir(folder)):
                path = Path(entry.path)
                if entry.is_file(follow_symlinks=False) and (PART.fullmatch(path.name) or is_ours(path)):
                    path.unlink()
            folder.rmdir()


def each(act: Callable[[Path], Result], paths: Iterable[Path]) -> list[Result]:
    """The results of `act` on every path, in order; concurrently for paths of an object store."""
    wanted = list(paths)
    if not wanted or is_local(wanted[0]):
        return [act(path) for path in wanted]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(act, wanted))


def unwritable(path: Path, error: Exception) -> StorageFault:
    """The fault of a place that cannot be written."""
    return StorageFault(
        "storage",
        f"cannot write {path}",
        got=_reason(error),
        expected="a writable folder with free space",
        fix="make room there or set study.storage to another folder, then run the same command again",
    )


def unreadable(path: Path, error: Exception) -> StorageFault:
    """The fault of a place that cannot be read."""
    return StorageFault(
        "storage",
        f"cannot read {path}",
        got=_reason(error),
        expected="a folder or bucket that answers and may be read",
        fix="check the disk, the network or the credentials, then run the same command again",
    )


def _request(
    path: Path, act: Callable[[Any], Result], fault: Callable[[Path, Exception], StorageFault]
) -> Result:
    """Send a request to an object store, with retries if the connection fails."""
    for attempt in range(ATTEMPTS):
        try:
            return act(path)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:  # each library has its own error for a lost connection
            final = (
                isinstance(error, PermissionError | NotImplementedError)
                or "redential" in type(error).__name__
            )
            if final or attempt == ATTEMPTS - 1:
                raise fault(path, error) from error
        time.sleep(PAUSE_S * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


@contextmanager
def _tolerant() -> Iterator[None]:
    """Pass over what a file system does not know: CIFS, shares of virtual machines and FUSE cannot sync a
    folder, and some of them cannot link files.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _link(part: Path, path: Path) -> None:
    """Give a file a second name; fails if the name is taken, and never shows half a file where files can be
    linked.
    """
    with _tolerant():
        os.link(part, path)
        return
    with path.open("xb") as file:
        file.write(part.read_bytes())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
