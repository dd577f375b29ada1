"""nEMO: names and table must tell the same, and names alone suffice."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Release
from raysernas.corpora.readers import nemo
from tests.support.trees import nemo as tree

ONE, TWO = "EB0_anger_1.wav", "WR0_surprised_64.wav"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole release."""
    return tree.write(tmp_path_factory.mktemp("nemo"), tree.names(), map(tree.row, tree.names()))


def _check_counts(release: Release) -> None:
    assert len({utterance.key for utterance in release.utterances}) == len(release.utterances) == 4481
    assert Counter(utterance.raw_label for utterance in release.utterances) == tree.BY_WORD
    assert Counter(utterance.speaker for utterance in release.utterances) == tree.BY_SPEAKER
    for expected in release.expected:
        found = Counter(
            tuple(getattr(utterance, name) for name in expected.by) for utterance in release.utterances
        )
        assert found == expected.counts, expected.title
    assert len(release.expected) == 2
    assert release.remarks == ()


def test_the_whole_release_has_the_published_numbers(root: Path) -> None:
    release = nemo.read(root)
    _check_counts(release)
    assert {utterance.speaker: utterance.gender for utterance in release.utterances} == tree.GENDERS
    assert ("MK0", "surprise") not in {
        (utterance.speaker, utterance.emotion) for utterance in release.utterances
    }
    assert release.notes == ("The emotion is the one that was acted.",)
    assert release.emotions == ("anger", "fear", "happiness", "neutral", "sadness", "surprise")
    assert release.utterances == nemo.read(root / "samples").utterances


def test_names_alone_suffice(root: Path, tmp_path: Path) -> None:
    (tmp_path / "recordings").symlink_to(root / "samples")
    release = nemo.read(tmp_path)
    _check_counts(release)
    assert {utterance.gender for utterance in release.utterances} == {"unknown"}
    assert (
        release.notes[1]
        == "There is no data.tsv: labels come from the names of the files alone, and genders are unknown."
    )


def test_labels_come_from_the_names(tmp_path: Path) -> None:
    release = nemo.read(tree.write(tmp_path / "nEMO", [ONE, TWO], [tree.row(TWO), tree.row(ONE)]))
    assert [(u.key, u.emotion, u.raw_label, u.speaker, u.gender, u.path) for u in release.utterances] == [
        ("EB0_anger_1", "anger", "anger", "EB0", "female", str(tmp_path / "nEMO/samples" / ONE)),
        ("WR0_surprised_64", "surprise", "surprised", "WR0", "male", str(tmp_path / "nEMO/samples" / TWO)),
    ]
    assert release == nemo.read(tmp_path)


@pytest.mark.parametrize(("end", "start"), [("\r\n", ""), ("\n", "\ufeff"), ("\r\n", "\ufeff"), ("\n\n", "")])
def test_the_ends_and_the_start_of_the_table_tell_nothing(tmp_path: Path, end: str, start: str) -> None:
    rows = [tree.row(ONE), tree.row(TWO)]
    plain = nemo.read(tree.write(tmp_path, [ONE, TWO], rows))
    assert plain == nemo.read(tree.write(tmp_path, [ONE, TWO], rows, end, start))
    assert plain.remarks == ()


@given(order=st.permutations(range(12)))
def test_the_order_of_the_table_tells_nothing(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    names = tree.names()[80:92]
    folder = tree.write(tmp_path_factory.mktemp("nemo"), names, [tree.row(names[i]) for i in order])
    assert {(u.key, u.emotion, u.gender) for u in nemo.read(folder).utterances} == {
        (Path(name).stem, name.split("_")[1], "female") for name in names
    }


@pytest.mark.parametrize(
    ("old", "new", "listed"),
    [
        ("\tanger\t", "\tfear\t", "fear of EB0"),
        ("        EB0", "        WR0", "anger of WR0"),
        ("\tanger\t", "\t\t", " of EB0"),
    ],
)
def test_a_name_and_a_row_that_disagree_are_bad(tmp_path: Path, old: str, new: str, listed: str) -> None:
    release = nemo.read(tree.write(tmp_path, [ONE, TWO], [tree.row(ONE).replace(old, new), tree.row(TWO)]))
    assert [utterance.key for utterance in release.utterances] == ["WR0_surprised_64"]
    [remark] = release.remarks
    assert (remark.kind, remark.subject, remark.what) == (
        "bad",
        f"samples/{ONE}",
        f"is listed in data.tsv as {listed}",
    )


def test_a_file_that_the_table_lacks_is_bad(tmp_path: Path) -> None:
    release = nemo.read(tree.write(tmp_path, [ONE, TWO], [tree.row(ONE)]))
    assert [utterance.key for utterance in release.utterances] == ["EB0_anger_1"]
    assert [(r.kind, r.subject, r.what) for r in release.remarks] == [
        ("bad", f"samples/{TWO}", "is not listed in data.tsv")
    ]


def test_a_file_that_is_missing_is_still_an_utterance(tmp_path: Path) -> None:
    release = nemo.read(tree.write(tmp_path, [ONE], [tree.row(ONE), tree.row(TWO)]))
    assert {utterance.path for utterance in release.utterances} == {
        str(tmp_path / "samples" / name) for name in (ONE, TWO)
    }
    assert release.remarks == ()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("EB0_anger_2.wav\tanger", "is no row of nEMO: 'EB0_anger_2.wav anger'"),
        (tree.row(TWO).replace("WR0_surprised_64.wav", "x.wav"), "is no row of nEMO: 'x.wav surprised"),
        (tree.row(ONE).replace("female", "male"), "lists EB0_anger_1 a second time, with other cells"),
    ],
)
def test_a_row_that_cannot_be_understood_is_bad(tmp_path: Path, row: str, what: str) -> None:
    release = nemo.read(tree.write(tmp_path, [ONE], [tree.row(ONE), row, tree.row(ONE)]))
    assert [utterance.key for utterance in release.utterances] == ["EB0_anger_1"]
    [remark] = release.remarks
    assert (remark.kind, remark.subject, remark.fix) == (
        "bad",
        "data.tsv, line 3",
        "copy data.tsv from the release again",
    )
    assert remark.what.startswith(what)


@pytest.mark.parametrize(
    "name", ["EB0_joy_1.wav", "eb0_anger_1.wav", "EB0_anger.wav", "EB0_anger_1 (1).wav", "EB0_surprise_1.wav"]
)
def test_a_name_that_is_not_nemos_is_bad(tmp_path: Path, name: str) -> None:
    release = nemo.read(tree.write(tmp_path, [ONE, name]))
    assert [utterance.key for utterance in release.utterances] == ["EB0_anger_1"]
    assert [(remark.kind, remark.subject) for remark in release.remarks] == [("bad", f"samples/{name}")]
    assert release.remarks[0].what.startswith("is not a name of nemo: speaker, emotion (")


def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    tree.write(tmp_path, [ONE], [tree.row(ONE)])
    for content, message in (
        (b"file_id\temotion\n", "data.tsv has no column 'speaker_id'"),
        (b"", "data.tsv has no column 'file_id'"),
        ("ród".encode("latin-1", "replace") + b"\xff", "data.tsv cannot be read"),
    ):
        (tmp_path / "data.tsv").write_bytes(content)
        with pytest.raises(Fault, match=message):
            nemo.read(tmp_path)


def test_a_folder_without_nemo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"does not hold nemo\n  got: 1 recordings samples/03a01Fa.wav\n"):
        nemo.read(tree.write(tmp_path, ["03a01Fa.wav"]))
    with pytest.raises(Fault, match="nemo has no perceived labels"):
        nemo.read(tmp_path, "perceived")
    with pytest.raises(Fault, match="no folder"):
        nemo.read(tmp_path / "gone")
