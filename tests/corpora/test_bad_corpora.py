"""Whatever lies in a corpus is either read as it was written, or told once, with its name, what is wrong, and
what to do.
"""

import json
import os
import unicodedata
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
    TABLE,
    TONE,
    Case,
    content,
    encoded,
    instead,
    listed,
    named,
    row,
    sounding,
    wav,
)

COPY, PLACE, STRETCH = (
    "replace it by a whole copy",
    "put the recording in its place",
    "mend start and end of this utterance",
)
FILL, WORD = "fill the cell, or remove the row", "write one of them, or leave the cell empty"
APART = "put table and recordings into one folder, and name each file relative to it"
SIX, TWO = (
    np.stack([TONE * share for share in shares], axis=1) for shares in ([1, 0, 0, 0, 0, 0.5], [1, 0.5])
)
NAN, INFINITE = (np.where(np.arange(len(TONE)) == 7, value, TONE) for value in (np.nan, np.inf))
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
NFC, NFD = (unicodedata.normalize(form, "M\u00e4rz") for form in ("NFC", "NFD"))

UNUSUAL = [  # is read as it was written
    Case(name="8 bits", make=sounding(TONE, TONE, "u1")),
    Case(name="24 bits", make=sounding(TONE, TONE, "<i3")),
    Case(name="32 bits", make=sounding(TONE, TONE, "<i4")),
    Case(name="32-bit float", make=sounding(TONE, TONE, "<f4")),
    Case(name="64-bit float", make=sounding(TONE, TONE, "<f8")),
    Case(name="A-law", make=encoded(".wav", "ALAW"), tolerance=0.02),
    Case(name="mu-law", make=encoded(".wav", "ULAW"), tolerance=0.02),
    Case(name="FLAC", make=encoded(".flac"), subjects=("wav/x.flac",), tolerance=1e-4),
    Case(name="OGG", make=encoded(".ogg"), subjects=("wav/x.ogg",), tolerance=0.05),
    Case(name="MP3", make=encoded(".mp3"), subjects=("wav/x.mp3",), tolerance=0.1),
    Case(name="96 kHz", make=sounding(TONE, TONE, rate_hz=96_000), rate_hz=96_000),
    Case(name="stereo", make=sounding(TWO, 0.75 * TONE)),
    Case(name="6 channels", make=sounding(SIX, 0.25 * TONE)),
    Case(name="1 sample", make=sounding(TONE[5:6], TONE[5:6])),
    Case(name="streamed, of unknown size", make=bad.streamed),
    Case(name="link", make=bad.linked),
    *(
        Case(name=f"name {each!r}", make=named(each), subjects=(f"wav/{each}",))
        for each in (
            "a b.wav",
            "'\".wav",
            "a\nb.wav",
            "-x.wav",
            "50%.wav",
            "a#1.wav",
            "a,b.wav",
            r"a\b.wav",
            "x.WAV",
            "{}$x.wav",
        )
    ),
    Case(name="umlaut, composed", make=named(f"{NFC}.wav"), subjects=(f"wav/{NFC}.wav",)),
    Case(name="umlaut, taken apart", make=named(f"{NFD}.wav"), subjects=(f"wav/{NFC}.wav",)),
    Case(
        name="umlaut, composed in the table only",
        make=named(f"{NFD}.wav", f"{NFC}.wav"),
        subjects=(f"wav/{NFC}.wav",),
    ),
    Case(name="byte order mark", make=bad.text(str, "utf-8-sig")),
    Case(name="line ends of Windows", make=bad.text(str, newline="\r\n")),
    Case(name="line ends of old Macs", make=bad.text(str, newline="\r")),
    Case(name="blank lines", make=bad.text(lambda lines: lines.replace("\n", "\n\n"))),
    Case(name="blanks around cells", make=bad.text(lambda lines: lines.replace(",", " , "))),
    Case(name="Parquet, speakers are numbers", make=bad.parquet, root="labels.parquet"),
    Case(name="folder in place of its table", make=bad.text(str), root=""),
]
BAD = [  # is told, and the corpus is read without it if the study says so
    Case(
        name="cut off",
        make=content(wav(TONE)[:5_000]),
        what="is cut off: 4956 bytes of sound, 8000 in its header",
        fix=COPY,
    ),
    Case(
        name="header that lies",
        make=content(wav(TONE, claimed=10**6)),
        what="is cut off: 8000 bytes of sound, 1000000",
        fix=COPY,
    ),
    Case(
        name="cut off in its header",
        make=content(wav(TONE)[:30]),
        what="is no audio that can be read",
        fix="replace it by",
    ),
    Case(name="no frames", make=content(wav(TONE[:0])), what="has no samples", fix=COPY),
    Case(
        name="silence",
        make=content(wav(0 * TONE)),
        what="is silent: all 4000 samples are 0",
        fix="take it out of the corpus",
    ),
    Case(
        name="NaN",
        make=content(wav(NAN, form="<f4")),
        what="has samples that are no numbers: 1 of 4000",
        fix=COPY,
    ),
    Case(
        name="infinite",
        make=content(wav(INFINITE, form="<f8")),
        what="has samples that are no numbers: 1 of 4000",
        fix=COPY,
    ),
    Case(
        name="text", make=content(b"404 not found\n"), what="read: Format not recognised", fix="replace it by"
    ),
    Case(
        name="Git-LFS pointer",
        make=content(LFS),
        what="is a Git-LFS pointer, not the audio",
        fix="run git lfs pull",
    ),
    Case(name="0 bytes", make=content(b""), what="is empty: 0 bytes", fix="fetch it again"),
    Case(name="label without audio", make=instead(lambda path: None), what="is missing", fix=PLACE),
    Case(
        name="link to nothing",
        make=instead(lambda path: path.symlink_to("gone")),
        what="is a link to gone, which is",
        fix=PLACE,
    ),
    Case(
        name="link to itself",
        make=instead(lambda path: path.symlink_to("x.wav")),
        what="cannot be read: Too many",
        fix="look",
    ),
    Case(name="folder", make=instead(Path.mkdir), what="is a folder", fix=PLACE),
    Case(name="pipe", make=instead(os.mkfifo), what="is no file", fix=PLACE),
    Case(
        name="link to a device",
        make=instead(lambda path: path.symlink_to("/dev/zero")),
        what="is no file",
        fix=PLACE,
    ),
    Case(
        name="endless name",
        make=listed(row(f"{'x' * 300}.wav")),
        subjects=(f"{'x' * 300}.wav",),
        what="long",
        fix="name",
    ),
    Case(
        name="listed twice, equally",
        make=listed(row(), row()),
        what="is listed more than once",
        fix="list it once",
        kept=True,
    ),
    Case(
        name="listed twice, in conflict",
        make=listed(row(), row(emotion="calm")),
        subjects=(FILE, FILE),
        what="is listed 2 times, with differing emotion",
        fix="keep the one that is right",
    ),
    Case(
        name="one sound, two speakers",
        make=bad.same_sound,
        subjects=(FILE, "wav/y.wav"),
        what=", which has another speaker or emotion",
        fix="find out which label is right",
    ),
    Case(
        name="stretch outside the file",
        make=listed(row(start="0.1", end="0.5")),
        subjects=(f"{FILE}#0.1-0.5",),
        what="lies outside its file, which is 0.250 s long: 0.1 s to 0.5 s",
        fix=STRETCH,
    ),
    Case(
        name="stretch behind the file",
        make=listed(row(start="3")),
        subjects=(f"{FILE}#3.0-0.0",),
        what="lies outside its file, which is 0.250 s long: from 3.0 s on",
        fix=STRETCH,
    ),
    *(
        Case(name=name, make=listed(wrong), subjects=("labels.csv row 17",), what=what, fix=fix)
        for name, wrong, what, fix in (
            ("no emotion", row(emotion=" "), "has no emotion", FILL),
            ("no speaker", row(speaker=""), "has no speaker", FILL),
            ("no file", row(""), "has no file", FILL),
            ("unknown gender", row(gender="m"), "has the gender 'm', not female, male", WORD),
            ("unknown split", row(split="fold1"), "has the split 'fold1', not train", WORD),
            ("no time", row(start="soon"), "has the start 'soon', which is no time", "write seconds"),
            ("negative time", row(end="-1"), "has the end '-1', which is no time", "write seconds"),
            (
                "end before start",
                row(start="0.2", end="0.1"),
                "ends at 0.1 s, which is not after",
                "mend its start and end",
            ),
            ("file above the table", row("../x.wav"), "names ../x.wav, which lies outside", APART),
            ("absolute path", row("/x.wav"), "names /x.wav, which lies outside", APART),
            (
                "folders of Windows",
                row(r"wav\x.wav"),
                r"separates the folders of wav\x.wav by backslashes",
                "forward slashes",
            ),
        )
    ),
]
REFUSED = [  # nothing can be read of it
    Case(
        name="semicolons",
        make=bad.text(lambda lines: lines.replace(",", ";")),
        what="separates its columns by semicolons",
    ),
    Case(
        name="tabs",
        make=bad.text(lambda lines: lines.replace(",", "\t")),
        what="separates its columns by tabs",
    ),
    Case(
        name="latin-1",
        make=bad.text(lambda lines: lines.replace("calm", "Ruhe, gel\u00f6st"), "latin-1"),
        what="cannot be read",
    ),
    Case(name="UTF-16", make=bad.text(str, "utf-16"), what="cannot be read"),
    Case(
        name="missing column",
        make=bad.text(lambda lines: lines.replace("speaker", "talker")),
        what="has no column 'speaker'",
    ),
    Case(
        name="doubled column",
        make=bad.text(lambda lines: lines.replace("gender", "file")),
        what="has two columns 'file'",
    ),
    Case(
        name="cells without a column",
        make=bad.text(lambda lines: f"{lines}a,b,c,d,e,f,g,h\n"),
        what="cannot be read",
    ),
    Case(name="quote without an end", make=bad.text(lambda lines: f'{lines}"a,b,c'), what="cannot be read"),
    Case(name="header only", make=bad.text(lambda lines: lines.splitlines()[0]), what="lists no utterances"),
    Case(name="nothing", make=bad.text(lambda lines: ""), what="cannot be read"),
    Case(name="torn Parquet", make=bad.torn, root="labels.parquet", what="labels.parquet cannot be read"),
    Case(name="two genders", make=listed(row(gender="female")), what="speaker s0 has two genders"),
    Case(
        name="no table",
        make=lambda folder: (folder / TABLE).unlink(),
        root="",
        what="does not hold a manifest",
    ),
    Case(
        name="two tables",
        make=lambda folder: (folder / "new.csv").touch(),
        root="",
        what="holds several tables",
    ),
]


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
