"""MSP-Podcast is read as it was counted: both spellings of everything, text as text, and rows that cannot
be.
"""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import NO_AGREEMENT, OTHER, UNKNOWN_SPEAKER, Release, Remark, Utterance
from raysernas.corpora.readers import msp_podcast
from tests.support.faults import told
from tests.support.trees import msp_podcast as trees
from tests.support.trees.msp_podcast import Row

OLD, NEW = "labels_concensus.csv", "labels_consensus.csv"
FIRST = Row("MSP-PODCAST_0001_0008.wav", "H", "007", "Male", "Train")
SECOND = Row("MSP-PODCAST_0002_0010.wav", "N", "Unknown", "Unknown", "Test1")
THIRD = Row("MSP-PODCAST_0003_0001.wav", "X", "12", "Female", "Development")
FEW = (FIRST, SECOND, THIRD)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Release:
    root = trees.write(
        tmp_path_factory.mktemp("podcast"), trees.release_1_8(), file=f"Labels/{OLD}", sound=False
    )
    return msp_podcast.read(root)


def by_key(release: Release) -> dict[str, Utterance]:
    return {each.key: each for each in release.utterances}


def keys(*rows: Row) -> set[str]:
    return {row.file.removesuffix(".wav") for row in rows}


def write_table(root: Path, *lines: str) -> None:
    (root / "Labels" / NEW).write_text("\n".join(lines))


# --- the published numbers


def test_release_1_8_has_the_published_numbers(whole: Release) -> None:
    four = [each for each in whole.utterances if each.emotion in whole.emotions]
    assert Counter(each.split for each in four) == {
        "train": 28_601,
        "valid": 4772,
        "test": 9304,
        "test2": 3483,
    }
    assert Counter(each.emotion for each in four if each.split == "train") == {
        "neutral": 16_518,
        "happiness": 8564,
        "anger": 1839,
        "sadness": 1680,
    }
    assert len(whole.utterances) == len(by_key(whole)) == 28_601 + 4772 + 9304 + 3483 + 4 * 300
    assert (whole.remarks, whole.emotions, whole.folds) == (
        (),
        ("anger", "happiness", "neutral", "sadness"),
        "official",
    )


def test_release_1_8_is_compared_with_these_numbers(whole: Release) -> None:
    by_part, training = whole.expected
    four = [each for each in whole.utterances if each.emotion in by_part.emotions]
    assert (by_part.by, by_part.counts) == (("split",), Counter((each.split,) for each in four))
    assert training.by == ("split", "emotion")
    assert training.counts == Counter((each.split, each.emotion) for each in four if each.split == "train")
    assert (
        whole.notes[-1] == "The release is taken for 1.8, because its table is called labels_concensus.csv."
    )


def test_a_release_that_is_not_known_is_compared_with_nothing(tmp_path: Path) -> None:
    release = msp_podcast.read(trees.write(tmp_path, FEW))
    assert release.expected == ()
    assert not any("1.8" in note for note in release.notes)


# --- one segment


def test_a_segment_has_the_properties_of_its_row(tmp_path: Path) -> None:
    found = by_key(msp_podcast.read(trees.write(tmp_path, FEW)))
    assert found["MSP-PODCAST_0001_0008"] == Utterance(
        key="MSP-PODCAST_0001_0008",
        path=str(tmp_path / "Audios" / "MSP-PODCAST_0001_0008.wav"),
        emotion="happiness",
        raw_label="H",
        speaker="007",
        gender="male",
        split="train",
    )


def test_a_speaker_is_text_and_an_unknown_one_is_nobody(tmp_path: Path, whole: Release) -> None:
    found = by_key(msp_podcast.read(trees.write(tmp_path, [FIRST, SECOND, THIRD._replace(speaker="")])))
    assert [each.speaker for each in found.values()] == ["007", UNKNOWN_SPEAKER, UNKNOWN_SPEAKER]
    assert [each.gender for each in found.values()] == ["male", "unknown", "female"]
    assert {each.speaker for each in whole.utterances} == {"1", "02", UNKNOWN_SPEAKER, "1273"}
    (shouted,) = msp_podcast.read(
        trees.write(tmp_path / "capitals", [FIRST._replace(speaker="UNKNOWN")])
    ).utterances
    assert shouted.speaker == UNKNOWN_SPEAKER


def test_every_letter_has_its_emotion(tmp_path: Path) -> None:
    rows = [Row(f"MSP-PODCAST_0001_{number:04d}.wav", letter) for number, letter in enumerate("ASHUFDCNOX")]
    assert {
        each.raw_label: each.emotion for each in msp_podcast.read(trees.write(tmp_path, rows)).utterances
    } == {
        "A": "anger",
        "S": "sadness",
        "H": "happiness",
        "U": "surprise",
        "F": "fear",
        "D": "disgust",
        "C": "contempt",
        "N": "neutral",
        "O": OTHER,
        "X": NO_AGREEMENT,
    }


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Train", "train"),
        ("Validation", "valid"),
        ("Development", "valid"),
        ("Test1", "test"),
        ("Test2", "test2"),
        ("Test3", "test3"),
    ],
)
def test_the_official_part_has_one_name_in_all_releases(tmp_path: Path, name: str, part: str) -> None:
    (found,) = msp_podcast.read(trees.write(tmp_path, [FIRST._replace(part=name)])).utterances
    assert found.split == part


@pytest.mark.parametrize("letter", ["", "NA"])
def test_test3_without_labels_is_left_out_in_one_remark(tmp_path: Path, letter: str) -> None:
    hidden = [
        Row(f"MSP-PODCAST_test3_{number:04d}.wav", letter, "Unknown", "Unknown", "Test3")
        for number in range(1, 4)
    ]
    trees.write(tmp_path, [*FEW, *hidden])
    remark = Remark(
        kind="left out",
        subject="Audios",
        what="holds 3 segments of Test3, which has no public labels",
        fix="nothing: they can be neither learned nor tested",
    )
    listed = msp_podcast.read(tmp_path)
    write_table(tmp_path, trees.table(FEW))
    assert (by_key(listed).keys(), listed.remarks) == (keys(*FEW), (remark,))
    assert msp_podcast.read(tmp_path).remarks == (remark,)  # in the folder of audio, not in the table


# --- how it may lie


@pytest.mark.parametrize("below", ["", "MSP-PODCAST-Publish-1.11"])
@pytest.mark.parametrize("file", [f"Labels/{OLD}", f"Labels/{NEW}", OLD, NEW])
@pytest.mark.parametrize("audio", ["Audios", "Audio"])
def test_both_spellings_with_a_folder_above_or_without_labels(
    tmp_path: Path, below: str, file: str, audio: str
) -> None:
    trees.write(tmp_path / below, FEW, file=file, audio=audio)
    release = msp_podcast.read(tmp_path)
    assert {each.path for each in release.utterances} == {
        str(tmp_path / below / audio / row.file) for row in FEW
    }
    assert (release.remarks, len(release.expected)) == ((), 2 if OLD in file else 0)


def test_two_releases_beside_each_other_are_refused(tmp_path: Path) -> None:
    for below in ("1.11", "1.8"):
        trees.write(tmp_path / below, FEW)
    with pytest.raises(Fault) as caught:
        msp_podcast.read(tmp_path)
    assert str(caught.value) == told(
        f"{tmp_path} does not hold msp_podcast",
        f"several releases: 1.11/Labels/{NEW}, 1.8/Labels/{NEW}",
        "the folder of one release",
        "set corpus.root=PATH/TO/THE/RELEASE",
        where="corpus",
    )


def test_of_two_tables_the_one_of_later_releases_is_read(tmp_path: Path) -> None:
    before = msp_podcast.read(trees.write(tmp_path, FEW))
    trees.write(tmp_path, [FIRST._replace(emotion="A")], file=f"Labels/{OLD}")
    release = msp_podcast.read(tmp_path)
    assert (release.utterances, release.expected) == (before.utterances, ())
    assert [(each.kind, each.subject) for each in release.remarks] == [("left out", f"Labels/{OLD}")]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_line_ends_blank_lines_and_a_byte_order_mark_change_nothing(
    tmp_path: Path, mark: str, end: str
) -> None:
    before = msp_podcast.read(trees.write(tmp_path, FEW))
    (tmp_path / "Labels" / NEW).write_bytes((mark + trees.table(FEW, end)).encode())
    assert msp_podcast.read(tmp_path) == before


@given(st.permutations(FEW), st.permutations(range(8)))
def test_the_order_of_rows_and_columns_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], columns: list[int]
) -> None:
    root = trees.write(tmp_path_factory.mktemp("order"), FEW)
    before = by_key(msp_podcast.read(root))
    cells = [line.split(",") for line in trees.table(rows).splitlines()]
    write_table(root, *(" , ".join(row[column] for column in columns) for row in cells))
    assert by_key(msp_podcast.read(root)) == before


# --- what is odd


def test_a_label_without_its_audio_is_an_utterance_all_the_same(tmp_path: Path) -> None:
    before = msp_podcast.read(trees.write(tmp_path, FEW))
    (tmp_path / "Audios" / FIRST.file).unlink()
    assert msp_podcast.read(tmp_path) == before


def test_audio_without_a_label_is_bad(tmp_path: Path) -> None:
    trees.write(tmp_path, FEW)
    write_table(tmp_path, trees.table(FEW[1:]))
    assert msp_podcast.read(tmp_path).remarks == (
        Remark(
            kind="bad",
            subject="Audios/MSP-PODCAST_0001_0008.wav",
            what=f"has no label in {NEW}",
            fix="take the file away, or copy the table of its release",
        ),
    )


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (FIRST._replace(emotion="Z").line, "MSP-PODCAST_0001_0008.wav has no emotion of MSP-Podcast: 'Z'"),
        (FIRST._replace(emotion="").line, "MSP-PODCAST_0001_0008.wav has no emotion of MSP-Podcast: ''"),
        (FIRST._replace(part="Dev").line, "MSP-PODCAST_0001_0008.wav is in no official part: 'Dev'"),
        (FIRST._replace(file="").line, "names no audio file: ''"),
        (
            FIRST._replace(file="../MSP-PODCAST_0001_0008.wav").line,
            "names no audio file: '../MSP-PODCAST_0001_0008.wav'",
        ),
        ("MSP-PODCAST_0001_0008.wav,H,4.2", "has too few or too many cells"),
        (FIRST.line + ",7", "has too few or too many cells"),
    ],
)
def test_a_broken_row_is_bad_and_the_others_are_read(tmp_path: Path, line: str, what: str) -> None:
    trees.write(tmp_path, FEW[1:])
    write_table(tmp_path, trees.HEADER, SECOND.line, line, THIRD.line)
    release = msp_podcast.read(tmp_path)
    assert by_key(release).keys() == keys(SECOND, THIRD)
    assert [(each.kind, each.subject, each.what) for each in release.remarks] == [
        ("bad", f"Labels/{NEW}, line 3", what)
    ]


def test_a_row_that_is_bad_is_told_once_though_its_audio_is_there(tmp_path: Path) -> None:
    release = msp_podcast.read(trees.write(tmp_path, [SECOND, FIRST._replace(emotion="Z")]))
    assert [each.subject for each in release.remarks] == [f"Labels/{NEW}, line 3"]


# --- what is refused


@pytest.mark.parametrize("column", ["FileName", "EmoClass", "SpkrID", "Gender", "Split_Set"])
def test_a_table_without_a_column_is_refused_with_what_it_has(tmp_path: Path, column: str) -> None:
    trees.write(tmp_path, FEW)
    header = trees.HEADER.replace(column, "Thing")
    write_table(tmp_path, header, FIRST.line)
    with pytest.raises(Fault) as caught:
        msp_podcast.read(tmp_path)
    assert str(caught.value) == told(
        f"{tmp_path / 'Labels' / NEW} has no column {column!r}",
        f"the columns {header.replace(',', ', ')}",
        "FileName, EmoClass, SpkrID, Gender, Split_Set",
        "copy the table from the release again",
        where="corpus",
    )


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", f'{trees.HEADER}\n"MSP-PODCAST_0001'.encode()])
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes) -> None:
    trees.write(tmp_path, FEW)
    (tmp_path / "Labels" / NEW).write_bytes(data)
    with pytest.raises(Fault, match=r"labels_consensus\.csv (has no column|cannot be read)"):
        msp_podcast.read(tmp_path)


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="without a labelled segment"):
        msp_podcast.read(trees.write(tmp_path, []))


def test_another_folder_and_a_table_without_audio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        Fault,
        match=f"got: an empty folder\n  expected: a file Labels/{NEW} or Labels/{OLD} or {NEW} or {OLD}",
    ):
        msp_podcast.read(tmp_path)
    trees.write(tmp_path, FEW, audio="Sound")
    with pytest.raises(Fault, match="got: Labels, Sound, Transcripts\n  expected: a folder Audios or Audio"):
        msp_podcast.read(tmp_path)


def test_what_was_meant_is_not_known(tmp_path: Path) -> None:
    trees.write(tmp_path, FEW)
    assert msp_podcast.read(tmp_path, "perceived") == msp_podcast.read(tmp_path)
    with pytest.raises(Fault, match="msp_podcast has no intended labels"):
        msp_podcast.read(tmp_path, "intended")
