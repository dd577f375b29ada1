"""Curves over the epochs of both stages."""

from collections.abc import Iterator

from analysis.figures import curves
from analysis.loading import Results
from analysis.report.markup import Child
from analysis.report.pieces import Figure, figures, paragraph
from raysernas.config.arms import ARMS

HOW = (
    "Line: the mean of an arm’s trials at that epoch. Band: from the lowest to the highest of them. "
    "Validation "
    "speakers only."
)
CURVES = {  # (stage, column) -> (caption, axis, in percent)
    ("retrain", "valid_ua"): ("Retraining: validation UA", "UA, percent", True),
    ("retrain", "loss"): ("Retraining: training loss", "loss", False),
    ("refit", "loss"): ("Training on all but the test speakers: loss", "loss", False),
    ("search", "ua"): ("Search: UA of the supernet, weights half", "UA, percent", True),
    ("search", "alphas_ua"): ("Search: UA of the supernet, alphas half", "UA, percent", True),
    ("search", "loss"): ("Search: loss, weights half", "loss", False),
    ("search", "entropy"): ("Search: entropy of the edges", "1 = nothing chosen", False),
    ("search", "skips"): ("Search: skip connections in the genotype", "number", False),
    ("search", "eigenvalue"): ("Search: largest eigenvalue of the curvature", "eigenvalue", False),
}


def contents(results: Results) -> Iterator[Child]:
    """The curves of every study."""
    shown = figures(results, by_epoch)
    yield paragraph(HOW if shown else "No history of a trial was found, so there are no curves.")
    yield shown


def by_epoch(results: Results, study: str) -> Iterator[Figure]:
    """One figure for each curve that any trial has."""
    table = results.rows("histories", study)
    if table.empty:
        return
    # the draws of random_search are not epochs of a search
    searched = table["arm"].isin([arm for arm, of in ARMS.items() if of.searches])
    for (stage, column), (caption, label, percent) in CURVES.items():
        rows = table[(table["stage"] == stage) & ((stage != "search") | searched)]
        picture = curves.curves(rows, column, results.ranked(study), caption, label, percent=percent)
        if picture is not None:
            yield Figure(caption, picture)
