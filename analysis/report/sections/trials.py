"""Every trial: data in a compact JSON, which the page's script shows in pages, sorts and filters."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.frames import columns as named
from analysis.loading import Results
from analysis.report import grid, values
from analysis.report.markup import Child, data, tag
from analysis.report.pieces import definitions, paragraph
from analysis.selection import HEADLINE, labelled
from raysernas.record.metrics import METRICS

FILTERS = named("study arm fold seed candidate status chosen failure")
FIRST = (
    *named("study trial arm candidate fold seed retrain_seed valid_ua"),
    *(f"test_{name}" for name in METRICS),
    *named("status chosen planned parameters latency_ms search_s retrain_s test_s search_mb retrain_mb"),
    *named("n_train n_valid n_test genotype_digest failure reason"),
)
# shown even if they are the same in all trials
ALWAYS = named("trial arm fold seed valid_ua test_ua status chosen")
# for machines, or shown elsewhere
LONG = named("digest schema_version emotions genotype folds study_name")
PERCENT = tuple(f"_{name}" for name, metric in METRICS.items() if metric.is_share)
DIGITS = 6


def contents(results: Results) -> Iterator[Child]:
    """The table, empty until the script fills it, and what all trials have in common."""
    trials = labelled(results.trials, results.rows("chosen"))
    if trials.empty:
        yield paragraph("No trial has ended yet.")
        return
    shown, same = columns(trials)
    yield paragraph(
        "One row for each retrain seed of each trial; scores in percent. Test scores are here to be looked "
        "up, "
        "never to choose by. ",
        tag("em", None, "chosen"),
        " says which selections use the row.",
    )
    without = "This table needs JavaScript; the same rows are in the files of --tables."
    yield tag("noscript", None, tag("p", None, without))
    name = "trials-caption"
    marks = grid.marks_of(results, None, HEADLINE)
    caption = grid.headed(name, "Every retraining of every ended trial", marks)
    buttons = [tag("button", {"type": "button"}, word) for word in ("Previous", "Next")]
    yield tag(
        "div",
        {"id": "trials-area", "hidden": True},
        tag("div", {"class": "filters"}),
        tag("div", {"class": "chips"}),
        tag("div", {"class": "pager"}, *buttons, tag("output", {"aria-live": "polite"}, "")),
        grid.region(name, tag("table", None, caption)),
    )
    yield grid.below(results)
    if same:
        title = f"What is the same in all trials that have it ({len(same)})"
        yield tag("details", None, tag("summary", None, title), definitions(same.items()))
    yield data("trials-data", {"columns": shown, "filters": list(FILTERS)})


def columns(trials: pd.DataFrame) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The columns in which trials differ, the usual ones first; and name -> value of what is the same in all
    trials that have it.

    A column is `{name, heading, kind, shown, values}`. Columns that links use are there even if all trials
    are alike, but not shown. Text has `levels` and, for each row, the number of its level (-1: none).
    """
    order = [name for name in FIRST if name in trials] + sorted(
        str(name) for name in trials if name not in FIRST
    )
    shown, same = [], {}
    for name in order:
        column = trials[name]
        if name in LONG or name.endswith("_confusion") or not len(trials) or column.isna().all():
            continue
        # an arm that does not read a setting has no other value of it
        texts = [str(value) for value in column.tolist() if values.known(value)]
        alike = len(set(texts)) == 1 and (len(texts) == len(column) or name not in FIRST)
        if alike and name not in ALWAYS:
            same[name] = texts[0]
        if not alike or name in FIRST:
            shown.append({**_column(name, column), "shown": not alike or name in ALWAYS})
    return shown, same


def _column(name: str, column: pd.Series) -> dict[str, Any]:
    words = [METRICS[word].label if word in METRICS else word for word in name.split("_")]
    heading = name if "." in name else " ".join(words)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        kind = "percent" if name.endswith(PERCENT) else "number"
        numbers = [_number(value) for value in column.tolist()]
        return {"name": name, "heading": heading, "kind": kind, "values": numbers}
    texts = [str(value) if values.known(value) else "" for value in column.tolist()]
    levels = sorted(set(texts) - {""})
    places = {text: i for i, text in enumerate(levels)} | {"": -1}
    kind, of_rows = "words" if name == "chosen" else "text", [places[text] for text in texts]
    return {"name": name, "heading": heading, "kind": kind, "levels": levels, "values": of_rows}


def _number(value: Any) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")
