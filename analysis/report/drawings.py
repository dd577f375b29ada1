"""The architectures of a study: for each arm that has any, the typical cells and, where it was searched, how
its alphas went.

Comes in: typical genotypes, the trials with their selections, mixtures over epochs. Goes out: figures for the
gallery. Alphas are those of one search: of the headline's trials of an arm the one with the best validation
UA, and the caption says so.
"""

from collections.abc import Iterator
from typing import cast

import pandas as pd

from analysis.figures import alphas
from analysis.report.findings import NESTED, Drawn, marked
from raysernas.drawing import pictures
from raysernas.record.genotype import GenotypePart, PartSpace, from_json


def searched(trials: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Of each study and arm with genotypes the row with the best validation UA among the headline's (the
    first on a tie).
    """
    rows = marked(trials, chosen)
    taken = [NESTED in str(words).split() for words in rows["chosen"]]
    rows = rows[pd.Series(taken, rows.index, dtype=bool) & (rows["genotype"].fillna("") != "")]
    ranked = rows.sort_values(
        ["valid_ua", "trial", "retrain_seed"], ascending=[False, True, True], kind="stable"
    )
    return ranked.drop_duplicates(["study", "arm"]).sort_values(["study", "arm"])


def cells(typical: pd.DataFrame, study: str) -> Iterator[Drawn]:
    """The typical cells of one study, of a frame as `architectures.typical` gives it."""
    for row in typical[typical["study"] == study].to_dict("records") if len(typical) else ():
        told = (
            f"The most frequent operations of {row['searches']} genotypes, each of which has "
            f"{100 * row['shared']:.0f} % on average"
        )
        note = "; ".join(filter(None, [told, row["note"]]))
        for name, picture in pictures.cells(from_json(row["genotype"])).items():
            yield Drawn(f"{row['arm']}: typical {name}", picture, f"{note}.")


def evolutions(rows: pd.DataFrame, mixtures: pd.DataFrame, study: str) -> Iterator[Drawn]:
    """The alphas over epochs of one study.

    Args:
        rows: as `searched` gives them.
        mixtures: of their trials, as `analysis.load(...).mixtures` gives them.
    """
    for row in rows[rows["study"] == study].to_dict("records"):
        own = mixtures[mixtures["trial"] == row["trial"]] if len(mixtures) else mixtures
        whose = f"Softmaxed, of {row['trial']}, the headline trial with the best validation UA"
        note = f"{whose}; the stronger the colour, the larger the share."
        for part, table in own.groupby("part", sort=False) if len(own) else ():
            yield Drawn(
                f"{row['arm']}: alphas of the {part} part", _evolution(table, cast(GenotypePart, part)), note
            )


def _evolution(table: pd.DataFrame, part: GenotypePart) -> pictures.Picture:
    """Rows of one trial and part: epoch, edge, node, source, operation, weight."""
    edges = table.drop_duplicates("edge").sort_values("edge")
    first = table[(table["edge"] == edges["edge"].iloc[0]) & (table["epoch"] == table["epoch"].iloc[0])]
    operations = tuple(str(name) for name in first["operation"])
    wide = table.pivot_table(index="epoch", columns=["edge", "operation"], values="weight", sort=False)
    columns = pd.MultiIndex.from_product([edges["edge"], operations])
    wide = wide.reindex(columns=columns).sort_index()
    values = wide.to_numpy().reshape(-1, len(edges), len(operations))
    choice = PartSpace(
        tuple(zip(edges["node"].astype(int), edges["source"].astype(int), strict=True)), operations
    )
    return alphas.evolution(list(values), part, choice, [int(epoch) for epoch in wide.index])
