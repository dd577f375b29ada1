"""A study of two arms that is run by hand: no Ray, no training, records with the scores that a test wants."""

import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from raysernas.config.files import load
from raysernas.config.identity import digest, settings
from raysernas.config.schema import Config
from raysernas.fleet import journal
from raysernas.fleet.queue import Queue
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.ledger import TrialRecord
from tests.support import records

SPACE = (
    "study.space={retrain.lr: {low: 1e-4, high: 1e-2, log: true}, search.alphas_lr: {choices: [3e-3, 1e-2]}}"
)


def study(*overrides: str) -> Config:
    plan = [
        "retrain.lr=3e-3",
        "search.alphas_lr=3e-3",
        "study.arms=[darts,cnn]",
        "study.candidates=3",
        "study.folds=[0,1]",
        SPACE,
    ]
    return load(None, [*plan, *overrides])


@contextmanager
def opened(root: Path, config: Config) -> Iterator[Queue]:
    files = StudyFiles(root)
    with journal.opened(files.journal) as held:
        yield Queue(config, files, held)


def finish(root: Path, queue: Queue, key: TrialKey, right: int = 5, test: int = 5, **facts: Any) -> None:
    trial = queue.trial(key)
    base = records.record(
        key.arm, key.candidate, key.fold, key.seed, valid=(right, 5, 5), test=(test, 5, 5), **facts
    )
    done = dataclasses.replace(base, digest=digest(trial), settings=settings(trial))
    ledger.write(StudyFiles(root).trial(key), [done])
    queue.ended(key, "finished")


def fail(root: Path, queue: Queue, key: TrialKey) -> None:
    trial = queue.trial(key)
    broken = TrialRecord(
        study="s",
        key=key,
        digest=digest(trial),
        settings=settings(trial),
        status="failed",
        reason="it diverged",
    )
    ledger.write(StudyFiles(root).trial(key), [broken])
    queue.ended(key, "failed")


def drain(
    root: Path, config: Config, *, most: int = 1000, right: Callable[[TrialKey], int] = lambda _: 5
) -> list[TrialKey]:
    """Run a study one trial at a time, at most so many; what has run."""
    ran: list[TrialKey] = []
    with opened(root, config) as queue:
        while len(ran) < most and (key := queue.next()) is not None:
            finish(root, queue, key, right(key))
            ran.append(key)
    return ran


def scored(key: TrialKey) -> int:
    """A score of its own for each trial."""
    return random.Random(key.name).randrange(11)


def proposed(root: Path, line: str = "darts") -> list[dict[str, object]]:
    """The settings of the candidates of a line, from their objects."""
    paths = sorted(
        path for path in StudyFiles(root).candidates.iterdir() if path.name.rpartition("-c")[0] == line
    )
    return [json.loads(path.read_text())["settings"] for path in paths]


def params(root: Path, arm: str = "darts") -> list[dict[str, object]]:
    with journal.opened(StudyFiles(root).journal) as held:
        return [
            trial.params
            for trial in optuna.load_study(study_name=f"study/{arm}", storage=held.storage).trials
        ]


def states(root: Path, arm: str = "darts") -> list[tuple[str, float | None]]:
    with journal.opened(StudyFiles(root).journal) as held:
        trials = optuna.load_study(study_name=f"study/{arm}", storage=held.storage).trials
    return [(trial.state.name, trial.value) for trial in trials]
