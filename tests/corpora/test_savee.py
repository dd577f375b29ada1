"""SAVEE: two layouts, one corpus."""

from collections import Counter
from pathlib import Path

import pytest

from raysernas.config.fault import Fault
from raysernas.corpora.readers import savee
from tests.support.trees import savee as tree

RELEASED, FLAT = "AudioData/{speaker}/{sentence}.wav", "{speaker}_{sentence}.wav"
MEANING = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


@pytest.mark.parametrize(
    "pattern", [RELEASED, FLAT, "{speaker}/{sentence}.wav", "ALL/{speaker}_{sentence}.wav"]
)
def test_the_whole_release_has_the_published_numbers_in_every_layout(tmp_path: Path, pattern: str) -> None:
    release = savee.read(tree.write(tmp_path, tree.names(pattern)))
    assert len(release.utterances) == 480
    emotions = Counter(utterance.emotion for utterance in release.utterances)
    assert emotions == {emotion: 120 if emotion == "neutral" else 60 for emotion in MEANING.values()}
    assert Counter(utterance.speaker for utterance in release.utterances) == dict.fromkeys(tree.SPEAKERS, 120)
    for expected in release.expected:
        found = Counter(
            tuple(getattr(utterance, name) for name in expected.by) for utterance in release.utterances
        )
        assert found == expected.counts, expected.title
    assert len(release.expected) == 2
    assert release.remarks == ()
    assert release.emotions == tuple(sorted(MEANING.values()))
    assert release.folds == "speaker"


def test_the_layout_leaves_keys_and_labels_alone(tmp_path: Path) -> None:
    nested = savee.read(tree.write(tmp_path / "a", tree.names(RELEASED))).utterances
    flat = savee.read(tree.write(tmp_path / "b", tree.names(FLAT))).utterances
    assert {(u.key, u.emotion, u.raw_label, u.speaker, u.gender) for u in nested} == {
        (u.key, u.emotion, u.raw_label, u.speaker, u.gender) for u in flat
    }
    found = {u.key: (u.emotion, u.raw_label, u.speaker, u.gender, u.path) for u in nested}
    for code, emotion in MEANING.items():
        path = str(tmp_path / f"a/AudioData/JK/{code}07.wav")
        assert found[f"JK_{code}07"] == (emotion, code, "JK", "male", path)


def test_a_root_one_level_up_or_down_is_the_same_corpus(tmp_path: Path) -> None:
    tree.write(tmp_path / "savee", ["AudioData/DC/a01.wav"])
    there = savee.read(tmp_path / "savee").utterances
    assert there == savee.read(tmp_path).utterances == savee.read(tmp_path / "savee/AudioData").utterances
    assert there == savee.read(tmp_path / "savee/AudioData/DC").utterances
    assert len(there) == 1


@pytest.mark.parametrize(
    "name",
    ["XX_a01.wav", "DC_b01.wav", "DC_a1.wav", "AudioData/DC/s01.wav", "AudioData/a01.wav", "DC_a01 2.wav"],
)
def test_a_name_that_is_not_savees_is_bad(tmp_path: Path, name: str) -> None:
    release = savee.read(tree.write(tmp_path, ["DC_a02.wav", name]))
    assert [utterance.key for utterance in release.utterances] == ["DC_a02"]
    assert [(remark.kind, remark.subject) for remark in release.remarks] == [("bad", name)]
    assert release.remarks[0].what.startswith(
        "is not a name of savee: AudioData/SPEAKER/CODE01.wav or SPEAKER_CODE01.wav"
    )


def test_a_folder_without_savee_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"does not hold savee\n  got: 1 recordings 03a01Fa.wav\n"):
        savee.read(tree.write(tmp_path, ["03a01Fa.wav"]))
    with pytest.raises(Fault, match="savee has no perceived labels"):
        savee.read(tmp_path, "perceived")
    with pytest.raises(Fault, match="no folder"):
        savee.read(tmp_path / "gone")
