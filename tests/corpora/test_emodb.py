"""EmoDB: labels come from the names of 535 files, and no other release is taken for it."""

from collections import Counter
from pathlib import Path

import pytest

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Release
from raysernas.corpora.readers import emodb
from tests.support.trees import emodb as tree

LETTERS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}


def _check_counts(release: Release) -> None:
    assert len({utterance.key for utterance in release.utterances}) == len(release.utterances) == 535
    assert Counter(utterance.raw_label for utterance in release.utterances) == tree.BY_LETTER
    assert Counter(utterance.speaker for utterance in release.utterances) == tree.BY_SPEAKER
    women = {utterance.speaker for utterance in release.utterances if utterance.gender == "female"}
    men = {utterance.speaker for utterance in release.utterances if utterance.gender == "male"}
    assert (women, men) == ({"08", "09", "13", "14", "16"}, {"03", "10", "11", "12", "15"})
    for expected in release.expected:
        found = Counter(
            tuple(getattr(utterance, name) for name in expected.by) for utterance in release.utterances
        )
        assert found == expected.counts, expected.title
    assert [expected.by for expected in release.expected] == [("emotion",), ("speaker",)]
    assert release.remarks == ()


def test_the_whole_release_has_the_published_numbers(tmp_path: Path) -> None:
    release = emodb.read(tree.write(tmp_path, tree.names()))
    _check_counts(release)
    assert (release.name, release.folds, dict(release.merge)) == ("emodb", "speaker", {})
    assert "The 281 others of version 2.0" in release.notes[1]


def test_the_real_emodb(emodb_root: Path) -> None:
    release = emodb.read(emodb_root)
    _check_counts(release)
    cells = Counter((utterance.speaker, utterance.raw_label) for utterance in release.utterances)
    assert {
        speaker: tuple(cells[speaker, letter] for letter in tree.BY_LETTER) for speaker in tree.CELLS
    } == tree.CELLS


def test_labels_come_from_the_names(tmp_path: Path) -> None:
    tree.write(tmp_path, [*(f"03a01{letter}a" for letter in LETTERS), "16b10Wb"])
    (tmp_path / "wav/16b10Wb.wav").rename(tmp_path / "wav/16b10Wb.WAV")
    release = emodb.read(tmp_path)
    assert release.emotions == tuple(sorted(LETTERS.values()))
    found = {u.key: (u.emotion, u.raw_label, u.speaker, u.gender) for u in release.utterances}
    assert found == {
        f"03a01{letter}a": (emotion, letter, "03", "male") for letter, emotion in LETTERS.items()
    } | {"16b10Wb": ("anger", "W", "16", "female")}
    assert {u.path for u in release.utterances if u.speaker == "16"} == {str(tmp_path / "wav/16b10Wb.WAV")}


def test_a_release_is_the_same_from_its_folder_from_wav_and_from_above(tmp_path: Path) -> None:
    tree.write(tmp_path / "emodb", ["03a01Fa", "16b10Wb"])
    inside = emodb.read(tmp_path / "emodb/wav").utterances
    assert inside == emodb.read(tmp_path / "emodb").utterances == emodb.read(tmp_path).utterances
    assert len(inside) == 2


@pytest.mark.parametrize("name", ["04a01Fa", "03a01Xa", "03a01fa", "03a01F", "03a01Fa copy", "3a01Fa"])
def test_a_name_that_is_not_emodbs_is_bad(tmp_path: Path, name: str) -> None:
    release = emodb.read(tree.write(tmp_path, ["03a01Fa", name]))
    assert [utterance.key for utterance in release.utterances] == ["03a01Fa"]
    [remark] = release.remarks
    assert (remark.kind, remark.subject) == ("bad", f"wav/{name}.wav")
    assert (
        remark.what == "is not a name of emodb: speaker, text, emotion (AEFLNTW), version, as in 03a01Fa.wav"
    )
    assert remark.fix == "take the file out of the folder, or read the folder as a manifest"


def test_what_lies_beside_the_folder_wav_is_not_read(tmp_path: Path) -> None:
    before = emodb.read(tree.write(tmp_path, ["03a01Fa", "08a01Na"]))
    (tmp_path / "egg").mkdir()
    (tmp_path / "egg" / "03a01Fa.wav").touch()
    assert emodb.read(tmp_path) == before


def test_more_files_than_were_released_are_another_release(tmp_path: Path) -> None:
    added = [f"{speaker}a01{letter}z" for speaker in tree.CELLS for letter in LETTERS]
    emodb.read(tree.write(tmp_path / "old", tree.names()))
    with pytest.raises(Fault) as caught:
        emodb.read(tree.write(tmp_path / "new", [*tree.names(), *added]))
    assert str(caught.value) == (
        f"corpus: {tmp_path / 'new'} is not EmoDB as it was released\n  got: 605 files with names of EmoDB\n"
        "  expected: 535; version 2.0 adds 281 that fewer listeners recognised, and results on it compare "
        "with no others\n"
        "  fix: take the files of version 2.0 out of the folder, or read it as a manifest"
    )


@pytest.mark.parametrize(
    ("names", "got"),
    [((), "0 recordings"), (("03-01-06-01-02-01-12",), "1 recordings wav/03-01-06-01-02-01-12.wav")],
)
def test_a_folder_without_emodb_is_refused(tmp_path: Path, names: tuple[str, ...], got: str) -> None:
    with pytest.raises(Fault) as caught:
        emodb.read(tree.write(tmp_path, names))
    assert f"{tmp_path} does not hold emodb\n  got: {got}\n" in str(caught.value)
    with pytest.raises(Fault, match="no folder"):
        emodb.read(tmp_path / "gone")


def test_there_are_no_perceived_labels(tmp_path: Path) -> None:
    tree.write(tmp_path, ["03a01Fa"])
    assert emodb.read(tmp_path, "intended") == emodb.read(tmp_path)
    with pytest.raises(Fault, match="emodb has no perceived labels"):
        emodb.read(tmp_path, "perceived")
