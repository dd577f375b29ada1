"""Numbers as people say them, and what a comparison of two arms allows one to say.

In: numbers, or a row of the frame `pairs`. Out: text. Scores come in 0..1 and are told in percent,
differences in points of UA. A sentence never claims more than its test: what cannot be concluded is said to
be so, with the reason.
"""

import math
from collections.abc import Mapping
from typing import Any

from analysis.statistics import fewest_p
from raysernas.record.summary import FEWEST_DRAWS

SURE = 0.05  # a p below this is evidence, and a posterior probability above the rest
FEWEST_SPEAKERS = 10  # below which an interval over speakers is narrower than it says
FORBIDDEN = "oracle"  # the selection by test scores
UNKNOWN = "not known"


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
    return "p not known" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def probability(share: float) -> str:
    """Such as 0.97; never a certainty that no posterior has."""
    return (
        UNKNOWN
        if math.isnan(share)
        else "over 0.99"
        if share > 0.99
        else "under 0.01"
        if share < 0.01
        else f"{share:.2f}"
    )


def duration(seconds: float) -> str:
    """Such as 45 s, 12 min or 3.2 h."""
    if math.isnan(seconds):
        return UNKNOWN
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:,.1f} h"
    )


def counted(number: int, noun: str) -> str:
    """Such as 1 fold, 5 folds."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def few_draws(drawn: int) -> str:
    """Why nothing is claimed about random architectures; empty if there are enough."""
    return (
        f"{counted(drawn, 'random draw')}: too few for a claim, which takes {FEWEST_DRAWS}"
        if drawn < FEWEST_DRAWS
        else ""
    )


def ahead(row: Mapping[str, Any], drawn: int) -> str:
    """The arm of a row of `pairs` that may be called better; empty if neither may. Arguments as of
    `verdict`.
    """
    if _withheld(row, drawn) or row["selection"] == FORBIDDEN or not row["holm_p"] < SURE:
        return ""
    return row["arm_a"] if row["difference"] > 0 else row["arm_b"]


def verdict(row: Mapping[str, Any], *, tested: int, drawn: int) -> str:
    """What a row of `pairs` allows one to say.

    Args:
        tested: pairs of its family, for which its p is adjusted.
        drawn: random architectures behind the scores of the arm `random`.
    """
    why = _withheld(row, drawn)
    said = f"nothing can be concluded: {why}" if why else _said(row, tested)
    if 0 < row["speakers"] < FEWEST_SPEAKERS:
        said += (
            f"; {counted(row['speakers'], 'speaker')}: too few for the bootstrap interval, which takes "
            f"{FEWEST_SPEAKERS}"
        )
    return (
        f"no evidence, as candidates were chosen by test scores: {said}"
        if row["selection"] == FORBIDDEN
        else said
    )


def _withheld(row: Mapping[str, Any], drawn: int) -> str:
    """Why nothing is said about a pair, whatever its p; empty if something is."""
    return _untested(row) or (few_draws(drawn) if "random" in (row["arm_a"], row["arm_b"]) else "")


def _untested(row: Mapping[str, Any]) -> str:
    """Why there is no test of a pair; empty if there is one."""
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
        return (
            "how many utterances were trained on and tested is not known, and so not how far the folds "
            "overlap"
        )
    return ""


def _lead(row: Mapping[str, Any]) -> str:
    ahead, behind = (row["arm_a"], row["arm_b"]) if row["difference"] >= 0 else (row["arm_b"], row["arm_a"])
    return (
        f"{ahead} is {points(row['difference'])} of UA ahead of {behind}"
        if row["difference"]
        else f"{ahead} and {behind} are level"
    )


def _said(row: Mapping[str, Any], tested: int) -> str:
    low, high = (
        (row["ci_low"], row["ci_high"]) if row["difference"] >= 0 else (-row["ci_high"], -row["ci_low"])
    )
    family = f" after Holm over {tested} pairs" if tested > 1 else ""
    numbers = (
        f"{100 * (1 - SURE):.0f} % interval {100 * low:.1f} to {100 * high:.1f}, "
        f"{chance(row['holm_p'])}{family}"
    )
    rope = 100 * row["rope"]
    same = (
        f"less than {rope:g} point{'' if rope == 1 else 's'} apart with probability "
        f"{probability(row['p_same'])}"
    )
    alike = row["p_same"] > 1 - SURE
    if row["holm_p"] < SURE:
        return f"{_lead(row)} ({numbers})" + (f", and yet {same}" if alike else "")
    if alike:
        return (
            f"{row['arm_a']} and {row['arm_b']} are the same for all practical purposes: {same} ({numbers})"
        )
    told = (
        f"nothing can be concluded: {_lead(row)}, but that may be chance ({numbers})"
        if row["difference"]
        else (f"nothing can be concluded: {_lead(row)} ({numbers})")
    )
    reach = fewest_p(int(row["folds"]))
    return (
        told
        if reach < SURE
        else f"{told}; no Wilcoxon test of {row['folds']} folds can reach p < {SURE:g} (at best {reach:.2g})"
    )
