"""Which rows of the frame `trials` count: runs that ended with scores and that study.yaml plans.

In: the frame `trials`, and the configurations of its studies where they are known. Out: rows of it.
"""

from collections.abc import Mapping

import pandas as pd

from raysernas.config.schema import Config

Configs = Mapping[str, Config]  # by study


def planned(trials: pd.DataFrame) -> pd.DataFrame:
    """Those that study.yaml plans, where the frame says which."""
    return trials[trials["planned"].astype(bool)] if "planned" in trials else trials


def finished(trials: pd.DataFrame) -> pd.DataFrame:
    """The planned runs that have ended with scores."""
    rows = planned(trials)
    return rows[rows["status"] == "finished"]


def is_nested(study: str, configs: Configs | None) -> bool:
    """Whether a candidate belongs to one fold, so that its number means nothing on another one."""
    return bool(configs) and study in configs and configs[study].study.protocol == "nested"
