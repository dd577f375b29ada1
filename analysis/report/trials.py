"""The trials table as data: columns in a compact JSON that the page's script shows in pages, sorts and
filters.

Comes in: the frame of trials. Goes out: plain values for `markup.data`, and what all trials have in common.
"""

import math
from typing import Any

import pandas as pd

from analysis.report import wording
from raysernas.record.metrics import METRICS

FIRST = (
    "study",
    "trial",
    "arm",
    "candidate",
    "fold",
    "seed",
    "retrain_seed",
    "valid_ua",
    *(f"test_{name}" for name in METRICS),
    "status",
    "chosen",
    "planned",
    "parameters",
    "latency_ms",
    "search_s",
    "retrain_s",
    "test_s",
    "search_mb",
    "retrain_mb",
    "n_train",
    "n_valid",
    "n_test",
    "genotype_digest",
    "failure",
    "reason",
)
# also where they are the same in all trials
ALWAYS = ("trial", "arm", "fold", "seed", "valid_ua", "test_ua", "status", "chosen")
# of machines; or shown elsewhere
LONG = ("digest", "schema_version", "emotions", "genotype", "folds", "study_name")
PERCENT = tuple(f"_{name}" for name, metric in METRICS.items() if metric.is_share)
DIGITS = 6


def columns(trials: pd.DataFrame) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The columns in which trials differ, the usual ones first; and name -> value of what is the same in all
    that have it.

    A column is `{name, heading, kind, shown, values}`; those that links ask for are there, not shown, where
    all are alike. Text has `levels` and, for each row, the number of its level (-1: none).
    """
    order = [name for name in FIRST if name in trials] + sorted(
        str(name) for name in trials if name not in FIRST
    )
    shown, same = [], {}
    for name in order:
        values = trials[name]
        if name in LONG or name.endswith("_confusion") or not len(trials) or values.isna().all():
            continue
        # what an arm does not read is no other value
        told = [str(value) for value in values.tolist() if wording.known(value)]
        alike = len(set(told)) == 1 and (len(told) == len(values) or name not in FIRST)
        if alike and name not in ALWAYS:
            same[name] = told[0]
        if not alike or name in FIRST:
            shown.append({**_column(name, values), "shown": not alike or name in ALWAYS})
    return shown, same


def _column(name: str, values: pd.Series) -> dict[str, Any]:
    heading = (
        name
        if "." in name
        else " ".join(METRICS[word].label if word in METRICS else word for word in name.split("_"))
    )
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        kind = "percent" if name.endswith(PERCENT) else "number"
        return {
            "name": name,
            "heading": heading,
            "kind": kind,
            "values": [_number(value) for value in values.tolist()],
        }
    words = ["" if not wording.known(value) else str(value) for value in values.tolist()]
    levels = sorted(set(words) - {""})
    places = {word: i for i, word in enumerate(levels)} | {"": -1}
    kind = "words" if name == "chosen" else "text"
    return {
        "name": name,
        "heading": heading,
        "kind": kind,
        "levels": levels,
        "values": [places[word] for word in words],
    }


def _number(value: Any) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")
