"""Differences between arms on the same folds, and gains over random architectures."""

from collections.abc import Iterator

from analysis.figures import dots
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child
from analysis.report.pieces import Figure, figures, paragraph
from analysis.selection import HEADLINE

MOST_PAIRS = 40  # that a figure can show legibly
HOW = (
    "Paired on the folds that both arms have. t and p are those of Nadeau and Bengio, corrected for training "
    "speakers that folds share. Holm’s p allows for all pairs. The last three numbers are the probabilities "
    "(Bayesian correlated t test) that the first arm is worse, practically the same, or better."
)


def contents(results: Results) -> Iterator[Child]:
    """The figure and both tables."""
    found = results.rows("pairs", selection=HEADLINE)
    shown = found.assign(pair=found["arm_a"] + " − " + found["arm_b"]) if len(found) else found
    gains = results.rows("over_random", selection=HEADLINE)
    title, empty = "Differences of UA, in points", "this takes two arms that share two folds."
    yield paragraph(HOW)
    yield figures(results, differences)
    yield grid.table(results, title, shown, _pair_columns(results), head="pair", empty=empty)
    title, empty = "Gain over random architectures", "this takes the arm random and another one."
    yield grid.table(results, title, gains, _gain_columns(results), head="arm", empty=empty)


def differences(results: Results, study: str) -> Iterator[Figure]:
    """Differences with their intervals."""
    rows = results.rows("pairs", study, HEADLINE)
    if 0 < len(rows) <= MOST_PAIRS and rows["difference"].notna().any():
        picture = dots.differences(rows, links.of_marks(results, study))
        note = "Diamond: mean difference on the same folds. Line: its corrected interval."
        yield Figure("Differences of UA between arms", picture, note)


def _pair_columns(results: Results) -> list[Column]:
    def both(row: links.FrameRow) -> dict[str, object]:
        return links.conditions(results, row, arm=[row["arm_a"], row["arm_b"]], chosen=HEADLINE)

    low, high = (f"{end} end of the corrected interval" for end in ("lower", "upper"))
    boot_low, boot_high = (f"{end} end of the bootstrap interval over speakers" for end in ("lower", "upper"))
    spread, size = "mean ± standard deviation over folds", "mean over standard deviation of the differences"
    return [
        Column("pair", "pair", rows=both),
        Column("difference", "difference", values.points, "sd", both, spread),
        Column("ci_low", "from", values.points, note=low),
        Column("ci_high", "to", values.points, note=high),
        Column("folds", "folds", values.count, rows=both),
        Column("nb_p", "p", values.chance),
        Column("holm_p", "Holm’s p", values.chance),
        Column("effect", "effect d", values.number, note=size),
        Column("boot_low", "speakers, from", values.points, note=boot_low),
        Column("boot_high", "to", values.points, note=boot_high),
        Column("p_worse", "worse", values.chance),
        Column("p_same", "same", values.chance),
        Column("p_better", "better", values.chance),
        Column("verdict", "in words"),
    ]


def _gain_columns(results: Results) -> list[Column]:
    def both(row: links.FrameRow) -> dict[str, object]:
        return links.conditions(results, row, arm=[row["arm"], "random"], chosen=HEADLINE)

    drawn = links.like_row(results, arm="random", chosen=HEADLINE)
    gain, beaten = "(UA - UA of random) / UA of random", "by a run of the arm on the same fold"
    return [
        Column("arm", "arm"),
        Column("folds", "folds", values.count, rows=both),
        Column("draws", "draws", values.count, rows=drawn),
        Column("ua", "UA", values.percent, rows=both, note="on the folds that both have"),
        Column("random_ua", "UA of random", values.percent, rows=both),
        Column("improvement", "gain, %", values.points, rows=both, note=gain),
        Column("beaten", "draws beaten, %", values.percent, rows=both, note=beaten),
        Column("note", "note"),
    ]
