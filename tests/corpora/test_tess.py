"""TESS: whatever its folders are called and however often they lie in each other, every file counts once."""

from collections import Counter
from pathlib import Path

import pytest

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Release, Remark
from raysernas.corpora.readers import tess
from tests.support.trees import tess as tree

MEANING = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
MISSPELT = Remark(
    kind="warning",
    subject="OAF_neutral/OA_bite_neutral.wav",
    what="is misspelt in the release; it is read as OAF_bite_neutral",
    fix="nothing, or listen to it",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy that most people have: a folder, and in it the same folder again."""
    top = tmp_path_factory.mktemp("tess")
    tree.write(top / tree.TOP, tree.names())
    tree.write(top / tree.TOP / tree.TOP, tree.names())
    return top


def _check_counts(release: Release) -> None:
    assert len({utterance.key for utterance in release.utterances}) == len(release.utterances) == 2800
    assert Counter(utterance.emotion for utterance in release.utterances) == dict.fromkeys(
        MEANING.values(), 400
    )
    assert Counter(utterance.speaker for utterance in release.utterances) == {"OAF": 1400, "YAF": 1400}
    for expected in release.expected:
        found = Counter(
            tuple(getattr(utterance, name) for name in expected.by) for utterance in release.utterances
        )
        assert found == expected.counts, expected.title
    assert len(release.expected) == 2


def test_a_single_tree_has_the_published_numbers(root: Path) -> None:
    release = tess.read(root / tree.TOP / tree.TOP)
    _check_counts(release)
    assert release.remarks == (MISSPELT,)
    assert release.emotions == tuple(sorted(MEANING.values()))
    assert {utterance.gender for utterance in release.utterances} == {"female"}


@pytest.mark.parametrize("upper", [True, False])
def test_a_doubled_tree_counts_once_and_the_inner_one_is_left_out(root: Path, upper: bool) -> None:
    start = root if upper else root / tree.TOP
    release = tess.read(start)
    _check_counts(release)
    inner = tree.TOP if not upper else f"{tree.TOP}/{tree.TOP}"
    [copy] = [remark for remark in release.remarks if remark.kind == "left out"]
    assert (copy.subject, copy.what, copy.fix) == (
        inner,
        "holds 2800 files a second time",
        "nothing; every file is read once",
    )
    assert not any(f"{tree.TOP}/{tree.TOP}" in utterance.path for utterance in release.utterances)
    assert {remark.kind for remark in release.remarks} == {"left out", "warning"}


def test_what_only_the_inner_tree_has_is_read(tmp_path: Path) -> None:
    tree.write(tmp_path, ["OAF_angry/OAF_back_angry.wav", f"{tree.TOP}/OAF_angry/OAF_back_angry.wav"])
    tree.write(tmp_path, [f"{tree.TOP}/OAF_angry/OAF_word000_angry.wav"])
    release = tess.read(tmp_path)
    assert [utterance.key for utterance in release.utterances] == ["OAF_back_angry", "OAF_word000_angry"]
    assert [(remark.subject, remark.what) for remark in release.remarks] == [
        (tree.TOP, "holds 1 files a second time")
    ]


def test_labels_come_from_the_names_and_not_from_the_folders(tmp_path: Path) -> None:
    release = tess.read(tree.write(tmp_path, [f"YAF_sad/OAF_back_{code}.wav" for code in MEANING]))
    found = {utterance.raw_label: (utterance.emotion, utterance.speaker) for utterance in release.utterances}
    assert found == {code: (emotion, "OAF") for code, emotion in MEANING.items()}


def test_the_misspelt_file_is_spoken_by_the_older_woman(tmp_path: Path) -> None:
    release = tess.read(tree.write(tmp_path, ["OAF_neutral/OA_bite_neutral.wav"]))
    [one] = release.utterances
    assert (one.key, one.speaker, one.emotion) == ("OAF_bite_neutral", "OAF", "neutral")
    assert one.path == str(tmp_path / "OAF_neutral/OA_bite_neutral.wav")
    assert release.remarks == (MISSPELT,)


def test_a_mended_file_beside_the_misspelt_one_counts_once(tmp_path: Path) -> None:
    release = tess.read(
        tree.write(tmp_path, ["OAF_neutral/OA_bite_neutral.wav", "OAF_neutral/OAF_bite_neutral.wav"])
    )
    assert [Path(utterance.path).name for utterance in release.utterances] == ["OAF_bite_neutral.wav"]
    assert [(remark.kind, remark.subject, remark.what) for remark in release.remarks] == [
        ("left out", "OAF_neutral/OA_bite_neutral.wav", "is there a second time")
    ]


@pytest.mark.parametrize(
    "name",
    ["OA_back_angry.wav", "MAF_back_angry.wav", "OAF_back_surprised.wav", "OAF_angry.wav", "OAF_a_b_sad.wav"],
)
def test_a_name_that_is_not_tesss_is_bad(tmp_path: Path, name: str) -> None:
    release = tess.read(tree.write(tmp_path, ["OAF_back_angry.wav", name]))
    assert [utterance.key for utterance in release.utterances] == ["OAF_back_angry"]
    assert [(remark.kind, remark.subject) for remark in release.remarks] == [("bad", name)]
    assert release.remarks[0].what.startswith("is not a name of tess: speaker (OAF YAF), word, emotion (")


def test_a_folder_without_tess_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"does not hold tess\n  got: 1 recordings 03a01Fa.wav\n"):
        tess.read(tree.write(tmp_path, ["03a01Fa.wav"]))
    with pytest.raises(Fault, match="tess has no perceived labels"):
        tess.read(tmp_path, "perceived")
    with pytest.raises(Fault, match="no folder"):
        tess.read(tmp_path / "gone")
