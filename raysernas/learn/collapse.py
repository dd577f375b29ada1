"""Signs that a search collapses, and when to stop because of them (RobustDARTS, arXiv 1909.09656).

In: softmaxed alphas, the genotype and the history of a search. Out: numbers and words for its history. Everything here is plain
arithmetic on what an epoch has left; nothing is trained.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from raysernas.config import SearchConfig

Entry = dict[str, Any]
Genes = set[tuple[str, int, int, str]]  # part, node, source, operation


def genes(genotype: str) -> Genes:
    """Of a genotype in JSON."""
    return {
        (part, node, source, operation)
        for part, nodes in json.loads(genotype).items()
        for node, kept in enumerate(nodes)
        for source, operation in kept
    }


def gene_counts(genotype: str, before: str | None) -> Entry:
    """How many genes skip, and how many were not there an epoch before (without one: nothing)."""
    found = genes(genotype)
    counts: Entry = {"skips": sum(operation == "skip_connect" for *_, operation in found)}
    return counts if before is None else counts | {"changed": len(found - genes(before))}


def share(mixing: Mapping[str, npt.NDArray[np.floating]], operations: Mapping[str, Sequence[str]], operation: str) -> float:
    """Mean weight of an operation over the edges of all parts that offer it; 0 where none does."""
    columns = [mixing[part][:, names.index(operation)] for part, names in operations.items() if operation in names]
    return float(np.concatenate(columns).mean()) if columns else 0.0


def warnings(history: Sequence[Entry], config: SearchConfig) -> list[str]:
    """What the last epoch of a history warns of."""
    last, told = history[-1], []
    found = genes(last["genotype"])
    for part in sorted({gene[0] for gene in found}):
        if all(operation == "skip_connect" for name, *_, operation in found if name == part):
            told.append(f"every gene of the {part} part is skip_connect")
    if last["entropy"] < config.entropy_floor:
        told.append(f"the entropy of the mixtures, {last['entropy']:.3f}, is below search.entropy_floor={config.entropy_floor}")
    if (before := grown_since(history, config)) is not None:
        told.append(f"the curvature in the alphas has grown more than 1/{config.stop_ratio}-fold since epoch {before}")
    return told


def grown_since(history: Sequence[Entry], config: SearchConfig) -> int | None:
    """The epoch to go back to, where the eigenvalue has grown too much since (arXiv 1909.09656, section 4.3), else None.

    With m(i) the mean eigenvalue of the k = `stop_window` measurements around the i-th and i the last one that has all of them
    around it: m(i-k) / m(i) < `stop_ratio`, and the epoch is that of i-k. Only measurements after the warm-up count; the
    authors' code besides stops at no epoch before its tenth.
    """
    k = config.stop_window
    measured = [(e["epoch"], e["eigenvalue"]) for e in history if "eigenvalue" in e and e["epoch"] > config.warmup_epochs]
    if len(measured) < 2 * k or "eigenvalue" not in history[-1]:
        return None
    epochs, values = zip(*measured[-2 * k :], strict=True)
    now, earlier = float(np.mean(values[k:])), float(np.mean(values[:k]))
    return epochs[(k - 1) // 2] if earlier < config.stop_ratio * now else None
