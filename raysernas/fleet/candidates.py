"""Candidates: the settings that are tried in one group. Each is a file in the study's folder before it is
used.

In: the study's configuration, the files that earlier launches have written, and the outcomes of candidates.
Out: the settings of candidate n. Candidate 0 is the configuration as written; then come `study.points`, then
Optuna's proposals. The files are the truth about what was proposed and what was given up; outcomes are in the
ledger.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raysernas.config.fault import Fault
from raysernas.config.files import assign
from raysernas.config.identity import flatten
from raysernas.config.schema import Config
from raysernas.fleet.journal import Journal, View
from raysernas.fleet.proposals import Outcome, Proposal, Proposals, axes, directions
from raysernas.record import seal, storage
from raysernas.record.files import CandidateGroup, StudyFiles
from raysernas.record.seal import DamagedFault

NAME = re.compile(r"(?P<group>.+)-c(?P<number>\d{3,})\.json")


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why a candidate was raced out, and the validation UA that it would have had by estimate."""

    reason: str
    valid_ua: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One candidate, as its file holds it."""

    proposal: Proposal
    origin: str  # written, point NAME, or proposed
    sampler: str
    generation: int | None
    given_up: GivenUp | None = None


class Candidates:
    """The candidates of one group, the settings as written first."""

    def __init__(
        self,
        config: Config,
        group: CandidateGroup,
        files: StudyFiles,
        journal: Journal,
        found: Mapping[int, Candidate],
    ):
        """`found`: earlier candidates of this group, by number.

        Raises:
            Fault: when one is missing, or they have other keys than the space.
        """
        self._config, self._group, self._files = config, group, files
        # without its space, which would be checked again for each candidate
        self._bare = replace(config, study=replace(config.study, space={}, points={}))
        self._axes = axes(config, group.arm)
        self._all = [found[number] for number in sorted(found)]
        self._check(found)
        self._known = [candidate.proposal for candidate in self._all]
        self._configs: list[Config] = []
        self._ended = 0  # the first so many candidates have ended
        self._proposals = Proposals(config.study, self._axes, self._known)
        suffix = "" if group.fold is None else f"/f{group.fold}"
        name = f"{config.study.name}/{group.arm}{suffix}"
        self._view = View(journal, name, directions(config.study), self._axes)
        if not self._known:
            self.propose(lambda _: Outcome("running"))

    def __len__(self) -> int:
        return len(self._known)

    def config(self, number: int) -> Config:
        """The study's configuration with the settings of one candidate; without its space."""
        while len(self._configs) <= number:
            self._configs.append(assign(self._bare, self._known[len(self._configs)].settings))
        return self._configs[number]

    def given_up(self, number: int) -> GivenUp | None:
        """Why a candidate was raced out, if it was."""
        return self._all[number].given_up

    def ready(self, outcome: Callable[[int], Outcome]) -> bool:
        """Whether the next candidate may be proposed: all earlier generations must have ended."""
        first = self._first(len(self._known))
        while self._ended < first and outcome(self._ended).state != "running":
            self._ended += 1
        return self._config.study.generation == 0 or self._ended >= first

    def propose(self, outcome: Callable[[int], Outcome]) -> int:
        """Add a candidate, given the outcomes of earlier generations; its number."""
        number, study = len(self._known), self._config.study
        origin, fixed = self._given(number)
        proposal = self._proposals.next(outcome, before=self._first(number), fixed=fixed)
        generation = number // study.generation if study.generation else None
        new = Candidate(proposal=proposal, origin=origin, sampler=study.sampler, generation=generation)
        self._write(number, new)
        self._known.append(proposal)
        self._view.add(proposal)
        return number

    def give_up(self, number: int, why: GivenUp) -> None:
        """Write down that a candidate was raced out, before anything follows from it."""
        self._write(number, replace(self._all[number], given_up=why))

    def show(self, outcome: Callable[[int], Outcome]) -> None:
        """Bring the journal up to date, once, at the start."""
        planned = self._config.study.candidates
        outcomes = [outcome(number) if number < planned else None for number in range(len(self))]
        self._view.show(self._known, outcomes)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Write the outcome of a candidate into the journal."""
        self._view.tell(number, outcome)

    def _first(self, number: int) -> int:
        """The first candidate of the same generation."""
        size = self._config.study.generation
        return number - number % size if size else number

    def _given(self, number: int) -> tuple[str, dict[str, Any] | None]:
        """The origin of candidate n, and its settings unless they are proposed."""
        defaults, points = flatten(self._config), list(self._config.study.points.items())
        written = {key: defaults[key] for key in self._axes}
        if number == 0:
            return "written", written
        if number <= len(points):
            name, values = points[number - 1]
            return f"point {name}", written | {key: value for key, value in values.items() if key in written}
        return "proposed", None

    def _write(self, number: int, candidate: Candidate) -> None:
        text = _text(self._group, number, candidate)
        storage.put(self._files.candidate(self._group, number), seal.seal(text.encode()))
        self._all[number : number + 1] = [candidate]

    def _check(self, found: Mapping[int, Candidate]) -> None:
        if missing := sorted(set(range(max(found, default=-1))) - found.keys()):
            path = self._files.candidate(self._group, missing[0])
            raise Fault(
                "study",
                f"{path} is missing",
                got="candidates after it",
                expected="every candidate that was proposed",
                fix="put it back, or set another study.name",
            )
        odd = [number for number, each in found.items() if each.proposal.settings.keys() != self._axes.keys()]
        if odd:
            raise Fault(
                "study",
                f"{self._files.candidate(self._group, odd[0])} holds other keys than study.space",
                got=sorted(found[odd[0]].proposal.settings),
                expected=sorted(self._axes),
                fix="set another study.name, or put back the candidates that belong to this study",
            )


def load(files: StudyFiles) -> dict[str, dict[int, Candidate]]:
    """All candidates of a study: name of the group -> number -> candidate.

    Raises:
        Fault: for a file that cannot be read.
    """
    named = {
        path: match
        for path in storage.listed(files.candidates, ".json")
        if (match := NAME.fullmatch(path.name))
    }
    found: dict[str, dict[int, Candidate]] = {}
    for match, candidate in zip(named.values(), storage.each(_loaded, named), strict=True):
        found.setdefault(match["group"], {})[int(match["number"])] = candidate
    return found


def _loaded(path: Path) -> Candidate:
    content = storage.read(path)
    if not seal.is_sound(content):
        raise DamagedFault(path, fix="put back a sound copy, or set another study.name")
    try:
        return _candidate(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise Fault(
            "study",
            f"cannot read {path}",
            got=str(error) or type(error).__name__,
            expected="a candidate as written",
            fix="put it back, or set another study.name",
        ) from error


def _text(group: CandidateGroup, number: int, candidate: Candidate) -> str:
    why = candidate.given_up
    plain = {
        "arm": group.arm,
        "fold": group.fold,
        "number": number,
        "origin": candidate.origin,
        "sampler": candidate.sampler,
        "generation": candidate.generation,
        "settings": candidate.proposal.settings,
        "notes": candidate.proposal.notes,
        "seal": seal.BLANK.decode(),
        "given_up": {"reason": why.reason, "valid_ua": why.valid_ua} if why else None,
    }
    return json.dumps(plain, indent=1) + "\n"


def _candidate(plain: dict[str, Any]) -> Candidate:
    why = plain["given_up"]
    return Candidate(
        proposal=Proposal(dict(plain["settings"]), dict(plain["notes"])),
        origin=plain["origin"],
        sampler=plain["sampler"],
        generation=plain["generation"],
        given_up=GivenUp(why["reason"], float(why["valid_ua"])) if why else None,
    )
