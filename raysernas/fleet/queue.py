"""The queue of trials: what runs next, rebuilt from the journal and the ledger at every launch.

Comes in: the resolved configuration, the journal, and how trials ended. Goes out: the next trial, until every
(arm, candidate, fold, seed) has a record. A candidate is proposed only when nothing else waits, so that the sampler sees as
much as it can. Chooses by `ledger.validation()` alone: a test score cannot reach it. Knows no Ray.
"""

from collections import Counter, deque

from raysernas.config import Config, Fault, TrialConfig, digest, reads, trial_config
from raysernas.config_arms import Arm
from raysernas.fleet.candidates import Candidates, Outcome
from raysernas.record import ledger, summary
from raysernas.record.files import StudyFiles, TrialKey


class Queue:
    """The trials of one study."""

    def __init__(self, config: Config, files: StudyFiles, candidates: dict[Arm, Candidates]):
        """`candidates` of every arm of the study, from one journal.

        Raises:
            Fault: when the folder holds a record of one of these trials under other settings.
        """
        self._config, self._study, self._files, self._candidates = config, config.study, files, candidates
        self._status: dict[TrialKey, str] = {}  # of ended trials
        self._values: dict[tuple[Arm, int], float] = {}
        self._owner: dict[tuple[Arm, str], int] = {}  # identity -> the first candidate that has it
        self._owners: dict[tuple[Arm, int], int] = {}
        self._waiting: deque[TrialKey] = deque()
        self._running: set[TrialKey] = set()
        self._resume()
        self._read()
        known: list[tuple[Arm, int]] = [(arm, number) for arm in self._study.arms for number in range(self._known(arm))]
        for arm, number in sorted(known, key=lambda pair: (pair[1], self._study.arms.index(pair[0]))):
            self._adopt(arm, number)
        self._waiting = deque(sorted(self._waiting, key=self._rank))
        for arm, number in known:
            self._tell(arm, number)
        self._fill()

    def next(self) -> TrialKey | None:
        """The trial to run now; None when nothing is left to start."""
        self._fill()
        if not self._waiting:
            return None
        key = self._waiting.popleft()
        self._running.add(key)
        return key

    def trial(self, key: TrialKey) -> TrialConfig:
        """The configuration that a trial runs under."""
        candidate = self._candidates[key.arm].config(key.candidate)
        return trial_config(candidate, arm=key.arm, fold=key.fold, seed=key.seed)

    def ended(self, key: TrialKey, status: str) -> None:
        """A trial has written its record, `finished` or `failed`."""
        self._running.discard(key)
        self._status[key] = status
        if all(one in self._status for one in self._keys(key.arm, key.candidate)):
            self._read()
        for number in range(self._known(key.arm)):
            if self._owners[key.arm, number] == key.candidate:
                self._tell(key.arm, number)

    def died(self, key: TrialKey, reason: str) -> str:
        """A trial's process is gone: write its failed record, unless it had just finished; its status."""
        rows, trial = ledger.read(self._files.trial(key)), self.trial(key)
        if rows is not None and rows["digest"].iloc[0] == digest(trial) and rows["status"].iloc[0] == "finished":
            status = "finished"
        else:
            status = "failed"
            ledger.write(self._files.trial(key), [ledger.failure(trial, self._study.name, key, reason, "lost")])
        self.ended(key, status)
        return status

    def left(self) -> dict[str, int]:
        """Trials of each arm that have not ended, among them at most so many of candidates not proposed yet."""
        present = Counter(key.arm for key in (*self._waiting, *self._running))
        each = len(self._study.folds) * len(self._study.seeds)
        return {arm: present[arm] + self._new(arm) * each for arm in self._study.arms}

    def done(self) -> int:
        """Ended trials of the present plan."""
        return len(self._status)

    def _known(self, arm: Arm) -> int:
        return min(len(self._candidates[arm]), self._study.candidates)

    def _unproposed(self, arm: Arm) -> int:
        return self._study.candidates - self._known(arm)

    def _new(self, arm: Arm) -> int:
        """Unproposed candidates that can be unlike the others: none where the arm reads no key of the space."""
        return self._unproposed(arm) if any(reads(arm, key) for key in self._study.space) else int(not self._known(arm))

    def _keys(self, arm: Arm, number: int) -> list[TrialKey]:
        return [TrialKey(arm=arm, candidate=number, fold=f, seed=s) for s in self._study.seeds for f in self._study.folds]

    def _rank(self, key: TrialKey) -> tuple[int, int, int, int]:
        study = self._study  # the arms change fastest, so that each of them shows a result early
        return key.candidate, study.seeds.index(key.seed), study.folds.index(key.fold), study.arms.index(key.arm)

    def _adopt(self, arm: Arm, number: int) -> None:
        """Let a candidate's trials wait, unless an earlier candidate with the same settings has them."""
        same = digest(trial_config(self._candidates[arm].config(number), arm=arm, fold=0, seed=0))
        owner = self._owners[arm, number] = self._owner.setdefault((arm, same), number)
        if owner == number:
            self._waiting.extend(key for key in self._keys(arm, number) if key not in self._status)

    def _fill(self) -> None:
        while not self._waiting and any(self._unproposed(arm) for arm in self._study.arms):
            arm: Arm = min(self._study.arms, key=self._known)
            outcomes: list[Outcome] = [self._outcome(arm, number) for number in range(self._known(arm))]
            number = self._candidates[arm].propose(outcomes)
            self._adopt(arm, number)
            self._tell(arm, number)

    def _outcome(self, arm: Arm, number: int) -> Outcome:
        owner = self._owners[arm, number]
        found = [self._status.get(key) for key in self._keys(arm, owner)]
        if "failed" in found:
            return "failed"
        return "running" if None in found else self._values.get((arm, owner), "failed")

    def _tell(self, arm: Arm, number: int) -> None:
        self._candidates[arm].tell(number, self._outcome(arm, number))

    def _resume(self) -> None:
        """Which trials of the present plan have ended, from the ledger."""
        rows = ledger.validation(self._files).drop_duplicates(["arm", "candidate", "fold", "seed"])
        for row in rows.to_dict("records"):
            key = TrialKey(arm=row["arm"], candidate=int(row["candidate"]), fold=int(row["fold"]), seed=int(row["seed"]))
            if self._planned(key):
                self._check(key, row["digest"])
                if row["status"] == "finished" or not self._study.retry_failed:
                    self._status[key] = row["status"]

    def _read(self) -> None:
        """The mean validation UA of every complete candidate, from the ledger."""
        rows, study = ledger.validation(self._files), self._study
        tried = summary.candidates(rows, folds=study.folds, seeds=study.seeds, retrain_seeds=self._config.retrain.seeds)
        complete = tried.dropna(subset="valid_ua").to_dict("records")
        self._values = {(row["arm"], int(row["candidate"])): float(row["valid_ua"]) for row in complete}

    def _planned(self, key: TrialKey) -> bool:
        study = self._study
        planned = key.arm in study.arms and key.fold in study.folds and key.seed in study.seeds
        return planned and key.candidate < study.candidates

    def _check(self, key: TrialKey, found: str) -> None:
        known = key.candidate < len(self._candidates[key.arm])
        expected = digest(self.trial(key)) if known else "no such candidate in the journal"
        if found != expected:
            raise Fault(
                "study", f"the record of {key.name} belongs to other settings", got=found, expected=expected,
                do="set another study.name, or put back the optuna.journal that belongs to these records",
            )  # fmt: skip
