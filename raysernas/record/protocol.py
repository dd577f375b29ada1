"""Marks: short warnings on every table that say how the scores of a study are optimistic or unusual.

In: a study's configuration, and what its trials have found in the corpus. Out: mark -> sentence. Anything
else is sound by construction: only the test uses test speakers.
"""

from collections.abc import Sequence

from raysernas.config.schema import Config

# columns of what a trial was run with, besides its settings
PROVENANCE = ("commit", "versions", "cpu", "instructions")

# what trials count about their corpus and fold, in columns such as n_unknown
COUNTED = ("unknown", "skipped", "unlike", "confounded", "known_texts")

PUBLISHED = {  # corpus -> what is unusual about its published folds
    "iemocap": "pairs of speakers of two sessions, whose dialogue partners are trained on",
    "msp_improv": "which never test the sessions 4 and 6",
    "msp_podcast": "five groups of speakers instead of the official parts",
}


def marks(
    config: Config,
    *,
    unknown: int = 0,
    skipped: int = 0,
    unlike: int = 0,
    confounded: int = 0,
    known_texts: int = 0,
    mixed: Sequence[str] = (),
) -> dict[str, str]:
    """Short mark -> meaning, for everything that makes the scores of a study incomparable with sound ones.

    Args:
        unknown: utterances in any part of a fold whose speaker is unknown.
        skipped: files or rows of the corpus that could not be used.
        unlike: published tables of counts that do not match the corpus.
        confounded: properties of the recordings, such as who speaks, that tell the emotion.
        known_texts: tested utterances of a fold whose sentence is spoken in training too.
        mixed: columns of PROVENANCE in which the finished trials differ.
    """
    found = _of_folds(config, unknown) | _of_inputs(config)
    if config.retrain.on == "all_but_test":
        found["all but test"] = (
            "the tested model was trained on the validation speakers too, for as many epochs as they chose"
        )
    study = config.study
    if study.protocol == "flat" and study.candidates > 1 and len(study.folds) != 1:
        found["optimistic"] = (
            "each arm has one candidate for all folds, and validation speakers of one fold are test speakers "
            "of another; study.protocol=nested chooses on each fold separately"
        )
    if config.corpus.folds == "published":
        oddity = PUBLISHED.get(config.corpus.name, "which no other work uses")
        found["published folds"] = f"the folds of the code of arXiv 2305.14402, {oddity}"
    if known_texts:
        found["known texts"] = (
            "sentences of the test are spoken in training too (column n_known_texts of the ledger); a score "
            "on new sentences is lower, and corpus.folds=speaker_text measures it"
        )
    return found | _of_corpus(unlike, confounded, skipped, mixed)


def _of_folds(config: Config, unknown: int) -> dict[str, str]:
    """Whether speakers may be on two sides."""
    corpus, found = config.corpus, dict[str, str]()
    if corpus.folds == "random":
        found["speaker-dependent"] = (
            "the test speakers are trained on; such scores are usually 5 to 25 points too high"
        )
    elif corpus.speaker_dependent:
        found["speaker-dependent"] = (
            "folds with a speaker on two sides were allowed; scores may be 5 to 25 points too high"
        )
    if unknown:
        found["unknown speakers"] = (
            f"the speaker of {unknown} utterances is unknown, so a speaker may be on two sides"
        )
    return found


def _of_inputs(config: Config) -> dict[str, str]:
    """What else the frames know, as written or by a candidate."""
    space, found = config.study.space, dict[str, str]()
    if config.features.normalisation == "speaker":
        found["transductive"] = (
            "features are normalised with all utterances of each speaker, test utterances included"
        )
    elif "speaker" in space.get("features.normalisation", {}).get("choices", ()):
        found["transductive"] = (
            "candidates may normalise with all utterances of each speaker, test utterances included"
        )
    if "pretrained" in (config.features.kind, *space.get("features.kind", {}).get("choices", ())):
        found["pretrained front end"] = (
            "the frames are states of an encoder that was trained on other recordings; whether these were "
            "among them is not known"
        )
    return found


def _of_corpus(unlike: int, confounded: int, skipped: int, mixed: Sequence[str]) -> dict[str, str]:
    """What is odd about the recordings, and about what the trials were run with."""
    found: dict[str, str] = {}
    if unlike:
        tables = "a published table" if unlike == 1 else f"{unlike} published tables"
        found["not as published"] = (
            f"the corpus does not fit {tables} of its counts or sound; python -m raysernas.corpora check "
            "says where"
        )
    if confounded:
        found["confounded"] = (
            "who speaks, or how a file was recorded, tells the emotion (column confounded of the ledger), so "
            "that scores may not be about emotion"
        )
    if skipped:
        files = "1 file or row" if skipped == 1 else f"{skipped} files or rows"
        found["left-out files"] = f"{files} of the corpus left out as unusable (column skipped of the ledger)"
    if mixed:
        unlike_in = f"finished trials differ in {', '.join(mixed)} (columns of the ledger)"
        found["mixed code"] = (
            f"{unlike_in}: equal settings need not give equal scores; a new study.name runs all anew"
        )
    return found
