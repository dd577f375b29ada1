"""Candidates: what Optuna proposes for one arm, and the journal that remembers it.

Comes in: the study's configuration and how the earlier candidates fared. Goes out: the settings of candidate n. Candidate 0
is the configuration as written; the randomness of candidate n comes from (study.seed, n) alone. The journal is the truth
about what was proposed; how it fared is read from the ledger, because a study may be given more folds and seeds later and a
told Optuna trial cannot be told again. So every proposal is made by a new in-memory Optuna study filled from both.
Knows no Ray. Source: Optuna's ask-and-tell interface and JournalStorage.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from raysernas.config import Config, Fault, Value, flatten, reads
from raysernas.config_arms import Arm
from raysernas.config_file import assign
from raysernas.record.storage import write

Outcome = float | Literal["running", "failed"]  # mean validation UA over all folds and seeds of the study, if it has one


def axes(config: Config, arm: Arm) -> dict[str, BaseDistribution]:
    """The keys of `study.space` that the arm reads, as Optuna distributions."""
    defaults = flatten(config)
    return {key: _axis(axis, defaults[key]) for key, axis in sorted(config.study.space.items()) if reads(arm, key)}


def _axis(axis: dict[str, Any], default: Value) -> BaseDistribution:
    if "choices" in axis:
        return CategoricalDistribution(axis["choices"])
    kind = IntDistribution if isinstance(default, int) else FloatDistribution
    return kind(axis["low"], axis["high"], log=bool(axis.get("log", False)))


@dataclass(frozen=True, slots=True)
class Journal:
    """An opened journal."""

    path: Path
    storage: BaseStorage


class Candidates:
    """The candidates of one arm; candidate n is trial n of the Optuna study `STUDY/ARM`."""

    def __init__(self, config: Config, arm: Arm, journal: Journal):
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it announces every study and trial
        self._config, self._arm, self._axes, self._path = config, arm, axes(config, arm), journal.path
        name = f"{config.study.name}/{arm}"
        with _writing(self._path):
            self._study = optuna.create_study(storage=journal.storage, study_name=name, direction="maximize", load_if_exists=True)
        self._params: list[dict[str, Any]] = [trial.params for trial in self._study.trials]
        self._configs: list[Config] = []
        if not self._params:
            defaults = flatten(config)
            self._keep({key: defaults[key] for key in self._axes})
        if any(params.keys() != self._axes.keys() for params in self._params):
            raise Fault(
                "study", f"its journal holds other keys for {arm}", got=sorted(self._params[-1]), expected=sorted(self._axes),
                do="set another study.name, or put back the journal that belongs to this study",
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._params)

    def config(self, number: int) -> Config:
        """The study's configuration with the settings of one candidate."""
        while len(self._configs) <= number:
            self._configs.append(assign(self._config, self._params[len(self._configs)]))
        return self._configs[number]

    def propose(self, outcomes: Sequence[Outcome]) -> int:
        """Add a candidate to the journal, given how every earlier one fared; its number."""
        number = len(self._params)
        truth = optuna.create_study(direction="maximize", sampler=_sampler(self._config, number))
        truth.add_trials([self._frozen(params, outcome) for params, outcome in zip(self._params, outcomes, strict=True)])
        self._keep(truth.ask(self._axes).params)
        return number

    def tell(self, number: int, outcome: Outcome) -> None:
        """Note in the journal how a candidate fared, once; for whoever opens the journal with Optuna's own tools."""
        if outcome == "running":
            return
        value, state = (None, TrialState.FAIL) if outcome == "failed" else (outcome, TrialState.COMPLETE)
        with _writing(self._path):
            self._study.tell(number, value, state=state, skip_if_finished=True)

    def _keep(self, params: dict[str, Any]) -> None:
        plain = {key: value.item() if hasattr(value, "item") else value for key, value in params.items()}
        with _writing(self._path):
            self._study.add_trial(self._frozen(plain, "running"))
        self._params.append(plain)

    def _frozen(self, params: dict[str, Any], outcome: Outcome) -> FrozenTrial:
        state = {"running": TrialState.RUNNING, "failed": TrialState.FAIL}.get(str(outcome), TrialState.COMPLETE)
        value = outcome if isinstance(outcome, float) else None
        return create_trial(state=state, value=value, params=params, distributions=self._axes)


def _sampler(config: Config, number: int) -> optuna.samplers.BaseSampler:
    text = f"{config.study.seed}/{number}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    if config.study.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """The journal of a study, held by this process alone, with a torn end cut off.

    Raises:
        Fault: when another process runs the study, or the journal cannot be written.
    """
    with ExitStack() as stack:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _hold(stack.enter_context(path.open("ab")).fileno(), path)
            mend(path)
            storage = JournalStorage(JournalFileBackend(str(path)))
        yield Journal(path, storage)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Fault(
            "storage", f"cannot write {path}", got=error.strerror or str(error), expected="a writable folder with free space",
            do="make room there or set study.storage to another folder, then run the same command again",
        ) from error  # fmt: skip


def _hold(descriptor: int, path: Path) -> None:
    """Two launches of one study would run trials twice; the lock ends with the process, however that ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Fault(
            "study", f"{path.parent} is being run by another process", got="a held journal", expected="one launch at a time",
            do="wait for the other launch, or stop it",
        ) from error  # fmt: skip
    except OSError:
        return  # a file system without locks: Optuna's own lock file stays in force
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)  # left by a killed launch; Optuna would wait 30 s for it


def mend(path: Path) -> None:
    """Cut off a last line that a killed process left half written; the journal as it was is kept beside it."""
    whole = path.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    last = kept.splitlines()[-1] if kept else b"{}"
    try:
        json.loads(last)
    except ValueError:
        kept = kept[: -len(last) - 1]
    if kept != whole:
        write(path.with_name(f"{path.name}.torn"), lambda part: part.write_bytes(whole))
        with path.open("r+b") as file:  # in place, because the lock belongs to this file
            file.truncate(len(kept))
