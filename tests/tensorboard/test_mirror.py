"""A folder that grows here and is copied to a store: what lies there is what lay here when it was copied
last.
"""

import os
from pathlib import Path

import pytest

from raysernas.record import storage
from raysernas.tensorboard.mirror import Mirror
from tests.support.faults import refusal


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place of an object store, in memory."""
    return storage.place(f"memory://mirrors/{tmp_path.name}-{os.getpid()}")


def test_a_local_place_is_its_own_folder(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "run")
    assert mirror.folder == tmp_path / "run"
    mirror.folder.mkdir()
    (mirror.folder / "events").write_bytes(b"1")
    mirror.copy()
    mirror.close()
    assert [path.name for path in mirror.folder.iterdir()] == ["events"], "closing deletes nothing"


def test_what_has_grown_is_brought_over_and_nothing_else(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, put, written = Mirror(place), storage.put, []

    def noted(path: Path, content: bytes) -> None:
        written.append(path.name)
        put(path, content)

    monkeypatch.setattr(storage, "put", noted)
    (mirror.folder / "deep").mkdir()
    (mirror.folder / "events").write_bytes(b"1")
    (mirror.folder / "deep" / "more").write_bytes(b"a")
    mirror.copy()
    mirror.copy()
    with (mirror.folder / "events").open("ab") as file:
        file.write(b"2")
    mirror.copy()
    assert written == ["more", "events", "events"]
    assert storage.read(place / "events") == b"12"
    assert storage.read(place / "deep" / "more") == b"a"
    mirror.close()


def test_closing_brings_over_the_rest_and_leaves_nothing_here(place: Path) -> None:
    mirror = Mirror(place)
    (mirror.folder / "events").write_bytes(b"all")
    mirror.close()
    assert storage.read(place / "events") == b"all"
    assert not mirror.folder.exists()


def test_a_store_that_takes_nothing_is_a_fault_and_leaves_nothing_here(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Mirror(place)
    (mirror.folder / "events").write_bytes(b"all")

    def full(path: Path, content: bytes) -> None:
        raise storage.unwritable(path, OSError("quota"))

    monkeypatch.setattr(storage, "put", full)
    assert refusal(mirror.close).startswith(f"storage: cannot write {place / 'events'}\n  got: quota\n")
    assert not mirror.folder.exists()


def test_two_mirrors_of_one_place_do_not_share_a_folder(place: Path) -> None:
    mirrors = Mirror(place), Mirror(place)
    assert mirrors[0].folder != mirrors[1].folder
    for mirror in mirrors:
        mirror.close()
