"""Numbers in sentences, and what a comparison of two arms allows one to say.

In: numbers, or a row of the frame `pairs`. Out: text. Scores come in 0..1 and are written in percent,
differences in points of UA. A sentence never claims more than its test. If nothing can be concluded, it says
so and why.
"""

import math
from collections.abc import Mapping
from typing import Any

from analysis.statistics import fewest_p
from raysernas.record.summary import FEWEST_DRAWS

SURE = 0.05  # a p below this, or a posterior probability above 1 - this, counts as evidence
FEWEST_SPEAKERS = 10  # with fewer, an interval over speakers is narrower than it says
FORBIDDEN = "oracle"  # the selection by test scores
NO_EVIDENCE = "no evidence, because the candidates were chosen by test scores"
UNKNOWN = "unknown"


def percent(score: float) -> str:
    """Such as 71.7."""
    return UNKNOWN if math.isnan(score) else f"{100 * score:.1f}"


def points(difference: float) -> str:
    """Such as 3.2 points, without a sign; 0.03 points where one digit would say 0."""
    size = abs(100 * difference)
    number = f"{size:.1f}" if size >= 0.05 or size == 0 else f"{size:.1g}"
    return UNKNOWN if math.isnan(difference) else f"{number} point{'s' if number != '1.0' else ''}"


def chance(p: float) -> str:
    """Such as p 0.012, or p < 0.001."""
    return "p unknown" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def probability(share: float) -> str:
    """Such as 0.97; never 0 or 1, which no posterior is."""
    if math.isnan(share):
        return UNKNOWN
    return "over 0.99" if share > 0.99 else "under 0.01" if share < 0.01 else f"{share:.2f}"


def duration(seconds: float) -> str:
    """Such as 45 s, 12 min or 3.2 h."""
    if math.isnan(seconds):
        return UNKNOWN
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def counted(number: int, noun: str) -> str:
    """Such as 1 fold, 5 folds."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def few_draws(drawn: int) -> str:
    """Why nothing is claimed about random architectures; empty if there are enough."""
    enough = drawn >= FEWEST_DRAWS
    return "" if enough else f"only {counted(drawn, 'random draw')} (a claim needs {FEWEST_DRAWS})"


def ahead(row: Mapping[str, Any], drawn: int) -> str:
    """The arm of a row of `pairs` that may be called better; empty if neither may. Arguments: see
    `verdict`.
    """
    if _withheld(row, drawn) or row["selection"] == FORBIDDEN or not row["holm_p"] < SURE:
        return ""
    return row["arm_a"] if row["difference"] > 0 else row["arm_b"]


def verdict(row: Mapping[str, Any], *, tested: int, drawn: int) -> str:
    """What a row of `pairs` allows one to say.

    Args:
        tested: the pairs in its family, for which its p is adjusted.
        drawn: the random architectures behind the scores of the arm `random`.
    """
    why = _withheld(row, drawn)
    said = f"nothing can be concluded: {why}" if why else _conclusion(row, tested)
    if 0 < row["speakers"] < FEWEST_SPEAKERS:
        few = counted(row["speakers"], "speaker")
        said += f"; only {few} (the bootstrap interval needs {FEWEST_SPEAKERS})"
    return f"{NO_EVIDENCE}: {said}" if row["selection"] == FORBIDDEN else said


def _withheld(row: Mapping[str, Any], drawn: int) -> str:
    """Why nothing is said about a pair, whatever its p; empty if something is."""
    return _untested(row) or (few_draws(drawn) if "random" in (row["arm_a"], row["arm_b"]) else "")


def _untested(row: Mapping[str, Any]) -> str:
    """Why a pair has no test; empty if it has one."""
    folds = int(row["folds"])
    if folds == 0:
        return "the arms have no scored fold in common"
    if folds == 1:
        return f"one common fold has no spread ({_lead(row)})"
    if row["sd"] == 0 and row["difference"] == 0:
        return f"the scores are equal on all {folds} folds"
    if row["sd"] == 0:
        return f"the difference is the same on all {folds} folds ({_lead(row)}), which no test can judge"
    if math.isnan(row["nb_p"]):
        return "the number of training or test utterances is unknown, so the overlap of the folds is too"
    return ""


def _lead(row: Mapping[str, Any]) -> str:
    first, second = row["arm_a"], row["arm_b"]
    if not row["difference"]:
        return f"{first} and {second} are level"
    ahead, behind = (first, second) if row["difference"] > 0 else (second, first)
    return f"{ahead} is {points(row['difference'])} of UA ahead of {behind}"


def _conclusion(row: Mapping[str, Any], tested: int) -> str:
    lead, sign = _lead(row), 100 if row["difference"] >= 0 else -100
    low, high = sorted(sign * row[end] for end in ("ci_low", "ci_high"))
    family = f" after Holm over {tested} pairs" if tested > 1 else ""
    interval = f"{100 * (1 - SURE):.0f} % interval {low:.1f} to {high:.1f}"
    numbers = f"{interval}, {chance(row['holm_p'])}{family}"
    rope = f"{100 * row['rope']:g} point{'' if row['rope'] == 0.01 else 's'}"
    same = f"less than {rope} apart with probability {probability(row['p_same'])}"
    alike = row["p_same"] > 1 - SURE
    if row["holm_p"] < SURE:
        return f"{lead} ({numbers})" + (f", and yet {same}" if alike else "")
    if alike:
        return f"{row['arm_a']} and {row['arm_b']} are the same for practical purposes: {same} ({numbers})"
    chance_too = ", but that may be chance" if row["difference"] else ""
    said, fewest = f"nothing can be concluded: {lead}{chance_too} ({numbers})", fewest_p(int(row["folds"]))
    if fewest < SURE:
        return said
    return f"{said}; no Wilcoxon test of {row['folds']} folds can reach p < {SURE:g} (at best {fewest:.2g})"
