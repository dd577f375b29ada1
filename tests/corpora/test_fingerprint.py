"""A corpus is known by its content, wherever it lies and however it is listed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.corpora import fingerprint
from raysernas.corpora.corpus import Utterance

ROWS = [Utterance(key=f"u{i}", path=f"/p{i % 2}", emotion="anger", speaker=f"s{i}") for i in range(4)]
HASHES = {"/p0": "00", "/p1": "11"}
FINGERPRINT = fingerprint.of(ROWS, HASHES)


@given(st.permutations(ROWS))
def test_the_order_of_rows_does_not_matter(rows: list[Utterance]) -> None:
    assert fingerprint.of(rows, HASHES) == FINGERPRINT


def test_the_place_of_a_file_does_not_matter() -> None:
    moved = [replace(row, path=f"/elsewhere{row.path}") for row in ROWS]
    assert (
        fingerprint.of(moved, {f"/elsewhere{path}": digest for path, digest in HASHES.items()}) == FINGERPRINT
    )


def test_what_a_file_is_besides_its_content_does_not_matter() -> None:
    assert (
        fingerprint.of(
            [replace(row, sample_rate_hz=8_000, channels=2, raw_label="W") for row in ROWS], HASHES
        )
        == FINGERPRINT
    )


@pytest.mark.parametrize(
    "change",
    [
        {"key": "x"},
        {"path": "/p1"},
        {"emotion": "fear"},
        {"speaker": "x"},
        {"gender": "male"},
        {"session": "1"},
        {"scenario": "improvised"},
        {"start_s": 0.1},
        {"end_s": 0.1},
        {"split": "train"},
        {"path": "synthetic:x"},
    ],
)
def test_every_change_of_content_matters(change: dict) -> None:
    assert fingerprint.of([replace(ROWS[0], **change), *ROWS[1:]], HASHES) != FINGERPRINT


def test_speech_without_files_is_known_by_what_it_is_made_of() -> None:
    row = replace(ROWS[0], path="synthetic:x")
    assert (
        fingerprint.of([row], {})
        == fingerprint.of([row], HASHES)
        != fingerprint.of([replace(row, path="synthetic:y")], {})
    )
