"""A corpus is known by its content, and files are not hashed twice."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config import Fault
from raysernas.corpora import fingerprint
from raysernas.corpora.corpus import Utterance

ROWS = [Utterance(key=f"u{i}", path=f"/p{i % 2}", emotion="anger", speaker=f"s{i}") for i in range(4)]
HASHES = {"/p0": "00", "/p1": "11"}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "audio"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)
    return [str(folder / name) for name in "abc"]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose content was really read."""
    seen: list[str] = []
    real = fingerprint.content_hash
    monkeypatch.setattr(fingerprint, "content_hash", lambda path: (seen.append(path), real(path))[1])
    return seen


@given(st.permutations(ROWS))
def test_the_order_of_rows_does_not_matter(rows: list[Utterance]) -> None:
    assert fingerprint.fingerprint(rows, HASHES) == fingerprint.fingerprint(ROWS, HASHES)


def test_the_place_of_a_file_does_not_matter() -> None:
    moved = [replace(row, path=f"/elsewhere{row.path}") for row in ROWS]
    hashes = {f"/elsewhere{path}": digest for path, digest in HASHES.items()}
    assert fingerprint.fingerprint(moved, hashes) == fingerprint.fingerprint(ROWS, HASHES)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "x"}, {"path": "/p1"}, {"emotion": "fear"}, {"speaker": "x"}, {"gender": "male"},
        {"session": "1"}, {"start_s": 0.1}, {"end_s": 0.1}, {"split": "train"},
    ],
)  # fmt: skip
def test_every_change_of_content_matters(change: dict) -> None:
    rows = [replace(ROWS[0], **change), *ROWS[1:]]
    assert fingerprint.fingerprint(rows, HASHES) != fingerprint.fingerprint(ROWS, HASHES)


def test_nothing_is_written_without_a_memory(tmp_path: Path, files: list[str], hashed: list[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert fingerprint.file_hashes(files, None) == fingerprint.file_hashes(files, None)
    assert sorted(tmp_path.rglob("*")) == before
    assert hashed == files * 2


def test_a_file_is_hashed_again_only_when_it_changed(tmp_path: Path, files: list[str], hashed: list[str]) -> None:
    memory = tmp_path / "deep" / "memory"
    first = fingerprint.file_hashes([*files, files[0]], memory)
    assert hashed == files
    assert fingerprint.file_hashes(files, memory) == first
    assert hashed == files
    Path(files[1]).write_text("longer")
    os.utime(files[2], ns=(1, 1))
    second = fingerprint.file_hashes(files, memory)
    assert hashed == [*files, *files[1:]]
    assert [first[file] == second[file] for file in files] == [True, False, True]
    assert [path.name for path in memory.iterdir()] == [fingerprint.MEMORY]


def test_a_memory_serves_several_corpora(tmp_path: Path, files: list[str], hashed: list[str]) -> None:
    for part in (files[:1], files[1:], files):
        fingerprint.file_hashes(part, tmp_path)
    assert hashed == files


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}', '{"a": [1, 2]}', '{"a": [null, 2, "x"]}', "\ud800"])
def test_a_memory_that_is_broken_is_rebuilt(tmp_path: Path, files: list[str], text: str) -> None:
    whole = fingerprint.file_hashes(files, tmp_path)
    (tmp_path / fingerprint.MEMORY).write_bytes(text.encode(errors="surrogatepass"))
    assert fingerprint.file_hashes(files, tmp_path) == whole
    assert sorted(json.loads((tmp_path / fingerprint.MEMORY).read_text())) == files


def test_a_memory_that_is_no_folder_is_a_fault(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "memory").touch()
    with pytest.raises(Fault, match="cannot write"):
        fingerprint.file_hashes(files, tmp_path / "memory")


def test_broken_files_are_counted_and_three_are_named(tmp_path: Path, files: list[str]) -> None:
    Path(files[0]).write_text("")
    missing = [str(tmp_path / f"missing{i}") for i in range(3)]
    with pytest.raises(Fault) as caught:
        fingerprint.file_hashes([*files, *missing], None)
    assert str(caught.value) == (
        "corpus: 4 of 6 audio files cannot be used\n"
        f"  got: {files[0]} (0 bytes), {missing[0]} (missing), {missing[1]} (missing) and 1 more\n"
        "  expected: every file there and readable\n"
        "  do this: put the files in their places, or take them out of the corpus"
    )


def test_a_finished_corpus_is_sorted_and_has_every_key_once(files: list[str]) -> None:
    rows = [Utterance(key=key, path=files[0], emotion="anger", speaker="a") for key in ("b", "a")]
    corpus = fingerprint.finished("mine", ["anger"], rows, None)
    assert [utterance.key for utterance in corpus.utterances] == ["a", "b"]
    assert corpus.fingerprint == fingerprint.finished("mine", ["anger"], rows[::-1], None).fingerprint
    with pytest.raises(Fault) as caught:
        fingerprint.finished("mine", ["anger"], [*rows, rows[0]], None)
    assert str(caught.value).startswith("corpus: mine lists b more than once\n  got: 1 repeated utterances")
