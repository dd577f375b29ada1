"""The queue of trials: what runs next, rebuilt from candidates and ledger at every launch.

Comes in: the resolved configuration, the study's folder, and how trials ended. Goes out: the next trial,
until every (arm, candidate, fold, seed) has a record. Without generations a candidate is proposed only when
nothing else waits, so that the sampler sees as much as it can. Chooses by `ledger.validation` alone: a test
score cannot reach it. Knows no Ray.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from raysernas.config.fault import Fault
from raysernas.config.identity import digest, identity, reads, settings, trial_config
from raysernas.config.schema import Config, TrialConfig
from raysernas.fleet import candidates
from raysernas.fleet.candidate_results import Row, Standing
from raysernas.fleet.candidates import Candidates
from raysernas.fleet.journal import Journal
from raysernas.fleet.proposals import Outcome
from raysernas.record import ledger
from raysernas.record.files import CandidateGroup, StudyFiles, TrialKey
from raysernas.tensorboard import finalize

RUN_AGAIN: tuple[ledger.Failure, ...] = (
    "lost",
    "out_of_memory",
    "no_progress",
)  # failures that are no fault of the trial's settings
Rank = tuple[int, ...]


class Queue:
    """The trials of one study."""

    def __init__(
        self, config: Config, files: StudyFiles, journal: Journal, check: Callable[[], object] = lambda: None
    ):
        """Read what earlier launches have left, and let the rest wait.

        Args:
            check: raises a Fault when the study is no longer held; asked before anything is written.

        Raises:
            Fault: when the folder holds a record of one of these trials under other settings, or lacks a
                candidate.
        """
        self._config, self._study, self._files, self._check_held = config, config.study, files, check
        self._standing = Standing(config)
        nested = self._study.protocol == "nested"
        self._lines = [
            CandidateGroup(arm=arm, fold=fold)
            for fold in (self._study.folds if nested else (None,))
            for arm in self._study.arms
        ]
        found = candidates.load(files)
        self._candidates = {
            line: Candidates(config, line, files, journal, found.get(line.name, {})) for line in self._lines
        }
        self._owner: dict[tuple[CandidateGroup, str], int] = {}  # identity -> the first candidate that has it
        self._owners: dict[CandidateGroup, list[int]] = {line: [] for line in self._lines}
        # the candidates that a first one stands for, itself among them
        self._same: dict[tuple[CandidateGroup, int], list[int]] = {}
        self._heap: list[tuple[Rank, TrialKey]] = []
        self._waiting: set[TrialKey] = set()
        self._running: set[TrialKey] = set()
        self._present: Counter[str] = Counter()  # trials of each arm that wait or run
        self._reasons: dict[TrialKey, list[str]] = {}  # of the deaths of trials that are run again
        self._done, self._front, self._loose = 0, 0, 0
        self._resume()
        for line in self._lines:
            for number in range(self._known(line)):
                self._adopt(line, number)
            self._candidates[line].show(lambda number, line=line: self.outcome(line, number))
        self._fill()

    def next(self) -> TrialKey | None:
        """The trial to run now; None when there is nothing to start before another trial ends."""
        self._fill()
        while self._heap:
            _, key = heapq.heappop(self._heap)
            if key in self._waiting:  # else it was dropped
                self._waiting.remove(key)
                self._running.add(key)
                return key
        return None

    def running(self) -> set[TrialKey]:
        """Trials that were given out and have not ended."""
        return set(self._running)

    def doomed(self) -> set[TrialKey]:
        """Those of them whose candidate was raced out: to be stopped now."""
        return {key for key in self._running if self._standing.given_up(self._line(key), key.candidate)}

    def over(self) -> bool:
        """Whether nothing runs, nothing waits and nothing will."""
        return (
            not self._running
            and not self._waiting
            and all(self._unproposed(line) == 0 for line in self._lines)
        )

    def trial(self, key: TrialKey) -> TrialConfig:
        """The configuration that a trial runs under."""
        return trial_config(
            self._chosen(self._line(key), key.candidate), arm=key.arm, fold=key.fold, seed=key.seed
        )

    def ended(self, key: TrialKey, status: str) -> None:
        """A trial has written its record: `finished`, `failed` or `raced`."""
        line, rows = self._line(key), ledger.validation_of(self._files.trial(key))
        self._end(key, rows.to_dict("records") if rows is not None else [])
        self._check_held()
        self._compact()
        if (why := self._standing.look(line, key.candidate)) is not None:
            self._candidates[line].give_up(key.candidate, why)
            self._standing.give_up(line, key.candidate, why)
            for each in self._keys(line, key.candidate):
                if each in self._waiting:
                    self._race_out(each)
        self._tell(line, key.candidate)

    def died(
        self, key: TrialKey, reason: str, kind: ledger.Failure
    ) -> Literal["again", "failed", "finished"]:
        """A trial's process is gone: let it wait again, or write its failed record, unless it had just
        finished.

        Args:
            kind: one of RUN_AGAIN, or what else went wrong; stands in the record.

        Returns:
            "finished" for a trial of a candidate that was raced out, too.
        """
        line, trial = self._line(key), self.trial(key)
        rows = ledger.validation_of(self._files.trial(key))
        if (
            rows is not None
            and rows["digest"].iloc[0] == digest(trial)
            and rows["status"].iloc[0] == "finished"
        ):
            self.ended(key, "finished")
            return "finished"
        if self._standing.given_up(line, key.candidate):
            self._race_out(key)
            return "finished"
        self._check_held()
        reasons = [*self._reasons.get(key, []), reason]
        if kind in RUN_AGAIN and len(reasons) <= self._study.resources.max_failures:
            self._reasons[key] = reasons
            self._wait(key, first=True)
            return "again"
        told = "; then ".join(reasons)
        finalize.finalize(
            self._files.trial(key),
            trial,
            self._study,
            [ledger.failure(trial, self._study.name, key, told, kind)],
        )
        self.ended(key, "failed")
        return "failed"

    def interrupted(self, key: TrialKey) -> None:
        """A trial has stopped because it was asked to: it waits again, unless its candidate was raced out."""
        if self._standing.given_up(self._line(key), key.candidate):
            self._race_out(key)
        else:
            self._wait(key, first=True)

    def left(self) -> dict[str, int]:
        """Trials of each arm that have not ended, among them at most so many of candidates not proposed
        yet.
        """
        new = Counter[str]()
        for line in self._lines:
            new[line.arm] += self._new(line) * len(self._standing.folds(line)) * len(self._study.seeds)
        return {arm: self._present[arm] + new[arm] for arm in self._study.arms}

    def done(self) -> int:
        """Ended trials of the present plan."""
        return self._done

    def outcome(self, line: CandidateGroup, number: int) -> Outcome:
        """How a candidate of a line has fared so far."""
        return self._standing.outcome(line, self._owners[line][number])

    # --- trials
    # -------------------------------------------------------------------------------------------------------

    def _wait(self, key: TrialKey, *, first: bool = False) -> None:
        self._present[key.arm] += key not in self._running
        self._running.discard(key)
        self._waiting.add(key)
        self._front -= first
        heapq.heappush(self._heap, ((self._front, *self._rank(key)) if first else (0, *self._rank(key)), key))

    def _end(self, key: TrialKey, rows: Sequence[Row]) -> None:
        self._present[key.arm] -= key in self._running or key in self._waiting
        self._running.discard(key)
        self._waiting.discard(key)
        self._reasons.pop(key, None)
        self._done += self._standing.status(self._line(key), key) is None
        self._standing.note(self._line(key), key, rows)

    def _race_out(self, key: TrialKey) -> None:
        """Write the record of a trial whose candidate was given up."""
        self._check_held()
        why = self._standing.given_up(self._line(key), key.candidate)
        trial = self.trial(key)
        record = ledger.raced(trial, self._study.name, key, why.reason if why else "")
        finalize.finalize(self._files.trial(key), trial, self._study, [record])
        self._end(key, [record.row()])

    def _compact(self) -> None:
        """Now and then put records together, so that the next launch reads few files, however large the study
        is.
        """
        self._loose += 1
        if self._loose > ledger.LOOSE:
            ledger.compact_many(self._files)
            self._loose = 0

    def _line(self, key: TrialKey) -> CandidateGroup:
        return CandidateGroup(arm=key.arm, fold=key.fold if self._study.protocol == "nested" else None)

    def _keys(self, line: CandidateGroup, number: int) -> list[TrialKey]:
        folds = self._standing.folds(line)
        return [
            TrialKey(arm=line.arm, candidate=number, fold=f, seed=s) for s in self._study.seeds for f in folds
        ]

    def _rank(self, key: TrialKey) -> Rank:
        study, folds = self._study, list(self._study.folds)
        if study.racing.on:  # else the same folds would judge all candidates, whatever these folds are like
            random.Random(f"{study.seed}/{key.arm}/{key.candidate}").shuffle(folds)
        # the arms change fastest, so that each of them shows a result early
        return key.candidate, study.seeds.index(key.seed), folds.index(key.fold), study.arms.index(key.arm)

    # --- candidates
    # ---------------------------------------------------------------------------------------------------

    def _known(self, line: CandidateGroup) -> int:
        return min(len(self._candidates[line]), self._study.candidates)

    def _unproposed(self, line: CandidateGroup) -> int:
        return self._study.candidates - self._known(line)

    def _new(self, line: CandidateGroup) -> int:
        """Unproposed candidates that can be unlike the others: none where the arm reads no key of the
        space.
        """
        return (
            self._unproposed(line)
            if any(reads(line.arm, key) for key in self._study.space)
            else int(not self._known(line))
        )

    def _chosen(self, line: CandidateGroup, number: int) -> Config:
        return self._candidates[line].config(number)

    def _adopt(self, line: CandidateGroup, number: int) -> None:
        """Let a candidate's trials wait, unless an earlier candidate with the same settings has them."""
        same = digest(trial_config(self._chosen(line, number), arm=line.arm, fold=0, seed=0))
        owner = self._owner.setdefault((line, same), number)
        self._owners[line].append(owner)
        self._same.setdefault((line, owner), []).append(number)
        if owner == number:
            given_up = self._standing.given_up(line, number)
            for key in self._keys(line, number):
                if self._standing.status(line, key) is None:
                    self._wait(key)
                    if given_up:
                        self._race_out(key)

    def _fill(self) -> None:
        """Propose what may be proposed now."""
        open_lines = [line for line in self._lines if self._unproposed(line)]
        if self._study.generation:
            for line in open_lines:
                while self._unproposed(line) and self._candidates[line].ready(
                    lambda number, line=line: self.outcome(line, number)
                ):
                    self._propose(line)
            return
        while not self._waiting and open_lines:
            self._propose(min(open_lines, key=self._known))
            open_lines = [line for line in open_lines if self._unproposed(line)]

    def _propose(self, line: CandidateGroup) -> None:
        self._check_held()
        number = self._candidates[line].propose(lambda number: self.outcome(line, number))
        self._adopt(line, number)
        self._candidates[line].tell(number, self.outcome(line, number))

    def _tell(self, line: CandidateGroup, owner: int) -> None:
        found = self._standing.outcome(line, owner)
        for number in self._same[line, owner]:
            self._candidates[line].tell(number, found)

    # --- earlier launches
    # ---------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        """What earlier launches know: candidates that were given up, and trials of the present plan that have
        ended.
        """
        for line in self._lines:
            for number in range(self._known(line)):
                if why := self._candidates[line].given_up(number):
                    self._standing.give_up(line, number, why)
        rows: dict[TrialKey, list[Row]] = {}
        for row in ledger.validation(self._files).to_dict("records"):
            key = TrialKey(
                arm=row["arm"], candidate=int(row["candidate"]), fold=int(row["fold"]), seed=int(row["seed"])
            )
            if self._planned(key):
                rows.setdefault(key, []).append(row)
        # the settings of a candidate, but for fold and seed
        bare: dict[tuple[CandidateGroup, int], dict[str, object]] = {}
        for key, found in rows.items():
            self._check(key, found[0], bare)
            if found[0]["status"] != "failed" or not self._study.retry_failed:
                self._end(key, found)

    def _planned(self, key: TrialKey) -> bool:
        study = self._study
        planned = key.arm in study.arms and key.fold in study.folds and key.seed in study.seeds
        return planned and key.candidate < study.candidates

    def _check(
        self, key: TrialKey, row: Row, bare: dict[tuple[CandidateGroup, int], dict[str, object]]
    ) -> None:
        line = self._line(key)
        if (line, key.candidate) not in bare and key.candidate < len(self._candidates[line]):
            bare[line, key.candidate] = settings(self.trial(key))
        chosen = bare.get((line, key.candidate))
        expected = (
            identity({**chosen, "fold": key.fold, "seed": key.seed})
            if chosen
            else "no such candidate in the study's folder"
        )
        if row["digest"] != expected:
            raise Fault(
                "study",
                f"the record of {key.name} belongs to other settings",
                got=row["digest"],
                expected=expected,
                fix="set another study.name, or put back the candidates that belong to these records",
            )
