"""What architectures were found: operations by edge, how much the searches agree, and the typical cell.

In: the frame `trials`, whose rows carry genotypes. Out: the frames `genes`, `agreement` and `typical`. A
genotype counts once a search (candidate, fold, seed), however often it was retrained. A share of equal genes
means nothing by itself: it stands beside that of genotypes drawn at random from the same space.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.runs import Configs, finished, is_nested
from analysis.wording import counted
from raysernas.config.fault import Fault
from raysernas.config.schema import NetworkConfig
from raysernas.record import genotype
from raysernas.record.genotype import Genotype, GenotypePart, MixingWeights, PartSpace, Space

GENE = ["part", "node", "source", "operation"]
GENE_COLUMNS = ("study", "arm", *GENE, "count", "share")
AGREEMENT_COLUMNS = ("study", "arm", "among", "pairs", "shared", "expected", "expected_sd", "note")
TYPICAL_COLUMNS = ("study", "arm", "genotype", "searches", "shared", "note")
SEARCH = ["candidate", "fold", "seed"]
# what differs -> what a pair has in common
AMONG = {"folds": ["candidate", "seed"], "seeds": ["candidate", "fold"]}
UNLIKELY = 2  # deviations above what random genotypes share


@dataclass(frozen=True, slots=True)
class Searches:
    """The genotypes of an arm: `table` a row each, with its `shape`; `genes` a row for each gene of each."""

    table: pd.DataFrame
    genes: pd.DataFrame
    spaces: Mapping[str, Space]  # shape -> what its genotypes are chosen from
    note: str


def genes(trials: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm, part, node, source and operation that occurs: `count`, and `share` of the arm's
    searches.
    """
    rows = []
    for (study, arm), found in _arms(trials):
        counts = sorted(_counts(found.genes).items())
        rows += [(study, arm, *gene, count, count / len(found.table)) for gene, count in counts]
    return pd.DataFrame(rows, columns=list(GENE_COLUMNS))


def agreement(trials: pd.DataFrame, configs: Configs | None = None) -> pd.DataFrame:
    """How alike the searches of an arm are among `folds` (same candidate and seed) and among `seeds` (same
    candidate and fold).

    `shared` is the mean share of equal genes (operation, and the edge it stands on) over `pairs` of searches,
    `expected` that of random genotypes, `expected_sd` the deviation of such a mean, exactly. Pairs of unlike
    spaces are left out.

    Args:
        configs: to know which studies are nested: their candidates differ between folds.
    """
    rows = []
    for (study, arm), found in _arms(trials):
        for among, same in AMONG.items():
            equal, moments = _equal_pairs(found, same)
            pairs = sum(count for count, *_ in moments)
            shared, mean, sd = math.nan, math.nan, math.nan
            if pairs:
                shared, mean = equal / pairs, sum(count * each for count, each, _ in moments) / pairs
                sd = math.sqrt(sum(count * variance for count, _, variance in moments)) / pairs
            other = (
                "folds have candidates of their own" if among == "folds" and is_nested(study, configs) else ""
            )
            note = "; ".join(filter(None, [_compared(shared, mean, sd, among), other, found.note]))
            rows.append((study, arm, among, pairs, shared, mean, sd, note))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def typical(trials: pd.DataFrame) -> pd.DataFrame:
    """The cell of each arm that takes on each edge the most frequent operation, into each node the most
    frequent of those edges.

    `genotype` is JSON, of the most frequent shape; `shared` the mean share of its genes that a search has
    found. It need not be a genotype that any search has found.
    """
    rows = []
    for (study, arm), found in _arms(trials):
        # the first of the most frequent
        shape = str(found.table["shape"].value_counts().sort_index().idxmax())
        table = found.table[found.table["shape"] == shape]
        own, space = found.genes[found.genes["search"].isin(table["search"])], found.spaces[shape]
        counts = _counts(own)
        mixing: MixingWeights = {part: _frequencies(counts, part, choice) for part, choice in space.items()}
        cell = genotype.choose(mixing, space)
        named = [counts[part, node, gene.source, gene.operation] for part, node, gene in cell.genes]
        shared = sum(named) / len(named) / len(table)
        others = len(found.table) - len(table)
        note = "; ".join(
            filter(
                None, [f"without {counted(others, 'genotype')} of other shapes" if others else "", found.note]
            )
        )
        rows.append((study, arm, cell.to_json(), len(table), shared, note))
    return pd.DataFrame(rows, columns=list(TYPICAL_COLUMNS))


def expected(space: Space) -> tuple[float, float]:
    """Mean and variance of the share of equal genes of two genotypes that are drawn from a space at random
    (`genotype.draw`).

    Into a node with n sources of which k are kept, a source is in both with (k/n)² and has the same of m
    operations with 1/m. Random pairs are uncorrelated even if they have a genotype in common, so that the
    variance of a mean is that over its pairs.
    """
    equal, variance, kept = 0.0, 0.0, 0
    for choice in space.values():
        m = len(choice.real)
        for node in range(choice.nodes):
            n = len(choice.into(node))
            k = min(choice.kept, n)
            both = k * (k - 1) / (n * (n - 1)) if n > 1 else 0.0  # two given sources are kept
            mean = n * (k / n) ** 2 / m
            equal, kept = equal + mean, kept + k
            variance += mean + n * (n - 1) * both**2 / m**2 - mean**2
    return equal / kept, variance / kept**2


def space_of(found: Genotype) -> Space:
    """What a genotype was chosen from, as far as its parts show it."""
    cnn = "free" if found.normal else "ordered"
    parts: dict[str, Any] = {"nodes": len(found.normal)} if found.normal else {"cells": len(found.conv)}
    if found.recurrent:
        parts |= {"recurrent": "searched", "recurrent_nodes": len(found.recurrent)}
    return genotype.space(NetworkConfig(cnn=cnn, **parts))


def _arms(trials: pd.DataFrame) -> Iterator[tuple[tuple[str, str], Searches]]:
    """The arms that have genotypes, with theirs."""
    rows = finished(trials).drop_duplicates(["study", "arm", *SEARCH])
    rows = rows[rows["genotype"].fillna("") != ""]
    texts = {text: _read(text) for text in rows["genotype"].unique()}
    for (study, arm), group in rows.groupby(["study", "arm"], sort=True):
        group = group.sort_values(SEARCH)
        known = group[[texts[text] is not None for text in group["genotype"]]]
        lost = len(group) - len(known)
        if len(known):
            yield (
                (str(study), str(arm)),
                _searches(known, texts, f"{counted(lost, 'genotype')} cannot be read" if lost else ""),
            )


def _searches(rows: pd.DataFrame, texts: Mapping[str, "Genotype | None"], note: str) -> Searches:
    table = rows[SEARCH].assign(search=range(len(rows)))
    read = [found for text in rows["genotype"] if (found := texts[text]) is not None]
    shapes = [" ".join(f"{part} {len(cell)}" for part, cell in each.parts.items()) for each in read]
    long = [
        (i, part, node, gene.source, gene.operation)
        for i, each in enumerate(read)
        for part, node, gene in each.genes
    ]
    spaces = {shape: space_of(each) for shape, each in zip(shapes, read, strict=True)}
    return Searches(table.assign(shape=shapes), pd.DataFrame(long, columns=["search", *GENE]), spaces, note)


def _read(text: str) -> Genotype | None:
    try:
        return genotype.from_json(text)
    except Fault:
        return None


def _equal_pairs(found: Searches, same: list[str]) -> tuple[float, list[tuple[int, float, float]]]:
    """The sum over pairs of their shares of equal genes; for each shape (pairs, expected share, its
    variance).
    """
    keys = [*same, "shape"]
    groups = found.table.groupby(keys)["search"].transform("size")
    table = found.table[groups > 1]
    pairs = table.groupby(keys).size().pipe(lambda size: size * (size - 1) // 2).groupby("shape").sum()
    per_gene = found.genes.merge(table, on="search").groupby([*keys, *GENE]).size()
    equal = per_gene.pipe(lambda count: count * (count - 1) / 2).groupby("shape").sum()
    told = [(str(shape), int(count)) for shape, count in pairs.items()]
    total = sum(float(equal[shape]) / _size(found.spaces[shape]) for shape, _ in told)
    return total, [(count, *expected(found.spaces[shape])) for shape, count in told]


def _size(space: Space) -> int:
    """Genes of a genotype."""
    return sum(
        min(choice.kept, len(choice.into(node))) for choice in space.values() for node in range(choice.nodes)
    )


def _compared(shared: float, mean: float, sd: float, among: str) -> str:
    if math.isnan(shared):
        return f"no two searches differ in their {among[:-1]} alone"
    return "" if shared > mean + UNLIKELY * sd else "no more alike than random genotypes"


def _counts(genes: pd.DataFrame) -> "Counter[tuple[GenotypePart, int, int, str]]":
    return Counter(zip(*(genes[name].tolist() for name in GENE), strict=True))


def _frequencies(
    counts: "Counter[tuple[GenotypePart, int, int, str]]", part: GenotypePart, choice: PartSpace
) -> npt.NDArray[np.float64]:
    """[edge, operation]: how often each stands on each edge of a part."""
    return np.array(
        [[counts[part, *edge, operation] for operation in choice.operations] for edge in choice.edges],
        dtype=np.float64,
    )
