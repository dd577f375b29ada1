"""Every figure of the report, by section: what is drawn of which frame, under which caption.

Comes in: findings. Goes out: pictures with captions, for the page and for files. Figures are of one study and
of the headline selection.
"""

from collections.abc import Iterator

import pandas as pd

from analysis.figures import bars, curves, dots, fronts, matrices
from analysis.report import wording
from analysis.report.findings import NESTED, Drawn, Findings
from raysernas.config.arms import ARMS
from raysernas.drawing import pictures
from raysernas.drawing.shapes import Picture

# that a figure can show so that it is read
MOST_FOLDS, MOST_PAIRS, MOST_CLASSES, MOST_POINTS = 40, 40, 30, 500
AXES = {"parameters": "parameters", "seconds": "seconds of a trial", "latency_ms": "latency, ms an utterance"}
HOLLOW = "Hollow: a {}. Diamond: the mean of an arm that has all folds. Line: ± one standard deviation."
NUMBERS = "Number of utterances × runs, and percent of the row."
CURVES = {  # (stage, column) -> (caption, axis, in percent)
    ("retrain", "valid_ua"): ("Retraining: validation UA", "UA, percent", True),
    ("retrain", "loss"): ("Retraining: training loss", "loss", False),
    ("search", "ua"): ("Search: UA of the supernet, weights half", "UA, percent", True),
    ("search", "alphas_ua"): ("Search: UA of the supernet, alphas half", "UA, percent", True),
    ("search", "loss"): ("Search: loss, weights half", "loss", False),
    ("search", "entropy"): ("Search: entropy of the edges", "1 = nothing chosen", False),
    ("search", "skips"): ("Search: skip connections in the genotype", "number", False),
    ("search", "eigenvalue"): ("Search: largest eigenvalue of the curvature", "eigenvalue", False),
}


def every(found: Findings) -> dict[str, Picture]:
    """All figures by names that are fit for files: `study-caption`."""
    shown: dict[str, Picture] = {}
    for study in found.studies:
        for part in (
            folds,
            answer,
            pairs,
            confusions,
            recalls,
            speakers,
            learning,
            cells,
            alphas,
            operations,
            cost,
            components,
            importance,
        ):
            for drawn in part(found, study):
                plain = "".join(
                    letter if letter.isalnum() else "-" for letter in f"{study} {drawn.caption}".lower()
                )
                name = "-".join(word for word in plain.split("-") if word)
                # of a study whose name differs in signs only
                same = sum(each.partition("--")[0] == name for each in shown)
                shown[f"{name}--{same + 1}" if same else name] = drawn.picture
    return shown


def link_of(found: Findings, study: str) -> dots.Link:
    """Where the marks of a figure lead: to the rows of its headline scores."""
    return lambda rows: wording.address({**found.rows({"study": study}, chosen=NESTED), **rows})


def answer(found: Findings, study: str) -> Iterator[Drawn]:
    """Arms by UA, with the folds behind each mean."""
    if len(rows := found.of("folds", study, NESTED)):
        yield Drawn(
            "Test UA by arm",
            dots.folds(rows, found.arms(study), found.whole(study), link_of(found, study)),
            HOLLOW.format("fold"),
        )


def folds(found: Findings, study: str) -> Iterator[Drawn]:
    """UA along the folds; test against validation."""
    rows, order = found.of("folds", study, NESTED), found.arms(study)
    if rows.empty:
        return
    if len(set(rows["fold"])) <= MOST_FOLDS:
        yield from _some("Test UA of every fold", curves.profile(rows, order))
    chosen = found.of("chosen", study, NESTED)
    points = (
        rows
        if "valid_ua" in rows or chosen.empty
        else rows.merge(chosen[["arm", "fold", "valid_ua"]], on=["arm", "fold"])
    )
    if "valid_ua" in points:
        picture = fronts.validation(points, order, link_of(found, study))
        yield from _some(
            "Test against validation", picture, "A mark a fold; on the dashed line both are equal."
        )


def pairs(found: Findings, study: str) -> Iterator[Drawn]:
    """Differences with their intervals."""
    rows = found.of("pairs", study, NESTED)
    if 0 < len(rows) <= MOST_PAIRS and rows["difference"].notna().any():
        note = "Diamond: mean difference on the same folds. Line: its corrected interval."
        yield Drawn("Differences of UA between arms", dots.differences(rows, link_of(found, study)), note)


def confusions(found: Findings, study: str) -> Iterator[Drawn]:
    """One matrix for each arm."""
    for arm in found.arms(study) if found.confusion else ():
        assert found.confusion is not None
        counts = found.confusion(study, NESTED, arm)
        if len(counts):
            partly = "" if arm in found.whole(study) else " Of an arm that has not all of its folds."
            yield Drawn(
                f"Confusions of {arm}",
                pictures.confusion(counts.to_numpy(), [*map(str, counts.index)]),
                NUMBERS + partly,
            )


def recalls(found: Findings, study: str) -> Iterator[Drawn]:
    """Recall by emotion and arm as a matrix of numbers, where there are not too many to be read."""
    rows = found.of("classes", study, NESTED)
    if rows.empty or rows["emotion"].nunique() > MOST_CLASSES or rows["recall"].isna().all():
        return
    wide = rows.pivot_table(index="arm", columns="emotion", values="recall", sort=False, dropna=False)
    wide = wide.reindex([arm for arm in found.whole(study) if arm in wide.index])
    if wide.empty:
        return
    title = "Recall of each emotion by arm"
    yield Drawn(title, matrices.shares(wide, title), "Percent of the emotion’s utterances.")


def speakers(found: Findings, study: str) -> Iterator[Drawn]:
    """Arms by UA, with the speakers behind each mean."""
    rows = found.of("speakers", study, NESTED)
    if len(rows) and rows["ua"].notna().any():
        # predictions may be missing where scores are not
        heard = rows[rows["ua"].notna()].groupby("arm")["speaker"].nunique()
        whole = [arm for arm in found.whole(study) if heard.get(arm) == heard.max()]
        picture = dots.speakers(rows, found.arms(study), whole, link_of(found, study))
        yield Drawn("Test UA of every speaker", picture, HOLLOW.format("speaker"))


def learning(found: Findings, study: str) -> Iterator[Drawn]:
    """Curves of both stages, by arm."""
    table = found.of("histories", study)
    for (stage, column), (caption, label, percent) in CURVES.items() if len(table) else ():
        # draws are no epochs
        searched = table["arm"].isin([arm for arm, of in ARMS.items() if of.searches])
        rows = table[(table["stage"] == stage) & ((stage != "search") | searched)]
        yield from _some(
            caption, curves.curves(rows, column, found.arms(study), caption, label, percent=percent)
        )


def cells(found: Findings, study: str) -> Iterator[Drawn]:
    """Typical cells."""
    yield from found.cells.get(study, ())


def alphas(found: Findings, study: str) -> Iterator[Drawn]:
    """Alphas over epochs."""
    yield from found.alphas.get(study, ())


def operations(found: Findings, study: str) -> Iterator[Drawn]:
    """How often each operation was chosen, by part."""
    genes = found.of("genes", study)
    for arm, rows in genes.groupby("arm", sort=False) if len(genes) else ():
        counts = rows.pivot_table(
            index="operation", columns="part", values="count", aggfunc="sum", fill_value=0, observed=True
        )
        title = f"Operations chosen by {arm}"
        yield Drawn(title, matrices.shares(counts / counts.sum(), title), "Percent of a part’s kept edges.")


def cost(found: Findings, study: str) -> Iterator[Drawn]:
    """Hours by purpose; UA against what it takes."""
    table = found.of("cost", study)
    if len(table):
        own = {arm: table[table["arm"] == arm] for arm in found.arms(study)}
        rows = {arm: _named(_summed(part), "purpose", "seconds") for arm, part in own.items()}
        picture = bars.stacked("Hours by purpose", "hours", rows, by=1 / 3600)
        lost = sorted({str(purpose) for purpose in table.loc[table["seconds"].isna(), "purpose"]})
        yield from _some(
            "Where the hours went", picture, f"Not drawn, as not known: {', '.join(lost)}." if lost else ""
        )
    points, order = found.of("pareto", study), found.arms(study)
    if points.empty:
        return
    whose = points["chosen"].astype(bool)
    tried = points[~whose].assign(ua=points["valid_ua"]).nlargest(MOST_POINTS, "ua")
    for column, label in AXES.items():
        picture = fronts.front(points[whose], column, label, order, link_of(found, study))
        yield from _some(
            f"Test UA against {label}", picture, "An arm each. Dashed: what no other arm beats in both."
        )
    # nested, a candidate has a score for each fold, and one fold is easier than another
    nested = "fold" in tried and bool(tried["fold"].notna().any())
    note = (
        "A candidate and fold each."
        if nested
        else "A candidate each. Dashed: what no other one beats in both."
    )
    for column, label in AXES.items() if len(tried) > len(order) else ():
        yield from _some(
            f"Validation UA against {label}",
            fronts.front(tried, column, label, order, joined=not nested),
            note,
        )


def components(found: Findings, study: str) -> Iterator[Drawn]:
    """Standard deviation by its source."""
    table = found.of("components", study)
    rows = (
        {str(arm): _named(group, "component", "sd") for arm, group in table.groupby("arm", sort=False)}
        if len(table)
        else {}
    )
    title = "What UA varies with"
    yield from _some(title, bars.spread(title, "standard deviation, points of UA", rows, by=100))


def importance(found: Findings, study: str) -> Iterator[Drawn]:
    """Which settings matter, arm by arm."""
    table = found.of("importance", study)
    for arm, group in table.groupby("arm", sort=False) if len(table) else ():
        title = f"Importance of settings, {arm}"
        yield from _some(
            title,
            bars.simple(
                title,
                "importance for being among the best candidates",
                _named(group, "setting", "importance"),
            ),
        )


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows.groupby("purpose", sort=False)["seconds"]
    return known.sum().where(known.count() == known.size()).reset_index()


def _named(rows: pd.DataFrame, name: str, value: str) -> dict[str, float]:
    return {
        str(key): float(each)
        for key, each in zip(rows[name], rows[value], strict=True)
        if wording.known(each)
    }


def _some(caption: str, picture: Picture | None, note: str = "") -> Iterator[Drawn]:
    if picture is not None:
        yield Drawn(caption, picture, note)
