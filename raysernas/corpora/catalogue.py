"""The door to the speech: a corpus by its name, and the sound of its utterances.

In: the corpus settings. Out: a `Corpus` that can be learned from, and the waveform of any of its utterances.
"""

from collections.abc import Callable
from pathlib import Path

from raysernas.config import CorpusConfig, Fault
from raysernas.corpora import audio
from raysernas.corpora.corpus import Corpus, Utterance, keep_emotions
from raysernas.corpora.readers import emodb, manifest, synthetic

READERS: dict[str, Callable[[CorpusConfig, Path | None], Corpus]] = {
    "synthetic": lambda config, _: synthetic.read(config),
    "emodb": lambda config, memory: emodb.read(_root(config, "the folder of EmoDB"), memory),
    "manifest": lambda config, memory: manifest.read(_root(config, "a manifest, CSV or Parquet"), memory),
}


def read(config: CorpusConfig, memory: Path | None) -> Corpus:
    """The corpus that the settings name, reduced to their emotions; `memory` is a folder for hashes of files, None for none.

    Raises:
        Fault: for a corpus that is not there, holds broken files, has an emotion that cannot be learned, or is another than
            the one that `config.fingerprint` names.
    """
    corpus = keep_emotions(READERS[config.name](config, memory), config.emotions)
    if config.fingerprint and config.fingerprint != corpus.fingerprint:
        raise Fault(
            "corpus", f"{config.name} is not the corpus that this study began with", got=corpus.fingerprint,
            expected=config.fingerprint, do="restore the recordings and labels, or begin a study under another study.name",
        )  # fmt: skip
    _check_emotions(corpus)
    return corpus


def waveform(utterance: Utterance, sample_rate_hz: int) -> audio.Samples:
    """The sound of an utterance, mono float32 [samples].

    Raises:
        Fault: for a file that is not sound, is cut off, or does not hold the stretch of the utterance.
    """
    if utterance.path.startswith(synthetic.SCHEME):
        return synthetic.waveform(utterance.path, sample_rate_hz)
    return audio.read(utterance.path, sample_rate_hz=sample_rate_hz, start_s=utterance.start_s, end_s=utterance.end_s)


def _root(config: CorpusConfig, meaning: str) -> Path:
    """Where the corpus lies, as an absolute path, because trials run in other working directories."""
    if not config.root.strip():
        raise Fault(
            "corpus", f"corpus.root is not set, so {config.name} cannot be found", got=repr(config.root), expected=meaning,
            do="set corpus.root=PATH",
        )  # fmt: skip
    root = Path(config.root).expanduser().absolute()
    if not root.exists():
        raise Fault("corpus", f"there is no {root}", got=config.root, expected=meaning, do="set corpus.root=PATH")
    return root


def _check_emotions(corpus: Corpus) -> None:
    """Both halves of the training part need every emotion, and a held-out speaker must not take the only examples along."""
    learnable, faults = [], []
    for emotion, count in corpus.counts().items():
        speakers = {utterance.speaker for utterance in corpus.utterances if utterance.emotion == emotion}
        if count < 2 or len(speakers) < 2:
            faults.append((emotion, count, len(speakers)))
        else:
            learnable.append(emotion)
    if faults:
        emotion, count, speakers = faults[0]
        rest = f"set corpus.emotions=[{','.join(learnable)}]" if len(learnable) > 1 else "add recordings"
        raise Fault(
            "corpus", f"the emotion {emotion!r} cannot be learned and tested", got=f"utterances: {count}, speakers: {speakers}",
            expected="at least 2 utterances, of at least 2 speakers", do=rest,
        )  # fmt: skip
    if len(corpus.emotions) < 2:
        raise Fault(
            "corpus", "there is only one emotion", got=list(corpus.emotions), expected="at least two", do="set corpus.emotions"
        )
