"""The journal: candidates and outcomes as Optuna studies, for Optuna's own tools.

In: the candidates of each group and their outcomes. Out: a file of Optuna's JournalStorage on the local disk.
The journal is only a view: it is read to see whether it still agrees with the candidates, and written anew
where it does not. Whoever opens it holds the study (`lock.held`). Source: Optuna's JournalStorage.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from raysernas.config.fault import Fault
from raysernas.fleet.proposals import Direction, Outcome, Proposal, optuna_state, optuna_trial
from raysernas.record.storage import write


@dataclass(frozen=True, slots=True)
class Journal:
    """An opened journal."""

    path: Path
    storage: BaseStorage


class View:
    """One group of candidates as an Optuna study; candidate n is its trial n."""

    def __init__(
        self, journal: Journal, name: str, directions: Sequence[Direction], axes: dict[str, BaseDistribution]
    ):
        """Writes nothing before `show`."""
        self._journal, self._name, self._directions, self._axes = journal, name, directions, axes
        self._study: optuna.Study | None = None

    def show(self, known: Sequence[Proposal], outcomes: Sequence[Outcome | None]) -> None:
        """Bring the study up to date: add what is missing; if it disagrees, write it anew.

        Args:
            outcomes: of each candidate; None for one that is not in the present plan.
        """
        with _writing(self._journal.path):
            study = self._created()
            trials = study.get_trials(deepcopy=False)
            agrees = study.directions == self._wanted() and len(trials) <= len(known)
            if not agrees or not all(map(_agrees, trials, known, outcomes)):
                optuna.delete_study(study_name=self._name, storage=self._journal.storage)
                study, trials = self._created(), []
            self._study = study
            for number, (proposal, outcome) in enumerate(zip(known, outcomes, strict=True)):
                if number >= len(trials):
                    study.add_trial(optuna_trial(proposal, self._axes, outcome or Outcome("running")))
                elif outcome is not None and not trials[number].state.is_finished():
                    # a killed launch left it running
                    self.tell(number, outcome)

    def add(self, proposal: Proposal) -> None:
        """A new candidate."""
        if self._study is not None:
            with _writing(self._journal.path):
                self._study.add_trial(optuna_trial(proposal, self._axes, Outcome("running")))

    def tell(self, number: int, outcome: Outcome) -> None:
        """Write the outcome of a candidate, once it has ended and only once."""
        if outcome.state == "running" or self._study is None:
            return
        state, values = optuna_state(outcome)
        storage = self._journal.storage
        with _writing(self._journal.path):
            study_id = storage.get_study_id_from_name(self._name)
            trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
            if storage.get_trial(trial_id).state.is_finished():
                return
            if outcome.raced:
                storage.set_trial_user_attr(trial_id, "raced", True)
            self._study.tell(number, values, state=state)

    def _created(self) -> optuna.Study:
        storage, name = self._journal.storage, self._name
        return optuna.create_study(
            storage=storage, study_name=name, directions=self._directions, load_if_exists=True
        )

    def _wanted(self) -> list[Any]:
        return [optuna.study.StudyDirection[name.upper()] for name in self._directions]


def _agrees(trial: FrozenTrial, proposal: Proposal, outcome: Outcome | None) -> bool:
    """Whether a trial is this candidate, with no other outcome."""
    if trial.params != proposal.settings:
        return False
    if outcome is None or not trial.state.is_finished():
        return True
    state, values = optuna_state(outcome)
    before, now = trial.values or (), values or ()
    same = len(before) == len(now) and all(map(math.isclose, before, now))
    return trial.state == state and same


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """The journal of a study that the caller holds. A torn end is cut off.

    Raises:
        Fault: when it cannot be written.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        # a killed launch leaves Optuna's own lock, for which Optuna would wait 30 s
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        cut_torn_end(path)
        storage = _storage(path)
    yield Journal(path, storage)


def _storage(path: Path) -> BaseStorage:
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError:
        raise
    except Exception:  # lines that are JSON but no journal; the candidates are the truth, so begin anew
        _keep(path, b"")
        return JournalStorage(JournalFileBackend(str(path)))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Fault(
            "storage",
            f"cannot write {path}",
            got=error.strerror or str(error),
            expected="a writable folder with free space",
            fix="make room there or set study.storage to another folder, then run the same command again",
        ) from error


def cut_torn_end(path: Path) -> None:
    """Cut off a last line that a killed process left half written. A copy of the journal stays beside it."""
    whole = path.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    last = kept.splitlines()[-1] if kept else b"{}"
    try:
        json.loads(last)
    except ValueError:
        kept = kept[: -len(last) - 1]
    if kept != whole:
        _keep(path, kept)


def _keep(path: Path, good: bytes) -> None:
    """Cut a journal down to its good beginning, and leave a copy of all of it beside it."""
    whole = path.read_bytes()
    write(path.with_name(f"{path.name}.torn"), lambda part: part.write_bytes(whole))
    with path.open("r+b") as file:
        file.truncate(len(good))
