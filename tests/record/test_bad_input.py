"""The law of bad input: one clear error in five parts, exit code 2, no traceback, and no trial is started or
lost.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas import launch

EMOTIONS = ("anger", "calm")
SPEAKERS = ("anna", "bert", "cleo", "dora", "emil")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A small corpus of the user's own, with a manifest."""
    folder = tmp_path / "my corpus"
    folder.mkdir()
    rng, rows = np.random.default_rng(0), ["file,emotion,speaker"]
    for speaker in SPEAKERS:
        for emotion in EMOTIONS:
            for take in range(2):
                name = f"{speaker} {emotion}{take}.wav"
                soundfile.write(folder / name, rng.uniform(-0.1, 0.1, 8000), 16_000)
                rows.append(f"{name},{emotion},{speaker}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def refusal(corpus: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What a launch on the corpus says, after checking that it ended as it should."""
    storage = corpus.parent / "results"
    words = [
        "corpus.name=manifest",
        f"corpus.root={corpus / 'labels.csv'}",
        f"study.storage={storage}",
        "corpus.folds=speaker",
        *more,
    ]
    assert launch.main(["laptop", *words]) == 2
    told = capsys.readouterr().err
    assert [line.split(":")[0] for line in told.splitlines() if line.startswith("  ") and line[2] != " "] == [
        "  got",
        "  expected",
        "  fix",
    ]
    assert "Traceback" not in told
    assert not list(storage.glob("*/trials/*")), "no trial has been started"
    return told


def replace_text(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def lie_about_length(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    at = whole.index(b"data") + 4
    whole[at : at + 4] = struct.pack("<I", 10**6)
    path.write_bytes(whole)


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000)


def no_numbers(path: Path) -> None:
    soundfile.write(path, np.full(4000, np.nan), 16_000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(b"no audio at all" * 100), "is no audio that can be read"),
        (cut_off, "is cut off"),
        (lie_about_length, "is cut off"),
        (no_samples, ""),
        (no_numbers, "has samples that are no numbers"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    corpus: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], what: str
) -> None:
    spoil(corpus / "cleo calm1.wav")
    told = refusal(corpus, capsys)
    assert "cleo calm1.wav" in told
    assert what in told


def test_a_missing_corpus_is_refused(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.csv" in refusal(corpus, capsys, f"corpus.root={corpus / 'nowhere.csv'}")
    assert "nowhere" in refusal(corpus, capsys, "corpus.name=emodb", f"corpus.root={corpus / 'nowhere'}")


def test_an_empty_corpus_is_refused(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "labels.csv").write_text("file,emotion,speaker\n")
    assert "labels.csv" in refusal(corpus, capsys)
    (corpus / "empty").mkdir()
    assert "empty" in refusal(corpus, capsys, "corpus.name=emodb", f"corpus.root={corpus / 'empty'}")


def test_one_speaker_cannot_be_held_out(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = corpus / "labels.csv"
    for speaker in SPEAKERS[1:]:
        replace_text(path, f",{speaker}\n", ",anna\n")
    assert "speaker" in refusal(corpus, capsys)


def test_an_emotion_with_one_example_is_named(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace_text(corpus / "labels.csv", "anna anger0.wav,anger,", "anna anger0.wav,awe,")
    told = refusal(corpus, capsys)
    assert "awe" in told
    assert "corpus.emotions=" in told


def test_a_fold_out_of_range_is_refused(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "5" in refusal(corpus, capsys, "study.folds=[5]")


def test_an_unknown_key_and_a_wrong_type_are_refused(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean search.weights_lr" in refusal(corpus, capsys, "search.weight_lr=1")
    assert "search.epochs" in refusal(corpus, capsys, "search.epochs=2.5")


def test_a_result_folder_that_cannot_be_written_is_refused(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "file").write_text("not a folder")
    assert "cannot write" in refusal(corpus, capsys, f"study.storage={corpus / 'file'}")
