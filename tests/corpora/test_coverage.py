"""A fold whose test or validation part lacks an emotion says so: its UA is a mean over fewer classes."""

from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.corpora.folds import coverage
from raysernas.corpora.folds.fold_file import Fold

CORPUS = Corpus(
    name="mine",
    emotions=("anger", "fear", "joy"),
    utterances=tuple(
        Utterance(key=str(at), path="", emotion=emotion, speaker="s")
        for at, emotion in enumerate(("anger", "fear", "joy"))
    ),
    fingerprint="",
)


def _fold(test: tuple[int, ...], valid: tuple[int, ...]) -> Fold:
    return Fold(name="".join(map(str, test)), train=(), valid=valid, test=test)


def test_a_part_with_every_emotion_needs_no_word() -> None:
    whole = _fold((0, 1, 2), (0, 1, 2))
    assert coverage.lacking(CORPUS, whole) == {}
    assert coverage.sentences(CORPUS, {0: whole}) == []


def test_the_first_folds_are_named_and_the_others_counted() -> None:
    assert coverage.lacking(CORPUS, _fold((0,), (0, 1))) == {"test": ("fear", "joy"), "valid": ("joy",)}
    folds = dict(enumerate([_fold((0, 1), (0, 1, 2))] * 4 + [_fold((0, 1, 2), (2,))]))
    assert coverage.sentences(CORPUS, folds) == [
        "the test parts of 4 of 5 folds lack emotions: 0 (01) has no joy; 1 (01) has no joy; 2 (01) has no "
        "joy; and 1 more fold",
        "the validation parts of 1 of 5 folds lack emotions: 4 (012) has no anger, fear",
    ]
