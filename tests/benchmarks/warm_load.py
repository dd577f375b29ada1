"""How long it takes to open features that are cached.

    python -m tests.benchmarks.warm_load [UTTERANCES]

Counted: all of `features.load` for a corpus of that many utterances (5,531 as a rule, the four classes of
IEMOCAP), 4.5 s each, log-mel as by default: the key of the cache, every shard opened and checked. Then one
pass over all frames, for comparison. The best and the worst of a few rounds in one process, imports not
counted.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.features import cache, loading, normalisation
from raysernas.features.front_end import Clip

ROUNDS = 7
COUNT, FRAMES, BANDS = 5531, 225, 40


def filled(folder: Path, count: int) -> Corpus:
    """A corpus of noise whose features are cached."""
    utterances = tuple(
        Utterance(key=f"{i:06d}", path=f"{i}.wav", emotion="neutral", speaker="a") for i in range(count)
    )
    corpus = Corpus(name="noise", emotions=("neutral",), utterances=utterances, fingerprint="noise")
    values = np.random.default_rng(0).standard_normal((FRAMES, BANDS)).astype(np.float32)
    clip = Clip(values, values[0], FRAMES)
    place = loading.folders(corpus, FeaturesConfig(), folder)[0]
    cache.load(corpus, place, lambda _: values[0], lambda: lambda _: clip)
    return corpus


def main() -> None:
    """Print the seconds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        corpus = filled(Path(folder), count)
        times, passes = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            frames = loading.load(corpus, FeaturesConfig(), Path(folder))
            times.append(time.perf_counter() - start)
            start = time.perf_counter()
            normalisation.fitted(FeaturesConfig(), frames, corpus, range(count), range(count))
            passes.append(time.perf_counter() - start)
    print(
        f"{count} utterances: opened in {min(times):.3f} to {max(times):.3f} s, scale over all of them "
        f"{min(passes):.3f} s"
    )


if __name__ == "__main__":
    main()
