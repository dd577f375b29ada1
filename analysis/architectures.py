"""Which architectures were found: operations by edge, how much the searches agree, and the typical cell.

In: the frame `trials`, whose rows have genotypes. Out: the frames `genes`, `agreement` and `typical`. A
genotype counts once for each search (candidate, fold, seed), however often it was retrained. A share of equal
genes means nothing by itself, so it comes with the share among genotypes drawn at random from the same space.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import Configs, columns, finished, is_nested
from analysis.statistics import FloatArray
from analysis.wording import counted
from raysernas.config.fault import Fault
from raysernas.config.front_ends import LAYERS, layer_names
from raysernas.config.schema import FeaturesConfig, NetworkConfig
from raysernas.record import genotype
from raysernas.record.genotype import Genotype, GenotypePart, MixingWeights, PartSpace, Space

GENE = ["part", "node", "source", "operation"]
GENE_COLUMNS = columns("study arm part node source operation count share")
AGREEMENT_COLUMNS = columns("study arm among pairs shared expected expected_sd note")
TYPICAL_COLUMNS = columns("study arm genotype searches shared note")
SEARCH = ["candidate", "fold", "seed"]
# what differs between two searches -> what they have in common
AMONG = {"folds": ["candidate", "seed"], "seeds": ["candidate", "fold"]}
UNLIKELY = 2  # deviations above what random genotypes share: more is no chance


@dataclass(frozen=True, slots=True)
class Searches:
    """The genotypes of an arm: a row each in `table`, with its `shape`; a row for each gene in `genes`."""

    table: pd.DataFrame
    genes: pd.DataFrame
    spaces: Mapping[str, Space]  # shape -> what its genotypes are chosen from
    note: str


def genes(trials: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm, part, node, source and operation that occurs: its `count`, and its `share` of the
    arm's searches.
    """
    rows = []
    for (study, arm), found in _arms(trials):
        counts = sorted(_counts(found.genes).items())
        rows += [(study, arm, *gene, count, count / len(found.table)) for gene, count in counts]
    return pd.DataFrame(rows, columns=list(GENE_COLUMNS))


def agreement(trials: pd.DataFrame, configs: Configs | None = None) -> pd.DataFrame:
    """How alike the searches of an arm are between `folds` (same candidate and seed) and between `seeds`
    (same candidate and fold).

    `shared` is the mean share of equal genes (an operation on its edge) over `pairs` of searches, `expected`
    that of random genotypes, `expected_sd` the exact deviation of such a mean. Pairs of unlike spaces are
    left out.

    Args:
        configs: to know which studies are nested, because their candidates differ between folds.
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
            nested = among == "folds" and is_nested(study, configs)
            other = "folds have candidates of their own" if nested else ""
            note = "; ".join(filter(None, [_compared(shared, mean, sd, among), other, found.note]))
            rows.append((study, arm, among, pairs, shared, mean, sd, note))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def typical(trials: pd.DataFrame) -> pd.DataFrame:
    """For each arm the cell with the most frequent operation on each edge, and into each node the most
    frequent of these edges.

    `genotype` is JSON, of the most frequent shape; `shared` is the mean share of its genes in the genotype of
    a search. No search need have found it.
    """
    rows = []
    for (study, arm), found in _arms(trials):
        shape = str(found.table["shape"].value_counts().sort_index().idxmax())  # on a tie the first
        table = found.table[found.table["shape"] == shape]
        own, space = found.genes[found.genes["search"].isin(table["search"])], found.spaces[shape]
        counts = _counts(own)
        mixing: MixingWeights = {part: _frequencies(counts, part, choice) for part, choice in space.items()}
        cell = genotype.choose(mixing, space)
        named = [counts[part, node, gene.source, gene.operation] for part, node, gene in cell.genes]
        shared = sum(named) / len(named) / len(table)
        left = len(found.table) - len(table)
        left_out = f"without {counted(left, 'genotype')} of other shapes" if left else ""
        note = "; ".join(filter(None, [left_out, found.note]))
        rows.append((study, arm, cell.to_json(), len(table), shared, note))
    return pd.DataFrame(rows, columns=list(TYPICAL_COLUMNS))


def expected(space: Space) -> tuple[float, float]:
    """Mean and variance of the share of equal genes of two genotypes drawn at random from a space
    (`genotype.draw`).

    At a node with n sources of which k are kept, both genotypes keep a source with probability (k/n)² and
    give it the same of m operations with probability 1/m. Random pairs are uncorrelated even if they share a
    genotype, so the variance of a mean over pairs is that of one pair over their number.
    """
    equal, variance, kept = 0.0, 0.0, 0
    for choice in space.values():
        m = len(choice.real)
        for node in range(choice.nodes):
            n = len(choice.into(node))
            k = min(choice.kept, n)
            both = k * (k - 1) / (n * (n - 1)) if n > 1 else 0.0  # P(two given sources are kept)
            mean = n * (k / n) ** 2 / m
            equal, kept = equal + mean, kept + k
            variance += mean + n * (n - 1) * both**2 / m**2 - mean**2
    return equal / kept, variance / kept**2


def shown_space(found: Genotype, layers: Sequence[str]) -> Space:
    """The space of a genotype, as far as its parts show it, and the layers that it could have chosen."""
    cnn = "free" if found.normal else "ordered"
    parts: dict[str, Any] = {"nodes": len(found.normal)} if found.normal else {"cells": len(found.conv)}
    if found.recurrent:
        parts |= {"recurrent": "searched", "recurrent_nodes": len(found.recurrent)}
    return genotype.space(NetworkConfig(cnn=cnn, **parts), layers if found.layer else ())


def _arms(trials: pd.DataFrame) -> Iterator[tuple[tuple[str, str], Searches]]:
    """(study, arm) and its genotypes, for every arm that has any."""
    rows = finished(trials).drop_duplicates(["study", "arm", *SEARCH])
    rows = rows[rows["genotype"].fillna("") != ""]
    texts = {text: _read(text) for text in rows["genotype"].unique()}
    for (study, arm), group in rows.groupby(["study", "arm"], sort=True):
        group = group.sort_values(SEARCH)
        known = group[[texts[text] is not None for text in group["genotype"]]]
        lost = len(group) - len(known)
        note = f"{counted(lost, 'genotype')} cannot be read" if lost else ""
        if len(known):
            yield (str(study), str(arm)), _searches(known, texts, note)


def _searches(rows: pd.DataFrame, texts: Mapping[str, "Genotype | None"], note: str) -> Searches:
    table = rows[SEARCH].assign(search=range(len(rows)))
    read = [found for text in rows["genotype"] if (found := texts[text]) is not None]
    shapes = [" ".join(f"{part} {len(cell)}" for part, cell in each.parts.items()) for each in read]
    long = [
        (i, part, node, gene.source, gene.operation)
        for i, each in enumerate(read)
        for part, node, gene in each.genes
    ]
    layers = _layers(rows.iloc[0])
    spaces = {shape: shown_space(each, layers) for shape, each in zip(shapes, read, strict=True)}
    return Searches(table.assign(shape=shapes), pd.DataFrame(long, columns=["search", *GENE]), spaces, note)


def _layers(row: "pd.Series[Any]") -> tuple[str, ...]:
    """The layers that a trial could choose from, by its settings in the ledger; a default is not in it."""
    kind, given = row.get("features.kind"), dict[str, Any]()
    if kind not in LAYERS:
        return ()
    for name in ("layers", "streams"):
        if isinstance(text := row.get(f"features.{name}"), str) and text:
            given[name] = tuple(json.loads(text))
    return layer_names(FeaturesConfig(kind=kind, **given))


def _read(text: str) -> Genotype | None:
    try:
        return genotype.from_json(text)
    except Fault:
        return None


def _equal_pairs(found: Searches, same: list[str]) -> tuple[float, list[tuple[int, float, float]]]:
    """The sum over pairs of their shares of equal genes; for each shape: pairs, expected share, its
    variance.
    """
    keys = [*same, "shape"]
    groups = found.table.groupby(keys)["search"].transform("size")
    table = found.table[groups > 1]
    pairs = table.groupby(keys).size().pipe(lambda size: size * (size - 1) // 2).groupby("shape").sum()
    per_gene = found.genes.merge(table, on="search").groupby([*keys, *GENE]).size()
    equal = per_gene.pipe(lambda count: count * (count - 1) / 2).groupby("shape").sum()
    shapes = [(str(shape), int(count)) for shape, count in pairs.items()]
    total = sum(float(equal[shape]) / _genes_of(found.spaces[shape]) for shape, _ in shapes)
    return total, [(count, *expected(found.spaces[shape])) for shape, count in shapes]


def _genes_of(space: Space) -> int:
    """The number of genes of a genotype."""
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
) -> FloatArray:
    """[edge, operation]: how often each operation is on each edge of a part."""
    found = [[counts[part, *edge, operation] for operation in choice.operations] for edge in choice.edges]
    return np.array(found, dtype=np.float64)
