"""Where a study may lie, and writing that cannot tear: a file appears whole under its name, or not at all.

A place is a local folder (NFS too) or a URI of fsspec, such as s3://bucket/prefix. A local file is written
beside its name, made durable and renamed; an object of a bucket is one PUT, which its store makes visible
whole. Nothing that a store says is remembered: another machine may have written since. Only connections are
tried again; what is missing or forbidden is told.
"""

import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from raysernas.config.fault import Fault

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
LIBRARY = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}  # protocol -> the extra that brings its library
# of listings; s3fs asks for a size before each read unless it reads in one piece
NO_MEMORY = {"use_listings_cache": False}
OPTIONS: dict[str, dict[str, Any]] = {
    protocol: {**NO_MEMORY, "max_concurrency": 1} for protocol in ("s3", "s3a")
}
ATTEMPTS = 4  # of each request, beyond what the library of the store tries itself
PAUSE_S = 0.5  # before the second one, doubled each time
# of an object, in the words of its store
VERSION = ("size", "ETag", "etag", "generation", "LastModified", "mtime", "created")
THREADS = 16  # that read or delete objects of a store at once

Result = TypeVar("Result")


class StorageFault(Fault):
    """A folder that cannot be written or reached: nobody's result is wrong, there is only no room for it."""


def place(text: str) -> Path:
    """A local folder, absolute, or an object store: a UPath, which is asked and walked as a Path is.

    Raises:
        Fault: for a protocol that nobody knows, or whose library is not installed.
    """
    found = SCHEME.match(text)
    if found is None:
        return Path(os.path.expanduser(text)).absolute()
    protocol = found[1].lower()
    if protocol == "file":
        return Path(text[found.end() :]).absolute()
    from upath import UPath

    try:
        remote = UPath(f"{protocol}://{text[found.end() :]}".rstrip("/"), **OPTIONS.get(protocol, NO_MEMORY))
        _ = remote.fs  # its library is imported, and no connection made
    except (ImportError, ValueError) as error:
        extra = LIBRARY.get(protocol)
        raise Fault(
            "storage",
            f"{text} cannot be reached",
            got=str(error).splitlines()[0],
            expected="a folder, or a URI such as s3://",
            fix=f"pip install 'raysernas[{extra}]'"
            if extra
            else "check the URI, or install the library of its protocol",
        ) from error
    return cast(Path, remote)


def is_local(path: Path) -> bool:
    """Whether a place is a folder of this machine, or mounted here."""
    return isinstance(path, Path)


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write a temporary local file, make it durable, then give it its name.

    Raises:
        StorageFault: when the folder cannot be written or the disk is full; nothing is left under either
            name.
    """
    if not is_local(path):
        with tempfile.TemporaryDirectory(prefix="rsn-") as folder:
            part = Path(folder) / path.name
            fill(part)
            put(path, part.read_bytes())
        return
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(part)
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        # a folder that refuses the file refuses its removal too; the fault above says why
        with suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    put(path, text.encode())


def put(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all."""
    if is_local(path):
        write(path, lambda part: part.write_bytes(content))
        return
    try:
        _asked(path, lambda remote: remote.fs.pipe_file(remote.path, content), unwritable)
    except FileNotFoundError as error:  # no such bucket
        raise unwritable(path, error) from error


def create(path: Path, content: bytes) -> bool:
    """Write bytes whole if nothing has that name; False if something else has. Two who try at once: one gets
    True.

    The bytes should name their writer: a request whose answer is lost is made again, and then finds itself.

    Raises:
        StorageFault: when the place cannot be written.
    """
    try:
        if not is_local(path):
            _asked(path, lambda remote: remote.fs.pipe_file(remote.path, content, mode="create"), unwritable)
            return True
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        write(part, lambda each: each.write_bytes(content))
        try:
            os.link(part, path)  # fails where the name is taken, and never shows half a file
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
        else _asked(path, lambda remote: remote.fs.cat_file(remote.path), unreadable)
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
    """Whether a file is there, as far as its store knows now."""
    return (
        path.exists()
        if is_local(path)
        else _asked(path, lambda remote: remote.fs.exists(remote.path), unreadable)
    )


def listed(folder: Path, suffix: str = "") -> list[Path]:
    """What lies in a folder under a name that ends so, by name, without what is half written; nothing for no
    folder.

    Raises:
        StorageFault: when it cannot be listed.
    """
    return list(states(folder, suffix))


def states(folder: Path, suffix: str = "") -> dict[Path, Hashable]:
    """As `listed`, with what differs once a file has been written anew: size and time, or what its store
    calls its version.
    """
    try:
        if is_local(folder):
            found = {name: _stat(folder / name) for name in os.listdir(folder)}
        else:
            told = _asked(
                folder, lambda remote: remote.fs.ls(remote.path, detail=True, refresh=True), unreadable
            )
            found = {
                one["name"].rstrip("/").rpartition("/")[2]: tuple(str(one.get(key)) for key in VERSION)
                for one in told
            }
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
    """Every object of a store below a place: its name from there, as it was written, and its VERSION, size
    first.

    Raises:
        StorageFault: when the store does not answer.
    """
    try:
        told = _asked(root, lambda remote: remote.fs.find(remote.path, detail=True, refresh=True), unreadable)
    except FileNotFoundError:
        return {}
    begin = len(cast(Any, root).path.rstrip("/")) + 1
    return {
        name[begin:]: tuple(str(one.get(key)) for key in VERSION)
        for name, one in told.items()
        if one.get("type") != "directory" and not name.endswith("/")
    }


def is_object(path: Path) -> bool:
    """Whether an object of a store has exactly this name."""
    return _asked(path, lambda remote: remote.fs.isfile(remote.path), unreadable)


def _stat(path: Path) -> Hashable:
    with suppress(FileNotFoundError):  # deleted since it was listed
        found = path.stat()
        return found.st_size, found.st_mtime_ns, found.st_ino
    return None


def delete(path: Path) -> None:
    """Take a file away; it may be gone already.

    Raises:
        StorageFault: when it cannot be deleted.
    """
    try:
        if is_local(path):
            path.unlink()
        else:
            _asked(path, lambda remote: remote.fs.rm_file(remote.path), unwritable)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error) from error


def delete_tree(folder: Path) -> None:
    """Take a folder away with all that lies in it, as far as that is permitted; it may be gone already."""
    if is_local(folder):
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            _asked(folder, lambda remote: remote.fs.rm(remote.path, recursive=True), unwritable)


def each(act: Callable[[Path], Result], paths: Iterable[Path]) -> list[Result]:
    """`act` on every path, in order; on those of an object store many at once, because each of them is waited
    for.
    """
    wanted = list(paths)
    if not wanted or is_local(wanted[0]):
        return [act(path) for path in wanted]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(act, wanted))


def unwritable(path: Path, error: Exception) -> StorageFault:
    """The fault of a place that takes nothing."""
    return StorageFault(
        "storage",
        f"cannot write {path}",
        got=_reason(error),
        expected="a writable folder with free space",
        fix="make room there or set study.storage to another folder, then run the same command again",
    )


def unreadable(path: Path, error: Exception) -> StorageFault:
    """The fault of a place that does not answer."""
    return StorageFault(
        "storage",
        f"cannot read {path}",
        got=_reason(error),
        expected="a folder or bucket that answers and may be read",
        fix="look after the disk, the network or the credentials, then run the same command again",
    )


def _asked(
    path: Path, act: Callable[[Any], Result], fault: Callable[[Path, Exception], StorageFault]
) -> Result:
    """Ask an object store, again after a pause where the connection failed; what is not there or forbidden is
    told at once.
    """
    for attempt in range(ATTEMPTS):
        try:
            return act(path)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:  # each library has its own words for a lost connection
            final = (
                isinstance(error, PermissionError | NotImplementedError)
                or "redential" in type(error).__name__
            )
            if final or attempt == ATTEMPTS - 1:
                raise fault(path, error) from error
        time.sleep(PAUSE_S * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _reason(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(told).splitlines()[0]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
