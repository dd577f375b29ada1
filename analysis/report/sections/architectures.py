"""Typical cells, alphas over epochs, and how often each operation was chosen."""

from collections.abc import Iterator
from typing import cast

import pandas as pd

from analysis.figures import alphas, matrices
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child
from analysis.report.pieces import Figure, figures, paragraph
from raysernas.drawing import pictures
from raysernas.record.genotype import GenotypePart, PartSpace, from_json


def contents(results: Results) -> Iterator[Child]:
    """Figures first, then what searches agree on, and every gene."""
    own = links.like_row(results, "arm", status="finished")
    columns = [
        Column("arm", "arm"),
        Column("part", "part"),
        Column("node", "node", values.count),
        Column("source", "from state", values.count),
        Column("operation", "operation"),
        Column("count", "genotypes", values.count, rows=own),
        Column("share", "share", values.percent),
    ]
    title, empty = "How often each gene was chosen", "no arm chose an architecture."
    found = figures(results, cells, small=True)
    yield found or paragraph("No searched or drawn genotype was found.")
    yield figures(results, alphas_by_epoch)
    yield figures(results, operations, small=True)
    agreement = results.rows("agreement")
    if len(agreement):
        yield grid.table(results, "Agreement between folds and seeds", agreement, _all_of(agreement))
    yield grid.table(results, title, results.rows("genes"), columns, empty=empty)


def cells(results: Results, study: str) -> Iterator[Figure]:
    """The typical cells of each arm."""
    for row in results.rows("typical", study).to_dict("records"):
        average = f"{100 * row['shared']:.0f} %"
        how = (
            f"The most frequent operations of {row['searches']} genotypes; each has {average} of them (mean)"
        )
        note = "; ".join(filter(None, [how, row["note"]]))
        for name, picture in pictures.cells(from_json(row["genotype"])).items():
            yield Figure(f"{row['arm']}: typical {name}", picture, f"{note}.")


def alphas_by_epoch(results: Results, study: str) -> Iterator[Figure]:
    """The softmaxed alphas of one search of each arm."""
    table = results.rows("alphas", study)
    for (arm, trial, part), rows in table.groupby(["arm", "trial", "part"], sort=False) if len(table) else ():
        of_trial = f"Softmaxed, of {trial}, the headline trial with the best validation UA"
        note = f"{of_trial}. The stronger the colour, the larger the share."
        yield Figure(f"{arm}: alphas of the {part} part", _evolution(rows, cast(GenotypePart, part)), note)


def operations(results: Results, study: str) -> Iterator[Figure]:
    """How often each operation was chosen, by part."""
    genes = results.rows("genes", study)
    for arm, rows in genes.groupby("arm", sort=False) if len(genes) else ():
        counts = rows.groupby(["operation", "part"])["count"].sum().unstack(fill_value=0)
        title = f"Operations chosen by {arm}"
        yield Figure(title, matrices.shares(counts / counts.sum(), title), "Percent of a part’s kept edges.")


def _evolution(table: pd.DataFrame, part: GenotypePart) -> pictures.Picture:
    """Rows of one trial and part: epoch, edge, node, source, operation, weight."""
    edges = table.drop_duplicates("edge").sort_values("edge")
    first = table[(table["edge"] == edges["edge"].iloc[0]) & (table["epoch"] == table["epoch"].iloc[0])]
    names = tuple(str(name) for name in first["operation"])
    wide = table.pivot_table(index="epoch", columns=["edge", "operation"], values="weight", sort=False)
    wide = wide.reindex(columns=pd.MultiIndex.from_product([edges["edge"], names])).sort_index()
    weights = wide.to_numpy().reshape(-1, len(edges), len(names))
    ends = zip(edges["node"].astype(int), edges["source"].astype(int), strict=True)
    return alphas.evolution(
        list(weights), part, PartSpace(tuple(ends), names), [int(each) for each in wide.index]
    )


def _all_of(table: pd.DataFrame) -> list[Column]:
    return [
        Column(
            name,
            name.replace("_", " "),
            values.number if pd.api.types.is_numeric_dtype(table[name]) else None,
        )
        for name in map(str, table)
        if name != "study"
    ]
