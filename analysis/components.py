"""Where the variance of the scores comes from: folds, candidates, search seeds, retrain seeds.

In: the frame `trials`. Out: the frame `components`, for each arm: score = mean + fold + candidate +
(candidate on this fold) + search seed + retrain seed, all but the mean random. A search seed is nested in its
candidate and fold (seed 0 of one fold has nothing to do with seed 0 of another), a retrain seed in its
search. Estimated by the method of moments for unequal numbers (Henderson, 1953, method I; with equal numbers
the analysis of variance). What the trials cannot tell apart is given together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.runs import Configs, finished, is_nested, planned
from analysis.wording import counted

FEW_LEVELS = 5  # below which a variance over them is hardly known
# component -> columns of which each combination is a level, coarsest first
COMPONENTS: dict[str, tuple[str, ...]] = {
    "fold": ("fold",),
    "candidate": ("candidate",),
    "candidate on fold": ("candidate", "fold"),
    "search_seed": ("candidate", "fold", "seed"),
    "retrain_seed": ("candidate", "fold", "seed", "retrain_seed"),
}
NESTED: dict[str, tuple[str, ...]] = {  # where each fold has candidates of its own
    "fold": ("fold",),
    "candidate": ("candidate", "fold"),
    "search_seed": COMPONENTS["search_seed"],
    "retrain_seed": COMPONENTS["retrain_seed"],
}
COLUMNS = ("study", "arm", "component", "levels", "variance", "sd", "share", "note")
DIGITS = 12  # of a score, and of a variance as a share of all: what is smaller is rounding
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the frame, before the shares."""

    component: str
    levels: int
    variance: float
    note: str


def components(
    trials: pd.DataFrame, configs: Configs | None = None, *, score: str = "test_ua"
) -> pd.DataFrame:
    """One row for each arm and component: `levels`, `variance` and `sd` (in units of UA), `share` of the sum,
    `note`.

    A component that the trials cannot show has no variance, and its note says why; several that cannot be
    told apart have a row of their own, named "a + b", or `residual` if retrain seeds are among them. A
    negative estimate is given as 0 and said. Candidates that were given up are left out: their folds were not
    chosen by chance.

    Args:
        configs: to know which studies are nested; none = no study is.
        score: the column that varies.
    """
    rows = []
    for (study, arm), group in planned(trials).groupby(["study", "arm"], sort=True):
        levels = NESTED if is_nested(str(study), configs) else COMPONENTS
        kept, left_out = _not_raced(group, levels["candidate"])
        lines = decomposed(finished(kept).dropna(subset=score), score, levels)
        total = sum(line.variance for line in lines if line.variance > 0)
        for line in lines:
            share = line.variance / total if total > 0 else np.nan
            note = "; ".join(filter(None, [line.note, left_out]))
            rows.append(
                (study, arm, line.component, line.levels, line.variance, np.sqrt(line.variance), share, note)
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _not_raced(rows: pd.DataFrame, candidate: Sequence[str]) -> tuple[pd.DataFrame, str]:
    names = pd.MultiIndex.from_frame(rows[list(candidate)])
    raced = names.isin(names[rows["status"] == "raced"])
    count = names[raced].nunique()
    return rows[~raced], f"without {counted(count, 'candidate')} given up" if count else ""


def decomposed(rows: pd.DataFrame, score: str, levels: Mapping[str, Sequence[str]]) -> list[Line]:
    """The components of one arm, in their order; every run is a row."""
    partitions = {name: _codes(rows, columns) for name, columns in levels.items()}
    lines, kept = [], dict[str, list[str]]()  # first of those that cannot be told apart -> all of them
    for name, codes in partitions.items():
        if name == "candidate on fold" and {"fold", "candidate"} & {line.component for line in lines}:
            continue  # with one fold or one candidate there is no such thing
        if _count(codes) < 2:
            lines.append(
                Line(name, _count(codes), np.nan, f"{counted(_count(codes), _noun(name))}: cannot be known")
            )
            continue
        same = next((first for first in kept if _alike(partitions[first], codes)), name)
        kept.setdefault(same, []).append(name)
    told = _solved(rows[score].to_numpy(dtype=np.float64), [partitions[first] for first in kept])
    for names, variance in zip(kept.values(), told, strict=True):
        lines += _together(names, _count(partitions[names[0]]), float(variance))
    order = list(levels)
    return sorted(
        lines, key=lambda line: order.index(line.component) if line.component in order else len(order)
    )


def _noun(name: str) -> str:
    return name.replace("_", " ")


def _codes(rows: pd.DataFrame, columns: Sequence[str]) -> Codes:
    return rows.groupby(list(columns), sort=False).ngroup().to_numpy().astype(np.int64)


def _count(codes: Codes) -> int:
    return int(codes.max()) + 1 if len(codes) else 0


def _crossed(one: Codes, other: Codes) -> tuple[Codes, Codes, Codes]:
    """The level of each grouping, and the runs, of every combination that occurs."""
    both, runs = np.unique(one * _count(other) + other, return_counts=True)
    return both // _count(other), both % _count(other), runs


def _alike(one: Codes, other: Codes) -> bool:
    """Whether two groupings are the same."""
    return _count(one) == _count(other) == len(_crossed(one, other)[0])


def _solved(scores: Floats, partitions: Sequence[Codes]) -> Floats:
    """The variance of each component, negative ones included; NaN if the numbers of runs do not settle them.

    The sum of squares of the group means of each grouping has an expectation that is linear in the variances:
    a component with n_gf runs of level f in group g enters with the sum of n_gf² / n_g over both. As many
    groupings as components, minus the grand mean.
    """
    if not partitions:
        return np.empty(0)
    centred = (scores - scores.mean()).round(DIGITS)  # the mean does not matter
    whole = np.zeros(len(scores), dtype=np.int64)
    squares = np.array(
        [np.sum(np.bincount(codes, centred) ** 2 / np.bincount(codes)) for codes in partitions]
    )
    weights = np.array(
        [[_weight(own, other) - _weight(whole, other) for other in partitions] for own in partitions]
    )
    if np.linalg.matrix_rank(weights) < len(partitions):
        return np.full(len(partitions), np.nan)
    solved = np.linalg.solve(weights, squares)
    return np.where(np.abs(solved) < 10**-DIGITS * np.abs(solved).sum(), 0.0, solved)


def _weight(own: Codes, other: Codes) -> float:
    groups, _, runs = _crossed(own, other)
    return float(np.sum(runs**2 / np.bincount(own)[groups]))


def _together(names: Sequence[str], levels: int, variance: float) -> list[Line]:
    """The lines of components that only stand together, or of one alone."""
    notes = []
    if np.isnan(variance):
        notes.append("the trials there are do not tell the components apart")
    elif variance < 0:
        notes.append(f"the estimate was negative ({variance:.2g}): given as 0")
    elif levels < FEW_LEVELS:
        notes.append(f"{counted(levels, 'level')}: hardly known")
    note, told = "; ".join(notes), max(0.0, variance) if not np.isnan(variance) else np.nan
    if len(names) == 1:
        return [Line(names[0], levels, told, note)]
    joint = "residual" if "retrain_seed" in names else " + ".join(names)
    apart = [
        Line(name, levels, np.nan, f"not to be told apart from {_others(name, names)}: see {joint}")
        for name in names
    ]
    return [*apart, Line(joint, levels, told, "; ".join(filter(None, [" + ".join(map(_noun, names)), note])))]


def _others(name: str, names: Sequence[str]) -> str:
    return " and ".join(_noun(each) for each in names if each != name)
