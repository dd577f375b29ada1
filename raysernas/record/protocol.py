"""In what the scores of a study are optimistic or odd: short marks that stand on every table, and what they mean.

In: a study's configuration. Out: mark -> sentence. What is not said here is sound by construction: test speakers are heard by
nothing but the test.
"""

from raysernas.config import Config

PUBLISHED = {  # corpus -> in what its published folds are odd
    "iemocap": "pairs of speakers of two sessions, whose dialogue partners are trained on",
    "msp_improv": "which never test the sessions 4 and 6",
    "msp_podcast": "five groups of speakers instead of the official parts",
}


def marks(config: Config) -> dict[str, str]:
    """Short mark -> what it means, for all that makes the scores of a study incomparable with sound ones."""
    corpus, found = config.corpus, {}
    if corpus.folds == "random":
        found["speaker-dependent"] = "speakers are trained on and tested; such scores are usually 5 to 25 points too high"
    elif corpus.speaker_dependent:
        found["speaker-dependent"] = "folds that hear a speaker on two sides were allowed; scores may be 5 to 25 points too high"
    if config.features.normalisation == "speaker":
        found["transductive"] = "features are normalised with all utterances of each speaker, the tested ones among them"
    if corpus.folds == "published":
        oddity = PUBLISHED.get(corpus.name, "which no other work uses")
        found["published folds"] = f"the folds of the code of arXiv 2305.14402, {oddity}"
    return found
