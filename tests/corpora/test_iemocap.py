"""IEMOCAP is read as it was counted: the published tables, and the traps of its folder."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import NO_AGREEMENT, OTHER, Expected, Release, Remark, Utterance
from raysernas.corpora.readers import iemocap
from raysernas.corpora.selection import merged_as
from tests.support.faults import told
from tests.support.trees import iemocap as trees
from tests.support.trees.iemocap import Turn

IMPRO = Turn("Ses01F_impro01", "M000", "neu")
SCRIPT = Turn("Ses05M_script01_1b", "F012", "exc")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return iemocap.read(trees.write(tmp_path_factory.mktemp("iemocap"), trees.all_turns()))


def counted(release: Release, expected: Expected) -> Counter[tuple[str, ...]]:
    merged = merged_as(release.utterances, expected.merge)
    kept = [each for each in merged if not expected.emotions or each.emotion in expected.emotions]
    return Counter(tuple(getattr(each, field) for field in expected.by) for each in kept)


def four(release: Release) -> list[Utterance]:
    return [each for each in merged_as(release.utterances, release.merge) if each.emotion in release.emotions]


def small(root: Path, *turns: Turn) -> Path:
    return trees.write(root, turns or (IMPRO, SCRIPT))


def labels(root: Path, turn: Turn = IMPRO) -> Path:
    return root / f"Session{turn.dialogue[4]}" / "dialog" / "EmoEvaluation" / f"{turn.dialogue}.txt"


def keys(release: Release) -> list[str]:
    return sorted(utterance.key for utterance in release.utterances)


# --- the published tables


def test_every_labelled_turn_is_read_once_and_nothing_is_odd(whole: Release) -> None:
    assert len(whole.utterances) == len(set(keys(whole))) == 10_039
    assert whole.remarks == ()
    assert (whole.emotions, dict(whole.merge)) == (
        ("anger", "happiness", "neutral", "sadness"),
        {"excitement": "happiness"},
    )
    assert whole.folds == "session"


def test_four_classes_are_5531_turns(whole: Release) -> None:
    assert Counter(each.emotion for each in four(whole)) == {
        "anger": 1103,
        "happiness": 1636,
        "neutral": 1708,
        "sadness": 1084,
    }


def test_the_sessions_have_the_published_numbers_with_excitement_merged_and_apart(whole: Release) -> None:
    merged = {
        "1": (229, 278, 384, 194),
        "2": (137, 327, 362, 197),
        "3": (240, 286, 320, 305),
        "4": (327, 303, 258, 143),
        "5": (170, 442, 384, 245),
    }
    apart = {"1": (135, 143), "2": (117, 210), "3": (135, 151), "4": (65, 238), "5": (143, 299)}
    found = Counter((each.session, each.emotion) for each in four(whole))
    raw = Counter((each.session, each.raw_label) for each in whole.utterances)
    assert {
        session: tuple(found[session, emotion] for emotion in whole.emotions) for session in merged
    } == merged
    assert {session: (raw[session, "hap"], raw[session, "exc"]) for session in apart} == apart
    assert Counter(each.session for each in four(whole)) == {
        "1": 1085,
        "2": 1023,
        "3": 1151,
        "4": 1031,
        "5": 1241,
    }


def test_a_speaker_is_the_last_letter_and_never_the_dialogues(whole: Release) -> None:
    assert Counter(each.speaker for each in four(whole)) == {
        "01F": 528,
        "01M": 557,
        "02F": 481,
        "02M": 542,
        "03F": 522,
        "03M": 629,
        "04F": 528,
        "04M": 503,
        "05F": 590,
        "05M": 651,
    }
    in_f = Counter(each.gender for each in whole.utterances if each.key[5] == "F")
    assert in_f == {"male": 2546, "female": 2395}
    assert {(each.speaker[2], each.gender) for each in whole.utterances} == {("F", "female"), ("M", "male")}


def test_the_scenarios_have_the_published_numbers(whole: Release) -> None:
    found = Counter((each.scenario, each.emotion) for each in four(whole))
    assert [found["improvised", emotion] for emotion in whole.emotions] == [289, 947, 1099, 608]
    assert [found["scripted", emotion] for emotion in whole.emotions] == [814, 689, 609, 476]
    assert Counter(each.scenario for each in four(whole)) == {"improvised": 2943, "scripted": 2588}


def test_the_release_is_compared_with_all_of_these_tables(whole: Release) -> None:
    assert [(each.by, sum(each.counts.values())) for each in whole.expected] == [
        (("emotion",), 5531),
        (("session", "emotion"), 5531),
        (("session", "emotion"), 5531),
        (("speaker",), 5531),
        (("scenario", "emotion"), 5531),
        ((), 10_039),
    ]
    for expected in whole.expected:
        assert counted(whole, expected) == dict(expected.counts), expected.title


# --- one turn


def test_a_turn_has_the_properties_of_its_name(tmp_path: Path) -> None:
    found = {each.key: each for each in iemocap.read(small(tmp_path)).utterances}
    wav = tmp_path / "Session5" / "sentences" / "wav" / "Ses05M_script01_1b" / "Ses05M_script01_1b_F012.wav"
    assert found["Ses05M_script01_1b_F012"] == Utterance(
        key="Ses05M_script01_1b_F012",
        path=str(wav),
        emotion="excitement",
        raw_label="exc",
        speaker="05F",
        gender="female",
        session="5",
        scenario="scripted",
    )
    improvised = found["Ses01F_impro01_M000"]
    assert (improvised.speaker, improvised.gender, improvised.scenario) == ("01M", "male", "improvised")
    assert (improvised.start_s, improvised.end_s) == (0.0, 0.0)  # the audio is cut already
    (unheard,) = iemocap.read(
        small(tmp_path / "other", IMPRO._replace(dialogue="Ses01M_impro01", end="FXX0"))
    ).utterances
    assert (unheard.key, unheard.speaker) == ("Ses01M_impro01_FXX0", "01F")


def test_every_code_has_its_emotion_and_a_tie_is_no_class(tmp_path: Path) -> None:
    codes = ("ang", "hap", "sad", "neu", "exc", "fru", "fea", "sur", "dis", "oth", "xxx")
    turns = [Turn("Ses02M_impro03", f"F{number:03d}", code) for number, code in enumerate(codes)]
    assert {each.raw_label: each.emotion for each in iemocap.read(small(tmp_path, *turns)).utterances} == {
        "ang": "anger",
        "hap": "happiness",
        "sad": "sadness",
        "neu": "neutral",
        "exc": "excitement",
        "fru": "frustration",
        "fea": "fear",
        "sur": "surprise",
        "dis": "disgust",
        "oth": OTHER,
        "xxx": NO_AGREEMENT,
    }


def test_a_label_without_its_audio_is_an_utterance_all_the_same(tmp_path: Path) -> None:
    small(tmp_path)
    whole = iemocap.read(tmp_path)
    Path(whole.utterances[0].path).unlink()
    assert iemocap.read(tmp_path) == whole


# --- how it may lie


@pytest.mark.parametrize("below", ["IEMOCAP_full_release", "IEMOCAP"])
def test_the_folder_above_the_release_will_do(tmp_path: Path, below: str) -> None:
    small(tmp_path / below)
    assert iemocap.read(tmp_path) == iemocap.read(tmp_path / below)
    assert keys(iemocap.read(tmp_path)) == sorted([IMPRO.name, SCRIPT.name])


@pytest.mark.parametrize(("end", "mark"), [("\r\n", b""), ("\n", b"\xef\xbb\xbf"), ("\r\n", b"\xef\xbb\xbf")])
def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path, end: str, mark: bytes) -> None:
    small(tmp_path)
    before = iemocap.read(tmp_path)
    trees.write(tmp_path, (IMPRO, SCRIPT), end=end, mark=mark)
    assert iemocap.read(tmp_path) == before
    labels(tmp_path).write_bytes(mark + (IMPRO.line + end).encode())  # a label on the very first line
    assert iemocap.read(tmp_path) == before


@given(st.permutations(trees.VOTES), st.integers(0, len(trees.VOTES)))
def test_no_vote_of_a_listener_is_a_label(
    tmp_path_factory: pytest.TempPathFactory, votes: list[str], place: int
) -> None:
    root = small(tmp_path_factory.mktemp("votes"), IMPRO)
    labels(root).write_text("\n".join([*votes[:place], IMPRO.line, *votes[place:]]))
    release = iemocap.read(root)
    assert (keys(release), release.remarks) == ([IMPRO.name], ())


def test_a_missing_session_is_told(tmp_path: Path) -> None:
    notes = iemocap.read(small(tmp_path)).notes
    assert [note for note in notes if "not there" in note] == [
        f"Session{number} is not there: its turns and speakers are missing." for number in "234"
    ]


def test_all_sessions_there_is_not_worth_a_note(whole: Release) -> None:
    assert len(whole.notes) == 3
    assert not any("not there" in note for note in whole.notes)


# --- what is odd


def test_audio_without_a_label_is_bad(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_M001.wav").touch()
    assert iemocap.read(tmp_path).remarks == (
        Remark(
            kind="bad",
            subject="Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav",
            what="has no label",
            fix="copy dialog/EmoEvaluation/Ses01F_impro01.txt from the release again, or take the file away",
        ),
    )


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("[6.2901 - 8.2357]\tSes01F_impro01_M001", "is no label: '[6.2901 - 8.2357]\\tSes01F_impro01_M001'"),
        (
            "[6.2901 - 8.2357]\tSes01F_impro01_M001\tneu\t[2.5",
            "is no label: '[6.2901 - 8.2357]\\tSes01F_impro01_M001\\tneu\\t[2.5'",
        ),
        (Turn("Ses01F_impro01", "M001", "hapy").line, "has an emotion that IEMOCAP does not have: 'hapy'"),
        (Turn("Ses01F_impro01", "X001", "hap").line, "names no turn of IEMOCAP: 'Ses01F_impro01_X001'"),
        (Turn("Ses01F_impro02", "M001", "hap").line, "names a turn of another dialogue: Ses01F_impro02_M001"),
    ],
)
def test_a_broken_label_is_bad_and_the_others_are_read(tmp_path: Path, line: str, what: str) -> None:
    small(tmp_path)
    labels(tmp_path).write_text("\n".join((trees.HEADER, "", line, *trees.VOTES, "", IMPRO.line)))
    release = iemocap.read(tmp_path)
    assert keys(release) == sorted([IMPRO.name, SCRIPT.name])
    assert [(each.kind, each.subject, each.what) for each in release.remarks] == [
        ("bad", "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt, line 3", what)
    ]


@pytest.mark.parametrize(
    "line",
    ["[6.29 - 8.23]\t{}", "[6.29 - 8.23]{}neu\t[2.5, 2.5, 2.5]", "[6.29 - 8.23]\t{}\thapy\t[2.5, 2.5, 2.5]"],
)
def test_a_recording_whose_label_is_broken_is_told_once(tmp_path: Path, line: str) -> None:
    small(tmp_path, IMPRO, IMPRO._replace(end="M001"), IMPRO._replace(end="M002"))
    labels(tmp_path).write_text(IMPRO.line + "\n" + line.format("Ses01F_impro01_M001"))
    assert [each.subject for each in iemocap.read(tmp_path).remarks] == [
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt, line 2",
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M002.wav",
    ]


def test_capitals_at_the_end_of_a_name_are_read_all_the_same(tmp_path: Path) -> None:
    small(tmp_path)
    sound = tmp_path / f"Session1/sentences/wav/{IMPRO.dialogue}/{IMPRO.name}.wav"
    labels(tmp_path).rename(labels(tmp_path).with_suffix(".TXT"))
    sound.rename(sound.with_suffix(".WAV"))
    release = iemocap.read(tmp_path)
    assert (keys(release), release.remarks) == (sorted([IMPRO.name, SCRIPT.name]), ())
    assert all(Path(each.path).is_file() for each in release.utterances)
    sound.touch()
    assert [each.subject.rpartition("_")[2] for each in iemocap.read(tmp_path).remarks] == ["M000.WAV"]


def test_the_labels_of_another_session_are_bad(tmp_path: Path) -> None:
    small(tmp_path)
    stray = Turn("Ses02F_impro01", "M000", "neu")
    (labels(tmp_path).parent / f"{stray.dialogue}.txt").write_text(stray.line)
    assert [each.what for each in iemocap.read(tmp_path).remarks] == [
        "names a turn of another dialogue: Ses02F_impro01_M000"
    ]


def test_a_turn_labelled_twice_is_handed_on_twice(tmp_path: Path) -> None:
    """Whoever chooses the utterances refuses both."""
    small(tmp_path)
    labels(tmp_path).write_text(IMPRO.line + "\n" + IMPRO._replace(code="ang").line)
    assert keys(iemocap.read(tmp_path)) == [IMPRO.name, IMPRO.name, SCRIPT.name]


# --- what is refused


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wav").mkdir()
    with pytest.raises(Fault) as caught:
        iemocap.read(tmp_path)
    assert str(caught.value) == told(
        f"{tmp_path} does not hold iemocap",
        "wav",
        "a folder Session1 or IEMOCAP_full_release/Session1",
        "set corpus.root=PATH/TO/THE/RELEASE",
        where="corpus",
    )


@pytest.mark.parametrize(
    ("gone", "needed"), [("dialog/EmoEvaluation", "dialog/EmoEvaluation"), ("sentences/wav", "sentences/wav")]
)
def test_a_session_without_labels_or_audio_is_refused(tmp_path: Path, gone: str, needed: str) -> None:
    small(tmp_path)
    (tmp_path / "Session5" / gone).rename(tmp_path / "away")
    with pytest.raises(Fault, match=f"Session5 does not hold iemocap\n.*\n  expected: a folder {needed}\n"):
        iemocap.read(tmp_path)


def test_sessions_without_one_label_are_refused(tmp_path: Path) -> None:
    small(tmp_path)
    for turn in (IMPRO, SCRIPT):
        labels(tmp_path, turn).write_text(trees.HEADER)
    with pytest.raises(Fault, match="got: 2 sessions without a label"):
        iemocap.read(tmp_path)


def test_a_label_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    small(tmp_path)
    labels(tmp_path).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Fault, match=r"Ses01F_impro01\.txt cannot be read"):
        iemocap.read(tmp_path)


def test_what_an_actor_meant_is_not_known(tmp_path: Path) -> None:
    small(tmp_path)
    assert iemocap.read(tmp_path, "perceived") == iemocap.read(tmp_path)
    with pytest.raises(Fault, match="iemocap has no intended labels"):
        iemocap.read(tmp_path, "intended")
