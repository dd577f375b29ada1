"""What the tested networks said of each utterance: predictions/*.parquet of some trials, checked against the
ledger.

Comes in: a study's folder and the rows of its trials. Goes out: one row for each utterance and run, and a
sentence for each kind of file that is missing or cannot be used. A file whose decisions do not add up to the
confusion of its record is of another attempt: nothing is taken from it.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.study import confusions, few
from raysernas.record import storage
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.metrics import evaluate

COLUMNS = ("trial", "arm", "fold", "seed", "retrain_seed", "key", "speaker", "emotion", "predicted")
NEEDED = ("key", "speaker", "emotion", "retrain_seed")
POSTERIOR = "p_"


def decisions(study: StudyFiles, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """COLUMNS, one row for each test utterance of each run, and remarks; `emotion` is the truth.

    Args:
        rows: of the trials that are wanted, from `study.read`.

    Raises:
        StorageFault: when the place does not answer.
    """
    keys = rows.drop_duplicates("trial")[["arm", "candidate", "fold", "seed", "trial"]].to_dict("records")
    paths = [
        study.trial(
            TrialKey(**{name: each[name] for name in ("arm", "candidate", "fold", "seed")})
        ).predictions
        for each in keys
    ]
    read = storage.each(_read, paths)
    faults: dict[str, list[str]] = {}
    found = []
    by_trial = dict(list(rows.groupby("trial")))
    for each, table in zip(keys, read, strict=True):
        told = table if isinstance(table, str) else _fit(table, by_trial[each["trial"]])
        if isinstance(told, str):
            faults.setdefault(told, []).append(str(each["trial"]))
        else:
            found.append(
                told.assign(**{name: each[name] for name in ("trial", "arm", "fold", "seed")})[list(COLUMNS)]
            )
    frame = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(COLUMNS))
    return frame, [
        f"predictions of {few(trials)} {why}; no speaker is scored on them" for why, trials in faults.items()
    ]


def _read(path: Path) -> pd.DataFrame | str:
    """The file, or why there is none."""
    try:
        content = path if storage.is_local(path) else BytesIO(storage.read(path))
        table = pq.read_table(content)
    except FileNotFoundError:
        return "are missing"
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, storage.StorageFault):
            raise
        return "cannot be read"
    frame = table.to_pandas()
    return frame if {*NEEDED} <= {*frame} else "lack a column"


def _fit(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame | str:
    """The decisions of the runs that the ledger has, or why they are not believed."""
    names = [str(name).removeprefix(POSTERIOR) for name in table if str(name).startswith(POSTERIOR)]
    posteriors = table[[f"{POSTERIOR}{name}" for name in names]].to_numpy(dtype=float)
    if not names or not np.isfinite(posteriors).all() or not table["emotion"].isin(names).all():
        return "hold posteriors that are no numbers, or emotions without one"
    predicted = posteriors.argmax(axis=1)
    truth = pd.Categorical(table["emotion"], categories=names).codes
    for again, confusion in zip(
        rows["retrain_seed"], confusions(rows["test_confusion"].tolist()), strict=True
    ):
        of_run = (table["retrain_seed"] == again).to_numpy()
        told = evaluate(truth[of_run], predicted[of_run], len(names)).confusion
        if confusion is None or not np.array_equal(told, confusion):
            return "are not those that the ledger has counted"
    wanted = table["retrain_seed"].isin(rows["retrain_seed"])
    return table.assign(predicted=np.array(names, dtype=object)[predicted])[wanted]
