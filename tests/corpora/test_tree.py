"""Recordings are found wherever they lie in a release, once each, and a folder that is no release is told
from one.
"""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.corpora import tree
from raysernas.corpora.corpus import Label
from raysernas.corpora.readers import emodb
from tests.support.faults import refusal, told


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def _found(root: Path, *suffixes: str) -> list[str]:
    return [tree.relative(path, root) for path in tree.audio_files(root, *suffixes)]


# which files


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".OGG"])
def test_a_release_in_another_format_than_wav_gets_a_hint(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "wav").mkdir()
    for name in ("03a01Fa", "03a01Wa"):
        (tmp_path / "wav" / f"{name}{suffix}").touch()
    told = refusal(lambda: emodb.read(tmp_path))
    assert f"got: 0 recordings, and 2 files {suffix.lower()}\n" in told
    assert "convert the recordings to WAV, or list them in a manifest" in told


def test_recordings_of_any_depth_and_case_are_found_in_order(tmp_path: Path) -> None:
    _touch(tmp_path, "b.WAV", "a/z.wav", "a/b/c.Wav", "d.flac", "notes.txt", "wav", "e.wav.txt")
    assert _found(tmp_path, ".wav") == ["a/b/c.Wav", "a/z.wav", "b.WAV"]
    assert _found(tmp_path, ".WAV", ".flac") == ["a/b/c.Wav", "a/z.wav", "b.WAV", "d.flac"]


def test_hidden_files_and_folders_are_no_recordings(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "._a.wav", ".git/b.wav", "__MACOSX/c.wav", "d/._d.wav", ".wav")
    assert _found(tmp_path, ".wav") == ["a.wav"]


def test_a_folder_with_the_name_of_a_recording_is_a_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav/b.wav")
    assert _found(tmp_path, ".wav") == ["a.wav/b.wav"]


def test_links_are_followed_once(tmp_path: Path) -> None:
    release = _touch(tmp_path / "release", "wav/a.wav")
    (release / "again").symlink_to(release / "wav")
    (release / "wav" / "up").symlink_to(release)
    (release / "b.wav").symlink_to(release / "wav" / "a.wav")
    outside = _touch(tmp_path / "outside", "c.wav")
    (release / "other").symlink_to(outside)
    assert _found(release, ".wav") == ["b.wav", "other/c.wav", "wav/a.wav"]


def test_links_to_nothing_are_recordings_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    assert _found(tmp_path, ".wav") == ["gone.wav", "loop.wav"]


def test_a_folder_that_cannot_be_listed_is_a_fault(tmp_path: Path) -> None:
    assert refusal(lambda: tree.audio_files(tmp_path / "gone", ".wav")) == told(
        *(
            f"the folder {tmp_path / 'gone'} cannot be read",
            "No such file or directory",
            "a folder that may be listed",
        ),
        *("allow it with chmod, or take the folder out of the corpus",),
        where="corpus",
    )


# names


def test_a_name_in_a_remark_can_always_be_printed(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/wav/M\xe4r\n\xc3\xa4 'x'.wav"))
    assert tree.relative(path, tmp_path) == "wav/M\\udce4r\\n\u00e4 'x'.wav"
    assert tree.relative(tmp_path, tmp_path / "elsewhere") == str(tmp_path)


@given(st.binary(max_size=20))
def test_any_bytes_of_a_name_can_be_printed(name: bytes) -> None:
    shown = tree.printable(os.fsdecode(name))
    assert shown.isprintable()
    assert shown.encode("utf-8").decode("utf-8") == shown


@given(st.text(max_size=20))
def test_plain_text_is_the_same_however_it_was_typed(text: str) -> None:
    assert (
        tree.plain(unicodedata.normalize("NFD", text))
        == tree.plain(unicodedata.normalize("NFC", text))
        == tree.plain(f" {text}\t")
    )


# what is no release


def test_a_folder_is_found_where_it_may_lie(tmp_path: Path) -> None:
    _touch(tmp_path, "release/wav/a.wav", "labels")
    assert tree.need_folder("X", tmp_path) == tmp_path
    assert tree.need_folder("X", tmp_path, "wav", "release/wav", "release") == tmp_path / "release/wav"
    assert refusal(lambda: tree.need_folder("X", tmp_path, "labels", "wav")) == told(
        *(
            f"{tmp_path} does not hold X",
            "labels, release",
            "a folder labels or wav",
            "set corpus.root=PATH/TO/THE/RELEASE",
        ),
        where="corpus",
    )


def test_a_file_is_found_where_it_may_lie(tmp_path: Path) -> None:
    _touch(tmp_path, "1", "2", "3", "4", "5", "6", "7", ".8")
    assert tree.need_file("X", tmp_path, "0", "2", "1") == tmp_path / "2"
    assert refusal(lambda: tree.need_file("X", tmp_path, "x", "y")) == told(
        *(
            f"{tmp_path} does not hold X",
            "1, 2, 3, 4, 5 and 2 more",
            "a file x or y",
            "set corpus.root=PATH/TO/THE/RELEASE",
        ),
        where="corpus",
    )


def test_what_is_found_instead_of_a_release_is_told(tmp_path: Path) -> None:
    assert tree.listing(tmp_path) == "an empty folder"
    assert tree.listing(tmp_path / "gone") == f"no folder {tmp_path / 'gone'}"
    _touch(tmp_path, "a\nb")
    assert tree.listing(tmp_path) == r"a\nb"


# which labels


@pytest.mark.parametrize(
    ("wanted", "offered", "label"),
    [
        ("usual", ("perceived", "intended"), "perceived"),
        ("usual", ("intended",), "intended"),
        ("intended", ("perceived", "intended"), "intended"),
    ],
)
def test_the_usual_label_is_the_first_that_is_offered(
    wanted: Label, offered: tuple[Label, ...], label: Label
) -> None:
    assert tree.which_label("X", wanted, *offered) == label


def test_a_label_that_is_not_offered_is_refused() -> None:
    assert refusal(lambda: tree.which_label("X", "perceived", "intended")) == told(
        *("X has no perceived labels", "corpus.label=perceived", "usual, intended", "set corpus.label=usual"),
        where="corpus",
    )


# copies


def _once(
    root: Path, key: Callable[[Path], str] = lambda file: file.stem
) -> tuple[list[str], list[tuple[str, str]]]:
    kept, remarks = tree.once(tree.audio_files(root, ".wav"), root, key)
    assert {(remark.kind, remark.fix) for remark in remarks} <= {
        ("left out", "nothing; every file is read once")
    }
    return [tree.relative(file, root) for file in kept], [(remark.subject, remark.what) for remark in remarks]


def test_of_files_with_one_name_the_shallowest_is_kept(tmp_path: Path) -> None:
    _touch(tmp_path, "a/all/1/x.wav", "a/all/1/y.wav", "a/all/2/z.wav", "b/1/x.wav", "b/1/y.wav", "b/2/z.wav")
    assert _once(tmp_path) == (
        ["b/1/x.wav", "b/1/y.wav", "b/2/z.wav"],
        [("a", "holds 3 files a second time")],
    )


def test_what_lies_in_a_copy_alone_is_kept(tmp_path: Path) -> None:
    _touch(tmp_path, "x.wav", "copy/x.wav", "copy/y.wav")
    assert _once(tmp_path) == (["x.wav", "copy/y.wav"], [("copy", "holds 1 files a second time")])


def test_a_copy_in_the_folder_of_the_first_is_named_itself(tmp_path: Path) -> None:
    _touch(tmp_path, "x.wav", "x.WAV", "in/in/x.wav")
    assert _once(tmp_path) == (
        ["x.WAV"],
        [("x.wav", "is there a second time"), ("in", "holds 1 files a second time")],
    )
    assert _once(tmp_path / "in") == (["in/x.wav"], [])


def test_a_file_of_another_size_is_no_copy(tmp_path: Path) -> None:
    _touch(tmp_path, "x.wav", "a/x.wav", "b/x.wav", "y.wav")
    (tmp_path / "a" / "x.wav").write_bytes(b"other")
    (tmp_path / "a" / "y.wav").symlink_to("nowhere")
    assert _once(tmp_path) == (
        ["x.wav", "y.wav", "a/x.wav", "a/y.wav"],
        [("b", "holds 1 files a second time")],
    )


def test_files_of_other_keys_are_no_copies(tmp_path: Path) -> None:
    _touch(tmp_path, "a/1.wav", "b/1.wav", "b/2.wav")
    assert _once(tmp_path, lambda file: f"{file.parent.name}_{file.stem}") == (
        ["a/1.wav", "b/1.wav", "b/2.wav"],
        [],
    )
    assert _once(tmp_path, lambda file: file.parent.name) == (
        ["a/1.wav", "b/1.wav"],
        [("b/2.wav", "is there a second time")],
    )


def test_a_file_of_labels_is_text_with_or_without_a_mark_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbf\xc3\xa4\r\n")
    assert tree.text(path, expected="labels") == "ä\r\n"
    path.write_bytes(b"\xe4")
    assert tree.text(path, expected="labels", otherwise="latin-1") == "ä"
    assert refusal(lambda: tree.text(path, expected="labels")).endswith(
        "expected: labels\n  fix: copy it from the release again"
    )
    assert f"{tmp_path}/none cannot be read\n  got: " in refusal(
        lambda: tree.text(tmp_path / "none", expected="labels", fix="x")
    )
