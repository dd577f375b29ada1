"""RAVDESS: its speech counts, every file once, whatever lies beside it."""

from collections import Counter
from pathlib import Path

import pytest

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Release
from raysernas.corpora.readers import ravdess
from tests.support.trees import ravdess as tree

MEANING = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
ONE = "Actor_12/03-01-06-01-02-01-12.wav"
DOUBLED = "audio_speech_actors_01-24"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy that many use: every actor twice."""
    folder = tree.write(tmp_path_factory.mktemp("ravdess"), tree.names())
    tree.write(folder / DOUBLED, tree.names())
    return folder


def _check_counts(release: Release) -> None:
    assert len({utterance.key for utterance in release.utterances}) == len(release.utterances) == 1440
    emotions = Counter(utterance.emotion for utterance in release.utterances)
    assert emotions == {emotion: 96 if emotion == "neutral" else 192 for emotion in MEANING}
    assert Counter(utterance.speaker for utterance in release.utterances) == {
        f"{actor:02d}": 60 for actor in range(1, 25)
    }
    genders = {utterance.speaker: utterance.gender for utterance in release.utterances}
    assert genders == {f"{actor:02d}": ("female", "male")[actor % 2] for actor in range(1, 25)}
    for expected in release.expected:
        found = Counter(
            tuple(getattr(utterance, name) for name in expected.by) for utterance in release.utterances
        )
        assert found == expected.counts, expected.title
    assert len(release.expected) == 2


def test_the_whole_release_has_the_published_numbers(root: Path) -> None:
    release = ravdess.read(root / DOUBLED)
    _check_counts(release)
    assert release.remarks == ()
    assert release.emotions == tuple(sorted(MEANING))
    assert release.folds == "speaker"


def test_a_doubled_tree_counts_once(root: Path) -> None:
    release = ravdess.read(root)
    _check_counts(release)
    [copy] = release.remarks
    assert (copy.kind, copy.subject, copy.what) == ("left out", DOUBLED, "holds 1440 files a second time")
    assert not any(DOUBLED in utterance.path for utterance in release.utterances)


def test_what_only_the_second_tree_has_is_read(tmp_path: Path) -> None:
    other = "Actor_12/03-01-07-01-02-01-12.wav"
    release = ravdess.read(tree.write(tmp_path, [ONE, f"{DOUBLED}/{ONE}", f"{DOUBLED}/{other}"]))
    assert {utterance.path for utterance in release.utterances} == {
        str(tmp_path / ONE),
        str(tmp_path / DOUBLED / other),
    }
    assert [(remark.subject, remark.what) for remark in release.remarks] == [
        (DOUBLED, "holds 1 files a second time")
    ]


def test_a_file_beside_its_copy_counts_once(tmp_path: Path) -> None:
    release = ravdess.read(tree.write(tmp_path, [ONE, ONE.replace(".wav", ".WAV")]))
    assert len(release.utterances) == 1
    assert [(remark.kind, remark.subject, remark.what) for remark in release.remarks] == [
        ("left out", ONE, "is there a second time")
    ]


def test_labels_come_from_the_names(tmp_path: Path) -> None:
    release = ravdess.read(tree.write(tmp_path, [ONE.replace("-06-", f"-0{code}-") for code in range(1, 9)]))
    found = {u.raw_label: (u.emotion, u.speaker, u.gender) for u in release.utterances}
    assert found == {f"0{code}": (emotion, "12", "female") for code, emotion in enumerate(MEANING, start=1)}
    assert {u.key for u in release.utterances} == {f"03-01-0{code}-01-02-01-12" for code in range(1, 9)}


def test_song_and_video_are_left_out_by_rule_in_one_remark(tmp_path: Path) -> None:
    others = (
        "Actor_12/01-01-06-01-02-01-12.mp4",
        "Actor_12/02-01-06-01-02-01-12.mp4",
        "song/Actor_12/03-02-06-01-02-01-12.wav",
    )
    others += ("Actor_12/03-01-06-01-02-02-12.mp4",)
    release = ravdess.read(tree.write(tmp_path, [ONE, *others]))
    assert [utterance.key for utterance in release.utterances] == [Path(ONE).stem]
    [remark] = release.remarks
    assert (remark.kind, remark.subject) == ("left out", "Actor_12/01-01-06-01-02-01-12.mp4 and 3 more")
    assert remark.what == "is song or video; only speech without pictures is read: 4 left out"


def test_a_root_one_level_up_is_the_same_corpus(tmp_path: Path) -> None:
    tree.write(tmp_path / "RAVDESS", [ONE])
    assert ravdess.read(tmp_path).utterances == ravdess.read(tmp_path / "RAVDESS").utterances
    assert ravdess.read(tmp_path).utterances == ravdess.read(tmp_path / "RAVDESS/Actor_12").utterances


@pytest.mark.parametrize(
    "stem",
    [
        "03-01-09-01-02-01-12",
        "03-01-06-01-02-01-25",
        "03-01-06-01-02-01-00",
        "03-01-06-01-02-01",
        "03-01-06-01-02-01-12 (1)",
        "a",
    ],
)
def test_a_name_that_is_not_ravdesss_is_bad(tmp_path: Path, stem: str) -> None:
    release = ravdess.read(tree.write(tmp_path, [ONE, f"Actor_12/{stem}.wav"]))
    assert [utterance.key for utterance in release.utterances] == [Path(ONE).stem]
    assert [(remark.kind, remark.subject) for remark in release.remarks] == [("bad", f"Actor_12/{stem}.wav")]
    assert release.remarks[0].what.startswith(
        "is not a name of ravdess: modality, channel, emotion, intensity, statement"
    )


def test_a_folder_without_speech_of_ravdess_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        Fault,
        match=r"does not hold ravdess\n  got: 1 recordings Actor_12/03-02-06-01-02-01-12.wav\n",
    ):
        ravdess.read(tree.write(tmp_path, ["Actor_12/03-02-06-01-02-01-12.wav"]))
    with pytest.raises(Fault, match="ravdess has no perceived labels"):
        ravdess.read(tmp_path, "perceived")
    with pytest.raises(Fault, match="no folder"):
        ravdess.read(tmp_path / "gone")
