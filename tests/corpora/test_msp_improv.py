"""MSP-IMPROV is read as it was counted: the published tables, who talks, and the traps of its folder."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import NO_AGREEMENT, OTHER, Expected, Release, Remark, Utterance
from raysernas.corpora.readers import msp_improv
from tests.support.faults import told
from tests.support.trees import msp_improv as trees
from tests.support.trees.msp_improv import Turn

NATURAL = Turn("S01A", "F01", "P", "MF01", "N")
TARGET = Turn("S20S", "M06", "T", "MF02", "A")
FEW = (NATURAL, TARGET, Turn("S03H", "F02", "R", "FF01", "X"), Turn("S04N", "M03", "S", "FM11", "O"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.write(tmp_path_factory.mktemp("improv"), trees.all_turns())


@pytest.fixture(scope="module")
def whole(root: Path) -> Release:
    return msp_improv.read(root)


def counted(release: Release, expected: Expected) -> Counter[tuple[str, ...]]:
    kept = [each for each in release.utterances if not expected.emotions or each.emotion in expected.emotions]
    return Counter(tuple(getattr(each, field) for field in expected.by) for each in kept)


def by_key(release: Release) -> dict[str, Utterance]:
    return {each.key: each for each in release.utterances}


# --- the published tables


def test_every_turn_is_read_once_and_nothing_is_odd(whole: Release) -> None:
    assert len(whole.utterances) == len(by_key(whole)) == 8438
    assert whole.remarks == ()
    assert (whole.emotions, dict(whole.merge), whole.folds) == (
        ("anger", "happiness", "neutral", "sadness"),
        {},
        "session",
    )
    assert all(Path(each.path).is_file() for each in whole.utterances)


def test_four_classes_are_7798_turns(whole: Release) -> None:
    found = Counter(each.emotion for each in whole.utterances)
    assert {emotion: found[emotion] for emotion in whole.emotions} == {
        "anger": 792,
        "happiness": 2644,
        "neutral": 3477,
        "sadness": 885,
    }
    assert sum(found[emotion] for emotion in whole.emotions) == 7798
    assert set(found) == {*whole.emotions, OTHER, NO_AGREEMENT}


def test_each_elicitation_has_the_published_numbers(whole: Release) -> None:
    found = Counter((each.scenario, each.raw_label) for each in whole.utterances)
    assert {kind: tuple(found[kind, letter] for letter in "ASHN") for kind, _ in found} == {
        "target_improvised": (115, 106, 136, 283),
        "target_read": (169, 80, 88, 241),
        "other_improvised": (470, 633, 1048, 1789),
        "natural": (38, 66, 1372, 1164),
    }
    assert Counter(each.scenario for each in whole.utterances) == {
        "target_improvised": 652,
        "target_read": 620,
        "other_improvised": 4381,
        "natural": 2785,
    }


def test_the_release_is_compared_with_these_tables(whole: Release) -> None:
    assert [(each.by, sum(each.counts.values())) for each in whole.expected] == [
        (("emotion",), 7798),
        (("scenario", "emotion"), 7798),
        (("scenario",), 8438),
    ]
    for expected in whole.expected:
        assert counted(whole, expected) == dict(expected.counts), expected.title


def test_what_was_meant_is_the_letter_of_the_scene(root: Path, whole: Release) -> None:
    meant = msp_improv.read(root, "intended")
    assert Counter(each.emotion for each in meant.utterances).keys() == {
        "anger",
        "happiness",
        "neutral",
        "sadness",
    }
    assert {(each.key.split("-")[2][-1], each.raw_label) for each in meant.utterances} == {
        (letter, letter) for letter in "AHNS"
    }
    assert [(each.key, each.speaker, each.path) for each in meant.utterances] == [
        (each.key, each.speaker, each.path) for each in whole.utterances
    ]
    assert [(each.by, counted(meant, each) == dict(each.counts)) for each in meant.expected] == [
        (("scenario",), True)
    ]
    assert meant.notes[0].startswith("An emotion is that of the scene")


# --- one turn


def test_a_turn_has_the_properties_of_its_name_and_the_majority_of_the_votes(tmp_path: Path) -> None:
    found = by_key(msp_improv.read(trees.write(tmp_path, FEW)))
    assert found["MSP-IMPROV-S20S-M06-T-MF02"] == Utterance(
        key="MSP-IMPROV-S20S-M06-T-MF02",
        path=str(tmp_path / "session6/S20S/T/MSP-IMPROV-S20S-M06-T-MF02.wav"),
        emotion="anger",
        raw_label="A",
        speaker="M6",
        gender="male",
        session="6",
        scenario="target_improvised",
    )
    assert {each.raw_label: each.emotion for each in found.values()} == {
        "N": "neutral",
        "A": "anger",
        "X": NO_AGREEMENT,
        "O": OTHER,
    }


def test_the_speaker_is_the_first_letter_of_the_last_field_and_not_the_target(tmp_path: Path) -> None:
    release = msp_improv.read(trees.write(tmp_path, FEW))
    assert {each.key[11:]: (each.speaker, each.gender, each.session) for each in release.utterances} == {
        "S01A-F01-P-MF01": ("M1", "male", "1"),
        "S20S-M06-T-MF02": ("M6", "male", "6"),
        "S03H-F02-R-FF01": ("F2", "female", "2"),
        "S04N-M03-S-FM11": ("F3", "female", "3"),
    }
    assert "this was inferred from the counts of files" in release.notes[1]


@pytest.mark.parametrize(("last", "warned"), [("FM01", ["MSP-IMPROV-S02A-M04-T-FM01"]), ("MF01", [])])
def test_a_target_turn_of_the_other_actor_gives_a_warning(
    tmp_path: Path, last: str, warned: list[str]
) -> None:
    """All such turns of the release are the target's: that is why the speaker could be inferred."""
    release = msp_improv.read(trees.write(tmp_path, [*FEW, Turn("S02A", "M04", "T", last, "A")]))
    assert [each.subject for each in release.remarks] == warned
    assert all(each.kind == "warning" for each in release.remarks)
    assert [each.what for each in release.remarks] == [
        "is a turn of M4 by design, and of F4 by its name"
    ] * len(warned)


@pytest.mark.parametrize(
    "values",
    ["A:NaN; V:3.285714; D:NaN ; N:NaN;", "A:3; V:2; D:NaN;", "A:2.857143; V:3.285714; D:2.8 ; N:3.4"],
)
def test_a_value_that_is_no_number_does_not_spoil_the_label(tmp_path: Path, values: str) -> None:
    trees.write(tmp_path, FEW)
    (tmp_path / "Evalution.txt").write_text(
        trees.table(FEW).replace(NATURAL.line, f"UTD-IMPROV-{NATURAL.name}.avi; H; {values}")
    )
    release = msp_improv.read(tmp_path)
    assert by_key(release)[f"MSP-IMPROV-{NATURAL.name}"].emotion == "happiness"
    assert release.remarks == ()


# --- how it may lie


@pytest.mark.parametrize("file", ["Evalution.txt", "Evaluation.txt"])
@pytest.mark.parametrize("below", ["", "MSP-IMPROV"])
@pytest.mark.parametrize(("above", "session"), [("", "session"), ("Audio", "session"), ("Audio", "Session")])
def test_both_spellings_a_folder_above_and_audio_anywhere(
    tmp_path: Path, file: str, below: str, above: str, session: str
) -> None:
    trees.write(tmp_path / below, FEW, above=above, session=session, file=file)
    release = msp_improv.read(tmp_path)
    assert by_key(release).keys() == {f"MSP-IMPROV-{turn.name}" for turn in FEW}
    assert {each.path for each in release.utterances} == {
        str(tmp_path / below / above / trees.audio(turn, session)) for turn in FEW
    }
    assert release.remarks == ()


def test_another_corpus_beside_the_release_is_left_alone(tmp_path: Path) -> None:
    trees.write(tmp_path / "MSP-IMPROV", FEW)
    (tmp_path / "EmoDB" / "wav").mkdir(parents=True)
    (tmp_path / "EmoDB" / "wav" / "03a01Fa.wav").touch()
    assert msp_improv.read(tmp_path).remarks == ()


def test_a_table_in_a_folder_of_its_own_finds_the_audio_beside_it(tmp_path: Path) -> None:
    trees.write(tmp_path, FEW, above="Audio")
    (tmp_path / "Labels").mkdir()
    (tmp_path / "Evalution.txt").rename(tmp_path / "Labels" / "Evalution.txt")
    (tmp_path / "Audio" / trees.audio(NATURAL)).unlink()
    release = msp_improv.read(tmp_path)
    assert {each.path for each in release.utterances} == {
        str(tmp_path / "Audio" / trees.audio(turn)) for turn in FEW
    }
    assert release.remarks == ()


def test_line_ends_a_byte_order_mark_and_words_of_listeners_change_nothing(tmp_path: Path) -> None:
    before = msp_improv.read(trees.write(tmp_path, FEW))
    file = tmp_path / "Evalution.txt"
    for text in (
        b"\xef\xbb\xbf" + trees.table(FEW, "\r\n").encode(),
        trees.table(FEW).replace("bored", "blasé").encode("latin-1"),
        trees.table(FEW).replace("bored", "blasé").encode(),
    ):
        file.write_bytes(text)
        assert msp_improv.read(tmp_path) == before


@given(st.permutations(FEW))
def test_the_order_of_the_table_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, turns: list[Turn]
) -> None:
    root = trees.write(tmp_path_factory.mktemp("order"), turns)
    before = by_key(msp_improv.read(root))
    (root / "Evalution.txt").write_text(trees.table(FEW))
    assert by_key(msp_improv.read(root)) == before


# --- what is odd


@pytest.mark.parametrize("above", ["", "Audio"])
def test_a_label_without_its_audio_is_an_utterance_all_the_same(tmp_path: Path, above: str) -> None:
    before = msp_improv.read(trees.write(tmp_path, FEW, above=above))
    (tmp_path / above / trees.audio(NATURAL)).unlink()
    assert msp_improv.read(tmp_path) == before


def test_audio_without_a_label_is_bad(tmp_path: Path) -> None:
    trees.write(tmp_path, FEW)
    (tmp_path / "Evalution.txt").write_text(trees.table(FEW[1:]))
    assert msp_improv.read(tmp_path).remarks == (
        Remark(
            kind="bad",
            subject="session1/S01A/P/MSP-IMPROV-S01A-F01-P-MF01.wav",
            what="has no label in Evalution.txt",
            fix="copy Evalution.txt from the release again, or take the file away",
        ),
    )


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("UTD-IMPROV-S01A-F01-P-MF01.avi; N", "is no majority of votes: 'UTD-IMPROV-S01A-F01-P-MF01.avi; N'"),
        (
            "UTD-IMPROV-S01A-F01-P-MF01.avi; N; A:2.8; V:x;",
            "is no majority of votes: 'UTD-IMPROV-S01A-F01-P-MF01.avi; N; A:2.8; V:x;'",
        ),
        (NATURAL._replace(letter="Q").line, "has an emotion that MSP-IMPROV does not have: 'Q'"),
        (NATURAL._replace(target="F07").line, "names no turn of MSP-IMPROV: 'S01A-F07-P-MF01'"),
        (NATURAL._replace(kind="Q").line, "names no turn of MSP-IMPROV: 'S01A-F01-Q-MF01'"),
    ],
)
def test_a_broken_majority_is_bad_and_the_others_are_read(tmp_path: Path, line: str, what: str) -> None:
    trees.write(tmp_path, FEW)
    (tmp_path / trees.audio(NATURAL)).unlink()
    (tmp_path / "Evalution.txt").write_text(trees.table(FEW[1:]) + line)
    release = msp_improv.read(tmp_path)
    assert [(each.kind, each.subject, each.what) for each in release.remarks] == [
        ("bad", "Evalution.txt, line 19", what)
    ]
    assert len(release.utterances) == len(FEW) - 1


@pytest.mark.parametrize("line", ["UTD-IMPROV-S01A-F01-P-MF01.avi; N", NATURAL._replace(letter="Q").line])
def test_a_recording_whose_majority_is_broken_is_told_once(tmp_path: Path, line: str) -> None:
    trees.write(tmp_path, FEW)
    (tmp_path / "Evalution.txt").write_text(trees.table(FEW[2:]) + line)
    assert [each.subject for each in msp_improv.read(tmp_path).remarks] == [
        "Evalution.txt, line 13",
        trees.audio(TARGET),
    ]


def test_a_doubled_tree_is_read_once(tmp_path: Path) -> None:
    trees.write(tmp_path, FEW, above="Audio")
    before = msp_improv.read(tmp_path)
    trees.write(tmp_path, FEW, above="copy")
    release = msp_improv.read(tmp_path)
    assert release.utterances == before.utterances
    assert release.remarks == (
        Remark(
            kind="left out",
            subject="copy",
            fix=f"take them away; Audio/{trees.audio(NATURAL)} is read",
            what=f"holds 4 second files of the same name, such as copy/{trees.audio(NATURAL)}",
        ),
    )


def test_of_two_tables_the_one_with_the_released_name_is_read(tmp_path: Path) -> None:
    before = msp_improv.read(trees.write(tmp_path, FEW))
    (tmp_path / "Evaluation.txt").write_text(trees.table([NATURAL._replace(letter="S")]))
    release = msp_improv.read(tmp_path)
    assert release.utterances == before.utterances
    assert [(each.kind, each.subject, each.what) for each in release.remarks] == [
        ("left out", "Evaluation.txt", "is a second table of votes: Evalution.txt is read")
    ]


# --- what is refused


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "session1").mkdir()
    with pytest.raises(Fault) as caught:
        msp_improv.read(tmp_path)
    assert str(caught.value) == told(
        f"{tmp_path} does not hold msp_improv",
        "session1",
        "a file Evalution.txt or Evaluation.txt",
        "set corpus.root=PATH/TO/THE/RELEASE",
        where="corpus",
    )
    with pytest.raises(Fault, match="got: no folder"):
        msp_improv.read(tmp_path / "nowhere")


def test_labels_without_any_audio_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Evalution.txt").write_text(trees.table(FEW))
    with pytest.raises(Fault, match="got: no audio"):
        msp_improv.read(tmp_path)


def test_a_table_of_listeners_only_is_refused(tmp_path: Path) -> None:
    trees.write(tmp_path, FEW)
    (tmp_path / "Evalution.txt").write_text("\n".join(trees.LISTENERS))
    with pytest.raises(Fault, match=r"got: Evalution\.txt without a turn\n  expected: lines like UTD-IMPROV"):
        msp_improv.read(tmp_path)
