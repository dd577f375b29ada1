"""What each epoch of a trial recorded: history/*.jsonl as frames.

In: a study's folder and rows of its trials. Out: one row an epoch with a column for each number (dotted where
it is nested), or one row for each edge and operation of the softmaxed alphas; and a sentence for each kind of
file that is missing or torn. The whole lines of a torn file are used.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import KEY, columns, joined
from raysernas.config.arms import ARMS
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config
from raysernas.record import storage
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.genotype import PartSpace, space_of
from raysernas.record.soundness import few, fits

COLUMNS = columns("study trial arm candidate fold seed stage retrain_seed epoch")
ALPHA_COLUMNS = columns("study trial arm candidate fold seed epoch part edge node source operation weight")
HistoryLine = dict[str, Any]  # an epoch as the trial wrote it


def read(study: StudyFiles, trials: pd.DataFrame) -> tuple[dict[str, list[HistoryLine]], list[str]]:
    """Trial -> its epochs, for trials that have a history; and remarks.

    Args:
        trials: rows as `study.read` gives them.

    Raises:
        StorageFault: when the place does not answer.
    """
    keys = trials.drop_duplicates("trial")[["trial", "checksums", *KEY]].to_dict("records")
    paths = [study.trial(TrialKey(**{name: each[name] for name in KEY})).history for each in keys]
    found, missing, torn, damaged = {}, [], [], []
    for each, content in zip(keys, storage.each(_bytes, paths), strict=True):
        if content is None:
            missing.append(str(each["trial"]))
            continue
        if not fits(each["checksums"], "history", content):
            damaged.append(str(each["trial"]))
            continue
        found[str(each["trial"])], whole = _lines(content)
        if not whole:
            torn.append(str(each["trial"]))
    remarks = [
        f"{few(names)} {why}"
        for names, why in (
            (missing, "left no history"),
            (torn, "left a torn history"),
            (damaged, "have another history than they left; it is not used"),
        )
        if names
    ]
    return found, remarks


def epochs(lines: dict[str, list[HistoryLine]], trials: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS and every number of an epoch, one row for each epoch of each stage; without texts and alphas.

    `retrain_seed` is NaN in stages that have none, and in histories of versions that did not record it.
    """
    rows = []
    for of, line in _each(lines, trials):
        rows.append({**of, "stage": str(line["stage"]), "retrain_seed": np.nan, **dict(_numbers(line))})
    frame = pd.DataFrame(rows, columns=list(COLUMNS) if not rows else None)
    return frame[[*COLUMNS, *(name for name in frame if name not in COLUMNS)]]


def alphas(lines: dict[str, list[HistoryLine]], trials: pd.DataFrame, config: Config) -> pd.DataFrame:
    """ALPHA_COLUMNS: the softmaxed alphas of searches, one row for each epoch, part, edge and operation.

    Edge number `edge` leads from state `source` into `node`. Parts that do not fit the arm's space are left
    out.
    """
    found = []
    for of, line in _each(lines, trials):
        has_genotype = of["arm"] in ARMS and ARMS[of["arm"]].has_genotype
        for part, values in (line.get("mixing") or {}).items() if has_genotype else ():
            choice = space_of(trial_config(config, arm=of["arm"], fold=0, seed=0)).get(part)
            weights = np.asarray(values, dtype=float)
            if choice is not None and weights.shape == (len(choice.edges), len(choice.operations)):
                found.append(_table(weights, choice).assign(**of, epoch=line.get("epoch"), part=part))
    return joined(found, ALPHA_COLUMNS)


def _table(weights: Any, choice: PartSpace) -> pd.DataFrame:
    edge, operation = np.indices(weights.shape).reshape(2, -1)
    node, source = np.array(choice.edges)[edge].T
    names = np.array(choice.operations, dtype=object)[operation]
    cells = {"edge": edge, "node": node, "source": source, "operation": names, "weight": weights.ravel()}
    return pd.DataFrame(cells)


def _bytes(path: Any) -> bytes | None:
    try:
        return storage.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage.unreadable(path, error) from error


def _lines(content: bytes) -> tuple[list[HistoryLine], bool]:
    """The epochs in a file, and whether every line is one."""
    found, whole = [], True
    for text in content.decode("utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if isinstance(line, dict) and "stage" in line and isinstance(line.get("epoch"), int):
            found.append(line)
        else:
            whole = False
    return found, whole


def _each(
    lines: dict[str, list[HistoryLine]], trials: pd.DataFrame
) -> Iterator[tuple[dict[Any, Any], HistoryLine]]:
    """(trial, its line) for every epoch."""
    for of in trials.drop_duplicates("trial")[["study", "trial", *KEY]].to_dict("records"):
        yield from ((of, line) for line in lines.get(str(of["trial"]), []))


def _numbers(line: HistoryLine, prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in line.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", value
        elif isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}.")
