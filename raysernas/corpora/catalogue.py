"""The catalogue of corpora: a corpus by its name, and the sound of its utterances.

In: the corpus settings. Out: the `Corpus` that a study learns from, and the waveform of each utterance. A
reader finds the release. Here its classes are chosen and its files inspected; files that cannot be used are
refused or, with `corpus.on_bad_file=skip`, left out and recorded.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora import (
    audio,
    comparison,
    confounding,
    fetched,
    fingerprint,
    inspection,
    selection,
    tree,
)
from raysernas.corpora.corpus import Corpus, Label, Release, Remark, Utterance
from raysernas.corpora.readers import (
    crema_d,
    emodb,
    emovo,
    iemocap,
    manifest,
    msp_improv,
    msp_podcast,
    nemo,
    ravdess,
    savee,
    synthetic,
    tess,
)
from raysernas.record.files import STATE

NAMED = 3  # bad files that a fault names; it counts the rest
Reader = Callable[[Path, Label], Release]  # root of the corpus, corpus.label

READERS: dict[str, Reader] = {
    "crema_d": crema_d.read,
    "emodb": emodb.read,
    "emovo": emovo.read,
    "iemocap": iemocap.read,
    "manifest": manifest.read,
    "msp_improv": msp_improv.read,
    "msp_podcast": msp_podcast.read,
    "nemo": nemo.read,
    "ravdess": ravdess.read,
    "savee": savee.read,
    "tess": tess.read,
}


def release(config: CorpusConfig, memory: Path | None = None) -> Release:
    """Everything that is labelled at `corpus.root`; no audio is opened.

    Args:
        memory: cache folder, into which a corpus in a bucket is fetched; None = the user's own.

    Raises:
        Fault: for a root that does not exist, cannot be read, or does not hold the corpus.
    """
    if config.name == "synthetic":
        return synthetic.read(config)
    root = root_of(config, memory)
    try:
        return READERS[config.name](root, config.label)
    except OSError as error:
        raise Fault(
            "corpus",
            f"{tree.printable(str(error.filename or root))} cannot be read",
            got=audio.reason(error),
            expected="files and folders that may be read",
            fix="allow it with chmod, or check the disk",
        ) from error


def read(
    config: CorpusConfig, memory: Path | None, report: Callable[[int, int], object] = lambda done, of: None
) -> Corpus:
    """The corpus that the settings name.

    Args:
        memory: folder that remembers what files hold; None = no memory.
        report: called with the number of files that are inspected, and of all files.

    Raises:
        Fault: for a corpus that does not exist, an emotion that cannot be learned, files that cannot be used
            (unless `corpus.on_bad_file` is skip), and content that does not match `corpus.fingerprint`.
    """
    found = release(config, memory)
    chosen = selection.select(found, config)
    real = [
        utterance.path for utterance in chosen.utterances if not utterance.path.startswith(synthetic.SCHEME)
    ]
    sounds = inspection.inspect(real, memory, report)
    usable, bad = selection.usable(chosen.utterances, sounds, config.channel)
    bad = (*(remark for remark in found.remarks if remark.kind == "bad"), *bad)
    if bad and config.on_bad_file == "fail":
        raise _unusable(found.name, bad)
    hashes = {path: sound.hash for path, sound in sounds.items()}
    corpus = Corpus(
        name=found.name,
        emotions=chosen.emotions,
        utterances=usable,
        fingerprint=fingerprint.of(usable, hashes),
        merge=chosen.merge,
        folds=found.folds,
        skipped=bad,
        unlike=comparison.unlike(found, usable, sounds),
        confounded=confounding.of(usable),
    )
    if config.fingerprint and config.fingerprint != corpus.fingerprint:
        raise Fault(
            "corpus",
            f"{config.name} is not the corpus that this study began with",
            got=corpus.fingerprint,
            expected=config.fingerprint,
            fix="restore the recordings and labels, or begin a study under another study.name",
        )
    selection.check_emotions(corpus, speaker_dependent=config.speaker_dependent)
    return corpus


def resolved(config: CorpusConfig, corpus: Corpus) -> CorpusConfig:
    """The settings with all that depends on the corpus: fingerprint, classes and merging."""
    return replace(config, fingerprint=corpus.fingerprint, emotions=corpus.emotions, merge=dict(corpus.merge))


def waveform(utterance: Utterance, sample_rate_hz: int) -> audio.Samples:
    """The sound of an utterance, mono float32 [samples].

    Raises:
        Fault: for a file that is no audio, is cut off, or does not contain the utterance's stretch.
    """
    if utterance.path.startswith(synthetic.SCHEME):
        return synthetic.waveform(utterance.path, sample_rate_hz)
    return audio.read(
        utterance.path,
        sample_rate_hz=sample_rate_hz,
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        channel=utterance.channel,
    )


def root_of(config: CorpusConfig, memory: Path | None = None) -> Path:
    """Where the corpus lies on this machine.

    Raises:
        Fault: for a root that is not set, or does not exist.
    """
    meaning = "a manifest, CSV or Parquet" if config.name == "manifest" else f"the folder of {config.name}"
    if not config.root.strip():
        raise Fault(
            "corpus",
            f"corpus.root is not set, so {config.name} cannot be found",
            got=repr(config.root),
            expected=meaning,
            fix="set corpus.root=PATH",
        )
    root = fetched.local(config.root, memory or STATE, known=bool(config.fingerprint))
    if not os.path.exists(root):
        raise Fault(
            "corpus", f"there is no {root}", got=config.root, expected=meaning, fix="set corpus.root=PATH"
        )
    return root


def _unusable(name: str, bad: Sequence[Remark]) -> Fault:
    first = "".join(f"\n    {remark.subject} {remark.what}" for remark in bad[:NAMED])
    more = f"\n    and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return Fault(
        "corpus",
        f"{len(bad)} {'file or row' if len(bad) == 1 else 'files or rows'} of {name} cannot be used",
        got=first + more,
        expected="every file readable, with sound, and labelled once",
        fix=f"{bad[0].fix}; or go without them: corpus.on_bad_file=skip (python -m raysernas.corpora check "
        "lists all)",
    )
