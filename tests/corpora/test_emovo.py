"""EMOVO: labels come from the names of the files, which are Italian."""

from collections import Counter
from pathlib import Path

import pytest

from raysernas.config.fault import Fault
from raysernas.corpora.readers import emovo
from tests.support.trees import emovo as tree

MEANING = {
    "dis": "disgust",
    "gio": "happiness",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
    "neu": "neutral",
}


def test_the_whole_release_has_the_published_numbers(tmp_path: Path) -> None:
    release = emovo.read(tree.write(tmp_path, tree.names()))
    assert len({utterance.key for utterance in release.utterances}) == len(release.utterances) == 588
    assert Counter(utterance.emotion for utterance in release.utterances) == dict.fromkeys(
        MEANING.values(), 84
    )
    assert Counter(utterance.speaker for utterance in release.utterances) == dict.fromkeys(tree.ACTORS, 98)
    for expected in release.expected:
        found = Counter(
            tuple(getattr(utterance, name) for name in expected.by) for utterance in release.utterances
        )
        assert found == expected.counts, expected.title
    assert len(release.expected) == 2
    assert release.remarks == ()
    assert release.emotions == tuple(sorted(MEANING.values()))
    assert release.folds == "speaker"


def test_labels_come_from_the_names(tmp_path: Path) -> None:
    release = emovo.read(tree.write(tmp_path, tree.names()))
    found = {u.key: (u.emotion, u.raw_label, u.speaker, u.gender, u.path) for u in release.utterances}
    for code, emotion in MEANING.items():
        assert found[f"{code}-f2-n5"] == (
            emotion,
            code,
            "f2",
            "female",
            str(tmp_path / f"f2/{code}-f2-n5.wav"),
        )
        assert found[f"{code}-m3-d1"] == (emotion, code, "m3", "male", str(tmp_path / f"m3/{code}-m3-d1.wav"))


def test_a_root_one_level_up_is_the_same_corpus(tmp_path: Path) -> None:
    tree.write(tmp_path / "EMOVO", ["f1/dis-f1-b1.wav", "m1/gio-m1-b1.wav"])
    assert emovo.read(tmp_path).utterances == emovo.read(tmp_path / "EMOVO").utterances
    assert len(emovo.read(tmp_path).utterances) == 2


@pytest.mark.parametrize(
    "name",
    ["f1/dis-f4-b1.wav", "f1/ang-f1-b1.wav", "f1/dis-f1.wav", "f1/DIS-f1-b1.wav", "f1/dis-f1-b1 (1).wav"],
)
def test_a_name_that_is_not_emovos_is_bad(tmp_path: Path, name: str) -> None:
    release = emovo.read(tree.write(tmp_path, ["f1/dis-f1-b1.wav", name]))
    assert [utterance.key for utterance in release.utterances] == ["dis-f1-b1"]
    assert [(remark.kind, remark.subject) for remark in release.remarks] == [("bad", name)]
    assert release.remarks[0].what.startswith(
        "is not a name of emovo: emotion (rab dis pau gio neu tri sor), actor, sentence"
    )


def test_a_folder_without_emovo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"does not hold emovo\n  got: 1 recordings 03a01Fa.wav\n"):
        emovo.read(tree.write(tmp_path, ["03a01Fa.wav"]))
    with pytest.raises(Fault, match="emovo has no perceived labels"):
        emovo.read(tmp_path, "perceived")
    with pytest.raises(Fault, match="no folder"):
        emovo.read(tmp_path / "gone")
