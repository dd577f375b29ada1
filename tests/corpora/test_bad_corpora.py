"""Whatever lies in a corpus is either read as it was written, or told once, with its name, what is wrong, and
what to do.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue
from raysernas.corpora.__main__ import main
from raysernas.corpora.corpus import Remark
from tests.support.faults import refusal
from tests.support.trees import bad
from tests.support.trees.bad import (
    FILE,
    Case,
    row,
)
from tests.support.trees.bad_cases import BAD, REFUSED, UNUSUAL


def _config(case: Case, folder: Path, *, skip: bool = False) -> CorpusConfig:
    return CorpusConfig(name="manifest", root=str(folder / case.root), on_bad_file="skip" if skip else "fail")


def _named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bad.manifest(tmp_path / "corpus")


def test_the_corpus_is_good_before_it_is_spoilt(folder: Path) -> None:
    corpus = catalogue.read(CorpusConfig(name="manifest", root=str(folder)), None)
    assert [u.key for u in corpus.utterances] == sorted((*bad.GOOD, FILE))
    assert corpus.skipped == ()


@_named(UNUSUAL)
def test_what_is_unusual_is_read_as_it_was_written(case: Case, folder: Path) -> None:
    written = np.asarray(case.make(folder), dtype=np.float64)
    corpus = catalogue.read(_config(case, folder), None)
    (subject,) = case.subjects
    (utterance,) = (u for u in corpus.utterances if u.key == subject)
    assert {u.key for u in corpus.utterances} == {*bad.GOOD, subject}
    assert len(corpus.utterances) == len(bad.GOOD) + 1
    assert utterance.sample_rate_hz == case.rate_hz
    np.testing.assert_allclose(catalogue.waveform(utterance, case.rate_hz), written, atol=case.tolerance)


@_named(BAD)
def test_what_is_bad_is_told_once_and_can_be_gone_without(case: Case, folder: Path) -> None:
    case.make(folder)
    corpus = catalogue.read(_config(case, folder, skip=True), None)
    assert [remark.subject for remark in corpus.skipped] == list(case.subjects)
    for remark in corpus.skipped:
        assert remark.kind == "bad"
        assert case.what in remark.what
        assert case.fix in remark.fix
    assert {u.key for u in corpus.utterances} == {*bad.GOOD, *([FILE] if case.kept else [])}
    assert len(corpus.utterances) == len(bad.GOOD) + case.kept


def _counted(bad: int) -> str:
    return "1 file or row" if bad == 1 else f"{bad} files or rows"


@_named(BAD)
def test_what_is_bad_is_refused_unless_the_study_says_otherwise(case: Case, folder: Path) -> None:
    case.make(folder)
    told = refusal(lambda: catalogue.read(_config(case, folder), None))
    assert told.startswith(f"corpus: {_counted(len(case.subjects))} of manifest cannot be used\n")
    assert f"\n    {case.subjects[0]} " in told
    assert case.what in told
    assert case.fix in told.split("fix:")[1]


@_named(REFUSED)
def test_a_table_that_cannot_be_understood_is_refused_even_if_files_may_be_skipped(
    case: Case, folder: Path
) -> None:
    case.make(folder)
    for skip in (False, True):
        told = refusal(lambda skip=skip: catalogue.read(_config(case, folder, skip=skip), None))
        assert case.what in told
        assert case.root in told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_recording_that_may_not_be_read_is_told(folder: Path) -> None:
    bad.forbidden(folder)
    corpus = catalogue.read(CorpusConfig(name="manifest", root=str(folder), on_bad_file="skip"), None)
    assert [(remark.subject, remark.what) for remark in corpus.skipped] == [(FILE, "may not be read")]


def test_an_emotion_that_nobody_was_recorded_in_is_refused(folder: Path) -> None:
    for skip in (False, True):
        config = _config(Case(name="", make=str), folder, skip=skip)
        told = refusal(lambda config=config: catalogue.read(replace(config, emotions=("anger", "joy")), None))
        assert "corpus.emotions names 'joy'" in told
        assert "some of ['anger', 'calm']" in told


def test_a_label_without_agreement_is_no_class_and_not_bad(folder: Path) -> None:
    bad.write(folder, [*bad.rows(), row(emotion="no_agreement")])
    corpus = catalogue.read(CorpusConfig(name="manifest", root=str(folder)), None)
    assert corpus.emotions == ("anger", "calm")
    assert len(corpus.utterances) == len(bad.GOOD)
    assert corpus.skipped == ()


def test_audio_without_a_label_is_told_and_not_bad(folder: Path) -> None:
    bad.write(folder, bad.rows())
    config = CorpusConfig(name="manifest", root=str(folder))
    assert catalogue.release(config).remarks == (
        Remark(
            kind="left out",
            subject="wav",
            fix="list them, if they belong to it",
            what="holds recordings that labels.csv does not list: x.wav",
        ),
    )
    assert len(catalogue.read(config, None).utterances) == len(bad.GOOD)


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"03a01Xa.wav", "03a01Xa.wav"), (b"M\xe4r z.wav", "M\\udce4r z.wav"), (b"a\nb.WAV", r"a\nb.WAV")],
)
def test_a_name_without_a_meaning_is_told_in_letters_that_can_be_printed(
    tmp_path: Path, name: bytes, shown: str
) -> None:
    bad.emodb(tmp_path / "emodb")
    config = CorpusConfig(name="emodb", root=str(tmp_path / "emodb"), emotions=("anger", "neutral"))
    whole = catalogue.read(config, None)
    bad.nameless(name)(tmp_path / "emodb")
    corpus = catalogue.read(replace(config, on_bad_file="skip"), None)
    assert corpus.utterances == whole.utterances
    assert [remark.subject for remark in corpus.skipped] == [shown]
    assert f"\n    {shown} is not a name of emodb" in refusal(lambda: catalogue.read(config, None))


def test_bad_recordings_are_told_with_all_that_is_bad(folder: Path) -> None:
    for name in bad.GOOD[:4]:
        (folder / name).write_bytes(b"")
    bad.write(folder, [*bad.rows(), row(emotion="")])
    told = refusal(lambda: catalogue.read(CorpusConfig(name="manifest", root=str(folder)), None))
    assert "5 files or rows of manifest cannot be used" in told
    assert "and 2 more" in told


# python -m raysernas.corpora check


@pytest.mark.parametrize(
    ("case", "status"),
    [*((case, 0) for case in UNUSUAL), *((case, 1) for case in BAD), *((case, 2) for case in REFUSED)],
    ids=lambda value: value.name if isinstance(value, Case) else str(value),
)
def test_the_check_tells_the_same_and_says_by_its_status_whether_all_is_well(
    case: Case, status: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case.make(folder)
    assert main(["check", "manifest", str(folder / case.root), "--json"]) == status
    printed = capsys.readouterr()
    if status == 2:
        assert case.what in printed.err
    else:
        remarks = [each for each in json.loads(printed.out)["remarks"] if each["kind"] == "bad"]
        assert [each["subject"] for each in remarks] == (list(dict.fromkeys(case.subjects)) if status else [])
        assert all(case.what in each["what"] and case.fix in each["fix"] for each in remarks)
