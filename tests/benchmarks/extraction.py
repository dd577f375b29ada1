"""How much faster a corpus gets its features than by a plain librosa loop.

    python -m tests.benchmarks.extraction [CLIPS]

Counted on both sides: from WAV files on disk (16 kHz, 16 bit, 3 s; in the page cache) to MFCC. `librosa`:
`librosa.load` and `librosa.feature.mfcc` for one file after another, the results kept in memory. `ours`: all
of `features.load` with an empty cache folder on all cores: checks of the files, decoding, extraction, shards
written and flushed to disk, shards opened; and for comparison on one thread, and without a cache. Not
counted: imports, and the inspection of the corpus. One process, the variants in turn, the best of a few
rounds each; quote the ratios, not the seconds.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.features import cache, extraction, loading
from raysernas.features.cache import FrameStore
from raysernas.record import limits

ROUNDS = 8
RATE_HZ, SECONDS = 16_000, 3.0
CONFIG = FeaturesConfig(kind="mfcc", n_fft=2048, hop_samples=512, bands=128, coefficients=128)


def recordings(folder: Path, count: int) -> Corpus:
    """So many noisy tones of unlike loudness."""
    rng = np.random.default_rng(0)
    at = np.arange(int(RATE_HZ * SECONDS)) / RATE_HZ
    utterances = []
    for i in range(count):
        wave = rng.uniform(0.01, 0.5) * (
            np.sin(rng.uniform(500, 5000) * at) + 0.3 * rng.standard_normal(len(at))
        )
        soundfile.write(folder / f"{i:05d}.wav", np.clip(wave, -1, 1), RATE_HZ, subtype="PCM_16")
        utterances.append(
            Utterance(key=f"{i:05d}", path=str(folder / f"{i:05d}.wav"), emotion="neutral", speaker="a")
        )
    return Corpus(name="tones", emotions=("neutral",), utterances=tuple(utterances), fingerprint="tones")


def by_librosa(corpus: Corpus) -> list[np.ndarray]:
    """The plain loop."""
    found = []
    for utterance in corpus.utterances:
        wave, _ = librosa.load(utterance.path, sr=RATE_HZ)
        found.append(
            librosa.feature.mfcc(y=wave, sr=RATE_HZ, n_mfcc=128, n_fft=2048, hop_length=512, n_mels=128)
        )
    return found


def by_us(corpus: Corpus, threads: int | None) -> FrameStore:
    """A cold cache."""
    with tempfile.TemporaryDirectory() as folder:
        if threads is None:
            return loading.load(corpus, CONFIG, Path(folder))
        place = Path(folder) / "features-1"
        return cache.load(
            corpus,
            place,
            lambda each: catalogue.waveform(each, RATE_HZ),
            lambda: extraction.extractor(CONFIG),
            threads,
        )


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        corpus = recordings(Path(folder), count)
        variants: dict[str, Callable[[], object]] = {
            "librosa": lambda: by_librosa(corpus),
            "ours": lambda: by_us(corpus, None),
            "ours, 1 thread": lambda: by_us(corpus, 1),
            "ours, no cache": lambda: loading.load(corpus, CONFIG, None),
        }
        apart = max(
            np.abs(a.T - by_us(corpus, None).of(i)).max() for i, a in enumerate(by_librosa(corpus)[:5])
        )
        best = dict.fromkeys(variants, float("inf"))
        for _ in range(ROUNDS):
            for name, variant in variants.items():
                start = time.perf_counter()
                variant()
                best[name] = min(best[name], time.perf_counter() - start)
    print(
        f"torch {torch.__version__}, {limits.cores()} cores, {count} clips of {SECONDS} s, best of {ROUNDS}"
    )
    print(f"greatest difference to librosa {apart:.1e}")
    for name, seconds in best.items():
        print(f"{name:16} {seconds:6.2f} s   ratio {best['librosa'] / seconds:5.2f}")


if __name__ == "__main__":
    main()
