"""The sections about scores: arms and how their candidates were chosen, pairs of arms, folds, validation
against test.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.report import gallery, grid, wording
from analysis.report.findings import FLAT, NESTED, ORACLE, Findings
from analysis.report.grid import Column
from analysis.report.markup import Markup, tag
from analysis.report.pieces import figures, paragraph, section
from raysernas.record.metrics import METRICS

OVER_FOLDS = "mean ± standard deviation over folds, seeds averaged inside a fold first; percent."
CHOSEN = (
    "Each outer fold’s candidate is the one that was best on that fold’s validation speakers (nested "
    f"selection), {OVER_FOLDS} "
    "Flat selection takes one candidate for all folds; what it gains over nested is usually optimism, not "
    "accuracy."
)
AS_WRITTEN = f"Every arm ran as written, so that no candidate was chosen; {OVER_FOLDS}"
FORBIDDEN = (
    "Choosing a candidate by its test score is forbidden: this is what would have been reported by whoever "
    "did. It is shown to "
    "tell how much such a choice flatters, and no other number of this page has seen it."
)


def arms(found: Findings) -> Markup:
    """The headline scores, flat ones and the difference beside them; what they are the scores of; the
    forbidden ones.
    """
    runs, oracle = (found.of("arms", selection=selection) for selection in (NESTED, ORACLE))
    chose = len(runs) > 0 and bool((runs["candidates"] > 1).any())
    table, source = (
        (_beside_flat(found), found.source(None, NESTED, FLAT)) if chose else (_ranked(runs), found.source())
    )
    lead = [Column("study", "study")] if len(found.studies) > 1 else []
    scores = [*lead, *_score_columns(found, "UA, nested" if chose else "UA")]
    return section(
        "arms",
        "Arms",
        paragraph(CHOSEN if chose else AS_WRITTEN),
        grid.table(
            "Test scores of each arm", table, scores, source, head="arm", empty="no arm has a score yet."
        ),
        grid.table(
            "What these are the scores of",
            _runs(runs),
            [*lead, *_run_columns(found)],
            found.source(),
            head="arm",
        ),
        _forbidden(found, oracle, lead) if chose else None,
    )


def folds(found: Findings) -> Markup:
    """Every fold of every arm, drawn and as a table; validation against test."""
    scored = [study for study in found.studies if len(found.of("folds", study, NESTED))]
    tables = [_fold_table(found, study) for study in scored] or [paragraph("No fold has a score yet.")]
    return section("folds", "Folds", figures(found, gallery.folds), *tables)


def pairs(found: Findings) -> Markup:
    """Differences between arms on the same folds, drawn and as a table."""
    table = found.of("pairs", selection=NESTED)
    shown = table.assign(pair=table["arm_a"] + " − " + table["arm_b"]) if len(table) else table
    lead = [Column("study", "study")] if len(found.studies) > 1 else []
    return section(
        "pairs",
        "Pairs of arms",
        paragraph(
            "Paired on the folds that both arms have. t and p are those of Nadeau and Bengio, corrected for "
            "training speakers that "
            "folds share; Holm’s p allows for all pairs; the last three are the probabilities (Bayesian "
            "correlated t) "
            "that the first arm is worse, practically the same, or better."
        ),
        figures(found, gallery.pairs),
        grid.table(
            "Differences of UA, in points",
            shown,
            [*lead, *_pair_columns(found)],
            found.source(),
            head="pair",
            empty="it takes two arms that share two folds.",
        ),
        grid.table(
            "What arms gain over random architectures",
            found.of("over_random", selection=NESTED),
            [*lead, *_gain_columns(found)],
            found.source(),
            head="arm",
            empty="the arm random, and another one, are needed for that.",
        ),
    )


def _gain_columns(found: Findings) -> list[Column]:
    def both(row: grid.Row) -> Mapping[str, Any]:
        return found.rows(row, arm=[row["arm"], "random"], chosen=NESTED)

    return [
        Column("arm", "arm"),
        Column("folds", "folds", wording.count, rows=both),
        Column(
            "draws", "draws", wording.count, rows=lambda row: found.rows(row, arm="random", chosen=NESTED)
        ),
        Column("ua", "UA", wording.percent, rows=both, note="on the folds that both have"),
        Column("random_ua", "UA of random", wording.percent, rows=both),
        Column(
            "improvement",
            "gain, % of that",
            wording.points,
            rows=both,
            note="(UA - UA of random) / UA of random",
        ),
        Column(
            "beaten",
            "draws beaten, %",
            wording.percent,
            rows=both,
            note="by a run of the arm on the same fold",
        ),
        Column("note", "beware"),
    ]


def _beside_flat(found: Findings) -> pd.DataFrame:
    table = found.of("arms", selection=NESTED)
    flat = found.of("arms", selection=FLAT)
    if table.empty or flat.empty:
        return table
    both = table.merge(
        flat[["study", "arm", "ua"]].rename(columns={"ua": "flat_ua"}), on=["study", "arm"], how="left"
    )
    return _ranked(both.assign(gain=both["flat_ua"] - both["ua"]))


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The best arm of each study first, those without a score last."""
    if table.empty:
        return table
    return table.sort_values(["study", "ua"], ascending=[True, False], na_position="last", kind="stable")


def _score_columns(found: Findings, heading: str, selection: str = NESTED) -> list[Column]:
    def own(row: grid.Row) -> Mapping[str, Any]:
        return found.rows(row, arm=row["arm"], chosen=selection)

    beside = [
        Column(
            "flat_ua",
            "UA, flat",
            wording.percent,
            rows=lambda row: found.rows(row, arm=row["arm"], chosen=FLAT),
        ),
        Column(
            "gain",
            "flat − nested",
            wording.points,
            note="points of UA by which flat selection is above nested selection",
        ),
    ]
    return [
        Column("arm", "arm", rows=lambda row: found.rows(row, arm=row["arm"])),
        grid.score("ua", own, heading=heading),
        *(beside if selection == NESTED else []),
        *(grid.score(name, own) for name in METRICS if name != "ua"),
        *(grid.score(name, own, pooled=True) for name in METRICS),
    ]


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    """The same arms with the folds they have as one word."""
    if table.empty:
        return table
    told = ["0" if not wording.known(n) else f"{n:.0f}" for n in table["folds"]]
    of = [f"{n} of {planned:.0f}" for n, planned in zip(told, table["planned_folds"], strict=True)]
    return table.assign(of_folds=of)


def _run_columns(found: Findings) -> list[Column]:
    def in_fold(name: str) -> Any:
        return lambda row: (
            found.rows(row, arm=row["arm"], fold=int(row[name]), chosen=NESTED)
            if wording.known(row.get(name))
            else {}
        )

    def ended(status: str) -> Any:
        return lambda row: found.rows(row, arm=row["arm"], status=status)

    def own(row: grid.Row) -> Mapping[str, Any]:
        return found.rows(row, arm=row["arm"], chosen=NESTED)

    return [
        Column("arm", "arm", rows=lambda row: found.rows(row, arm=row["arm"])),
        Column("of_folds", "folds", rows=own),
        Column("runs", "runs", wording.count, rows=own, note="of each fold: search seeds × retrain seeds"),
        Column("valid_ua", "validation UA", wording.percent, rows=own),
        Column("candidates", "candidates", wording.count, rows=lambda row: found.rows(row, arm=row["arm"])),
        Column("failed", "failed", wording.count, rows=ended("failed")),
        Column(
            "raced",
            "raced",
            wording.count,
            rows=ended("raced"),
            note="trials of candidates that were given up",
        ),
        Column("best_ua", "best fold", wording.percent, rows=in_fold("best_fold")),
        Column("worst_ua", "worst fold", wording.percent, rows=in_fold("worst_fold")),
        Column("parameters", "parameters", wording.count, rows=own),
        Column("latency_ms", "latency, ms", wording.number, rows=own),
        Column("search_s", "search, s", wording.count, rows=own, note="mean seconds of a trial"),
        Column("retrain_s", "retrain, s", wording.count, rows=own, note="mean seconds of a retraining"),
        Column(
            "entropy",
            "entropy",
            lambda value: f"{value:.2f}",
            rows=own,
            note="of the edges at the end of the search; 1 = nothing was chosen",
        ),
        Column("note", "beware"),
    ]


def _forbidden(found: Findings, oracle: pd.DataFrame, lead: list[Column]) -> Markup | None:
    if oracle.empty:
        return None
    own = found.source(None, ORACLE)
    source = grid.Source({"forbidden": FORBIDDEN, **own.marks}, own.protocol, own.card)
    table = grid.table(
        "Oracle: chosen by test score",
        oracle,
        [*lead, *_score_columns(found, "UA, oracle", ORACLE)],
        source,
        head="arm",
    )
    return tag(
        "details",
        {"class": "forbidden"},
        tag("summary", None, "Forbidden: the oracle, which chooses by test scores"),
        paragraph(FORBIDDEN),
        table,
    )


def _fold_table(found: Findings, study: str) -> Markup:
    """One row a fold, one column an arm: folds are many, arms are few."""
    rows = found.of("folds", study, NESTED)
    wide = rows.pivot_table(
        index="fold", columns="arm", values="ua", aggfunc="mean", dropna=False
    ).reset_index()
    sizes = rows.groupby("fold")["n_test"].first().rename("n_test").reset_index()
    wide = sizes.merge(wide, on="fold").assign(study=study)

    def of_arm(arm: str) -> Column:
        return Column(
            arm,
            arm,
            wording.percent,
            rows=lambda row: found.rows(row, arm=arm, fold=int(row["fold"]), chosen=NESTED),
        )

    columns = [
        Column(
            "fold",
            "fold",
            wording.count,
            rows=lambda row: found.rows(row, fold=int(row["fold"]), chosen=NESTED),
        ),
        Column("n_test", "utterances", wording.count),
        *[of_arm(arm) for arm in found.arms(study) if arm in wide],
    ]
    name = f", {study}" if len(found.studies) > 1 else ""
    return grid.table(f"Test UA of each fold{name}", wide, columns, found.source(study), head="fold")


def _pair_columns(found: Findings) -> list[Column]:
    def both(row: grid.Row) -> Mapping[str, Any]:
        return found.rows(row, arm=[row["arm_a"], row["arm_b"]], chosen=NESTED)

    return [
        Column("pair", "pair", rows=both),
        Column(
            "difference", "difference", wording.points, "sd", both, "mean ± standard deviation over folds"
        ),
        Column("ci_low", "from", wording.points, note="lower end of the corrected interval"),
        Column("ci_high", "to", wording.points, note="upper end of the corrected interval"),
        Column("folds", "folds", wording.count, rows=both),
        Column("nb_p", "p", wording.chance),
        Column("holm_p", "Holm’s p", wording.chance),
        Column("effect", "effect d", wording.number, note="mean over standard deviation of the differences"),
        Column(
            "boot_low",
            "speakers, from",
            wording.points,
            note="lower end of the bootstrap interval over speakers",
        ),
        Column("boot_high", "to", wording.points, note="upper end of the bootstrap interval over speakers"),
        Column("p_worse", "worse", wording.chance),
        Column("p_same", "same", wording.chance),
        Column("p_better", "better", wording.chance),
        Column("verdict", "in words"),
    ]
