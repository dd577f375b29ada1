"""The small ledger that is stored in tests/golden/ledger, and how it was made: by hand, decision by decision.

    python -m tests.support.golden_ledger

writes it anew. It is stored so that the analysis of today is shown to read a ledger of that day;
`decisions.csv` beside it has every decision that its confusions count, from which the tests compute each
score in another way.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from raysernas.config.files import assign, show
from raysernas.config.identity import digest, settings, trial_config
from raysernas.config.schema import Config
from raysernas.record import ledger, storage
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.ledger import TrialRecord
from raysernas.record.metrics import evaluate

ROOT = Path(__file__).parents[1] / "golden" / "ledger"
EMOTIONS = ("Ärger", "Freude", "Trauer")
ARMS: tuple[str, ...] = ("darts", "cnn")
PLAN = {
    "study.name": "golden",
    "study.arms": list(ARMS),
    "study.folds": [0, 1, 2],
    "study.seeds": [0, 1],
    "study.candidates": 2,
    "study.space": {"retrain.lr": {"low": 1e-3, "high": 1e-2, "log": True}},
    "retrain.seeds": [0, 1],
    "compute.device": "cpu",
    "corpus.emotions": list(EMOTIONS),
}
RATES = (2e-3, 5e-3)  # retrain.lr of the candidates
# ..., seed, retrain seed
KEYS: list[tuple[str, int, int, int, int]] = list(product(ARMS, (0, 1), (0, 1, 2), (0, 1), (0, 1)))
TRUTH = {"test": [0, 0, 0, 0, 1, 1, 1, 2, 2], "valid": [0, 0, 1, 1, 1, 2]}
# fold -> its first test utterances are not there: folds need not be of one size, nor have all emotions
LEFT_OUT = {2: 4}
LOST = TrialKey(arm="cnn", candidate=1, fold=1, seed=1)
NAMES = ["arm", "candidate", "fold", "seed", "retrain_seed", "part", "truth", "predicted"]


def decisions() -> pd.DataFrame:
    """Every decision: NAMES, emotions as numbers."""
    rng, rows = np.random.default_rng(2), []
    for arm, candidate, fold, seed, again in KEYS:
        for part, truths in TRUTH.items():
            for truth in truths[LEFT_OUT.get(fold, 0) if part == "test" else 0 :]:
                predicted = truth if rng.random() < 0.6 else int(rng.integers(3))
                rows.append((arm, candidate, fold, seed, again, part, truth, predicted))
    return pd.DataFrame(rows, columns=NAMES)


def records(told: pd.DataFrame) -> list[TrialRecord]:
    """The ledger of these decisions, in which one trial failed."""
    config, found = assign(Config(), PLAN), []
    of_run = dict(list(told.groupby(NAMES[:5])))
    for arm, candidate, fold, seed, again in KEYS:
        key = TrialKey(arm=arm, candidate=candidate, fold=fold, seed=seed)
        trial = trial_config(config, arm=arm, fold=fold, seed=seed)
        if key == LOST:
            found += [ledger.failure(trial, "golden", key, "lost by hand", "lost")] if again == 0 else []
            continue
        own = of_run[arm, candidate, fold, seed, again]
        valid, test = (
            evaluate(rows["truth"], rows["predicted"], 3)
            for rows in (own[own["part"] == p] for p in ("valid", "test"))
        )
        found.append(
            TrialRecord(
                study="golden",
                key=key,
                digest=digest(trial),
                settings=settings(trial) | {"retrain.lr": RATES[candidate]},
                status="finished",
                retrain_seed=again,
                emotions=EMOTIONS,
                valid=valid,
                test=test,
                facts=_facts(key, again) | {"n_test": test.total},
            )
        )
    return found


def _facts(key: TrialKey, again: int) -> dict[str, Any]:
    searched = key.arm == "darts"
    return {
        "n_weights": 10,
        "n_alphas": 9,
        "n_valid": 6,
        "n_skipped": 0,
        "parameters": 1000 + key.candidate,
        "latency_ms": 2.0,
        "features_s": 1.0,
        "search_s": 10.0 * (key.seed + 1) if searched else 0.0,
        "checks_s": 0.0,
        "retrain_s": 2.0 + again,
        "test_s": 0.5,
        "search_mb": 1.0,
        "retrain_mb": 1.0,
        "search_entropy": 0.5 if searched else np.nan,
        "genotype": "",
        "test_speakers": json.dumps([f"talker {key.fold}"]),
        "commit": "by hand",
        "cpu": "none",
        "host": "none",
        "versions": json.dumps({"raysernas": "by hand"}),
    }


def make() -> None:
    """Write it to ROOT."""
    files, told = StudyFiles(ROOT), decisions()
    storage.write_text(files.config, show(assign(Config(), PLAN)))
    each = records(told)
    for key in sorted({record.key for record in each}):
        ledger.write(files.trial(key), [record for record in each if record.key == key])
    ledger.compact(files)
    told.to_csv(ROOT / "decisions.csv", index=False)


if __name__ == "__main__":
    make()
