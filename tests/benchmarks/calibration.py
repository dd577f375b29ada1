"""How often two equally good recognisers are called unlike, when folds share their training speakers.

    python -m tests.benchmarks.calibration [REPETITIONS]

`learnt`: each repetition draws a corpus anew (speakers, each with an offset of her own; utterances of three
emotions, two blocks of features with the same means of each emotion, but noise and offsets of their own) and
tries two nearest-mean classifiers, one a block, on folds of held-out speakers. Neither is better in truth, so
that every p < 0.05 is a false alarm. `assumed`: differences that are correlated as Nadeau and Bengio assume,
n_test / (n_test + n_train) for any two folds. Compared: the paired t-test, the corrected test with the sizes
of the folds, and seeds taken for folds: the same scores five times over. Measured with 4,000 repetitions
(standard error 0.0035):

    way      folds  speakers   t-test  corrected  seeds as folds
    learnt       5        10    0.059      0.015           0.454
    learnt      10        10    0.063      0.015           0.421
    learnt      10        20    0.054      0.010           0.420
    assumed      5        10    0.140      0.050           0.606
    assumed     10        10    0.151      0.048           0.574

So the corrected test keeps its level where folds are as correlated as is assumed, and is too careful with
these classifiers, whose folds hardly are; the plain test is too bold in both. Nothing is as wrong as taking
seeds for folds.
"""

import sys

import numpy as np
import numpy.typing as npt

from analysis.statistics import p_value
from raysernas.record.resampling import paired

EMOTIONS, TAKES, FEATURES, SEEDS = 3, 6, 4, 5
LEVEL = 0.05
DESIGNS = ((5, 10), (10, 10), (10, 20))  # folds and speakers
Floats = npt.NDArray[np.float64]


def corpus(rng: np.random.Generator, speakers: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """[speaker, utterance, block, feature] and the emotion of each utterance of a speaker."""
    truth = np.repeat(np.arange(EMOTIONS), TAKES)
    means = np.tile(rng.normal(0, 0.6, (EMOTIONS, FEATURES)), (2, 1, 1))
    offsets = rng.normal(0, 0.7, (speakers, 1, 2, FEATURES))
    noise = rng.normal(0, 1.0, (speakers, len(truth), 2, FEATURES))
    return means[:, truth].transpose(1, 0, 2)[None] + offsets + noise, truth


def differences(rng: np.random.Generator, folds: int, speakers: int) -> tuple[Floats, float]:
    """UA of the first classifier minus UA of the second on each fold, and n_test over n_train."""
    heard, truth = corpus(rng, speakers)
    parts = np.array_split(rng.permutation(speakers), folds)
    found = []
    for test in parts:
        train = np.setdiff1d(np.arange(speakers), test)
        means = np.stack([heard[train][:, truth == emotion].mean(axis=(0, 1)) for emotion in range(EMOTIONS)])
        far = ((heard[test][:, :, None] - means) ** 2).sum(axis=-1)  # speaker, utterance, emotion, block
        right = far.argmin(axis=2) == truth[None, :, None]
        found.append(right.mean(axis=(0, 1)))  # as many utterances of each emotion: UA = WA
    scores = np.array(found)
    ratio = float(np.mean([len(test) / (speakers - len(test)) for test in parts]))
    return scores[:, 0] - scores[:, 1], ratio


def assumed(rng: np.random.Generator, folds: int, speakers: int) -> tuple[Floats, float]:
    """Normal differences with the correlation of equal folds that Nadeau and Bengio assume, and n_test over
    n_train.
    """
    share = 1 / folds
    return np.sqrt(share) * rng.standard_normal() + np.sqrt(1 - share) * rng.standard_normal(folds), 1 / (
        folds - 1
    )


WAYS = {"learnt": differences, "assumed": assumed}


def alarms(way: str, repetitions: int, folds: int, speakers: int, seed: int = 0) -> dict[str, float]:
    """Share of repetitions with p < LEVEL, by test; no spread is no alarm."""
    rng, counts = np.random.default_rng(seed), dict.fromkeys(("t-test", "corrected", "seeds as folds"), 0)
    for _ in range(repetitions):
        values, ratio = WAYS[way](rng, folds, speakers)
        tests = (paired(values, 0.0), paired(values, ratio), paired(np.tile(values, SEEDS), 0.0))
        for name, found in zip(counts, tests, strict=True):
            counts[name] += p_value(found) < LEVEL
    return {name: count / repetitions for name, count in counts.items()}


def main(repetitions: int) -> None:
    """Print a line for each way and design."""
    print("    way      folds  speakers   t-test  corrected  seeds as folds")
    for way in WAYS:
        for folds, speakers in DESIGNS if way == "learnt" else DESIGNS[:2]:  # assumed, speakers do not matter
            found = alarms(way, repetitions, folds, speakers)
            told = "  ".join(
                f"{found[name]:{width}.3f}" for name, width in zip(found, (7, 9, 14), strict=True)
            )
            print(f"    {way:7}  {folds:5}  {speakers:8}  {told}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
