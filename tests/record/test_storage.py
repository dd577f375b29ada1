"""Writing that cannot tear, on folders and disks that refuse it."""

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysernas.record import storage
from raysernas.record.storage import StorageFault
from tests.support.faults import refusal, told


def writing(path: Path, reason: str) -> str:
    """The text of the fault."""
    fix = "make room there or set study.storage to another folder, then run the same command again"
    return told(f"cannot write {path}", reason, "a writable folder with free space", fix, where="storage")


def test_a_file_appears_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / 'of "mine"\n\'' / "file.txt"
    storage.write_text(path, "für\n")
    assert path.read_bytes() == "für\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_later_file_replaces_the_earlier_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    storage.write_text(path, "a long first text")
    storage.write_text(path, "short")
    assert path.read_text() == "short"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("wrong", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_failing_fill_leaves_the_old_content_and_no_other_file(
    tmp_path: Path, old: str | None, wrong: BaseException
) -> None:
    path = tmp_path / "file.txt"
    if old is not None:
        path.write_text(old)

    def fill(part: Path) -> None:
        part.write_text("half")
        raise wrong

    with pytest.raises(type(wrong)):
        storage.write(path, fill)
    assert [each.read_text() for each in tmp_path.iterdir()] == ([] if old is None else [old])


def test_a_reader_sees_the_old_content_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    seen = []
    storage.write(path, lambda part: (part.write_text("new"), seen.append(path.read_text())))
    assert (seen, path.read_text()) == (["old"], "new")


def test_unfinished_files_are_hidden_from_the_ledger(tmp_path: Path) -> None:
    """A driver that is killed between two bytes leaves a part behind; it must never count as a record."""
    names = []
    storage.write(tmp_path / "darts-c000-f0-s0.parquet", lambda part: (part.touch(), names.append(part)))
    assert names[0].parent == tmp_path
    names[0].touch()
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["darts-c000-f0-s0.parquet"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    path = tmp_path / "results" / "deep" / "file.txt"
    assert refusal(lambda: storage.write_text(path, "x")) == writing(path, "Not a directory")


def test_a_name_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.mkdir()
    assert refusal(lambda: storage.write_text(path, "x")) == writing(path, "Is a directory")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only disk below is for root")
    tmp_path.chmod(0o500)
    path = tmp_path / "file.txt"
    assert refusal(lambda: storage.write_text(path, "x")) == writing(path, "Permission denied")
    tmp_path.chmod(0o700)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_a_full_disk_is_refused_and_the_old_content_stays(disk: Path) -> None:
    path = disk / "file.txt"
    storage.write_text(path, "old")
    assert refusal(lambda: storage.write_text(path, "x" * 100_000)) == writing(
        path, "No space left on device"
    )
    assert [each.read_text() for each in disk.iterdir()] == ["old"]
    storage.write_text(path, "fits")
    assert path.read_text() == "fits"


def test_a_read_only_disk_is_refused(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    path = disk / "file.txt"
    assert refusal(lambda: storage.write_text(path, "x")) == writing(path, "Read-only file system")


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_sync_folders_or_link_files_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """CIFS, VirtualBox and several FUSE file systems."""
    fsync = os.fsync

    def of_files_only(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(handle)

    def no_link(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", of_files_only)
    monkeypatch.setattr(os, "link", no_link)
    storage.put(tmp_path / "a", b"x")
    assert storage.create(tmp_path / "b", b"mine")
    assert not storage.create(tmp_path / "b", b"yours")
    assert [storage.read(tmp_path / name) for name in "ab"] == [b"x", b"mine"]
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(StorageFault):
        storage.put(tmp_path / "c", b"x")
