"""What TensorBoard shows of a trial besides its epochs: settings and protocol at the start, architecture,
scores and status at the end.

In: a trial and its study, later its records. Out: events. The end is written together with the record: by the
trial itself, or by the driver if the process was lost or the candidate was given up.
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
from raysernas.record.metrics import METRICS
from raysernas.record.protocol import COUNTED, marks
from raysernas.record.provenance import provenance
from raysernas.tensorboard import hparams
from raysernas.tensorboard.events import Events

ROLES = {"valid": "validation", "test": "test"}
SIZES = {"n_weights": "weights half", "n_alphas": "alphas half", "n_valid": "validation", "n_test": "test"}


def write_start(events: Events, trial: TrialConfig, study: StudyConfig, key: TrialKey) -> None:
    """The settings and the protocol of a trial."""
    now_s, own = time.time(), settings(trial)
    searched = {name: own[name] for name in study.space if name in own}
    events.plugin(*hparams.experiment(study, now_s))
    events.plugin(*hparams.session_start(trial, study, key, now_s))
    rows = {f"{name} (searched)": value for name, value in searched.items()}
    rows |= {name: value for name, value in own.items() if name not in searched}
    events.text("settings", markdown_list(rows))
    events.text("protocol", markdown_list(_protocol(trial, study, key)))


def write_parts(events: Events, trial: TrialConfig, study: StudyConfig, facts: Mapping[str, Any]) -> None:
    """How many utterances of which speakers are in each part, and the marks that follow from that.

    Args:
        facts: `outcome.facts_of`.
    """
    counts = {name: f"{facts[key]} utterances" for key, name in SIZES.items()}
    for role in ("valid", "test"):
        counts[SIZES[f"n_{role}"]] += f" of {', '.join(json.loads(facts[f'{role}_speakers']))}"
    counted = {name: facts[f"n_{name}"] for name in COUNTED}
    found = marks(_config(trial, study), **counted)
    rows = {**counts, **{f"marked: {mark}": why for mark, why in found.items()}}
    events.text("parts", markdown_list(rows))


def write_genotype(events: Events, genotype: Genotype) -> None:
    """The derived architecture, in words and as drawings."""
    cells = pictures.cells(genotype)
    words = "\n\n".join(picture.description for picture in cells.values())
    events.text("genotype", f"{words}\n\n`{genotype.to_json()}`")  # inline code: a block would not wrap
    for name, picture in cells.items():
        events.image(f"genotype/{name}", picture, 0)


def write_end(events: Events, records: Sequence[TrialRecord]) -> None:
    """Status, scores and confusions. There is one record for each retraining, or one without scores."""
    first = records[0]
    events.plugin(*hparams.session_end(first.status, time.time()))
    events.scalar("result/finished", float(first.status == "finished"), 0)
    events.text("status", _status(records))
    for role, part in ROLES.items():
        scored = [record for record in records if getattr(record, role) is not None]
        for record in scored:
            heading = f"{part}, retrain seed {record.retrain_seed}"
            picture = pictures.confusion(getattr(record, role).confusion, record.emotions, heading)
            epoch = int(record.facts.get("epoch", 0))
            events.image(f"result/{role}_confusion-{record.retrain_seed}", picture, epoch)
        for name in METRICS if scored else ():
            score = float(np.mean([getattr(record, role).scores[name] for record in scored]))
            if np.isfinite(score):
                events.scalar(f"result/{role}_{name}", score, 0)
    if (found := first.ensemble) is not None:
        for role, scores in (("valid", found.valid), ("test", found.test)):
            picture = pictures.confusion(scores.confusion, first.emotions, f"{ROLES[role]}, ensemble")
            events.image(f"result/ensemble_{role}_confusion", picture, 0)
            for name, score in scores.scores.items():
                if np.isfinite(score):
                    events.scalar(f"result/ensemble_{role}_{name}", score, 0)


def markdown_list(rows: Mapping[str, Any]) -> str:
    """Names and values as a list; a table would break words."""
    return "\n".join(f"- **{_escaped(name)}**: {_escaped(value)}" for name, value in rows.items())


def _escaped(value: Any) -> str:
    """A value as plain text in Markdown."""
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return re.sub(r"([\\`*_{}\[\]#])", r"\\\1", escape(" ".join(shown.split()), quote=False)) or "none"


def _status(records: Sequence[TrialRecord]) -> str:
    first = records[0]
    if first.status != "finished":
        kind = f" ({first.failure})" if first.failure else ""
        return f"**{first.status}{kind}**\n\n" + "\n\n".join(map(_escaped, first.reason.splitlines()))
    lines = {}
    for record in records:
        epoch = record.facts.get("epoch", "unknown")
        scores = f"validation {record.valid}; test {record.test}"
        lines[f"retrain seed {record.retrain_seed}, epoch {epoch}"] = scores
    if (found := first.ensemble) is not None:
        scores = f"validation {found.valid}; test {found.test}"
        lines[f"mean posteriors of {found.members} retrainings"] = scores
    return "**finished**\n\n" + markdown_list(lines)


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
    """The study's configuration with the settings of this trial."""
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
