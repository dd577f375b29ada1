"""Texts: which sentences are spoken on both sides of a fold, and groups of them for `folds=speaker_text`.

A network that has heard a sentence in every emotion knows it in a test, too: ten sentences are all that EmoDB
has, and everybody speaks them.
"""

from collections import Counter
from collections.abc import Sequence

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Corpus

KNOWN = "crema_d, emodb, emovo, nemo, ravdess, savee, tess, and manifest with a column `text`"


def groups(corpus: Corpus, count: int) -> list[tuple[str, ...]]:
    """All texts of a corpus in `count` groups of about as many utterances; 0: each by itself.

    Raises:
        Fault: for utterances whose text is not known, fewer than two texts, or more groups than texts.
    """
    spoken = Counter(utterance.text for utterance in corpus.utterances)
    if unknown := spoken.pop("", 0):
        raise Fault(
            "folds",
            f"the text of {unknown} of {len(corpus.utterances)} utterances of {corpus.name} is not known",
            got="corpus.folds=speaker_text",
            expected=f"a text for every utterance: {KNOWN}",
            fix="set corpus.folds=speaker, or add the texts to the manifest",
        )
    if not 2 <= (count or len(spoken)) <= len(spoken):
        raise Fault(
            "folds",
            "the texts cannot be kept apart",
            got=f"{len(spoken)} texts, corpus.text_groups={count}",
            expected="at least two groups, and a text for each",
            fix="set corpus.text_groups=0, or another corpus.folds",
        )
    held: list[list[str]] = [[] for _ in range(count or len(spoken))]
    size = [0] * len(held)
    for text, utterances in sorted(spoken.items(), key=lambda item: (-item[1], item[0])):
        smallest = size.index(min(size))
        held[smallest].append(text)
        size[smallest] += utterances
    return sorted(tuple(sorted(group)) for group in held)


def notes(corpus: Corpus) -> list[str]:
    """What should be known of texts that several speakers speak; nothing for other corpora."""
    speakers: dict[str, set[str]] = {}
    for utterance in corpus.utterances:
        speakers.setdefault(utterance.text, set()).add(utterance.speaker)
    common = [text for text, heard in speakers.items() if text and len(heard) > 1]
    if not common:
        return []
    every = len(speakers.keys() - {""})
    how_many = f"all {every} texts" if len(common) == every else f"{len(common)} of {every} texts"
    return [
        f"Several speakers speak {how_many}, so folds by speaker test sentences that were trained on (mark "
        "`known texts`); corpus.folds=speaker_text holds out the text too."
    ]


def shared(corpus: Corpus, train: Sequence[int], test: Sequence[int]) -> int:
    """How many tested utterances have a text that is spoken in training too."""
    heard = {corpus.utterances[i].text for i in train} - {""}
    return sum(corpus.utterances[i].text in heard for i in test)
