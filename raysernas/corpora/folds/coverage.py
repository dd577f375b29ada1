"""Which emotions the test and validation parts of folds lack: UA is then a mean over fewer classes.

In: a corpus and its folds. Out: the missing emotions, and sentences about them.
"""

from collections.abc import Iterable, Mapping

from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds.fold_file import Fold

NAMED = 3  # folds that a sentence names; it counts the others
TESTED = {"test": "test", "valid": "validation"}  # part -> how it is called


def lacking(corpus: Corpus, fold: Fold) -> dict[str, tuple[str, ...]]:
    """Part -> the emotions that it lacks; only parts that lack one."""
    found: dict[str, tuple[str, ...]] = {}
    for part in TESTED:
        present = {corpus.utterances[index].emotion for index in getattr(fold, part)}
        if missing := tuple(emotion for emotion in corpus.emotions if emotion not in present):
            found[part] = missing
    return found


def missing(corpus: Corpus, folds: Iterable[Fold]) -> int:
    """How many emotions all test and validation parts lack together."""
    return sum(len(emotions) for fold in folds for emotions in lacking(corpus, fold).values())


def sentences(corpus: Corpus, folds: Mapping[int, Fold]) -> list[str]:
    """A sentence on each part that lacks emotions in some folds: in how many, and which in the first ones."""
    parts_of = {number: lacking(corpus, fold) for number, fold in folds.items()}
    found = []
    for part, word in TESTED.items():
        named = [
            f"{number} ({folds[number].name}) has no {', '.join(parts[part])}"
            for number, parts in parts_of.items()
            if part in parts
        ]
        if named:
            rest = len(named) - NAMED
            more = f"; and {rest} more fold{'s' * (rest > 1)}" if rest > 0 else ""
            several = f"{len(named)} of {len(folds)} folds lack emotions"
            found.append(f"the {word} parts of {several}: {'; '.join(named[:NAMED])}{more}")
    return found
