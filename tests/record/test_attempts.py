"""Laws of the list of attempts: every start is in it, whatever stood there before."""

import os
import platform
from datetime import datetime

import pytest

from raysernas.record import attempts
from raysernas.record.files import TrialFiles, TrialKey


def test_every_start_is_noted_with_its_time_and_place(tmp_path):
    files = TrialFiles(tmp_path, TrialKey(arm="cnn", candidate=0, fold=0, seed=0))
    assert attempts.read(files) == []
    for number in (1, 2, 3):
        attempts.begin(files)
        assert len(attempts.read(files)) == number
    for each in attempts.read(files):
        assert (each["host"], each["pid"]) == (platform.node(), os.getpid())
        assert datetime.fromisoformat(each["began"]).tzinfo is not None


@pytest.mark.parametrize("torn", [b"", b"[{", b"7", b"\xff\xfe", b"{}"])
def test_a_file_that_is_no_list_counts_for_nothing_and_is_replaced(tmp_path, torn):
    files = TrialFiles(tmp_path, TrialKey(arm="cnn", candidate=0, fold=0, seed=0))
    files.attempts.parent.mkdir()
    files.attempts.write_bytes(torn)
    assert attempts.read(files) == []
    attempts.begin(files)
    assert len(attempts.read(files)) == 1
