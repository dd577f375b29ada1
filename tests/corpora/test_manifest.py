"""A table of the user's own is read as it is written, and a row that cannot be used is named."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Label, Release, Remark
from raysernas.corpora.readers import manifest
from tests.support.faults import refusal, told

HEADER = "file,emotion,speaker,session,gender,split,scenario,start,end\n"
SHORT = "file,emotion,speaker\n"
FILL = "fill the cell, or remove the row"
APART = "put the table into a folder that holds all recordings"
SPLITS = "'{}', not train, dev, development, valid, validation, test, test1, test2, test3"
TIME = "write seconds from the beginning of the file, or nothing"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings; nobody listens to them here."""
    (tmp_path / "wav").mkdir()
    for name in "ab":
        (tmp_path / "wav" / f"{name}.wav").touch()
    return tmp_path


def _manifest(folder: Path, text: str, encoding: str = "utf-8") -> Release:
    path = folder / "labels.csv"
    path.write_text(text, encoding=encoding)
    return manifest.read(path)


# what is read


def test_every_speaker_of_two_genders_is_told_and_then_has_none(folder: Path) -> None:
    """All of them at once; a gender that is given once counts for all utterances of a speaker."""
    rows = ["3,female", "3,M.", "4,w", "4,m", "5,", "5,FEMALE"]
    text = "".join(f"wav/{at}.wav,joy,{row}\n" for at, row in enumerate(rows))
    release = _manifest(folder, "file,emotion,speaker,gender\n" + text)
    told = [(remark.kind, remark.what) for remark in release.remarks if "two genders" in remark.what]
    assert told == [
        ("bad", "gives speaker 3 two genders: female (1), male (1)"),
        ("bad", "gives speaker 4 two genders: female (1), male (1)"),
    ]
    assert [u.gender for u in release.utterances] == ["unknown"] * 4 + ["female"] * 2


@pytest.mark.parametrize(
    ("gender", "words"),
    [
        ("female", ("f", "F", "w", "k", "f.", "female", "FEMALE", "weiblich", "Femme", "donna", "mujer")),
        ("male", ("m", "M", "h", "M.", "male", "Male", "männlich", "homme", "uomo", "hombre")),
        ("unknown", ("", "unknown", "NA", "nan", "other", "divers", "?")),
    ],
)
def test_genders_are_read_as_people_write_them(folder: Path, gender: str, words: tuple[str, ...]) -> None:
    for word in words:
        release = _manifest(folder, f"file,emotion,speaker,gender\nwav/a.wav,joy,3,{word}\n")
        assert [u.gender for u in release.utterances] == [gender], word
        assert not [remark for remark in release.remarks if remark.kind == "bad"], word


def test_an_m_beside_an_h_may_be_a_woman(folder: Path) -> None:
    release = _manifest(folder, "file,emotion,speaker,gender\nwav/a.wav,joy,3,m\nwav/b.wav,joy,4,h\n")
    assert [(remark.kind, remark.fix) for remark in release.remarks] == [("bad", "write female and male")]


@pytest.mark.parametrize("word", ["unknown", "UNKNOWN", "NA", "nan", "?", "-", "unbekannt", "None"])
def test_a_talker_whom_nobody_knows_is_no_speaker(folder: Path, word: str) -> None:
    release = _manifest(folder, SHORT + f"wav/a.wav,joy,{word}\nwav/b.wav,joy,4\n")
    assert [u.speaker for u in release.utterances] == [UNKNOWN_SPEAKER, "4"]
    told = f"The speakers of some utterances are unknown; these are in no fold by speaker: {word} (1)."
    assert (release.remarks, release.notes) == ((), (told,))


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "<NA>", "null", "None"])
def test_what_programs_write_into_empty_cells_is_no_emotion(folder: Path, word: str) -> None:
    release = _manifest(folder, SHORT + f"wav/a.wav,{word},3\nwav/b.wav,none,4\n")
    assert [(remark.kind, remark.what) for remark in release.remarks] == [("bad", "has no emotion")]
    assert [u.emotion for u in release.utterances] == ["none"]


@pytest.mark.parametrize(
    "ways", [("007", "7"), ("SPK1", "spk1"), ("spk 1", "spk_1"), ("s-01", "S1"), ("Anna  B", "Anna B")]
)
def test_speakers_and_sessions_that_may_be_the_same_are_told(folder: Path, ways: tuple[str, str]) -> None:
    header = "file,emotion,speaker,session\n"
    text = "".join(f"wav/{name}.wav,joy,{way},x\n" for name, way in zip("ab", ways, strict=True))
    (told,) = _manifest(folder, header + text).remarks
    first, second = sorted(ways)
    assert told.what == f"writes one speaker in several ways: {first} (1), {second} (1)"
    others = "".join(f"wav/{name}.wav,joy,x,{way}\n" for name, way in zip("ab", ways, strict=True))
    assert [each.what.split(" in ")[0] for each in _manifest(folder, header + others).remarks] == [
        "writes one session"
    ]


@pytest.mark.parametrize("ways", [("1", "10"), ("100", "1"), ("a", "b"), ("0", "00x")])
def test_speakers_with_other_names_are_others(folder: Path, ways: tuple[str, str]) -> None:
    text = "".join(f"wav/{name}.wav,joy,{way}\n" for name, way in zip("ab", ways, strict=True))
    assert _manifest(folder, SHORT + text).remarks == ()


def test_absolute_paths_inside_the_folder_are_relative_ones(folder: Path) -> None:
    relative = _manifest(folder, SHORT + "wav/a.wav,joy,3\nwav/b.wav,joy,4\n")
    absolute = SHORT + f"{folder}/wav/a.wav,joy,3\n{folder}/wav/../wav/b.wav,joy,4\n"
    assert _manifest(folder, absolute) == relative
    assert _manifest(folder, SHORT + f"../{folder.name}/wav/a.wav,joy,3\nwav/b.wav,joy,4\n") == relative
    (link := folder.parent / "link").symlink_to(folder)
    assert [u.key for u in manifest.read(link / "labels.csv").utterances] == ["wav/a.wav", "wav/b.wav"]
    (folder / "labels.csv").write_text(absolute, encoding="utf-8")
    assert [u.key for u in manifest.read(link / "labels.csv").utterances] == ["wav/a.wav", "wav/b.wav"]


def test_a_manifest_with_every_column(folder: Path) -> None:
    release = _manifest(
        folder,
        HEADER + "wav/b.wav,sad,03,1,FEMALE,test,acted,,\n ./wav/a.wav , "
        "joy,4,,,,,0.01,0.05\nwav/a.wav,joy,4,,,,,0.05,\n",
    )
    rows = [
        (u.key, u.speaker, u.gender, u.session, u.split, u.scenario, u.start_s, u.end_s)
        for u in release.utterances
    ]
    assert rows == [
        ("wav/b.wav", "03", "female", "1", "test", "acted", 0.0, 0.0),
        ("wav/a.wav#0.01-0.05", "4", "unknown", "", "", "", 0.01, 0.05),
        ("wav/a.wav#0.05-0.0", "4", "unknown", "", "", "", 0.05, 0.0),
    ]
    assert release.name == "manifest"
    assert release.emotions == ("joy", "sad")
    assert release.remarks == ()
    assert [u.path for u in release.utterances] == [
        str(folder / "wav" / name) for name in ("b.wav", "a.wav", "a.wav")
    ]


def test_a_manifest_from_a_spreadsheet(folder: Path) -> None:
    header = 'emotion,"speaker",file,more\r\n'
    text = header + 'inf,"1, the first",wav/a.wav,"two\nlines"\r\nTrue,007,wav/b.wav,\r\n'
    release = _manifest(folder, text, "utf-8-sig")
    assert [(u.emotion, u.speaker) for u in release.utterances] == [("inf", "1, the first"), ("True", "007")]


def test_a_label_is_kept_as_it_is_written(folder: Path) -> None:
    release = _manifest(folder, SHORT + "wav/a.wav,A\u0308rger ,s\u0308\n")
    (utterance,) = release.utterances
    assert (utterance.emotion, utterance.raw_label, utterance.speaker) == (
        "\u00c4rger",
        "A\u0308rger ",
        "s\u0308",
    )


def test_an_emotion_is_one_however_its_accents_were_typed(folder: Path) -> None:
    release = _manifest(folder, SHORT + "wav/a.wav,\u00c4rger,Zo\u00eb\nwav/b.wav,A\u0308rger,Zoe\u0308\n")
    assert release.emotions == ("\u00c4rger",)
    assert {u.speaker for u in release.utterances} == {"Zo\u00eb"}
    assert release.remarks == ()


@pytest.mark.parametrize("on_disk", ["\u00e9.wav", "e\u0301.wav"])
@pytest.mark.parametrize("in_table", ["\u00e9.wav", "e\u0301.wav"])
def test_a_file_is_found_however_its_accents_were_typed(tmp_path: Path, on_disk: str, in_table: str) -> None:
    (tmp_path / on_disk).touch()
    release = _manifest(tmp_path, SHORT + f"{in_table},joy,1\n")
    assert [(u.key, u.path) for u in release.utterances] == [("\u00e9.wav", str(tmp_path / on_disk))]
    assert release.remarks == ()


def test_what_is_no_class_is_kept_and_counted(folder: Path) -> None:
    release = _manifest(
        folder, SHORT + "wav/a.wav,joy,1\nwav/b.wav,other,1\nc.wav,no_agreement,1\nd.wav,other,1\n"
    )
    assert [u.emotion for u in release.utterances] == ["joy", "other", "no_agreement", "other"]
    assert release.emotions == ("joy",)
    assert release.notes == (
        "no_agreement (1 utterances) is no class unless corpus.emotions names it.",
        "other (2 utterances) is no class unless corpus.emotions names it.",
    )


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("", 0.0),
        ("NaT", 0.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("1e-1", 0.1),
        ("0 days", 0.0),
        ("0 days 00:00:01.5", 1.5),
        ("0 days 00:00:01.500000000", 1.5),
        ("1 days 02:03:04", 93_784.0),
        ("0:01:02.25", 62.25),
    ],
)
def test_times_are_seconds_or_as_pandas_writes_them(folder: Path, written: str, seconds: float) -> None:
    (utterance,) = _manifest(folder, f"file,emotion,speaker,start\nwav/a.wav,joy,1,{written}\n").utterances
    assert utterance.start_s == seconds


def test_every_word_for_a_part_of_the_split_is_understood(folder: Path) -> None:
    words = ["train", "dev", "Development", "valid", "Validation", "TEST", "test1", "Test2", "test3", ""]
    rows = "".join(f"wav/a.wav,joy,{number},{word},{number}\n" for number, word in enumerate(words))
    release = _manifest(folder, f"file,emotion,speaker,split,start\n{rows}")
    assert [u.split for u in release.utterances] == [
        "train",
        "valid",
        "valid",
        "valid",
        "valid",
        "test",
        "test",
        "test2",
        "test3",
        "",
    ]


@pytest.mark.parametrize(
    ("splits", "speakers", "folds"),
    [
        (["train", "test", "dev"], 3, "official"),
        (["train", "test2"], 13, "speaker_groups"),
        (["train", "test", ""], 3, "speaker"),
        (["train", "dev"], 2, "speaker"),
        ([""], 12, "speaker"),
        ([""], 13, "speaker_groups"),
    ],
)
def test_the_usual_folds_are_official_or_by_speaker(
    folder: Path, splits: list[str], speakers: int, folds: str
) -> None:
    rows = "".join(
        f"{number}.wav,joy,{number},{splits[number % len(splits)]}\n" for number in range(speakers)
    )
    release = _manifest(folder, f"file,emotion,speaker,split\n{rows}")
    assert release.folds == folds
    assert bool(release.notes) == (splits != [""] and folds != "official")


def test_a_split_that_is_not_used_is_noted(folder: Path) -> None:
    release = _manifest(folder, "file,emotion,speaker,split\nwav/a.wav,joy,1,train\nwav/b.wav,joy,1,\n")
    assert release.notes == (
        "The split is not used, because it does not divide all utterances into train and test: "
        "none 1, train 1.",
    )


@given(order=st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_matter(
    order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = [
        f"{number}.wav,{'joy' if number % 2 else 'Joy'},{number // 2},{'train' if number < 3 else 'test'}\n"
        for number in range(6)
    ]
    header = "file,emotion,speaker,split\n"
    first, second = (
        _manifest(folder, header + "".join(rows[place] for place in places)) for places in (range(6), order)
    )
    assert {*first.utterances} == {*second.utterances}
    assert replace(first, utterances=()) == replace(second, utterances=())


# rows that cannot be used


@pytest.mark.parametrize(
    ("columns", "row", "what", "fix"),
    [
        ("", "wav/b.wav, ,4", "has no emotion", FILL),
        (
            "",
            "wav/b.wav,joy",
            "has no speaker",
            "fill the cell (unknown, if nobody knows), or remove the row",
        ),
        ("", ",joy,4", "has no file", FILL),
        ("", ",,", "has no file", FILL),
        (
            ",gender",
            "wav/b.wav,joy,4,1",
            "has the gender '1', not female, male, unknown, or an initial: f, w, m",
            "write one of them, or leave the cell empty",
        ),
        (
            ",split",
            "wav/b.wav,joy,4,eval",
            f"has the split {SPLITS.format('eval')}",
            "write one of them, or leave the cell empty",
        ),
        (",start", "wav/b.wav,joy,4,x", "has the start 'x', which is no time", TIME),
        (",end", "wav/b.wav,joy,4,-1", "has the end '-1', which is no time", TIME),
        (",end", "wav/b.wav,joy,4,inf", "has the end 'inf', which is no time", TIME),
        (",end", "wav/b.wav,joy,4,nan", "has the end 'nan', which is no time", TIME),
        (
            ",start,end",
            "wav/b.wav,joy,4,2,1",
            "ends at 1.0 s, which is not after its start at 2.0 s",
            "correct its start and end",
        ),
        ("", "../b.wav,joy,4", "names ../b.wav, which lies outside the table's folder", APART),
        ("", "wav/../../b.wav,joy,4", "names wav/../../b.wav, which lies outside the table's folder", APART),
        ("", "/b.wav,joy,4", "names /b.wav, which lies outside the table's folder", APART),
        ("", "a\0.wav,joy,4", "names a\\x00.wav, which lies outside the table's folder", APART),
        (
            *("", r"wav\b.wav,joy,4", r"separates the folders of wav\b.wav by backslashes"),
            "write wav/a.wav, with forward slashes",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_a_remark(
    folder: Path, columns: str, row: str, what: str, fix: str
) -> None:
    (folder / "wav" / "b.wav").unlink()
    release = _manifest(
        folder, f"file,emotion,speaker{columns}\nwav/a.wav,joy,3{',' * columns.count(',')}\n{row}\n"
    )
    assert [u.key for u in release.utterances] == ["wav/a.wav"]
    assert release.remarks == (Remark(kind="bad", subject="labels.csv row 2", what=what, fix=fix),)


@given(file=st.text(st.sampled_from("./\\a~:\0 "), min_size=1, max_size=10))
def test_no_row_leads_out_of_the_folder_of_its_table(
    file: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever it names: it is a remark, or a path below the folder, which nobody expands."""
    folder = tmp_path_factory.mktemp("hostile")
    release = _manifest(folder, f'{SHORT}a.wav,joy,1\n"{file}",joy,2\n')
    assert len(release.utterances) + sum(remark.kind == "bad" for remark in release.remarks) == 2
    for utterance in release.utterances:
        assert Path(os.path.normpath(utterance.path)).is_relative_to(folder)


@pytest.mark.parametrize("root", ["/dev/zero", "/dev/null", "/dev/fd/0"])
def test_a_device_is_no_table(root: str) -> None:
    assert "is not a file" in refusal(lambda: manifest.read(Path(root)))


def test_a_row_listed_twice_is_left_to_the_selection(folder: Path) -> None:
    release = _manifest(folder, SHORT + "wav/a.wav,joy,3\n./wav/a.wav,sad,3\n")
    assert [u.key for u in release.utterances] == ["wav/a.wav", "wav/a.wav"]


# warnings, and what is not listed


def test_words_that_differ_in_capitals_only_give_a_warning(folder: Path) -> None:
    release = _manifest(folder, SHORT + "wav/a.wav,Angry,Anna\nwav/b.wav,angry,anna\nc.wav,angry,Anna\n")
    assert release.emotions == ("Angry", "angry")
    assert release.remarks == (
        Remark(
            kind="warning",
            subject="labels.csv",
            what="writes one emotion in several ways: Angry (1), angry (2)",
            fix="write it in one way, or join them by corpus.merge",
        ),
        Remark(
            kind="warning",
            subject="labels.csv",
            what="writes one speaker in several ways: Anna (2), anna (1)",
            fix="if it is one person, write the name in one way, so that nobody is trained on and tested",
        ),
    )


def test_recordings_beside_the_listed_ones_are_told(folder: Path) -> None:
    for name in ("c.wav", "D.FLAC", "e.wav", "._a.wav", "notes.txt", "line\nend.wav"):
        (folder / "wav" / name).touch()
    (folder / "elsewhere.wav").touch()
    release = _manifest(folder, SHORT + "wav/a.wav,joy,3\nwav/b.wav,joy,\n")
    assert release.remarks[1:] == (
        Remark(
            kind="left out",
            subject="wav",
            fix="list them, if they belong to it",
            what=r"holds recordings that labels.csv does not list: D.FLAC, c.wav, e.wav and 1 more",
        ),
    )


@pytest.mark.parametrize("label", ["intended", "perceived"])
def test_a_manifest_has_one_kind_of_label(folder: Path, label: Label) -> None:
    _manifest(folder, SHORT + "wav/a.wav,joy,3\n")
    assert refusal(lambda: manifest.read(folder, label)) == told(
        f"a manifest has no {label} labels",
        f"corpus.label={label}",
        "usual",
        "set corpus.label=usual",
        where="corpus",
    )
