"""The queue of trials: what runs next, rebuilt from candidates and ledger at every launch.

In: the resolved configuration, the study's folder, and how trials ended. Out: the next trial, until every
(arm, candidate, fold, seed) has a record. Without generations, a candidate is proposed only when nothing else
waits, so that the sampler sees as many results as it can. The queue chooses by `ledger.validation` alone: a
test score cannot reach it. Knows no Ray.
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from raysernas.config.fault import Fault
from raysernas.config.identity import digest, identity, reads, settings, trial_config
from raysernas.config.schema import Config, TrialConfig
from raysernas.fleet import candidates
from raysernas.fleet.candidate_results import CandidateResults, LedgerRow
from raysernas.fleet.candidates import Candidates
from raysernas.fleet.journal import Journal
from raysernas.fleet.proposals import Outcome
from raysernas.record import ledger
from raysernas.record.files import CandidateGroup, StudyFiles, TrialKey
from raysernas.tensorboard import finalize

# failures that are no fault of the trial's settings
RETRIED: tuple[ledger.Failure, ...] = ("lost", "out_of_memory", "no_progress")
Rank = tuple[int, ...]
CandidateId = tuple[CandidateGroup, int]


class Queue:
    """The trials of one study."""

    def __init__(
        self,
        config: Config,
        files: StudyFiles,
        journal: Journal,
        check_held: Callable[[], object] = lambda: None,
    ):
        """Read what earlier launches have left, and queue the rest.

        Args:
            check_held: raises a Fault when the study is no longer held; called before anything is written.

        Raises:
            Fault: when the folder holds a record of one of these trials under other settings, or lacks a
                candidate.
        """
        self._config, self._study, self._files, self._check_held = config, config.study, files, check_held
        self._results = CandidateResults(config)
        nested = self._study.protocol == "nested"
        pairs = itertools.product(self._study.folds if nested else (None,), self._study.arms)
        self._groups = [CandidateGroup(arm=arm, fold=fold) for fold, arm in pairs]
        found = candidates.load(files)
        self._candidates = {
            group: Candidates(config, group, files, journal, found.get(group.name, {}))
            for group in self._groups
        }
        self._owner: dict[tuple[CandidateGroup, str], int] = {}  # identity -> the first candidate that has it
        self._owners: dict[CandidateGroup, list[int]] = {group: [] for group in self._groups}
        self._same: dict[CandidateId, list[int]] = {}  # owner -> all candidates with its identity
        self._heap: list[tuple[Rank, TrialKey]] = []
        self._waiting: set[TrialKey] = set()
        self._running: set[TrialKey] = set()
        self._present: Counter[str] = Counter()  # waiting and running trials of each arm
        self._reasons: dict[TrialKey, list[str]] = {}  # why trials failed that are retried
        self._done, self._front, self._loose = 0, 0, 0  # front: rank of what goes first
        self._resume()
        for group in self._groups:
            for number in range(self._known(group)):
                self._adopt(group, number)
            self._candidates[group].show(lambda number, group=group: self.outcome(group, number))
        self._fill()

    def next(self) -> TrialKey | None:
        """The trial to run now; None when there is nothing to start before another trial ends."""
        self._fill()
        while self._heap:
            _, key = heapq.heappop(self._heap)
            if key in self._waiting:  # else it was raced out
                self._waiting.remove(key)
                self._running.add(key)
                return key
        return None

    def running(self) -> set[TrialKey]:
        """Trials that have started and not ended."""
        return set(self._running)

    def raced_out(self) -> set[TrialKey]:
        """Running trials whose candidate was raced out: they should stop now."""
        return {key for key in self._running if self._results.given_up(self._group(key), key.candidate)}

    def over(self) -> bool:
        """Whether nothing runs, nothing waits and nothing will."""
        return (
            not self._running
            and not self._waiting
            and all(self._unproposed(group) == 0 for group in self._groups)
        )

    def trial(self, key: TrialKey) -> TrialConfig:
        """The configuration that a trial runs under."""
        return trial_config(
            self._chosen(self._group(key), key.candidate), arm=key.arm, fold=key.fold, seed=key.seed
        )

    def ended(self, key: TrialKey, status: str) -> None:
        """A trial has written its record: `finished`, `failed` or `raced`."""
        group, rows = self._group(key), ledger.validation_of(self._files.trial(key))
        self._end(key, rows.to_dict("records") if rows is not None else [])
        self._check_held()
        self._compact()
        if (why := self._results.race(group, key.candidate)) is not None:
            self._candidates[group].give_up(key.candidate, why)
            self._results.give_up(group, key.candidate, why)
            for each in self._keys(group, key.candidate):
                if each in self._waiting:
                    self._race_out(each)
        self._update_journal(group, key.candidate)

    def died(
        self, key: TrialKey, reason: str, kind: ledger.Failure
    ) -> Literal["retried", "failed", "finished"]:
        """A trial's process is gone: queue the trial again, or write its failed record, unless it had just
        finished.

        Args:
            kind: of the failure, for the record. Only those in RETRIED are retried.

        Returns:
            "finished" also for a trial of a candidate that was raced out.
        """
        group, trial = self._group(key), self.trial(key)
        rows = ledger.validation_of(self._files.trial(key))
        first = None if rows is None else rows.iloc[0]
        if first is not None and first["status"] == "finished" and first["digest"] == digest(trial):
            self.ended(key, "finished")
            return "finished"
        if self._results.given_up(group, key.candidate):
            self._race_out(key)
            return "finished"
        self._check_held()
        reasons = [*self._reasons.get(key, []), reason]
        if kind in RETRIED and len(reasons) <= self._study.resources.max_failures:
            self._reasons[key] = reasons
            self._wait(key, first=True)
            return "retried"
        record = ledger.failure(trial, self._study.name, key, "; then ".join(reasons), kind)
        finalize.finalize(self._files.trial(key), trial, self._study, [record])
        self.ended(key, "failed")
        return "failed"

    def interrupted(self, key: TrialKey) -> None:
        """A trial has stopped because it was asked to: queue it again, unless its candidate was raced out."""
        if self._results.given_up(self._group(key), key.candidate):
            self._race_out(key)
        else:
            self._wait(key, first=True)

    def left(self) -> dict[str, int]:
        """Trials of each arm that have not ended. Candidates not proposed yet count with all their trials."""
        new = Counter[str]()
        for group in self._groups:
            new[group.arm] += self._new(group) * len(self._results.folds(group)) * len(self._study.seeds)
        return {arm: self._present[arm] + new[arm] for arm in self._study.arms}

    def done(self) -> int:
        """How many trials of the present plan have ended."""
        return self._done

    def outcome(self, group: CandidateGroup, number: int) -> Outcome:
        """The outcome of a candidate so far."""
        return self._results.outcome(group, self._owners[group][number])

    def _wait(self, key: TrialKey, *, first: bool = False) -> None:
        self._present[key.arm] += key not in self._running
        self._running.discard(key)
        self._waiting.add(key)
        self._front -= first
        heapq.heappush(self._heap, ((self._front if first else 0, *self._rank(key)), key))

    def _end(self, key: TrialKey, rows: Sequence[LedgerRow]) -> None:
        self._present[key.arm] -= key in self._running or key in self._waiting
        self._running.discard(key)
        self._waiting.discard(key)
        self._reasons.pop(key, None)
        self._done += self._results.status(self._group(key), key) is None
        self._results.add(self._group(key), key, rows)

    def _race_out(self, key: TrialKey) -> None:
        """Write the record of a trial whose candidate was given up."""
        self._check_held()
        why = self._results.given_up(self._group(key), key.candidate)
        trial = self.trial(key)
        record = ledger.raced(trial, self._study.name, key, why.reason if why else "")
        finalize.finalize(self._files.trial(key), trial, self._study, [record])
        self._end(key, [record.row()])

    def _compact(self) -> None:
        """Merge records from time to time, so that the next launch reads few files."""
        self._loose += 1
        if self._loose > ledger.LOOSE:
            ledger.compact_many(self._files)
            self._loose = 0

    def _group(self, key: TrialKey) -> CandidateGroup:
        return CandidateGroup(arm=key.arm, fold=key.fold if self._study.protocol == "nested" else None)

    def _keys(self, group: CandidateGroup, number: int) -> list[TrialKey]:
        pairs = itertools.product(self._study.seeds, self._results.folds(group))
        return [TrialKey(arm=group.arm, candidate=number, fold=f, seed=s) for s, f in pairs]

    def _rank(self, key: TrialKey) -> Rank:
        study, folds = self._study, list(self._study.folds)
        # in another order for each candidate: else the same few folds would judge them all
        if study.racing.enabled:
            random.Random(f"{study.seed}/{key.arm}/{key.candidate}").shuffle(folds)
        # arms change fastest, so that each arm shows a result early
        return key.candidate, study.seeds.index(key.seed), folds.index(key.fold), study.arms.index(key.arm)

    def _known(self, group: CandidateGroup) -> int:
        return min(len(self._candidates[group]), self._study.candidates)

    def _unproposed(self, group: CandidateGroup) -> int:
        return self._study.candidates - self._known(group)

    def _new(self, group: CandidateGroup) -> int:
        """How many unproposed candidates can differ; only one if the arm reads no key of the space."""
        varies = any(reads(group.arm, key) for key in self._study.space)
        return self._unproposed(group) if varies else int(not self._known(group))

    def _chosen(self, group: CandidateGroup, number: int) -> Config:
        return self._candidates[group].config(number)

    def _adopt(self, group: CandidateGroup, number: int) -> None:
        """Queue a candidate's trials, unless an earlier candidate with the same settings has them."""
        same = digest(trial_config(self._chosen(group, number), arm=group.arm, fold=0, seed=0))
        owner = self._owner.setdefault((group, same), number)
        self._owners[group].append(owner)
        self._same.setdefault((group, owner), []).append(number)
        if owner == number:
            given_up = self._results.given_up(group, number)
            for key in self._keys(group, number):
                if self._results.status(group, key) is None:
                    self._wait(key)
                    if given_up:
                        self._race_out(key)

    def _fill(self) -> None:
        """Propose what may be proposed now."""
        open_groups = [group for group in self._groups if self._unproposed(group)]
        if self._study.generation:
            for group in open_groups:
                while self._unproposed(group) and self._candidates[group].ready(
                    lambda number, group=group: self.outcome(group, number)
                ):
                    self._propose(group)
            return
        while not self._waiting and open_groups:
            self._propose(min(open_groups, key=self._known))
            open_groups = [group for group in open_groups if self._unproposed(group)]

    def _propose(self, group: CandidateGroup) -> None:
        self._check_held()
        number = self._candidates[group].propose(lambda number: self.outcome(group, number))
        self._adopt(group, number)
        self._candidates[group].tell(number, self.outcome(group, number))

    def _update_journal(self, group: CandidateGroup, owner: int) -> None:
        found = self._results.outcome(group, owner)
        for number in self._same[group, owner]:
            self._candidates[group].tell(number, found)

    def _resume(self) -> None:
        """Read from earlier launches: candidates that were given up, and ended trials of the present plan."""
        for group in self._groups:
            for number in range(self._known(group)):
                if why := self._candidates[group].given_up(number):
                    self._results.give_up(group, number, why)
        rows: dict[TrialKey, list[LedgerRow]] = {}
        for row in ledger.validation(self._files).to_dict("records"):
            key = TrialKey(
                arm=row["arm"], candidate=int(row["candidate"]), fold=int(row["fold"]), seed=int(row["seed"])
            )
            if self._planned(key):
                rows.setdefault(key, []).append(row)
        bare: dict[CandidateId, dict[str, object]] = {}  # settings of a candidate but fold and seed
        for key, found in rows.items():
            self._check(key, found[0], bare)
            if found[0]["status"] != "failed" or not self._study.retry_failed:
                self._end(key, found)

    def _planned(self, key: TrialKey) -> bool:
        study = self._study
        planned = key.arm in study.arms and key.fold in study.folds and key.seed in study.seeds
        return planned and key.candidate < study.candidates

    def _check(self, key: TrialKey, row: LedgerRow, bare: dict[CandidateId, dict[str, object]]) -> None:
        group = self._group(key)
        if (group, key.candidate) not in bare and key.candidate < len(self._candidates[group]):
            bare[group, key.candidate] = settings(self.trial(key))
        chosen = bare.get((group, key.candidate))
        expected = "no such candidate in the study's folder"
        if chosen:
            expected = identity({**chosen, "fold": key.fold, "seed": key.seed})
        if row["digest"] != expected:
            raise Fault(
                "study",
                f"the record of {key.name} belongs to other settings",
                got=row["digest"],
                expected=expected,
                fix="set another study.name, or put back the candidates that belong to these records",
            )
