"""Ledger rows made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from raysernas.config.files import show
from raysernas.config.identity import digest, settings, trial_config
from raysernas.config.schema import Config
from raysernas.record import ledger, storage
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.ledger import TrialRecord
from raysernas.record.metrics import Evaluation

EMOTIONS = ("anger", "fear", "joy")
FACTS = {
    "n_test": 30,
    "n_skipped": 0,
    "parameters": 1000,
    "search_s": 8.0,
    "retrain_s": 2.0,
    "search_entropy": 0.5,
    "genotype": "",
    "n_valid": 30,
    "n_weights": 60,
    "n_alphas": 60,
    "latency_ms": 2.0,
}


def confusion(right: Sequence[int], of: int = 10) -> Evaluation:
    """`of` utterances of each emotion, so many of them told right, the others taken for the next emotion."""
    counts = np.diag(np.asarray(right, dtype=np.int64))
    for i, hits in enumerate(right):
        counts[i, (i + 1) % len(right)] += of - hits
    return Evaluation(counts)


def record(
    arm: str = "cnn",
    candidate: int = 0,
    fold: int = 0,
    seed: int = 0,
    retrain_seed: int = 0,
    *,
    valid: Sequence[int] = (5, 5, 5),
    test: Sequence[int] = (5, 5, 5),
    **facts: Any,
) -> TrialRecord:
    """A finished trial whose validation and test got so many of ten right in each emotion."""
    trial = trial_config(Config(), arm=arm, fold=fold, seed=seed)
    return TrialRecord(
        study="small",
        key=TrialKey(arm=arm, candidate=candidate, fold=fold, seed=seed),
        digest=digest(trial),
        settings=settings(trial),
        status="finished",
        retrain_seed=retrain_seed,
        emotions=EMOTIONS,
        valid=confusion(valid),
        test=confusion(test),
        facts=FACTS | facts,
    )


def failure(
    arm: str = "cnn", candidate: int = 0, fold: int = 0, seed: int = 0, *, reason: str = "it diverged"
) -> TrialRecord:
    """A failed trial."""
    trial = trial_config(Config(), arm=arm, fold=fold, seed=seed)
    return TrialRecord(
        study="small",
        key=TrialKey(arm=arm, candidate=candidate, fold=fold, seed=seed),
        digest=digest(trial),
        settings=settings(trial),
        status="failed",
        reason=reason,
    )


def raced(arm: str = "cnn", candidate: int = 0, fold: int = 0, seed: int = 0) -> TrialRecord:
    """A trial whose candidate was given up before it had ended."""
    trial = trial_config(Config(), arm=arm, fold=fold, seed=seed)
    return ledger.raced(
        trial, "small", TrialKey(arm=arm, candidate=candidate, fold=fold, seed=seed), "raced out"
    )


def rows(*records: TrialRecord) -> pd.DataFrame:
    """The table that the ledger would give."""
    return pd.DataFrame([each.row() for each in records])


def study(root: Path, config: Config, *records: TrialRecord) -> StudyFiles:
    """A study folder that holds these records."""
    files = StudyFiles(root)
    storage.write_text(files.config, show(config))
    for key in sorted({each.key for each in records}):
        ledger.write(files.trial(key), [each for each in records if each.key == key])
    return files
