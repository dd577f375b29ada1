"""A corpus in a bucket: fetched once for each machine, whole or not at all, and no name in the bucket leads
out of the cache.
"""

import platform
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config, CorpusConfig
from raysernas.corpora import catalogue, fetched
from raysernas.corpora.folds import fold_file, splits
from raysernas.fleet.trainable import check_node, fingerprint
from raysernas.record import storage
from raysernas.record.files import StudyFiles
from tests.support import toy
from tests.support.faults import refusal, told

BUCKET = "memory://bucket"
ROOT = f"{BUCKET}/corpora/emodb"
FILES = {"labels.csv": b"file,emotion,speaker\n", "wav/a.wav": b"aaaa", "wav/deep/b #1 %20 ä?.wav": b"bb"}


def put(name: str, content: bytes, root: str = ROOT) -> None:
    """An object under exactly this name, as a store takes any."""
    place: Any = storage.place(root)
    place.fs.pipe_file(f"{place.path}/{name}", content)


@pytest.fixture(autouse=True)
def bucket() -> Iterator[None]:
    """One that lives in this process; its fsspec is real, its store is memory."""
    place: Any = storage.place(BUCKET)
    place.fs.store.clear()
    place.fs.pseudo_dirs[:] = [""]
    for name, content in FILES.items():
        put(name, content)
    put("c.wav", b"another corpus", f"{BUCKET}/corpora/emodb2")
    yield
    place.fs.store.clear()


def held(copy: Path) -> dict[str, bytes]:
    """What lies in a copy, without the notes that fetching keeps there."""
    own = (fetched.INDEX, fetched.WHOLE)
    return {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and path.name not in own
    }


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the objects that were read, in order; the reading itself is real."""
    names: list[str] = []
    read = storage.read

    def noted(path: Path) -> bytes:
        if not storage.is_local(path):
            names.append(path.name)
        return read(path)

    monkeypatch.setattr(storage, "read", noted)
    return names


def test_a_local_path_is_itself_and_nothing_is_made(tmp_path: Path) -> None:
    assert fetched.local(str(tmp_path / "emodb"), tmp_path / "cache") == tmp_path / "emodb"
    assert list(tmp_path.iterdir()) == []


def test_a_copy_holds_every_object_and_none_of_a_neighbour(tmp_path: Path) -> None:
    assert held(fetched.local(ROOT, tmp_path)) == FILES


def test_a_table_is_fetched_with_the_recordings_beside_it(tmp_path: Path) -> None:
    table = fetched.local(f"{ROOT}/labels.csv", tmp_path)
    assert table.read_bytes() == FILES["labels.csv"]
    assert held(table.parent) == FILES


def test_what_is_here_is_not_fetched_again(tmp_path: Path, asked: list[str]) -> None:
    fetched.local(ROOT, tmp_path)
    assert len(asked) == len(FILES)
    fetched.local(ROOT, tmp_path)
    assert len(asked) == len(FILES)


def test_a_copy_follows_the_bucket(tmp_path: Path, asked: list[str]) -> None:
    copy = fetched.local(ROOT, tmp_path)
    asked.clear()
    put("wav/a.wav", b"AAAA")
    put("wav/new.wav", b"new")
    storage.delete(storage.place(ROOT) / "labels.csv")
    fetched.local(ROOT, tmp_path)
    assert held(copy) == {
        **{name: FILES[name] for name in list(FILES)[2:]},
        "wav/a.wav": b"AAAA",
        "wav/new.wav": b"new",
    }
    assert sorted(asked) == ["a.wav", "new.wav"], "a file of the same size, written anew, is another one"


def test_a_known_copy_is_compared_with_its_index_alone(tmp_path: Path, asked: list[str]) -> None:
    """A trial, whose plan knows the content of the corpus, does not list the bucket; a damaged copy is mended
    all the same.
    """
    copy = fetched.local(ROOT, tmp_path)
    asked.clear()
    put("wav/new.wav", b"new")
    fetched.local(ROOT, tmp_path, known=True)
    assert held(copy) == FILES
    for spoil in (Path.unlink, lambda path: path.write_bytes(b"")):
        spoil(copy / "wav" / "a.wav")
        fetched.local(ROOT, tmp_path, known=True)
        assert held(copy) == {**FILES, "wav/new.wav": b"new"}
    assert sorted(asked) == ["a.wav", "a.wav", "new.wav"]


@pytest.mark.parametrize("stops", range(7))
def test_a_fetch_that_is_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], stops: int
) -> None:
    """Whichever file it was killed at: no half file under its name, and nothing that was noted is fetched
    twice.
    """
    monkeypatch.setattr(storage, "THREADS", 1)
    put_whole, count = storage.put, 0

    def stopping(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count > stops:
            raise KeyboardInterrupt
        put_whole(path, content)

    monkeypatch.setattr(storage, "put", stopping)
    try:
        copy = fetched.local(ROOT, tmp_path)
    except KeyboardInterrupt:
        (copy,) = [path for path in (tmp_path / "corpora").iterdir() if path.is_dir()] or [tmp_path]
        assert held(copy).items() <= FILES.items() or copy == tmp_path
    before = len(asked)
    monkeypatch.setattr(storage, "put", put_whole)
    assert held(fetched.local(ROOT, tmp_path)) == FILES
    assert len(asked) - before == max(0, len(FILES) - stops)


@pytest.mark.parametrize("end", ['{"name": "wav/a.w', "\0\0", '{"name": 7}\n', "[]\n", '{"name": "x"}'])
def test_a_torn_index_costs_time_and_nothing_else(tmp_path: Path, end: str) -> None:
    copy = fetched.local(ROOT, tmp_path)
    with (copy / fetched.INDEX).open("a") as file:
        file.write(end)
    put("wav/a.wav", b"AAAA")
    assert held(fetched.local(ROOT, tmp_path)) == {**FILES, "wav/a.wav": b"AAAA"}
    assert held(fetched.local(ROOT, tmp_path, known=True)) == {**FILES, "wav/a.wav": b"AAAA"}


def test_of_many_processes_that_start_at_once_one_fetches(tmp_path: Path, asked: list[str]) -> None:
    found: list[dict[str, bytes]] = []
    threads = [
        threading.Thread(target=lambda: found.append(held(fetched.local(ROOT, tmp_path)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == 6 * [FILES]
    assert len(asked) == len(FILES)


def test_a_bucket_that_changes_meanwhile_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was listed as one thing and read as another is not taken for it; one that never rests is
    refused.
    """
    read, changes = storage.read, 1

    def changing(path: Path) -> bytes:
        nonlocal changes
        if not storage.is_local(path) and path.name == "a.wav" and changes:
            changes -= 1
            put("wav/a.wav", b"A" * (changes % 7 + 1))
        return read(path)

    monkeypatch.setattr(storage, "read", changing)
    assert held(fetched.local(ROOT, tmp_path)) == {**FILES, "wav/a.wav": b"A"}
    changes = 1000
    put("wav/a.wav", b"aaaa")
    assert refusal(lambda: fetched.local(ROOT, tmp_path)).startswith(
        f"corpus: {storage.place(ROOT)} changes while it is fetched"
    )


@pytest.mark.parametrize(
    "name",
    [
        "../evil.wav",
        "wav/../../evil.wav",
        "/etc/evil.wav",
        "wav//evil.wav",
        "./evil.wav",
        "wav\\..\\evil.wav",
        "a\0.wav",
        fetched.INDEX,
        f"{fetched.WHOLE}/x",
        "..",
    ],
)
def test_a_name_that_leads_elsewhere_ends_the_fetch_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    put(name, b"evil")
    text = refusal(lambda: fetched.local(ROOT, tmp_path / "cache"))
    assert text.startswith(f"corpus: {storage.place(ROOT)} has a name that must not be followed\n  got: ")
    assert {path.name.partition("-")[0] for path in tmp_path.rglob("*")} <= {"cache", "corpora", "emodb"}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]


@given(name=st.text(st.sampled_from("./\\a\0~-"), min_size=1, max_size=12))
def test_whatever_a_name_is_nothing_is_written_outside_the_copy(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    root = f"{BUCKET}/{tmp_path_factory.mktemp('any').name}"
    for each in (name, "a/b/c.wav"):
        with suppress(OSError):  # memory, unlike a bucket, knows folders
            put(each, b"content", root)
    around = tmp_path_factory.mktemp("around")
    try:
        copy = fetched.local(root, around / "cache")
    except Fault:
        copy = around / "cache"
    outside = [
        path
        for path in around.rglob("*")
        if path.is_file() and not path.is_relative_to(copy) and path.suffix != ".lock"
    ]
    assert outside == []


def test_a_file_that_is_a_folder_too_is_named(tmp_path: Path) -> None:
    put("wav", b"x")
    assert "has a name that is a file and a folder\n  got: wav\n" in refusal(
        lambda: fetched.local(ROOT, tmp_path)
    )


def test_nothing_at_a_place_is_told_with_the_node(tmp_path: Path) -> None:
    place = f"{BUCKET}/nowhere"
    assert refusal(lambda: fetched.local(place, tmp_path)) == told(
        f"{platform.node()} finds nothing at {storage.place(place)}",
        "no objects",
        "the files of a corpus",
        "check corpus.root, and that this node may list the bucket",
        where="corpus",
    )


def test_a_cache_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "corpora").write_text("")
    assert refusal(lambda: fetched.local(ROOT, tmp_path)).startswith(
        f"storage: cannot write {tmp_path / 'corpora'}"
    )


# --- what uses it


def manifest() -> CorpusConfig:
    put("labels.csv", b"file,emotion,speaker\n" + b"".join(b"wav/%d.wav,joy,%d\n" % (i, i) for i in range(3)))
    return load(None, ["corpus.name=manifest", f"corpus.root={ROOT}/labels.csv"]).corpus


def test_a_corpus_in_a_bucket_is_the_corpus(tmp_path: Path) -> None:
    release = catalogue.release(manifest(), tmp_path)
    assert [each.key for each in release.utterances] == ["wav/0.wav", "wav/1.wav", "wav/2.wav"]
    assert all(Path(each.path).is_relative_to(tmp_path) for each in release.utterances)


def test_folds_are_read_from_a_bucket_too(tmp_path: Path) -> None:
    corpus = toy.corpus()
    found = splits.of(corpus, CorpusConfig(name="ravdess", folds="speaker"))
    place = storage.place(ROOT) / "folds.csv"
    storage.write_text(place, fold_file.text(corpus, found))
    assert fold_file.read(place, corpus) == tuple(found)
    assert "there is no " in refusal(lambda: fold_file.read(storage.place(ROOT) / "none.csv", corpus))


@pytest.fixture
def files(tmp_path: Path) -> StudyFiles:
    found = StudyFiles(tmp_path / "study")
    storage.write_text(found.config, "plan")
    return found


def test_a_node_looks_at_the_bucket_of_the_corpus(files: StudyFiles) -> None:
    config = Config(corpus=manifest())
    check_node(trial_config(config, arm="cnn", fold=0, seed=0), files, fingerprint("plan"))
    storage.delete(storage.place(config.corpus.root))
    text = refusal(
        lambda: check_node(trial_config(config, arm="cnn", fold=0, seed=0), files, fingerprint("plan"))
    )
    assert text == told(
        f"{platform.node()} does not see the corpus",
        f"no {config.corpus.root}",
        "corpus.root, on every node at the same place",
        "mount or copy the corpus there on every node, or let every node read the bucket",
        where="node",
    )


def test_a_node_that_cannot_ask_the_bucket_says_which_node_it_is(files: StudyFiles) -> None:
    config = load(None, ["corpus.name=emodb", "corpus.root=nosuch://bucket/emodb"])
    text = refusal(
        lambda: check_node(trial_config(config, arm="cnn", fold=0, seed=0), files, fingerprint("plan"))
    )
    assert text.startswith(
        f"node: {platform.node()} does not see the corpus\n  got: nosuch://bucket/emodb cannot be reached"
    )
