"""What TensorBoard tells of a trial besides its epochs: its settings and protocol when it begins, its scores
and fate when it ends.

In: a trial and its study, later its records. Out: events. Whoever writes a trial's record writes its end: the
trial itself, or the driver for one whose process was lost or whose candidate was given up.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from raysernas.config.identity import settings
from raysernas.config.schema import Config, StudyConfig, TrialConfig
from raysernas.drawing import pictures
from raysernas.record.files import TrialKey
from raysernas.record.genotype import Genotype
from raysernas.record.ledger import TrialRecord
from raysernas.record.protocol import marks
from raysernas.record.provenance import provenance
from raysernas.tensorboard import hparams
from raysernas.tensorboard.events import Events

ROLES = {"valid": "validation", "test": "test"}
SIZES = {"n_weights": "weights half", "n_alphas": "alphas half", "n_valid": "validation", "n_test": "test"}


def begin(events: Events, trial: TrialConfig, study: StudyConfig, key: TrialKey) -> None:
    """A trial begins, or is told of as if it had begun."""
    now_s, own = time.time(), settings(trial)
    searched = {name: own[name] for name in study.space if name in own}
    events.plugin(*hparams.columns(study, now_s))
    events.plugin(*hparams.begun(trial, study, key, now_s))
    others = {name: value for name, value in own.items() if name not in searched}
    events.text(
        "settings", points({**{f"{name} (searched)": value for name, value in searched.items()}, **others})
    )
    events.text("protocol", points(_protocol(trial, study, key)))


def parts(events: Events, trial: TrialConfig, study: StudyConfig, facts: Mapping[str, Any]) -> None:
    """Who is in which part, once that is known, and what that marks.

    Args:
        facts: `outcome.facts_of`.
    """
    counts = {name: f"{facts[key]} utterances" for key, name in SIZES.items()}
    for role in ("valid", "test"):
        counts[SIZES[f"n_{role}"]] += f" of {', '.join(json.loads(facts[f'{role}_speakers']))}"
    found = marks(
        _config(trial, study), **{name: facts[f"n_{name}"] for name in ("unknown", "skipped", "unlike")}
    )
    events.text("parts", points({**counts, **{f"marked: {mark}": why for mark, why in found.items()}}))


def genotype(events: Events, found: Genotype) -> None:
    """The derived architecture, in words and as drawings."""
    cells = pictures.cells(found)
    words = "\n\n".join(picture.description for picture in cells.values())
    events.text("genotype", f"{words}\n\n`{found.to_json()}`")  # no block of code: that would not be wrapped
    for name, picture in cells.items():
        events.image(f"genotype/{name}", picture, 0)


def end(events: Events, records: Sequence[TrialRecord]) -> None:
    """A trial has ended with these records: one for each retraining, or one without scores."""
    first = records[0]
    events.plugin(*hparams.ended(first.status, time.time()))
    events.scalar("result/finished", float(first.status == "finished"), 0)
    events.text("status", _status(records))
    for record in records:
        for role, found in (("valid", record.valid), ("test", record.test)):
            if found is not None:
                heading = f"{ROLES[role]}, retrain seed {record.retrain_seed}"
                picture = pictures.confusion(found.confusion, record.emotions, heading)
                events.image(
                    f"result/{role}_confusion-{record.retrain_seed}",
                    picture,
                    int(record.facts.get("epoch", 0)),
                )
    for tag in hparams.SCORES:
        role, _, score = tag.removeprefix("result/").partition("_")
        known = [
            found.scores[score]
            for record in records
            if score and (found := getattr(record, role)) is not None
        ]
        if known and np.isfinite(known).all():
            events.scalar(tag, float(np.mean(known)), 0)


def points(rows: Mapping[str, Any]) -> str:
    """Names and values as a list in Markdown: a table would break its words."""
    return "\n".join(f"- **{_told(name)}**: {_told(value)}" for name, value in rows.items())


def _told(value: Any) -> str:
    """A value as itself, whatever Markdown would make of its signs."""
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return re.sub(r"([\\`*_{}\[\]#])", r"\\\1", escape(" ".join(shown.split()), quote=False)) or "none"


def _status(records: Sequence[TrialRecord]) -> str:
    """How a trial has ended, in words."""
    first = records[0]
    if first.status != "finished":
        kind = f" ({first.failure})" if first.failure else ""
        return f"**{first.status}{kind}**\n\n" + "\n\n".join(map(_told, first.reason.splitlines()))
    lines = {}
    for record in records:
        epoch = record.facts.get("epoch", "unknown")
        scores = f"validation {record.valid}; test {record.test}"
        lines[f"retrain seed {record.retrain_seed}, epoch {epoch}"] = scores
    return "**finished**\n\n" + points(lines)


def _protocol(trial: TrialConfig, study: StudyConfig, key: TrialKey) -> dict[str, Any]:
    found, corpus, made = marks(_config(trial, study)), trial.corpus, provenance()
    return {
        "study": study.name,
        "trial": key.name,
        "corpus": f"{corpus.name}, fingerprint {corpus.fingerprint[:12] or 'not known yet'}",
        "folds": f"{corpus.folds}, this is fold {trial.fold}; speaker-dependent: "
        f"{'yes' if corpus.speaker_dependent else 'no'}",
        "validation": corpus.valid,
        "normalisation": trial.features.normalisation,
        "candidates": f"{study.candidates} an arm, {study.protocol}, by {' against '.join(study.objectives)}",
        "retrain seeds": trial.retrain.seeds,
        "code": f"commit {made['commit'] or 'unknown'}",
        "versions": ", ".join(
            f"{name} {version or 'none'}" for name, version in json.loads(made["versions"]).items()
        ),
        "machine": f"{made['host']}, {made['cpu']}",
        **{f"marked: {mark}": why for mark, why in found.items()},
    }


def _config(trial: TrialConfig, study: StudyConfig) -> Config:
    """The study as this trial sees it."""
    return Config(
        study=study,
        corpus=trial.corpus,
        features=trial.features,
        network=trial.network,
        search=trial.search,
        checks=trial.checks,
        retrain=trial.retrain,
        compute=trial.compute,
    )
