"""Study folders as pandas frames.

    import analysis
    results = analysis.load("results/emodb")
    results.arms

In: folders of studies, finished or not, or URIs such as s3://bucket/results/emodb. Out: `Results`, the only
container of frames: the report, the tables and the figures take it. Every frame has the column `study` first
and an index without meaning. Scores are in 0..1. NaN means unknown, and `remarks` says what is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

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
from analysis.frames import joined
from analysis.protocol_card import Card
from analysis.selection import FLAT, HEADLINE, CandidateSelection
from analysis.study import Study
from raysernas.config.fault import Fault
from raysernas.config.schema import Config
from raysernas.record import ensembles, storage, summary
from raysernas.record.files import StudyFiles


@dataclass(frozen=True)
class Results:
    """What studies have found. Each frame is computed when it is first asked for, and kept.

    Attributes:
        members: the studies as they were read.
        mixing: mark -> sentence when studies of unlike protocols are shown together; empty otherwise.
        unavailable: frame -> why it cannot be computed, as far as `rows` has met that.
    """

    members: tuple[Study, ...] = field(repr=False)
    mixing: dict[str, str] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    # --- what was run

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row for each retrain seed of each finished trial, one for a trial that failed or was raced out.

        `trial` (its name), `planned` (whether study.yaml plans it: other rows count in the cost only), all
        columns of the ledger (settings dotted), `genotype_digest` (8 hexadecimal digits, empty without a
        genotype), `n_train` (utterances that the tested model was trained on).
        """
        return pd.concat([each.trials for each in self.members], ignore_index=True)

    @cached_property
    def studies(self) -> pd.DataFrame:
        """One row a study: `study`, `root`, `protocol`, `trials` (ended), `finished`, `failed`, `raced`, and
        `marks` (of the headline).
        """
        return pd.DataFrame(
            [
                study.counts(each) | {"marks": ", ".join(self.marks(each.name, HEADLINE))}
                for each in self.members
            ]
        )

    @cached_property
    def configs(self) -> dict[str, Config]:
        """Study -> its study.yaml."""
        return {each.name: each.config for each in self.members}

    @property
    def names(self) -> list[str]:
        """The names of the studies."""
        return list(self.configs)

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Study -> label -> text: the protocol behind its numbers, and what its marks mean."""
        return {
            name: card | {"marks": protocol_card.marks_line(self.marks(name))}
            for name, card in _cards(self.members).items()
        }

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What is missing, skipped or odd, a sentence each. Reads the predictions."""
        return (*(f"{of.name}: {remark}" for of in self.members for remark in of.remarks), *self._tested[1])

    # --- which candidate counts

    @cached_property
    def choices(self) -> dict[str, list[CandidateSelection]]:
        """Study -> its selections: `nested` (the headline), `flat` where the study permits it, `oracle`."""
        return {each.name: selection.choices(each.trials, each.config) for each in self.members}

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """The candidate of each selection, arm and fold: `selection.CHOSEN_COLUMNS`."""
        return self._all(lambda _, choice: choice.chosen, selection.CHOSEN_COLUMNS)

    @cached_property
    def marked(self) -> dict[tuple[str, str], dict[str, str]]:
        """(study, selection) -> mark -> in what way its scores are optimistic or odd."""
        found = {of.name: summary.marks_of(of.config, of.trials[of.trials["planned"]]) for of in self.members}
        return {
            (of.name, choice.name): {
                **self.mixing,
                **selection.marks(of.config, choice.name, found[of.name]),
            }
            for of in self.members
            for choice in self.choices[of.name]
        }

    def marks(self, study: str, *selections: str) -> dict[str, str]:
        """Mark -> meaning, of some selections of a study; without any, of all."""
        return {
            mark: meaning
            for (name, chosen), each in self.marked.items()
            for mark, meaning in each.items()
            if name == study and (not selections or chosen in selections)
        }

    def headline(self, study: str) -> CandidateSelection:
        """The selection of a study that is reported."""
        return next(choice for choice in self.choices[study] if choice.name == HEADLINE)

    # --- scores

    @cached_property
    def folds(self) -> pd.DataFrame:
        """Scores on each fold: `tables.folds`."""
        return self._all(lambda of, choice: tables.folds(of.trials, choice), tables.FOLD_COLUMNS)

    @cached_property
    def arms(self) -> pd.DataFrame:
        """Scores of each arm, mean and deviation over folds, and pooled: `tables.arms`."""
        return self._all(self._arms, tables.ARM_COLUMNS)

    @cached_property
    def ensembles(self) -> pd.DataFrame:
        """Scores of the mean posteriors of retrain seeds: `tables.ensembles`. May read the predictions."""
        return self._all(self._ensembles, tables.ENSEMBLE_COLUMNS)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Recall, precision and F1 of each emotion: `tables.classes`."""
        return self._all(lambda of, choice: tables.classes(of.trials, choice), tables.CLASS_COLUMNS)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """What each chosen network of the headline answered on each test utterance: `study` and
        `predictions.COLUMNS`.
        """
        return self._tested[0]

    @cached_property
    def speakers(self) -> pd.DataFrame:
        """Scores of the headline on each test speaker: `tables.speakers`; empty without predictions."""
        tested = dict(list(self.decisions.groupby("study")))
        each = [
            tables.speakers(tested[of.name], self.headline(of.name), of.name)
            for of in self.members
            if of.name in tested
        ]
        return joined(each, tables.SPEAKER_COLUMNS)

    def confusion(self, study: str, selection: str, arm: str) -> pd.DataFrame:
        """Pooled counts of an arm, index `truth`, columns `prediction`; empty if there are none.

        Raises:
            Fault: for a study or selection that is not here.
        """
        known = {(name, each.name): each for name, found in self.choices.items() for each in found}
        if (study, selection) not in known:
            raise Fault(
                "analysis",
                "there is no such selection of such a study",
                got=f"{study}, {selection}",
                expected=" or ".join(", ".join(each) for each in known),
                fix="name one of them",
            )
        own = self.trials[(self.trials["study"] == study) & (self.trials["arm"] == arm)]
        return tables.confusion(tables.picked(own, known[study, selection].chosen))

    def ranked(self, study: str) -> list[str]:
        """The arms of a study, the best headline score first; those without one last, as planned."""
        table = self.rows("arms", study, HEADLINE)
        scored = table.dropna(subset="ua") if len(table) else table
        best = scored.sort_values("ua", ascending=False, kind="stable")["arm"].tolist() if len(scored) else []
        return [*best, *(arm for arm in self.configs[study].study.arms if arm not in best)]

    def complete(self, study: str) -> list[str]:
        """The arms with a score on every planned fold: only those can be compared."""
        table = self.rows("arms", study, HEADLINE)
        if table.empty:
            return []
        return table.loc[table["ua"].notna() & (table["folds"] == table["planned_folds"]), "arm"].tolist()

    # --- what the scores say

    @cached_property
    def answers(self) -> pd.DataFrame:
        """Which arm, by how much, how sure, at what cost, a sentence a row: `answers.answers`."""
        return answers.answers(self.arms, self.pairs, self.cost, self.over_random)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Every pair of arms on the same folds, with tests, intervals and a verdict: `comparisons.pairs`."""
        return comparisons.pairs(self.folds, self.speakers, study.units(self.members))

    @cached_property
    def over_random(self) -> pd.DataFrame:
        """What each arm gains over the mean random architecture: `comparisons.over_random`."""
        return comparisons.over_random(self.folds, study.units(self.members))

    @cached_property
    def components(self) -> pd.DataFrame:
        """How the variance of test UA splits into folds, candidates, seeds: `components.components`."""
        return components.components(study.units(self.members), self.configs)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """How much each searched setting mattered: `importance.importance`. Loads Optuna."""
        return importance.importance(self.trials, self.configs)

    @cached_property
    def cost(self) -> pd.DataFrame:
        """Seconds by purpose: `cost.cost`."""
        each = [cost.cost(of.trials, self.headline(of.name), of.config) for of in self.members]
        return joined(each, cost.COST_COLUMNS)

    @cached_property
    def pareto(self) -> pd.DataFrame:
        """Accuracy, size, latency and seconds of arms and candidates, and which are on the Pareto front:
        `cost.pareto`.
        """
        each = []
        for of in self.members:
            headline = self.headline(of.name)
            tried = {choice.name: choice.tried for choice in self.choices[of.name]}
            arms = self._arms(of, headline)
            each.append(cost.pareto(of.trials, headline, arms, tried.get(FLAT, headline.tried)))
        return joined(each, cost.PARETO_COLUMNS)

    # --- searches and epochs

    @cached_property
    def genes(self) -> pd.DataFrame:
        """How often each operation was chosen on each edge: `architectures.genes`."""
        return architectures.genes(self.trials)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """How alike the searches of folds and of seeds are, against chance: `architectures.agreement`."""
        return architectures.agreement(self.trials, self.configs)

    @cached_property
    def typical(self) -> pd.DataFrame:
        """The most frequent cell of each arm: `architectures.typical`."""
        return architectures.typical(self.trials)

    @cached_property
    def histories(self) -> pd.DataFrame:
        """Every epoch of the headline's trials: `histories.epochs`."""
        return self._history[0]

    @cached_property
    def history_remarks(self) -> tuple[str, ...]:
        """Which histories are missing or torn."""
        return self._history[1]

    @cached_property
    def alphas(self) -> pd.DataFrame:
        """The softmaxed alphas, epoch by epoch, of one search of each arm (the headline's trial with the best
        validation UA): `histories.alphas`.
        """
        return self.alphas_of(selection.best_searches(self.trials, self.rows("chosen")))[0]

    def histories_of(self, trials: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """`histories.epochs` of some rows of `trials`, and remarks on histories that are missing or torn.

        Raises:
            Fault: when a place does not answer.
        """
        return self._epochs(trials, lambda lines, rows, _: histories.epochs(lines, rows))

    def alphas_of(self, trials: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """`histories.alphas` of some rows of `trials`, and remarks, like `histories_of`."""
        return self._epochs(trials, histories.alphas)

    def rows(self, name: str, study: str | None = None, selection: str | None = None) -> pd.DataFrame:
        """The rows of a frame, of one study and selection if they are named.

        A frame that cannot be computed has no rows here, and `unavailable` says why.
        """
        frame = pd.DataFrame()
        if name not in self.unavailable:
            try:
                frame = getattr(self, name)
            except Fault as fault:
                self.unavailable[name] = f"{name} cannot be shown: {str(fault).splitlines()[0]}"
        for column, value in (("study", study), ("selection", selection)):
            if value is not None and column in frame:
                frame = frame[frame[column] == value]
        return frame

    @cached_property
    def all_planned(self) -> bool:
        """Whether study.yaml still plans every trial."""
        return "planned" not in self.trials or bool(self.trials["planned"].all())

    @cached_property
    def _history(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        return self.histories_of(pd.concat([self._picked(of) for of in self.members], ignore_index=True))

    @cached_property
    def _tested(self) -> tuple[pd.DataFrame, tuple[str, ...], dict[str, list[str]]]:
        """Decisions, remarks, and for each study the trials whose ensembles are refuted."""
        frames, remarks, refuted = [], [], {}
        for of in self.members:
            place = StudyFiles(storage.place(of.root))
            frame, found, refuted[of.name] = predictions.decisions(place, self._picked(of))
            frames.append(frame.assign(study=of.name))
            remarks += [f"{of.name}: {remark}" for remark in found]
        return joined(frames, ("study", *predictions.COLUMNS)), tuple(remarks), refuted

    def _picked(self, of: Study) -> pd.DataFrame:
        return tables.picked(of.trials, self.headline(of.name).chosen)

    def _epochs(
        self, trials: pd.DataFrame, act: Callable[..., pd.DataFrame]
    ) -> tuple[pd.DataFrame, tuple[str, ...]]:
        frames, remarks = [], []
        for of in self.members:
            rows = trials[trials["study"] == of.name]
            lines, found = histories.read(StudyFiles(storage.place(of.root)), rows)
            frames.append(act(lines, rows, of.config))
            remarks += [f"{of.name}: {remark}" for remark in found]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        return pd.concat(filled, ignore_index=True), tuple(remarks)

    def _arms(self, of: Study, choice: CandidateSelection) -> pd.DataFrame:
        marks = ", ".join(self.marks(of.name, choice.name))
        scores = tables.folds(of.trials, choice)
        return tables.arms(of.trials, choice, scores, of.config).assign(marks=marks)

    def _ensembles(self, of: Study, choice: CandidateSelection) -> pd.DataFrame:
        marks, trials = ", ".join(self.marks(of.name, choice.name)), of.trials
        if trials[ensembles.MEMBERS].notna().any():
            trials = ensembles.without(trials, trials["trial"].isin(self._tested[2][of.name]))
        return tables.ensembles(trials, choice, of.config).assign(marks=marks)

    def _all(
        self, act: Callable[[Study, CandidateSelection], pd.DataFrame], names: Sequence[str]
    ) -> pd.DataFrame:
        """`act` on every study and selection."""
        return joined([act(of, choice) for of in self.members for choice in self.choices[of.name]], names)


def load(*roots: str | Path, mixed: bool = False) -> Results:
    """Read one study, or several to be looked at together.

    Args:
        roots: folder or URI of each study.
        mixed: accept studies of unlike protocols; every table is then marked.

    Raises:
        Fault: if a folder holds no study, the protocols are unlike, a record is of a newer version, or a
            place does not answer.
    """
    if not roots:
        raise Fault(
            "analysis",
            "no study was named",
            got="nothing",
            expected="the folder of a study",
            fix='load("results/laptop")',
        )
    found = study.apart([study.read(storage.place(str(root))) for root in roots])
    return Results(found, protocol_card.together(_cards(found), mixed))


def _cards(studies: Sequence[Study]) -> dict[str, Card]:
    return {each.name: protocol_card.card(each.config, each.trials) for each in studies}
