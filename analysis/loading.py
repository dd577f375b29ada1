"""From study folders to pandas frames.

    import analysis
    results = analysis.load("results/emodb")
    results.arms

Comes in: folders of studies, finished or not, or places of a bucket such as s3://bucket/results/emodb. Goes
out: `Results`. Every frame has the column `study` first and an index without meaning; scores are in 0..1; NaN
is what is not known, and `remarks` says in words what is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import (
    answers,
    architectures,
    comparisons,
    components,
    cost,
    histories,
    importance,
    predictions,
    protocol_card,
    selection,
    study,
    tables,
)
from analysis.protocol_card import Card, marks_told
from analysis.selection import FLAT, HEADLINE, Choice
from analysis.study import Study
from raysernas.config.fault import Fault
from raysernas.config.schema import Config
from raysernas.record import storage, summary
from raysernas.record.files import StudyFiles


@dataclass(frozen=True)
class Results:
    """What studies have found. Each frame is made when it is first asked for, and describes itself there.

    Attributes:
        members: the studies as they were read.
        mixing: mark -> sentence when studies of unlike protocols stand together; empty otherwise.
    """

    members: tuple[Study, ...] = field(repr=False)
    mixing: dict[str, str] = field(default_factory=dict)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row for each retrain seed of each ended trial, one for a trial that failed or was given up.

        `trial` (its name), `planned` (whether study.yaml plans it: other rows stand in no table but that of
        the cost), all columns of the ledger (settings dotted), `genotype_digest` (8 hexadecimal digits, empty
        without a genotype), `n_train` (utterances of both halves).
        """
        return pd.concat([each.trials for each in self.members], ignore_index=True)

    @cached_property
    def studies(self) -> pd.DataFrame:
        """One row a study: `study`, `root`, `protocol`, `trials` (ended), `finished`, `failed`, `raced`,
        `marks` (headline's).
        """
        return pd.DataFrame(
            [_row(each) | {"marks": ", ".join(self._marks(each, HEADLINE))} for each in self.members]
        )

    @cached_property
    def configs(self) -> dict[str, Config]:
        """Study -> its study.yaml."""
        return {each.name: each.config for each in self.members}

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Study -> label -> text: under what conditions its numbers came about, and what its marks mean; goes
        with every table.
        """
        marks = {name: marks_told(each) for name, each in self.meanings.items()}
        return {name: card | {"marks": marks[name]} for name, card in _cards(self.members).items()}

    @cached_property
    def meanings(self) -> dict[str, dict[str, str]]:
        """Study -> mark -> in what its scores are optimistic or odd; every mark of any table stands here."""
        told = {
            each.name: [self._marks(each, choice.selection) for choice in self.choices[each.name]]
            for each in self.members
        }
        return {
            name: {mark: sentence for marks in each for mark, sentence in marks.items()}
            for name, each in told.items()
        }

    @cached_property
    def choices(self) -> dict[str, list[Choice]]:
        """Study -> its selections: `nested` (the headline) first, then `flat` where the study permits it, and
        `oracle`.
        """
        return {each.name: selection.choices(each.trials, each.config) for each in self.members}

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """The candidate of each selection, arm and fold: `selection.CHOSEN_COLUMNS`."""
        return self._all(lambda _, choice: choice.chosen, selection.CHOSEN_COLUMNS)

    @cached_property
    def folds(self) -> pd.DataFrame:
        """Scores on each fold: `tables.folds`."""
        return self._all(lambda of, choice: tables.folds(of.trials, choice), tables.FOLD_COLUMNS)

    @cached_property
    def arms(self) -> pd.DataFrame:
        """Scores of each arm, mean and deviation over folds, and pooled: `tables.arms`."""
        return self._all(self._arms, tables.ARM_COLUMNS)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Recall, precision and F1 of each emotion: `tables.classes`."""
        return self._all(lambda of, choice: tables.classes(of.trials, choice), tables.CLASS_COLUMNS)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """What each chosen network of the headline said of each test utterance: `study` and
        `predictions.COLUMNS`.
        """
        return self._heard[0]

    @cached_property
    def speakers(self) -> pd.DataFrame:
        """Scores on each test speaker, of the headline: `tables.speakers`; empty where predictions are
        missing.
        """
        heard = dict(list(self.decisions.groupby("study")))
        each = [
            tables.speakers(heard[of.name], self.headline(of.name), of.name)
            for of in self.members
            if of.name in heard
        ]
        return tables.joined(each, tables.SPEAKER_COLUMNS)

    @cached_property
    def cost(self) -> pd.DataFrame:
        """Seconds by what they were spent for: `cost.cost`."""
        each = [cost.cost(of.trials, self.headline(of.name), of.config) for of in self.members]
        return tables.joined(each, cost.COST_COLUMNS)

    @cached_property
    def pareto(self) -> pd.DataFrame:
        """Arms and candidates with accuracy, size, latency and seconds, and which no other one beats:
        `cost.pareto`.
        """
        each = []
        for of in self.members:
            headline = self.headline(of.name)
            tried = {choice.selection: choice.tried for choice in self.choices[of.name]}
            each.append(
                cost.pareto(of.trials, headline, self._arms(of, headline), tried.get(FLAT, headline.tried))
            )
        return tables.joined(each, cost.PARETO_COLUMNS)

    @cached_property
    def answers(self) -> pd.DataFrame:
        """Which arm, by how much, how sure, at what cost, a sentence a row: `answers.answers`."""
        return answers.answers(self.arms, self.pairs, self.cost, self.over_random)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Every pair of arms on the same folds, with tests, intervals and a verdict in words:
        `comparisons.pairs`.
        """
        return comparisons.pairs(self.folds, self.speakers, self.trials)

    @cached_property
    def over_random(self) -> pd.DataFrame:
        """What each arm gains over the mean random architecture: `comparisons.over_random`."""
        return comparisons.over_random(self.folds, self.trials)

    @cached_property
    def components(self) -> pd.DataFrame:
        """How much of the variance of test UA is of folds, candidates and seeds: `components.components`."""
        return components.components(self.trials, self.configs)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """How much each searched setting mattered, by validation: `importance.importance`; loads Optuna."""
        return importance.importance(self.trials, self.configs)

    @cached_property
    def genes(self) -> pd.DataFrame:
        """How often each operation was chosen on each edge: `architectures.genes`."""
        return architectures.genes(self.trials)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """How alike the architectures of other folds and seeds are, against chance:
        `architectures.agreement`.
        """
        return architectures.agreement(self.trials, self.configs)

    @cached_property
    def typical(self) -> pd.DataFrame:
        """The most frequent cell of each arm: `architectures.typical`."""
        return architectures.typical(self.trials)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What is missing, passed over or odd, a sentence each; predictions are looked at for it."""
        return (*(f"{of.name}: {remark}" for of in self.members for remark in of.remarks), *self._heard[1])

    def headline(self, study: str) -> Choice:
        """The selection of a study that is reported."""
        return next(choice for choice in self.choices[study] if choice.selection == HEADLINE)

    def confusion(self, study: str, selection: str, arm: str) -> pd.DataFrame:
        """Pooled counts of an arm, index `truth`, columns `prediction`; empty where there are none.

        Raises:
            Fault: for a study or selection that is not here.
        """
        known = {
            (of.name, choice.selection): (of, choice)
            for of in self.members
            for choice in self.choices[of.name]
        }
        if (study, selection) not in known:
            raise Fault(
                "analysis",
                "there is no such selection of such a study",
                got=f"{study}, {selection}",
                expected=" or ".join(", ".join(each) for each in known),
                fix="name one of them",
            )
        of, choice = known[study, selection]
        rows = tables.picked(of.trials, choice.chosen)
        return tables.confusion(rows[rows["arm"] == arm])

    def histories(self, trials: pd.DataFrame | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The epochs of some trials, as `histories.epochs` describes them, and remarks on missing or torn
        histories.

        Args:
            trials: rows of `trials`; none = those of the headline's candidates.

        Raises:
            Fault: when a place does not answer.
        """
        return self._epochs(trials, lambda lines, rows, _: histories.epochs(lines, rows))

    def mixtures(self, trials: pd.DataFrame | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The softmaxed alphas of searches, epoch by epoch, as `histories.mixtures` describes them, and
        remarks; as `histories`.
        """
        return self._epochs(trials, histories.mixtures)

    def _epochs(
        self, trials: pd.DataFrame | None, act: Callable[..., pd.DataFrame]
    ) -> tuple[pd.DataFrame, tuple[str, ...]]:
        frames, told = [], []
        for of in self.members:
            rows = (
                tables.picked(of.trials, self.headline(of.name).chosen)
                if trials is None
                else trials[trials["study"] == of.name]
            )
            lines, remarks = histories.read(StudyFiles(storage.place(of.root)), rows)
            frames.append(act(lines, rows, of.config))
            told += [f"{of.name}: {remark}" for remark in remarks]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        return pd.concat(filled, ignore_index=True), tuple(told)

    @cached_property
    def _heard(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        frames, told = [], []
        for of in self.members:
            rows = tables.picked(of.trials, self.headline(of.name).chosen)
            frame, remarks = predictions.decisions(StudyFiles(storage.place(of.root)), rows)
            frames.append(frame.assign(study=of.name))
            told += [f"{of.name}: {remark}" for remark in remarks]
        return tables.joined(frames, ("study", *predictions.COLUMNS)), tuple(told)

    def _marks(self, of: Study, chosen: str) -> dict[str, str]:
        found = summary.marks_of(of.config, of.trials[of.trials["planned"]])
        return {**self.mixing, **selection.marks(of.config, chosen, found)}

    def _arms(self, of: Study, choice: Choice) -> pd.DataFrame:
        marks = self._marks(of, choice.selection)
        return tables.arms(of.trials, choice, tables.folds(of.trials, choice), of.config).assign(
            marks=", ".join(marks)
        )

    def _all(self, act: Callable[[Study, Choice], pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
        """`act` on every study and selection."""
        return tables.joined(
            [act(of, choice) for of in self.members for choice in self.choices[of.name]], columns
        )


def load(*roots: str | Path, mixed: bool = False) -> Results:
    """Studies, to be looked at together.

    Args:
        roots: folder or URI of each study.
        mixed: take studies of unlike protocols into one table all the same; every table is marked.

    Raises:
        Fault: for a folder that is not a study's, studies of unlike protocols, a record of a newer version,
            or a place that does not answer.
    """
    if not roots:
        raise Fault(
            "analysis",
            "no study was named",
            got="nothing",
            expected="the folder of a study",
            fix='load("results/laptop")',
        )
    found = _apart([study.read(storage.place(str(root))) for root in roots])
    return Results(found, protocol_card.together(_cards(found), mixed))


def _cards(studies: Sequence[Study]) -> dict[str, Card]:
    return {each.name: protocol_card.card(each.config, each.trials) for each in studies}


def _apart(found: Sequence[Study]) -> tuple[Study, ...]:
    """Studies of one name are told apart by where they lie; one that is named twice is read once."""
    once = list({each.root: each for each in found}.values())
    names = [each.name for each in once]
    return tuple(study.renamed(each, each.root) if names.count(each.name) > 1 else each for each in once)


def _row(of: Study) -> dict[str, Any]:
    ended = of.trials.drop_duplicates("trial")["status"]
    told = {status: int((ended == status).sum()) for status in ("finished", "failed", "raced")}
    return {
        "study": of.name,
        "root": of.root,
        "protocol": of.config.study.protocol,
        "trials": len(ended),
        **told,
    }
