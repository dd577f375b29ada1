"""The beginning of a report: which arm, by how much, how sure, at what cost; and what cannot be concluded.

In: the frames `arms`, `pairs`, `cost` and, if there is one, `over_random`. Out: the frame `answers`, a
sentence a row. A sentence says no more than the frames do. A number that they lack is called unknown.
"""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.frames import columns
from analysis.wording import FORBIDDEN, SURE, counted, duration, percent
from raysernas.config.fault import Fault

COLUMNS = columns("study kind arm sentence")
CHOSEN = {
    "nested": "the candidate of each fold was chosen by validation UA on that fold alone",
    "flat": "one candidate for each arm, chosen by mean validation UA over all folds",
}
DEVICES = {"cpu": "CPU threads", "cuda": "GPUs"}
SMALLEST_SHARE = 0.05  # of the cost: a purpose below this is not named
DIGITS = 12  # of a score; the rest is rounding error
Sentences = Iterator[tuple[str, str, str]]  # kind, arm, sentence


def answers(
    arms: pd.DataFrame,
    pairs: pd.DataFrame,
    cost: pd.DataFrame,
    over_random: pd.DataFrame | None = None,
    *,
    selection: str = "nested",
) -> pd.DataFrame:
    """The sentences on each study, in reading order; `arm` is the one that a sentence is about.

    `kind` is `best` (which arm has the highest mean UA), `sure` (whether it is better than the others),
    `random` (what it gains over random architectures), `cost`, `caution` (an arm without a result, or with a
    note) or `marks` (of the whole study).

    Args:
        selection: whose scores are used, nested or flat.

    Raises:
        Fault: for a selection by test scores, which answers nothing.
    """
    if selection not in CHOSEN:
        why = ": this one chooses by test scores" if selection == FORBIDDEN else ""
        raise Fault(
            "answers",
            f"the selection {selection} answers nothing",
            got=selection,
            expected=" or ".join(CHOSEN),
            fix=f"ask for one of them{why}",
        )
    gains, rows = over_random if over_random is not None else pd.DataFrame(), []
    for study, group in arms.groupby("study", sort=False):
        own, own_pairs, own_gains = (_of(each, str(study), selection) for each in (group, pairs, gains))
        spent = cost[cost["study"] == study] if len(cost) else cost
        rows += [(study, *said) for said in _study(own, own_pairs, spent, own_gains, selection)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of(frame: pd.DataFrame, study: str, selection: str) -> pd.DataFrame:
    return frame[(frame["study"] == study) & (frame["selection"] == selection)] if len(frame) else frame


def _study(
    arms: pd.DataFrame, pairs: pd.DataFrame, cost: pd.DataFrame, random: pd.DataFrame, selection: str
) -> Sentences:
    scored = arms.dropna(subset="ua").sort_values(["ua", "arm"], ascending=[False, True])
    if scored.empty:
        yield "best", "", "Nothing can be concluded: no arm has a result yet."
    else:
        ranked = scored["arm"].tolist()
        yield "best", ranked[0], _best(scored, selection)
        yield from (("sure", ranked[0], sentence) for sentence in _sure(ranked, pairs))
        yield from (("random", ranked[0], sentence) for sentence in _gain(ranked[0], random, pairs))
        yield from (("cost", arm, sentence) for arm in ranked[:2] for sentence in _cost(arm, cost, scored))
    yield from _cautions(arms)


def _best(scored: pd.DataFrame, selection: str) -> str:
    first = scored.iloc[0]
    level = scored.loc[(scored["ua"].round(DIGITS) == round(first["ua"], DIGITS)), "arm"].tolist()
    who = f"{first['arm']} has" if len(level) == 1 else f"{_listed(level)} share"
    folds, planned = int(first["folds"]), int(first["planned_folds"])
    if folds > 1:
        spread = f"on average over {counted(folds, 'fold')}, sd {100 * first['ua_sd']:.1f}"
        spread += f", from {percent(first['worst_ua'])} to {percent(first['best_ua'])}"
    else:
        spread = "on one fold, so its variation is unknown"
    so_far = f" {folds} of {planned} planned folds have a score so far." if folds < planned else ""
    chosen = f"; {CHOSEN[selection]}" if (scored["candidates"] > 1).any() else ""
    return f"{who} the highest UA: {percent(first['ua'])} % ({spread}{chosen}).{so_far}"


def _sure(ranked: list[str], pairs: pd.DataFrame) -> Iterator[str]:
    """The verdict on the second arm in full, and which of the others the best arm is better than."""
    if len(ranked) == 1:
        yield f"No other arm has a result to compare {ranked[0]} with."
        return
    best, second, *others = ranked
    own = {
        row["arm_a"] if row["arm_b"] == best else row["arm_b"]: row
        for row in _rows(pairs)
        if best in (row["arm_a"], row["arm_b"])
    }
    verdict = (
        own[second]["verdict"] if second in own else "nothing can be concluded: the two were not compared"
    )
    yield f"Against {second}, the second: {verdict}."
    sure = [arm for arm in others if arm in own and own[arm]["ahead"] == best]
    if sure:
        yield f"{best} is better than {_listed(sure)} (p < {SURE:g} after Holm)."
    if rest := [arm for arm in others if arm not in sure]:
        yield f"Whether {best} is better than {_listed(rest)} cannot be concluded."


def _gain(best: str, random: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[str]:
    for row in _rows(random):
        if row["arm"] != best:
            continue
        if math.isnan(row["improvement"]):
            yield f"Gain of {best} over random architectures: unknown; {row['note']}."
            continue
        sure = any(
            pair["ahead"] == best and "random" in (pair["arm_a"], pair["arm_b"]) for pair in _rows(pairs)
        )
        share = f", of which its runs beat {100 * row['beaten']:.0f} % on the same fold"
        drawn = f"{counted(row['draws'], 'draw')}{'' if math.isnan(row['beaten']) else share}"
        side = "above" if row["improvement"] >= 0 else "below"
        gain = f"{abs(100 * row['improvement']):.1f} %"
        maybe = "" if sure else "; this may be chance"
        yield f"{best} is {gain} {side} the mean UA of random architectures ({drawn}){maybe}."


def _cost(arm: str, cost: pd.DataFrame, scored: pd.DataFrame) -> Iterator[str]:
    """The time an arm took, by device and purpose, and its size."""
    own = cost[cost["arm"] == arm] if len(cost) else cost
    size = scored.loc[scored["arm"] == arm, "parameters"].iloc[0]
    sized = f" Its model has {size:,.0f} parameters on average." if size > 0 else ""
    known = own.dropna(subset="seconds") if len(own) else own
    if known.empty:
        yield f"Cost of {arm}: unknown.{sized}"
        return
    seconds = known["seconds"]
    taken = known["device_s"].fillna(seconds) if "device_s" in known else seconds  # else wall-clock time
    devices = known["device"] if "device" in known else pd.Series("", index=known.index)
    totals = [_took(float(each.sum()), str(device)) for device, each in taken.groupby(devices)]
    sums = known.groupby("purpose")["seconds"].sum().sort_values(ascending=False, kind="stable")
    shares = sums / max(seconds.sum(), 1e-9)
    parts = [f"{name} {100 * share:.0f} %" for name, share in shares.items() if share >= SMALLEST_SHARE]
    lost = own[own["seconds"].isna()]
    unknown = f"{_listed(sorted(set(lost['purpose'])))}: time unknown" if len(lost) else ""
    detail = "; ".join(filter(None, [", ".join(parts), unknown]))
    yield f"{arm} took {_listed(totals)} in all{f' ({detail})' if detail else ''}.{sized}"


def _took(seconds: float, device: str) -> str:
    taken = duration(seconds)
    return f"{taken} (wall-clock time x {DEVICES[device]})" if device in DEVICES else taken


def _cautions(arms: pd.DataFrame) -> Sentences:
    for row in _rows(arms):
        if math.isnan(row["ua"]):
            why = "it has not ended" if math.isnan(row["folds"]) else "the test UA of a run is unknown"
            yield "caution", row["arm"], f"{row['arm']} has no result: {row['note'] or why}."
        elif row["note"]:
            yield "caution", row["arm"], f"{row['arm']}: {row['note']}."
    words = [mark for text in arms["marks"].fillna("") for mark in str(text).split(", ") if mark]
    if words:
        yield "marks", "", f"These scores are marked: {', '.join(dict.fromkeys(words))}."


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
