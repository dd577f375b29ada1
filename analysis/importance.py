"""How much each setting mattered among the candidates of an arm, by validation UA alone.

In: the frame `trials` and the configurations of its studies. Out: the frame `importance`. Method: Optuna's
PED-ANOVA (Watanabe et al., 2023, arXiv 2304.10255), which compares the settings of the best candidates with
those of all. It says what went with being among the best of what was tried; settings that vary together share
it. It needs 20 candidates.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.frames import Configs, columns, is_nested, planned
from analysis.wording import counted
from raysernas.config.schema import Config
from raysernas.record import summary

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 20  # candidates
# the share of the candidates that count as the best, and the fewest (as Optuna advises)
BEST, FEWEST_BEST = 0.1, 5
COLUMNS = columns("study arm setting importance candidates note")


def importance(trials: pd.DataFrame, configs: Configs | None = None) -> pd.DataFrame:
    """One row for each arm and each setting in which its candidates differ, the most important first; shares
    sum to 1.

    An arm without an estimate has one row without a setting, and `note` says why; otherwise `note` says what
    the importance is for. `candidates` counts those with a score (nested: on each fold) and those that were
    raced out, which count as the worst.

    Args:
        configs: of the studies, to know what is planned, nested and logarithmic; without them it is guessed
            from the trials.
    """
    rows: list[tuple[Any, ...]] = []
    for (study, arm), group in planned(trials).groupby(["study", "arm"], sort=True):
        config = (configs or {}).get(str(study))
        tried = _scored(group, config, nested=is_nested(str(study), configs))
        varied = _settings(group, tried)
        note = _refused(tried, varied)
        shares = {} if note else _shares(tried, varied, config)
        if not shares:
            note = note or "no setting tells the best candidates from the others"
            rows.append((study, arm, "", math.nan, len(tried), note))
        what = f"for being among the best {_best(len(tried))} of {len(tried)}"
        for setting, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])):
            rows.append((study, arm, setting, share, len(tried), what))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scored(rows: pd.DataFrame, config: Config | None, *, nested: bool) -> pd.DataFrame:
    """The candidates that ended, with `score`: mean validation UA (nested: minus the mean of the fold); the
    worst if raced out.
    """
    plan = {
        "folds": sorted(set(rows["fold"])),
        "seeds": config.study.seeds if config else sorted(set(rows["seed"])),
        "retrain_seeds": config.retrain.seeds if config else sorted(set(rows["retrain_seed"])),
    }
    if config and config.study.folds:
        plan["folds"] = config.study.folds
    visible = rows[["arm", "fold", "candidate", "seed", "retrain_seed", "status", "valid_ua"]]
    tried = summary.candidates(visible, **plan, nested=nested)
    usual = tried.groupby("fold")["valid_ua"].transform("mean") if nested else 0.0
    tried = tried.assign(score=tried["valid_ua"] - usual)
    raced_out = tried["valid_ua"].isna() & (tried["raced"] > 0)
    tried.loc[raced_out, "score"] = tried["score"].min() - 1
    return tried.dropna(subset="score")


def _settings(rows: pd.DataFrame, tried: pd.DataFrame) -> pd.DataFrame:
    """The settings in which the candidates differ, a row each, in the order of `tried`."""
    keys = ["fold", "candidate"] if (tried["fold"] != summary.ALL_FOLDS).any() else ["candidate"]
    dotted = [name for name in rows if "." in str(name) and rows[name].nunique(dropna=False) > 1]
    own = rows.drop_duplicates(keys)[[*keys, *dotted]]
    found = tried[keys].merge(own, on=keys, how="left")[dotted]
    return found[[name for name in dotted if found[name].nunique(dropna=False) > 1]]


def _refused(tried: pd.DataFrame, varied: pd.DataFrame) -> str:
    if len(tried) < FEWEST:
        return f"{counted(len(tried), 'candidate')} with a score: importance needs {FEWEST}"
    if varied.empty:
        return "the candidates do not differ in any setting"
    return "all candidates score the same" if tried["score"].nunique() == 1 else ""


def _best(count: int) -> int:
    return max(FEWEST_BEST, math.ceil(BEST * count))


def _shares(tried: pd.DataFrame, varied: pd.DataFrame, config: Config | None) -> dict[str, float]:
    """Setting -> importance; empty if all of them are 0."""
    import optuna

    space = config.study.space if config else {}
    axes = {str(name): _axis(varied[name], space.get(str(name), {})) for name in varied}
    with _quiet():
        study = optuna.create_study(direction="maximize")
        for score, row in zip(tried["score"], varied.to_dict("records"), strict=True):
            params = {
                str(name): _plain(value, axes[str(name)]) for name, value in row.items() if not pd.isna(value)
            }
            own = {name: axes[name] for name in params}
            study.add_trial(optuna.create_trial(params=params, distributions=own, value=float(score)))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(
            target_quantile=_best(len(tried)) / len(tried)
        )
        found = evaluator.evaluate(study)
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total > 0 else {}


def _axis(values: pd.Series, axis: Mapping[str, Any]) -> "BaseDistribution":
    """The distribution of a setting as far as it is known: its choices, or a range that holds all values."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    known = values.dropna()
    numbers = [
        value
        for value in known
        if isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
    ]
    if "choices" in axis or len(numbers) < len(known):
        return CategoricalDistribution(sorted({_scalar(value) for value in known}, key=str))
    low = float(min([axis.get("low", np.inf), *numbers]))
    high = float(max([axis.get("high", -np.inf), *numbers]))
    log = bool(axis.get("log", False)) and low > 0
    whole = all(float(number).is_integer() for number in numbers) and float(axis.get("low", 0)).is_integer()
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _plain(value: Any, axis: "BaseDistribution") -> Any:
    """A value as its axis needs it: a column of whole numbers with a gap holds floats."""
    return int(value) if type(axis).__name__ == "IntDistribution" else _scalar(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's announcement of each study, and its warning of ties."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
