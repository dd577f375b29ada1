"""What the report shows, gathered once: the frames of `analysis.load`, each computed or told as missing.

Comes in: `Results`. Goes out: `Findings`. A frame that cannot be computed is empty, and a remark says why: a
report of what is there is worth more than none.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.report.grid import Source
from raysernas.config.schema import Config
from raysernas.drawing.shapes import Picture

NESTED, FLAT, ORACLE = "nested", "flat", "oracle"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure under its caption, and how it is to be read."""

    caption: str
    picture: Picture
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Frames by their names in `analysis.load`, each with the column `study`; what else stands on the
    page.
    """

    trials: pd.DataFrame
    frames: Mapping[str, pd.DataFrame]
    configs: Mapping[str, Config]
    cards: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # study -> label -> text
    # study -> (kind, sentence), the answer first
    answers: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # study -> word -> meaning
    remarks: Sequence[str] = ()
    confusion: Callable[[str, str, str], pd.DataFrame] | None = None  # (study, selection, arm) -> counts
    cells: Mapping[str, Sequence[Drawn]] = field(default_factory=dict)  # study -> drawings of architectures
    # study -> how searches came to theirs
    alphas: Mapping[str, Sequence[Drawn]] = field(default_factory=dict)

    @property
    def studies(self) -> list[str]:
        """Their names."""
        return list(self.configs)

    def of(self, name: str, study: str | None = None, selection: str | None = None) -> pd.DataFrame:
        """The rows of a frame that belong to a study and a selection; all for None."""
        frame = self.frames.get(name, pd.DataFrame())
        for column, value in (("study", study), ("selection", selection)):
            if value is not None and column in frame:
                frame = frame[frame[column] == value]
        return frame

    def arms(self, study: str) -> list[str]:
        """The arms of a study, the best headline score first, those without one last, as planned."""
        table = self.of("arms", study, NESTED)
        scored = (
            table.dropna(subset="ua").sort_values("ua", ascending=False, kind="stable")["arm"].tolist()
            if len(table)
            else []
        )
        return [*scored, *(arm for arm in self.configs[study].study.arms if arm not in scored)]

    def whole(self, study: str) -> list[str]:
        """The arms of a study that have a score on every planned fold: only those can be compared."""
        table = self.of("arms", study, NESTED)
        return (
            table.loc[table["ua"].notna() & (table["folds"] == table["planned_folds"]), "arm"].tolist()
            if len(table)
            else []
        )

    def rows(self, row: Mapping[Hashable, Any], **fixed: Any) -> dict[str, Any]:
        """The trials that a number stands for: those of its study, if there are several, and what else is
        said; planned ones, unless `planned` says otherwise (None: whether planned or not)."""
        study = {"study": row["study"]} if len(self.configs) > 1 else {}
        planned = {} if self.all_planned or "chosen" in fixed else {"planned": True}
        return {name: value for name, value in {**study, **planned, **fixed}.items() if value is not None}

    @cached_property
    def all_planned(self) -> bool:
        """Whether study.yaml still plans every trial; others count in no number but that of the cost."""
        return "planned" not in self.trials or bool(self.trials["planned"].all())

    def marked(self, study: str, *selections: str) -> dict[str, str]:
        """Mark -> meaning of the tables of some selections; all marks of the study where its table of arms
        does not tell.
        """
        every, arms = self.marks.get(study, {}), self.of("arms", study)
        if arms.empty or "marks" not in arms:
            return dict(every)
        words = {
            word
            for text in arms.loc[arms["selection"].isin(selections), "marks"]
            for word in str(text).split(", ")
        }
        return {word: meaning for word, meaning in every.items() if word in words}

    def source(self, study: str | None = None, *selections: str) -> Source:
        """What stands on a table of one study, or of all; of the headline, or of some selections."""
        names = self.studies if study is None else [study]
        marks = {
            word: meaning
            for name in names
            for word, meaning in self.marked(name, *(selections or (NESTED,))).items()
        }
        lines = [_line(name, self.configs[name], len(names) > 1) for name in names[:3]]
        more = [f"and {len(names) - 3} more studies"] if len(names) > 3 else []
        return Source(marks, "; ".join([*lines, *more]), "protocol")


def marked(trials: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The trials with a column `chosen`: which selections took their candidate on their fold, in words."""
    keys = ["study", "arm", "fold", "candidate"]
    if chosen.empty:
        return trials.assign(chosen="")
    words = (
        chosen.groupby(keys)["selection"]
        .agg(lambda found: " ".join(name for name in (NESTED, FLAT, ORACLE) if name in set(found)))
        .rename("chosen")
        .reset_index()
    )
    found = trials[keys].merge(words, on=keys, how="left")["chosen"].fillna("").to_numpy()
    counts = (trials["status"] == "finished") & trials.get("planned", True)
    return trials.assign(chosen=pd.Series(found, trials.index).where(counts, ""))


def _line(name: str, config: Config, several: bool) -> str:
    """The protocol in a line; the card has all of it."""
    corpus, study = config.corpus, config.study
    seeds = f"{len(study.seeds)} seed{'s' if len(study.seeds) != 1 else ''}"
    retrained = len(config.retrain.seeds)
    again = f" × {retrained} retrain seeds" if retrained > 1 else ""
    parts = [
        f"{corpus.name}, {len(corpus.emotions)} classes" if corpus.emotions else corpus.name,
        f"folds: {corpus.folds}",
        f"validation: {corpus.valid}",
        f"normalisation: {config.features.normalisation}",
        f"{seeds}{again}",
        f"{config.search.epochs} search and {config.retrain.epochs} retrain epochs",
    ]
    return (f"{name}: " if several else "") + " · ".join(parts)
