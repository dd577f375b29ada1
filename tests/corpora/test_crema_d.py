"""CREMA-D: what was acted or what was heard, without the seven files that cannot be used."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import NO_AGREEMENT, Label, Release
from raysernas.corpora.readers import crema_d
from tests.support.trees import crema_d as tree

MEANING = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
ONE, TWO = "1001_IEO_ANG_HI", "1002_DFA_NEU_XX"
BOTH: tuple[Label, Label] = ("intended", "perceived")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole release."""
    folder = tree.write(tmp_path_factory.mktemp("crema_d"), tree.names())
    tree.write_votes(folder, tree.votes())
    tree.write_actors(folder)
    return folder


def _small(folder: Path, *stems: str) -> Path:
    """Some files, all heard as fear, and their actors."""
    tree.write(folder, stems)
    tree.write_votes(folder, dict.fromkeys(stems, "F"))
    tree.write_actors(folder)
    return folder


def _left_out(release: Release) -> dict[str, str]:
    return {remark.subject: remark.what for remark in release.remarks if remark.kind == "left out"}


def test_the_acted_emotions_have_the_published_numbers(root: Path) -> None:
    release = crema_d.read(root)
    published = {MEANING[code[0]]: count for code, count in tree.ACTED.items()}
    assert sum(published.values()) == len(tree.names()) == 7442
    faulty = Counter(MEANING[name.split("_")[2][0]] for name in tree.VOTES_OF_FAULTY)
    assert Counter(utterance.emotion for utterance in release.utterances) == Counter(published) - faulty
    assert len({utterance.key for utterance in release.utterances}) == len(release.utterances) == 7435
    assert len({utterance.speaker for utterance in release.utterances}) == 91
    assert release == crema_d.read(root, "intended")
    assert release.folds == "speaker_groups"
    assert release.notes == (
        "The emotion is the one that was acted; listeners heard another one in most files "
        "(corpus.label=perceived).",
    )


def test_the_heard_emotions_have_the_published_numbers(root: Path) -> None:
    release = crema_d.read(root, "perceived")
    published = {MEANING[letter]: count for letter, count in tree.HEARD.items()} | {NO_AGREEMENT: tree.TIES}
    assert sum(published.values()) == 7442
    faulty = Counter(MEANING[vote] for vote in tree.VOTES_OF_FAULTY.values())
    assert Counter(utterance.emotion for utterance in release.utterances) == Counter(published) - faulty
    assert NO_AGREEMENT not in release.emotions
    votes = tree.votes()
    assert all(utterance.raw_label == votes[utterance.key] for utterance in release.utterances)
    assert release.notes == (
        "The emotion is the one that most listeners heard in the sound alone (VoiceVote); a tie is "
        "no_agreement.",
    )


@pytest.mark.parametrize("label", BOTH)
def test_the_numbers_to_expect_are_those_of_the_release(root: Path, label: Label) -> None:
    release = crema_d.read(root, label)
    [expected] = release.expected
    assert Counter((utterance.emotion,) for utterance in release.utterances) == expected.counts
    assert expected.by == ("emotion",)
    assert expected.title.endswith("without the 7 of 7,442 files that are left out")


@pytest.mark.parametrize("label", BOTH)
def test_the_silent_file_and_those_with_one_sound_and_two_labels_are_left_out(
    root: Path, label: Label
) -> None:
    release = crema_d.read(root, label)
    reasons = _left_out(release)
    assert set(reasons) == {f"AudioWAV/{name}.wav" for name in tree.VOTES_OF_FAULTY}
    assert reasons["AudioWAV/1076_MTI_SAD_XX.wav"] == "holds no sound"
    assert (
        reasons["AudioWAV/1017_IWW_FEA_XX.wav"]
        == "is reported in public code to hold the same sound as 1017_IWW_ANG_XX, under another label"
    )
    assert len(release.remarks) == 7
    assert not {utterance.key for utterance in release.utterances} & set(tree.VOTES_OF_FAULTY)


def test_a_copy_without_the_silent_file_is_no_worse(tmp_path: Path) -> None:
    tree.write(tmp_path, [ONE])
    tree.write_votes(tmp_path, {ONE: "A", tree.SILENT: "N"})
    for label in BOTH:
        release = crema_d.read(tmp_path, label)
        assert [utterance.key for utterance in release.utterances] == [ONE]
        assert release.remarks == ()


def test_an_utterance_tells_its_actor(root: Path) -> None:
    found = {utterance.key: utterance for utterance in crema_d.read(root).utterances}
    one = found["1001_IEO_ANG_HI"]
    assert (one.emotion, one.raw_label, one.speaker, one.gender) == ("anger", "ANG", "1001", "male")
    assert one.path == str(root / "AudioWAV/1001_IEO_ANG_HI.wav")
    genders = {utterance.speaker: utterance.gender for utterance in found.values()}
    assert Counter(genders.values()) == {"male": 48, "female": 43}
    assert {int(actor) for actor, gender in genders.items() if gender == "female"} == set(tree.WOMEN)


@pytest.mark.parametrize("vote", ["A:D", "D:F:N:S"])
def test_a_tie_is_no_class(tmp_path: Path, vote: str) -> None:
    tree.write(tmp_path, [ONE])
    tree.write_votes(tmp_path, {ONE: vote})
    [utterance] = crema_d.read(tmp_path, "perceived").utterances
    assert (utterance.emotion, utterance.raw_label) == (NO_AGREEMENT, vote)


@pytest.mark.parametrize("label", BOTH)
def test_the_misspelt_file_is_read_under_its_right_name(tmp_path: Path, label: Label) -> None:
    tree.write(tmp_path, ["1040_ITH_SAD_X"])
    tree.write_votes(tmp_path, {"1040_ITH_SAD_XX": "S"})
    release = crema_d.read(tmp_path, label)
    [utterance] = release.utterances
    assert (utterance.key, utterance.emotion) == ("1040_ITH_SAD_XX", "sadness")
    assert utterance.path == str(tmp_path / "AudioWAV/1040_ITH_SAD_X.wav")
    tree.write_votes(tmp_path, {"1040_ITH_SAD_X": "S"})
    assert crema_d.read(tmp_path, label).utterances == (utterance,)
    [remark] = release.remarks
    assert (remark.kind, remark.subject) == ("warning", "AudioWAV/1040_ITH_SAD_X.wav")


def test_the_misspelt_file_beside_the_right_one_counts_once(tmp_path: Path) -> None:
    release = crema_d.read(_small(tmp_path, "1040_ITH_SAD_X", "1040_ITH_SAD_XX"))
    assert [utterance.path for utterance in release.utterances] == [
        str(tmp_path / "AudioWAV/1040_ITH_SAD_XX.wav")
    ]
    what = "is a second copy of AudioWAV/1040_ITH_SAD_XX.wav"
    assert _left_out(release) == {"AudioWAV/1040_ITH_SAD_X.wav": what}


@pytest.mark.parametrize("label", BOTH)
def test_a_root_above_or_below_is_the_same_corpus(tmp_path: Path, label: Label) -> None:
    _small(tmp_path / "CREMA-D", ONE, TWO)
    there = crema_d.read(tmp_path / "CREMA-D", label)
    assert len(there.utterances) == 2
    assert {utterance.gender for utterance in there.utterances} == {"male", "female"}
    assert crema_d.read(tmp_path, label) == crema_d.read(tmp_path / "CREMA-D/AudioWAV", label) == there


def test_recordings_alone_are_read_with_unknown_genders(tmp_path: Path) -> None:
    actors = [f"{actor}_DFA_ANG_XX" for actor in range(1001, 1006)]
    release = crema_d.read(tree.write(tmp_path, actors, audio="crema"))
    assert {utterance.gender for utterance in release.utterances} == {"unknown"}
    assert (
        release.notes[1] == "VideoDemographics.csv does not tell the gender of 1001, 1002, 1003 and 2 more."
    )
    tree.write_actors(tmp_path / "crema", [1001, 1002, 1003, 1004])
    assert crema_d.read(tmp_path).notes[1] == "VideoDemographics.csv does not tell the gender of 1005."


def test_heard_emotions_need_the_table_of_votes(tmp_path: Path) -> None:
    tree.write(tmp_path, [ONE])
    with pytest.raises(Fault) as caught:
        crema_d.read(tmp_path, "perceived")
    assert str(caught.value) == (
        f"corpus: {tmp_path} has no table of what listeners heard\n  got: corpus.label=perceived\n"
        "  expected: a file processedResults/summaryTable.csv\n  fix: copy it from the release, or set "
        "corpus.label=intended"
    )


def test_a_vote_without_a_file_is_still_an_utterance_and_a_file_without_a_vote_is_bad(tmp_path: Path) -> None:
    tree.write(tmp_path, [ONE, tree.SILENT])
    tree.write_votes(tmp_path, {TWO: "N"})
    release = crema_d.read(tmp_path, "perceived")
    assert [utterance.path for utterance in release.utterances] == [str(tmp_path / f"AudioWAV/{TWO}.wav")]
    assert [
        (remark.kind, remark.subject, remark.what) for remark in release.remarks if remark.kind == "bad"
    ] == [("bad", f"AudioWAV/{ONE}.wav", "is not listed in processedResults/summaryTable.csv")]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (tree.row(2, "1001_IEO_ANG", "A"), "names no file of CREMA-D: '1001_IEO_ANG'"),
        (tree.row(2, TWO, "X"), f"has a vote for {TWO} that CREMA-D does not have: 'X'"),
        (tree.row(2, TWO, ""), f"has a vote for {TWO} that CREMA-D does not have: ''"),
        ('"2"', "names no file of CREMA-D: ''"),
        (tree.row(2, ONE, "N"), f"lists {ONE} a second time, with another vote"),
    ],
)
def test_a_row_of_votes_that_cannot_be_understood_is_bad(tmp_path: Path, row: str, what: str) -> None:
    tree.write(tmp_path, [ONE])
    tree.write_votes(tmp_path, {ONE: "A"})
    path = tmp_path / tree.VOTES
    path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    release = crema_d.read(tmp_path, "perceived")
    assert [(utterance.key, utterance.emotion) for utterance in release.utterances] == [(ONE, "anger")]
    assert [(remark.kind, remark.subject, remark.what) for remark in release.remarks] == [
        ("bad", f"{tree.VOTES}, row 3", what)
    ]


@pytest.mark.parametrize(("end", "start"), [("\r\n", ""), ("\n", "\ufeff"), ("\r\n", "\ufeff")])
def test_the_ends_and_the_start_of_the_table_tell_nothing(tmp_path: Path, end: str, start: str) -> None:
    plain = crema_d.read(_small(tmp_path, ONE, TWO), "perceived")
    tree.write_votes(tmp_path, {ONE: "F", TWO: "F"}, end, start)
    assert crema_d.read(tmp_path, "perceived") == plain
    assert plain.remarks == ()


@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_votes_tells_nothing(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    votes = dict(list(tree.votes().items())[:40:3])
    rows = random.Random(seed).sample(list(votes.items()), len(votes))
    folder = tree.write(tmp_path_factory.mktemp("crema_d"), votes)
    tree.write_votes(folder, dict(rows))
    found = {utterance.key: utterance.raw_label for utterance in crema_d.read(folder, "perceived").utterances}
    assert found == {name: vote for name, vote in votes.items() if name not in tree.VOTES_OF_FAULTY}


@pytest.mark.parametrize(
    "stem",
    [
        "1000_DFA_ANG_XX",
        "1092_DFA_ANG_XX",
        "1001_DFA_SUR_XX",
        "1001_XXX_ANG_XX",
        "1001_DFA_ANG_X",
        "1001_DFA_ANG",
    ],
)
def test_a_name_that_is_not_crema_ds_is_bad(tmp_path: Path, stem: str) -> None:
    release = crema_d.read(tree.write(tmp_path, [ONE, stem]))
    assert [utterance.key for utterance in release.utterances] == [ONE]
    assert [(remark.kind, remark.subject) for remark in release.remarks] == [("bad", f"AudioWAV/{stem}.wav")]
    assert release.remarks[0].what.startswith(
        "is not a name of crema_d: actor, sentence, emotion (ANG DIS FEA HAP NEU SAD), level"
    )


def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    _small(tmp_path, ONE)
    for content, message in (
        (b"FileName,FaceVote\nx,A\n", "summaryTable.csv has no column 'VoiceVote'"),
        (b"", "summaryTable.csv has no column 'FileName'\n  got: no rows"),
        (b"FileName,VoiceVote\n\xff,A\n", "summaryTable.csv cannot be read"),
    ):
        (tmp_path / tree.VOTES).write_bytes(content)
        with pytest.raises(Fault, match=message):
            crema_d.read(tmp_path, "perceived")
    assert len(crema_d.read(tmp_path).utterances) == 1


def test_a_folder_without_crema_d_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        Fault,
        match=r"does not hold crema_d\n  got: 0 recordings, and 1 file .mp3\n  expected: actor, sentence",
    ):
        crema_d.read(tree.write(tmp_path, []))
    with pytest.raises(Fault, match="no folder"):
        crema_d.read(tmp_path / "gone")
