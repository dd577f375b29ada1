"""The record of every trial that has ended: written once, as its last step, and read as pandas tables.

One Parquet file for each trial in `trials/`, until `compact` puts many into one; one row for each retrain
seed (one row for a failed trial), with the scores of their ensemble in columns of its own. Settings stand in
dotted columns. Code that chooses anything reads `validation()`, which holds no test score.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from raysernas.config.identity import digest, settings
from raysernas.config.schema import TrialConfig
from raysernas.record import attempts, compaction, ensembles, parquet, reading, seal, soundness, storage
from raysernas.record.ensembles import Ensemble
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey
from raysernas.record.metrics import METRICS, Evaluation
from raysernas.record.provenance import provenance
from raysernas.record.reading import SCHEMA_VERSION

# the last three happen to a process
Failure = Literal["bad_data", "not_a_number", "error", "lost", "out_of_memory", "no_progress"]
IDENTITY = ("arm", "candidate", "fold", "seed", "retrain_seed", "status", "digest", "reason", "failure")
MEASURED = ("_s", "_mb", "_ms")  # endings of columns that may differ between two runs of a trial
LOOSE = compaction.FILES  # files of single trials that are not compacted
SIZES = ("n_valid", "n_weights", "n_alphas")  # utterances of the parts other than the test part
EVIDENCE = "valid_confusion"  # from which `valid_ua` must follow
VALIDATION = (*IDENTITY, "valid_ua", "parameters", "latency_ms", *SIZES)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRecord:
    """One row of the ledger."""

    study: str
    key: TrialKey
    digest: str
    settings: dict[str, Any]  # dotted, only what the arm reads
    status: Literal["finished", "failed", "raced"]  # raced: its candidate was given up before the end
    reason: str = ""  # why it failed or was given up
    failure: Failure | Literal[""] = ""  # kind of failure
    retrain_seed: int = 0
    emotions: tuple[str, ...] = ()
    valid: Evaluation | None = None
    test: Evaluation | None = None
    ensemble: Ensemble | None = None  # of all retrainings of the trial, if there are several
    # scalars: speakers, epoch, genotype, parameters, seconds, memory, versions
    facts: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Column -> scalar; confusions and lists as JSON."""
        settings = {
            key: json.dumps(value) if isinstance(value, tuple | dict) else value
            for key, value in self.settings.items()
        }
        identity = {
            "schema_version": SCHEMA_VERSION,
            "study": self.study,
            "status": self.status,
            "reason": self.reason,
            "failure": self.failure,
        }
        key = {
            "arm": self.key.arm,
            "candidate": self.key.candidate,
            "fold": self.key.fold,
            "seed": self.key.seed,
        }
        scores = {
            **_scores("valid", self.valid),
            **_scores("test", self.test),
            "emotions": json.dumps(self.emotions),
        }
        return {
            **settings,
            **identity,
            **key,
            "retrain_seed": self.retrain_seed,
            "digest": self.digest,
            **scores,
            **_ensemble(self.ensemble),
            **self.facts,
        }


def _scores(part: str, evaluation: Evaluation | None) -> dict[str, Any]:
    if evaluation is None:
        missing = {f"{part}_{name}": np.nan for name in METRICS}
        return {**missing, f"{part}_confusion": "", f"{part}_classes": 0}
    return {
        **{f"{part}_{name}": score for name, score in evaluation.scores.items()},
        f"{part}_classes": int(evaluation.present.sum()),
        f"{part}_confusion": json.dumps(evaluation.confusion.tolist()),
    }


def _ensemble(found: Ensemble | None) -> dict[str, Any]:
    if found is None:
        return {}
    scores = {**_scores("ensemble_valid", found.valid), **_scores("ensemble_test", found.test)}
    return {ensembles.MEMBERS: found.members, **scores}


def failure(trial: TrialConfig, study: str, key: TrialKey, reason: str, kind: Failure) -> TrialRecord:
    """The record of a trial that could not be finished."""
    return TrialRecord(
        study=study,
        key=key,
        digest=digest(trial),
        settings=settings(trial),
        status="failed",
        reason=reason,
        failure=kind,
        facts=provenance(),
    )


def raced(trial: TrialConfig, study: str, key: TrialKey, reason: str) -> TrialRecord:
    """The record of a trial that did not run to its end because its candidate was given up."""
    return TrialRecord(
        study=study, key=key, digest=digest(trial), settings=settings(trial), status="raced", reason=reason
    )


def write(files: TrialFiles, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Write all rows of a trial, or none; return them as written, with the number of `attempts` and the
    `checksums` of the trial's other files (JSON: name -> SHA-256).
    """
    rows = pd.DataFrame([record.row() for record in records])
    rows = rows.assign(attempts=len(attempts.read(files)), checksums=json.dumps(_checksums(files)))
    write_table(files.record, rows)
    return rows


def _checksums(files: TrialFiles) -> dict[str, str]:
    """Name of its folder -> checksum of each other file that the trial has left."""
    found = [path for path in (files.history, files.genotype, files.predictions) if storage.exists(path)]
    contents = storage.each(storage.read, found)
    return {path.parent.name: seal.checksum(each) for path, each in zip(found, contents, strict=True)}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a sealed Parquet file whole or not at all."""
    parquet.write(path, pa.Table.from_pandas(table, preserve_index=False))


def read(files: TrialFiles) -> pd.DataFrame | None:
    """The rows of one trial; None if it has not ended or its record cannot be read.

    Raises:
        Fault: for a record of a newer version, or a folder or bucket that cannot be read.
    """
    return reading.one(files)


def table(study: StudyFiles) -> pd.DataFrame:
    """All rows of all ended trials, sorted by key, with test scores: for reporting only.

    Raises:
        Fault: as `read`.
    """
    return table_and_remarks(study)[0]


def table_and_remarks(study: StudyFiles) -> tuple[pd.DataFrame, list[str]]:
    """`table` and `remarks`, read at once: each reading of a bucket takes many requests."""
    found = reading.gather(study, None)
    sentences = _remarks(found)
    if found.repeated:
        where = "stand in several files of the ledger"
        sentences.append(f"{found.repeated} trials {where}; the latest record of each counts")
    return found.frame(None if len(found.rows) else VALIDATION), sentences


def validation(study: StudyFiles) -> pd.DataFrame:
    """Identity, validation UA and size of all ended trials: the only view for code that chooses anything."""
    return validation_and_remarks(study)[0]


def validation_and_remarks(study: StudyFiles) -> tuple[pd.DataFrame, list[str]]:
    """`validation` and `remarks`, read at once."""
    found = reading.gather(study, (*VALIDATION, EVIDENCE))
    rows, odd = _validated(found.frame((*VALIDATION, EVIDENCE)))
    return rows, [*_remarks(found), *odd]


def validation_of(files: TrialFiles) -> pd.DataFrame | None:
    """`validation` of one trial, from its record alone; None if it has not ended."""
    rows = reading.one(files)
    valid = None if rows is None else _validated(rows.reindex(columns=[*VALIDATION, EVIDENCE]))[0]
    return None if valid is None or valid.empty else valid


def _validated(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """VALIDATION of rows whose validation UA follows from its confusion, and remarks on the others."""
    trials, odd = soundness.believed(rows, parts=("valid",))
    return trials[list(VALIDATION)], odd


def remarks(study: StudyFiles) -> list[str]:
    """Sentences about the files of the ledger: which were skipped, and which are of older versions."""
    return _remarks(reading.gather(study, ()))


def _remarks(found: reading.Reading) -> list[str]:
    replaced = {str(path) for path in found.replaced}
    sentences = []
    for path, why in sorted(found.skipped.items()):
        then = "its copy was read instead" if path in replaced else "its trials count as not run"
        sentences.append(f"{path} cannot be read ({why}); {then}")
    if found.older:
        what = "trials were recorded by an older version; what it did not record is empty"
        sentences.append(f"{found.older} {what}")
    return sentences


def compact(study: StudyFiles) -> int:
    """Put the records of all ended trials into one file; return how many files of single trials it replaces.

    The caller holds the study's lock. If it is interrupted, no record is lost and none counts twice.

    Raises:
        Fault: as `read`, or for a folder that cannot be written.
    """
    return compaction.compact(study)


def compact_many(study: StudyFiles) -> int:
    """`compact`, if there are more than LOOSE files of single trials."""
    return compaction.compact(study) if compaction.due(study) else 0
