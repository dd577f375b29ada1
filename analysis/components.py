"""Where the variance of the scores comes from: folds, candidates, search seeds, retrain seeds.

In: the frame `trials`. Out: the frame `components`, for each arm. The model: score = mean + fold + candidate
+ (candidate on this fold) + search seed + retrain seed, all random but the mean. A search seed is nested in
its candidate and fold (seed 0 of one fold has nothing to do with seed 0 of another), a retrain seed in its
search. Estimated by the method of moments for unequal numbers (Henderson, 1953, method I; with equal numbers
this is the analysis of variance). Sources that the trials cannot tell apart are given together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.frames import Configs, columns, finished, is_nested, planned
from analysis.statistics import FloatArray
from analysis.wording import counted

FEW_LEVELS = 5  # with fewer, a variance over them is hardly known
# component -> columns; each combination of their values is a level; the coarsest first
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
COLUMNS = columns("study arm component levels variance sd share note")
DIGITS = 12  # of a score, and of a variance as a share of all; the rest is rounding error
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Component:
    """One row of the frame, before the shares."""

    component: str
    levels: int
    variance: float
    note: str


def components(
    trials: pd.DataFrame, configs: Configs | None = None, *, score: str = "test_ua"
) -> pd.DataFrame:
    """One row for each arm and component: `levels`, `variance` and `sd` (in units of UA), `share`, `note`.

    A component that the trials cannot show has no variance, and its note says why. Components that cannot be
    told apart share a row named "a + b", or `residual` if retrain seeds are among them. A negative estimate
    is given as 0 with a note. Candidates that were raced out are left out, because their folds are no random
    sample.

    Args:
        configs: to know which studies are nested; without them none is.
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
            numbers = (line.levels, line.variance, np.sqrt(line.variance), share)
            rows.append((study, arm, line.component, *numbers, note))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _not_raced(rows: pd.DataFrame, candidate: Sequence[str]) -> tuple[pd.DataFrame, str]:
    names = pd.MultiIndex.from_frame(rows[list(candidate)])
    raced = names.isin(names[rows["status"] == "raced"])
    count = names[raced].nunique()
    return rows[~raced], f"without {counted(count, 'candidate')} raced out" if count else ""


def decomposed(rows: pd.DataFrame, score: str, levels: Mapping[str, Sequence[str]]) -> list[Component]:
    """The components of one arm, in order; every run is a row."""
    partitions = {name: _codes(rows, columns) for name, columns in levels.items()}
    lines, kept = [], dict[str, list[str]]()  # first of those that cannot be told apart -> all of them
    for name, codes in partitions.items():
        if name == "candidate on fold" and {"fold", "candidate"} & {line.component for line in lines}:
            continue  # takes several folds and several candidates
        if (count := _count(codes)) < 2:
            note = f"{counted(count, _noun(name))}: the variance is unknown"
            lines.append(Component(name, count, np.nan, note))
            continue
        same = next((first for first in kept if _alike(partitions[first], codes)), name)
        kept.setdefault(same, []).append(name)
    variances = _solved(rows[score].to_numpy(dtype=np.float64), [partitions[first] for first in kept])
    for names, variance in zip(kept.values(), variances, strict=True):
        lines += _together(names, _count(partitions[names[0]]), float(variance))
    place = {name: i for i, name in enumerate(levels)}
    return sorted(lines, key=lambda line: place.get(line.component, len(place)))


def _noun(name: str) -> str:
    return name.replace("_", " ")


def _codes(rows: pd.DataFrame, columns: Sequence[str]) -> Codes:
    return rows.groupby(list(columns), sort=False).ngroup().to_numpy().astype(np.int64)


def _count(codes: Codes) -> int:
    return int(codes.max()) + 1 if len(codes) else 0


def _crossed(one: Codes, other: Codes) -> tuple[Codes, Codes, Codes]:
    """The two levels and the number of runs of every combination that occurs."""
    both, runs = np.unique(one * _count(other) + other, return_counts=True)
    return both // _count(other), both % _count(other), runs


def _alike(one: Codes, other: Codes) -> bool:
    """Whether two groupings are the same."""
    return _count(one) == _count(other) == len(_crossed(one, other)[0])


def _solved(scores: FloatArray, partitions: Sequence[Codes]) -> FloatArray:
    """The variance of each component, possibly negative; NaN if the numbers of runs do not determine them.

    For each grouping, the expected sum of squares of its group means is linear in the variances: a component
    with n_gf runs of level f in group g has the coefficient sum n_gf² / n_g. There are as many groupings as
    components, each minus the grand mean.
    """
    if not partitions:
        return np.empty(0)
    centred = (scores - scores.mean()).round(DIGITS)
    whole = np.zeros(len(scores), dtype=np.int64)
    sums = [np.sum(np.bincount(codes, centred) ** 2 / np.bincount(codes)) for codes in partitions]
    squares = np.array(sums)
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


def _together(names: Sequence[str], levels: int, variance: float) -> list[Component]:
    """The rows of one component, or of several that cannot be told apart."""
    notes = []
    if np.isnan(variance):
        notes.append("these trials cannot tell the components apart")
    elif variance < 0:
        notes.append(f"negative estimate ({variance:.2g}), given as 0")
    elif levels < FEW_LEVELS:
        notes.append(f"{counted(levels, 'level')}: hardly known")
    note, given = "; ".join(notes), max(0.0, variance) if not np.isnan(variance) else np.nan
    if len(names) == 1:
        return [Component(names[0], levels, given, note)]
    joint = "residual" if "retrain_seed" in names else " + ".join(names)
    rows = []
    for name in names:
        others = " and ".join(_noun(each) for each in names if each != name)
        rows.append(Component(name, levels, np.nan, f"cannot be told apart from {others}: see {joint}"))
    parts = " + ".join(map(_noun, names))
    return [*rows, Component(joint, levels, given, "; ".join(filter(None, [parts, note])))]
