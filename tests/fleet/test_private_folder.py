"""Laws of the folder of a private Ray: who can open it, where it lies, what is deleted."""

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysernas.fleet import private_folder
from raysernas.fleet.private_folder import LONGEST, OWNER, opened, places, sweep, with_room
from tests.support.faults import refusal


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short path, as TMPDIR names it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_it_is_closed_to_other_users_whatever_ray_opens_inside(place: Path) -> None:
    with opened() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700


def test_folders_of_killed_launches_are_deleted_and_those_of_running_ones_are_not(place: Path) -> None:
    left, other = place / "rsn-left", place / "rsn-unknown"
    for folder in (left, other):
        (folder / "session").mkdir(parents=True)
    (left / OWNER).write_text("")
    with opened() as held:
        assert not left.exists()
        assert other.exists()  # nobody has said that it is a launch's
        sweep(place)
        assert held.exists()
        with (held / OWNER).open() as owner, pytest.raises(BlockingIOError):
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not held.exists()


def test_a_folder_that_is_still_written_to_is_left_for_a_later_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's agents outlive a killed cluster by a minute, and put their logs there again."""
    left = tmp_path / "rsn-left"
    (left / "session").mkdir(parents=True)
    (left / OWNER).write_text("")
    remove = private_folder.shutil.rmtree

    def removed(path: Path, *, ignore_errors: bool) -> None:
        remove(path, ignore_errors=ignore_errors)
        if path.name == "session":
            path.mkdir()

    monkeypatch.setattr(private_folder.shutil, "rmtree", removed)
    sweep(tmp_path)
    assert (left / OWNER).exists()
    monkeypatch.undo()
    sweep(tmp_path)
    assert not left.exists()


def test_the_users_own_place_comes_first(place: Path) -> None:
    assert places()[:2] == [place, Path("/tmp")]


def test_it_lies_where_paths_are_short_and_there_is_room(place: Path) -> None:
    deep = place / "scratch_of_the_cluster" / "slurm_job.48213.0"
    deep.mkdir(parents=True)
    file = place / "file"
    file.touch()
    assert with_room([deep, place / "none", file, place], room_mb=0) == place
    reason = refusal(lambda: with_room([deep, place / "none", place], room_mb=10**9))
    assert reason.startswith("cluster: there is no place for Ray's temporary files\n  got: ")
    assert (
        f"{deep} has a path of {len(str(deep))} characters; {place / 'none'} is no folder; {place} has "
        in reason
    )
    assert f"1000000000 MB free and a path of at most {LONGEST} characters" in reason


def test_it_does_not_lie_where_nothing_can_be_written(place: Path) -> None:
    """A read-only disk, which root cannot write either."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a file system cannot be mounted here: {made.stderr.strip()}")
    try:
        assert f"{place} cannot be written" in refusal(lambda: with_room([place]))
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
