"""What the tested networks answered on each utterance: predictions/*.parquet, checked against the ledger.

In: a study's folder and rows of its trials. Out: one row for each utterance and run, and a sentence for each
kind of file that is missing or cannot be used. A file whose answers do not add up to the confusion of its
record belongs to another attempt, and is not used. An ensemble that does not follow from the posteriors of
its members is refuted.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.frames import KEY, columns, joined
from raysernas.record import storage
from raysernas.record.ensembles import MEMBERS, mean_posteriors
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.metrics import evaluate
from raysernas.record.soundness import confusions, few, fits

COLUMNS = columns("trial arm fold seed retrain_seed key speaker emotion predicted")
NEEDED = ("key", "speaker", "emotion", "retrain_seed")
POSTERIOR = "p_"


def decisions(study: StudyFiles, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """COLUMNS, one row for each test utterance of each run; remarks; and the trials whose ensembles are
    refuted. `emotion` is the truth.

    Args:
        rows: of the wanted trials, from `study.read`.

    Raises:
        StorageFault: when the place does not answer.
    """
    each_trial = rows.drop_duplicates("trial")[["trial", "checksums", *KEY]].to_dict("records")
    paths = [study.trial(TrialKey(**{name: one[name] for name in KEY})).predictions for one in each_trial]
    contents = storage.each(_bytes, paths)
    read = [_read(content, one["checksums"]) for content, one in zip(contents, each_trial, strict=True)]
    faults: dict[str, list[str]] = {}
    found, refuted = [], list[str]()
    by_trial = dict(list(rows.groupby("trial")))
    for one, table in zip(each_trial, read, strict=True):
        fitted = table if isinstance(table, str) else _fit(table, by_trial[one["trial"]])
        if isinstance(fitted, str):
            faults.setdefault(fitted, []).append(str(one["trial"]))
        else:
            if not _explains(fitted, by_trial[one["trial"]]):
                refuted.append(str(one["trial"]))
            found.append(fitted.assign(**{name: one[name] for name in ("trial", "arm", "fold", "seed")}))
    remarks = [
        f"predictions of {few(trials)} {why}; no speaker is scored on them" for why, trials in faults.items()
    ]
    if refuted:
        what = "do not follow from their predictions and count as unknown"
        remarks.append(f"the ensembles of {few(refuted)} {what}")
    return joined(found, COLUMNS), remarks, refuted


def _bytes(path: Path) -> bytes | str:
    """The content of a file, or why there is none."""
    try:
        return storage.read(path)
    except FileNotFoundError:
        return "are missing"
    except OSError:
        return "cannot be read"


def _read(content: bytes | str, checksums: str) -> pd.DataFrame | str:
    """The table, or why there is none."""
    if isinstance(content, str):
        return content
    if not fits(checksums, "predictions", content):
        return "are not those that the trial left"
    try:
        table = pq.read_table(BytesIO(content))
    except (pa.ArrowException, OSError, ValueError):
        return "cannot be read"
    frame = table.to_pandas()
    return frame if {*NEEDED} <= {*frame} else "lack a column"


def _fit(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame | str:
    """The decisions of the runs that the ledger has, or why they cannot be used."""
    names = [str(name).removeprefix(POSTERIOR) for name in table if str(name).startswith(POSTERIOR)]
    posteriors = table[[f"{POSTERIOR}{name}" for name in names]].to_numpy(dtype=float)
    if not names or not np.isfinite(posteriors).all() or not table["emotion"].isin(names).all():
        return "hold posteriors that are not numbers, or emotions without a posterior"
    predicted = posteriors.argmax(axis=1)
    truth = pd.Categorical(table["emotion"], categories=names).codes
    recorded = confusions(rows["test_confusion"].tolist())
    for seed, confusion in zip(rows["retrain_seed"], recorded, strict=True):
        of_run = (table["retrain_seed"] == seed).to_numpy()
        counted = evaluate(truth[of_run], predicted[of_run], len(names)).confusion
        if confusion is None or not np.array_equal(counted, confusion):
            return "do not add up to the confusions in the ledger"
    wanted = table["retrain_seed"].isin(rows["retrain_seed"])
    return table.assign(predicted=np.array(names, dtype=object)[predicted])[wanted]


def _explains(table: pd.DataFrame, rows: pd.DataFrame) -> bool:
    """Whether the posteriors of a trial are those behind the ensemble in its record; true if it has none."""
    first, members = rows.iloc[0], [group for _, group in table.groupby("retrain_seed")]
    (recorded,) = confusions([first["ensemble_test_confusion"]])
    if recorded is None or len(members) != first[MEMBERS]:
        return recorded is None
    if any(each["key"].tolist() != members[0]["key"].tolist() for each in members):
        return False
    names = [name for name in table if str(name).startswith(POSTERIOR)]
    posteriors = mean_posteriors([each[names].to_numpy(dtype=float) for each in members])
    truth = pd.Categorical(POSTERIOR + members[0]["emotion"], categories=names).codes
    return np.array_equal(evaluate(truth, posteriors.argmax(axis=1), len(names)).confusion, recorded)
