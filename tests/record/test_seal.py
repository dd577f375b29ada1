"""A sealed file is sound only as it was written, in whatever format it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.record import seal

WHOLE = seal.seal(json.dumps({"seal": seal.BLANK.decode(), "numbers": list(range(50))}).encode())
MARK = WHOLE.index(seal.PREFIX)


@given(at=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_every_flipped_bit_outside_the_words_of_the_seal_is_found(at: int, bit: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= 1 << bit
    in_words = MARK <= at < MARK + len(seal.PREFIX)
    assert seal.is_sound(bytes(damaged)) == in_words


@given(cut=st.integers(MARK + len(seal.PREFIX), len(WHOLE) - 1))
def test_a_file_that_was_cut_behind_its_seal_is_found(cut: int) -> None:
    assert not seal.is_sound(WHOLE[:cut])


def test_content_without_a_seal_is_of_an_earlier_version_and_sound() -> None:
    assert seal.is_sound(b"")
    assert seal.is_sound(b"{}")
    with pytest.raises(ValueError, match="without a blank seal"):
        seal.seal(b"{}")


def test_a_file_is_sealed_in_place_and_the_last_of_several_seals_counts(tmp_path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"head " + seal.BLANK + b" body " + seal.BLANK + b" tail")
    seal.seal_file(path)
    assert seal.is_sound_file(path)
    assert path.read_bytes() == seal.seal(b"head " + seal.BLANK + b" body " + seal.BLANK + b" tail")
    assert seal.BLANK in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"body", b"Body"))
    assert not seal.is_sound_file(path)
    path.write_bytes(b"")
    assert seal.is_sound_file(path)
