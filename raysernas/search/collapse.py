"""Signs that a search collapses, and when to stop because of them (RobustDARTS, arXiv 1909.09656).

In: softmaxed alphas, the genotype and the history of a search. Out: numbers and words for its history.
Everything here is plain arithmetic on what an epoch has left; nothing is trained.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from raysernas.config.schema import SearchConfig
from raysernas.record.genotype import GenotypePart, MixingWeights, OperationName, PartSpace, Space, from_json

Entry = dict[str, Any]
# eigenvalue that means anything: below it are rounding errors and saddles, of which no ratio tells anything
SMALLEST = 1e-6


def gene_counts(genotype: str, before: str | None) -> Entry:
    """How many genes skip, and how many were not there an epoch before (without one: nothing)."""
    found = from_json(genotype).genes
    counts: Entry = {"skips": sum(gene.operation == "skip_connect" for _, _, gene in found)}
    return counts if before is None else counts | {"changed": len({*found} - {*from_json(before).genes})}


def share(mixing: MixingWeights, space: Space, operation: OperationName) -> float:
    """Mean weight of an operation over the edges of all parts that offer it; 0 where none does."""
    offered: list[tuple[GenotypePart, PartSpace]] = [
        (part, choice) for part, choice in space.items() if operation in choice.operations
    ]
    columns = [np.asarray(mixing[part])[:, choice.operations.index(operation)] for part, choice in offered]
    return float(np.concatenate(columns).mean()) if columns else 0.0


def warnings(history: Sequence[Entry], config: SearchConfig) -> list[str]:
    """What the last epoch of a history warns of."""
    last, told = history[-1], []
    for part, nodes in from_json(last["genotype"]).parts.items():
        if all(gene.operation == "skip_connect" for node in nodes for gene in node):
            told.append(f"every gene of the {part} part is skip_connect")
    if last["entropy"] < config.entropy_floor:
        told.append(
            f"the entropy of the mixtures, {last['entropy']:.3f}, is below "
            f"search.entropy_floor={config.entropy_floor}"
        )
    if (before := grown_since(history, config)) is not None:
        told.append(
            f"the curvature in the alphas has grown more than 1/{config.stop_ratio}-fold since epoch {before}"
        )
    return told


def grown_since(history: Sequence[Entry], config: SearchConfig) -> int | None:
    """The epoch to go back to, where the eigenvalue has grown too much since (arXiv 1909.09656, section 4.3),
    else None.

    With m(i) the mean eigenvalue of the k = `stop_window` measurements around the i-th and i the last one
    that has all of them around it: m(i-k) / m(i) < `stop_ratio` where m(i) > SMALLEST, and the epoch is that
    of i-k. Only measurements after the warm-up count; the authors' code besides stops at no epoch before its
    tenth.
    """
    k = config.stop_window
    measured = [
        (e["epoch"], e["eigenvalue"])
        for e in history
        if "eigenvalue" in e and e["epoch"] > config.warmup_epochs
    ]
    if len(measured) < 2 * k or "eigenvalue" not in history[-1]:
        return None
    epochs, values = zip(*measured[-2 * k :], strict=True)
    now, earlier = float(np.mean(values[k:])), float(np.mean(values[:k]))
    return epochs[(k - 1) // 2] if now > SMALLEST and earlier < config.stop_ratio * now else None
