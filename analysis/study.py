"""One study folder as it was found: its configuration, the rows of its ledger, and remarks on both.

In: a folder or a URI. Out: a `Study`. Its frame of trials always has the same columns, and a record is
believed only as far as it agrees with itself (`record.soundness`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from raysernas.config.identity import reads
from raysernas.config.schema import Config
from raysernas.record import ledger, soundness
from raysernas.record.files import StudyFiles, need_config
from raysernas.record.units import by_unit


@dataclass(frozen=True, slots=True)
class Study:
    """The contents of a folder; `name` is unique among the studies that are loaded together."""

    name: str
    root: str
    config: Config
    trials: pd.DataFrame
    remarks: tuple[str, ...]


def read(root: Path) -> Study:
    """A study, finished or not, under the name in its study.yaml.

    Raises:
        Fault: if the folder holds no study, a record is of a newer version, or the place does not answer.
    """
    files = StudyFiles(root)
    config = need_config(files)
    rows, remarks = ledger.table_and_remarks(files)
    trials, odd = soundness.believed(rows, config.corpus.emotions)
    trials = trials.assign(study=config.study.name, planned=of_plan(trials, config))
    first = ["study", "trial", "planned"]
    trials = trials[[*first, *(column for column in trials if column not in first)]]
    remarks = (*remarks, *odd, *_unlike_plan(trials, config))
    return Study(config.study.name, str(root), config, trials, remarks)


def units(members: Sequence[Study]) -> pd.DataFrame:
    """All trials, those whose folds are no independent results pooled by `units.by_unit`."""
    return pd.concat([by_unit(each.trials) for each in members], ignore_index=True)


def renamed(of: Study, name: str) -> Study:
    """The same study under another name."""
    return replace(of, name=name, trials=of.trials.assign(study=name))


def apart(found: Sequence[Study]) -> tuple[Study, ...]:
    """Studies of the same name are called by their folders; a study that is named twice counts once."""
    once = list({each.root: each for each in found}.values())
    names = [each.name for each in once]
    return tuple(renamed(each, each.root) if names.count(each.name) > 1 else each for each in once)


def counts(of: Study) -> dict[str, Any]:
    """Where a study is, and how many of its trials have ended, and how."""
    ended = of.trials.drop_duplicates("trial")["status"]
    row = {"study": of.name, "root": of.root, "protocol": of.config.study.protocol, "trials": len(ended)}
    return row | {status: int((ended == status).sum()) for status in ("finished", "failed", "raced")}


def of_plan(trials: pd.DataFrame, config: Config) -> pd.Series:
    """Whether study.yaml plans each row: its arm, candidate, fold and seed, and the retrain seed of a
    finished one.
    """
    study = config.study
    folds = study.folds or tuple(sorted(set(trials["fold"])))
    planned = trials["arm"].isin(study.arms) & trials["fold"].isin(folds) & trials["seed"].isin(study.seeds)
    retrained = trials["retrain_seed"].isin(config.retrain.seeds) | (trials["status"] != "finished")
    return planned & (trials["candidate"] < study.candidates) & retrained


def _unlike_plan(trials: pd.DataFrame, config: Config) -> list[str]:
    """How many planned trials have ended, and how many are beyond the plan."""
    beyond = trials.loc[~trials["planned"], "trial"].nunique()
    ended = trials.loc[trials["planned"], "trial"].nunique()
    study, space = config.study, config.study.space
    folds = len(study.folds) or trials["fold"].nunique()
    each = [study.candidates if any(reads(arm, key) for key in space) else 1 for arm in study.arms]
    planned, remarks = sum(each) * folds * len(study.seeds), []
    if trials.empty:
        remarks.append("no trial has ended")
    elif ended < planned:
        remarks.append(f"{ended} of {planned} planned trials have ended")
    if beyond:
        what = "1 trial is" if beyond == 1 else f"{beyond} trials are"
        remarks.append(f"{what} beyond what study.yaml plans now, and count in the cost only")
    return remarks
