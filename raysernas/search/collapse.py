"""Signs that a search collapses, and when to stop because of them (RobustDARTS, arXiv 1909.09656).

In: mixing weights, genotype and history of a search. Out: numbers and warnings for its history. All of it is
arithmetic on what an epoch has recorded; nothing is trained.
"""

from collections.abc import Sequence

import numpy as np

from raysernas.config.schema import SearchConfig
from raysernas.record.genotype import GenotypePart, MixingWeights, OperationName, Space, from_json
from raysernas.record.history import HistoryEntry

SMALLEST = 1e-6  # smallest eigenvalue that means anything; below it are rounding errors and saddles


def gene_counts(genotype: str, before: str | None) -> HistoryEntry:
    """How many genes are skips, and how many differ from the genotype of the epoch before, if there was
    one.
    """
    genes = from_json(genotype).genes
    counts: HistoryEntry = {"skips": sum(gene.operation == "skip_connect" for _, _, gene in genes)}
    return counts if before is None else counts | {"changed": len({*genes} - {*from_json(before).genes})}


def share(mixing: MixingWeights, space: Space, operation: OperationName) -> float:
    """Mean weight of an operation over the edges of all parts that offer it; 0 if no part does."""
    parts: list[GenotypePart] = [part for part in space if operation in space[part].operations]
    columns = [np.asarray(mixing[part])[:, space[part].operations.index(operation)] for part in parts]
    return float(np.concatenate(columns).mean()) if columns else 0.0


def warnings(history: Sequence[HistoryEntry], config: SearchConfig) -> list[str]:
    """Warnings for the last epoch of a history."""
    last, found = history[-1], []
    for part, nodes in from_json(last["genotype"]).parts.items():
        if all(gene.operation == "skip_connect" for node in nodes for gene in node):
            found.append(f"every gene of the {part} part is skip_connect")
    if last["entropy"] < config.entropy_floor:
        floor = f"search.entropy_floor={config.entropy_floor}"
        found.append(f"the entropy of the mixing weights, {last['entropy']:.3f}, is below {floor}")
    if (before := grown_since(history, config)) is not None:
        growth = f"more than 1/{config.stop_ratio}-fold since epoch {before}"
        found.append(f"the curvature in the alphas has grown {growth}")
    return found


def grown_since(history: Sequence[HistoryEntry], config: SearchConfig) -> int | None:
    """The epoch to return to because the eigenvalue has grown too much since then, or None.

    Source: arXiv 1909.09656, section 4.3. Let m(i) be the mean eigenvalue of the k = `stop_window`
    measurements around the i-th, and i the last one that has all of them around it. The search stops where
    m(i-k) / m(i) < `stop_ratio` and m(i) > SMALLEST; the epoch is that of i-k. Only measurements after the
    warm-up count. The authors' code also stops at no epoch before its tenth.
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
