"""Places: a local folder and an object store are written, read and listed alike, and a store that does not
answer says so.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raysernas.record import storage
from raysernas.record.storage import StorageFault
from tests.support.faults import refusal, told


def memory(tmp_path: Path) -> Path:
    """A place of an object store, fsspec's, in memory."""
    return storage.place(f"memory://places/{tmp_path.name}-{os.getpid()}")


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / "folder" if request.param == "local" else memory(tmp_path)


def failing(monkeypatch: pytest.MonkeyPatch, place: Path, name: str, *errors: Exception) -> list[str]:
    """The store's own method fails so often, then does what it does; how often it was asked."""
    remote: Any = place
    real, left, asked = getattr(type(remote.fs), name), list(errors), []

    def one(*given: Any, **named: Any) -> Any:
        asked.append(name)
        if left:
            raise left.pop(0)
        return real(*given, **named)

    monkeypatch.setattr(type(remote.fs), name, one)
    monkeypatch.setattr(storage, "PAUSE_S", 0)
    return asked


@pytest.mark.parametrize(
    "text", ["results", "~/results", "/results", "results/../other", "file:///tmp/results", "./s3:/x"]
)
def test_a_path_is_a_local_folder_and_absolute(text: str) -> None:
    place = storage.place(text)
    assert storage.is_local(place)
    assert place.is_absolute()


def test_a_home_is_the_users() -> None:
    assert storage.place("~/results") == Path.home() / "results"


@pytest.mark.parametrize("text", ["s3://bucket/prefix", "S3A://bucket/prefix/", "memory://bucket/prefix"])
def test_a_uri_is_a_place_that_is_walked_as_a_path_is(text: str) -> None:
    place = storage.place(text)
    assert not storage.is_local(place)
    assert (place.name, (place / "study").parent) == ("prefix", place)
    assert storage.place(str(place / "study")) == place / "study", "a process border is crossed as text"


def test_an_unknown_protocol_and_one_without_its_library_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = refusal(lambda: storage.place("ftpx://host/folder"))
    assert text.startswith("storage: ftpx://host/folder cannot be reached\n")
    assert text.endswith("fix: check the URI, or install the library of its protocol")
    text = refusal(lambda: storage.place("gs://bucket/folder")) if not installed("gcsfs") else ""
    assert not text or text.endswith("fix: pip install 'raysernas[gs]'")


def installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def test_what_is_written_is_read_and_later_bytes_replace_it_whole(folder: Path) -> None:
    path = folder / "a" / "b #1 ä?.txt"
    for content in (b"a long first text", b"", b"\xff\x00"):
        storage.put(path, content)
        assert (storage.read(path), storage.exists(path)) == (content, True)
    assert "cannot read" in refusal(lambda: storage.text(path)), "it is not UTF-8"
    storage.write_text(path, "für\n")
    assert storage.text(path) == "für\n"


def test_a_file_that_is_filled_appears_whole_or_not_at_all(folder: Path) -> None:
    path = folder / "rows.parquet"
    storage.write(path, lambda part: part.write_bytes(b"rows"))
    with pytest.raises(KeyboardInterrupt):
        storage.write(path, _stopped)
    assert storage.read(path) == b"rows"
    assert storage.listed(folder) == [path]


def _stopped(part: Path) -> None:
    part.write_bytes(b"half")
    raise KeyboardInterrupt


def test_what_is_not_there_is_none_or_nothing(folder: Path) -> None:
    assert (storage.text(folder / "x"), storage.exists(folder / "x"), storage.listed(folder)) == (
        None,
        False,
        [],
    )
    with pytest.raises(FileNotFoundError):
        storage.read(folder / "x")
    storage.delete(folder / "x")
    storage.delete_own(folder / "y", bool)


def test_a_folder_is_listed_by_name_without_what_is_half_written(folder: Path) -> None:
    for name in ("b.json", "a.json", ".c.json", "d.txt", "e/f.json"):
        storage.put(folder / name, b"x")
    assert storage.listed(folder, ".json") == [folder / "a.json", folder / "b.json"]
    storage.delete(folder / "a.json")
    assert storage.listed(folder, ".json") == [folder / "b.json"]


def test_only_our_files_are_deleted_and_the_folder_only_when_it_is_empty(folder: Path) -> None:
    for name in ("e/ours.json", "e/theirs.txt", "e/deeper/ours.json"):
        storage.put(folder / name, b"x")
    storage.delete_own(folder / "e", lambda path: path.suffix == ".json")
    assert not storage.exists(folder / "e" / "ours.json")
    assert storage.exists(folder / "e" / "theirs.txt")
    assert storage.exists(folder / "e" / "deeper" / "ours.json")
    storage.delete(folder / "e" / "theirs.txt")
    storage.delete(folder / "e" / "deeper" / "ours.json")
    storage.put(folder / "f" / "ours.json", b"x")
    storage.delete_own(folder / "f", bool)
    assert not storage.exists(folder / "f")


def test_a_symbolic_link_is_neither_followed_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.pt").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.pt").symlink_to(tmp_path / "thesis" / "a.pt")
    (tmp_path / "link").symlink_to(tmp_path / "thesis")
    for name in ("folder", "link"):
        storage.delete_own(tmp_path / name, bool)
    assert (tmp_path / "thesis" / "a.pt").exists()
    assert (tmp_path / "folder" / "a.pt").is_symlink()
    assert (tmp_path / "link").is_symlink()


def test_a_file_that_is_written_anew_has_another_state(folder: Path) -> None:
    storage.put(folder / "a", b"1")
    before = storage.states(folder)
    assert storage.states(folder) == before
    storage.put(folder / "a", b"2")
    assert storage.states(folder) != before


def test_of_many_who_create_a_name_at_once_one_does(folder: Path) -> None:
    if not storage.is_local(folder):
        pytest.skip("memory:// does not decide between threads; S3 promises to")
    won: list[int] = []
    barrier = threading.Barrier(8)

    def one(number: int) -> None:
        barrier.wait()
        if storage.create(folder / "name", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read(folder / "name") == str(*won).encode()
    assert storage.listed(folder) == [folder / "name"]


def test_a_name_that_is_taken_is_not_created_and_stays(folder: Path) -> None:
    assert storage.create(folder / "name", b"first")
    assert not storage.create(folder / "name", b"second")
    assert storage.read(folder / "name") == b"first"


def test_each_acts_on_every_path_in_order(folder: Path) -> None:
    paths = [folder / str(number) for number in range(40)]
    storage.each(lambda path: storage.put(path, path.name.encode()), paths)
    assert storage.each(storage.read, paths) == [path.name.encode() for path in paths]
    assert storage.each(storage.read, []) == []


# --- a store that does not answer


def test_a_lost_connection_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = memory(tmp_path) / "a"
    asked = failing(monkeypatch, path, "pipe_file", ConnectionError("reset"), TimeoutError())
    storage.put(path, b"x")
    assert len(asked) == 3
    assert storage.read(path) == b"x"


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("pipe_file", lambda path: storage.put(path, b"x")),
        ("pipe_file", lambda path: storage.create(path, b"x")),
        ("cat_file", storage.read),
        ("cat_file", storage.text),
        ("exists", storage.exists),
        ("ls", storage.listed),
        ("rm_file", storage.delete),
        ("find", storage.walked),
        ("isfile", storage.is_object),
    ],
)
def test_a_store_that_stays_silent_is_a_fault_after_a_few_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[Path], object]
) -> None:
    path = memory(tmp_path) / "a"
    asked = failing(monkeypatch, path, name, *(ConnectionError("reset by peer") for _ in range(9)))
    with pytest.raises(StorageFault) as caught:
        act(path)
    assert len(asked) == storage.ATTEMPTS
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("storage: cannot ")
    assert str(path) in lines[0]
    assert lines[1] == "  got: reset by peer"


def test_what_is_forbidden_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = memory(tmp_path) / "a"
    asked = failing(monkeypatch, path, "cat_file", *(PermissionError("Access Denied") for _ in range(9)))
    assert refusal(lambda: storage.text(path)) == told(
        f"cannot read {path}",
        "Access Denied",
        "a folder or bucket that answers and may be read",
        "check the disk, the network or the credentials, then run the same command again",
        where="storage",
    )
    assert len(asked) == 1


def test_what_is_missing_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = memory(tmp_path) / "a"
    asked = failing(monkeypatch, path, "cat_file")
    assert storage.text(path) is None
    assert len(asked) == 1
