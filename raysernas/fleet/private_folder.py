"""The folder of a private Ray: no other user can list, read or change anything in it.

Out: a folder for the time of a launch, where its path is short and its disk has room. It is deleted at the
end, or by the next launch if this one is killed. Ray opens its own folder to everybody: that one lies inside.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raysernas.config.fault import Fault

LONGEST = 28  # characters of the parent: Ray puts sockets there, whose paths may have 107
ROOM_MB = 200  # for Ray's logs, and for its object store where shared memory is small
PREFIX, OWNER = "rsn-", "owner"  # of the folders; the file in each that its launch locks


@contextmanager
def opened() -> Iterator[Path]:
    """A folder for Ray. Folders that killed launches left behind are deleted.

    Raises:
        Fault: when there is no place for one.
    """
    for place in places():
        sweep(place)
    made = tempfile.TemporaryDirectory(prefix=PREFIX, dir=with_room(places()), ignore_cleanup_errors=True)
    with made as folder, Path(folder, OWNER).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield Path(folder)


def places() -> list[Path]:
    """Where the folder may lie, best first."""
    named = os.environ.get("TMPDIR", "")
    shared = ["/tmp", "/var/tmp", f"/run/user/{os.getuid()}", "/dev/shm"]
    return [Path(place) for place in dict.fromkeys([named, *shared]) if place]


def with_room(parents: list[Path], room_mb: int = ROOM_MB) -> Path:
    """The first of these folders that will do.

    Raises:
        Fault: when none will, with the reason of each.
    """
    why = {parent: _unfit(parent, room_mb) for parent in parents}
    for parent, reason in why.items():
        if not reason:
            return parent
    raise Fault(
        "cluster",
        "there is no place for Ray's temporary files",
        got="; ".join(f"{parent} {reason}" for parent, reason in why.items()),
        expected=f"a folder with {room_mb} MB free and a path of at most {LONGEST} characters",
        fix="free some space, or set TMPDIR to such a folder",
    )


def _unfit(parent: Path, room_mb: int) -> str:
    """Why the folder cannot lie there, or ""."""
    if len(str(parent)) > LONGEST:
        return f"has a path of {len(str(parent))} characters"
    if not parent.is_dir():
        return "is no folder"
    if not os.access(parent, os.W_OK | os.X_OK):
        return "cannot be written"
    disk = os.statvfs(parent)
    free_mb = disk.f_bavail * disk.f_frsize / 1e6
    if free_mb < room_mb:
        return f"has {free_mb:.0f} MB free"
    return "has no room for more files" if disk.f_files and disk.f_favail < 1000 else ""


def sweep(parent: Path) -> None:
    """Delete the folders of launches that no longer run."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / OWNER).open("r") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _clear(folder)
        except OSError:
            continue  # locked, not yet locked, or already gone


def _clear(folder: Path) -> None:
    """Delete the owner's file last: Ray's agents outlive their cluster by a minute and keep writing."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != OWNER:
            path.unlink()
    if {path.name for path in folder.iterdir()} == {OWNER}:
        shutil.rmtree(folder, ignore_errors=True)
