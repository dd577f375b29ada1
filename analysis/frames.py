"""What all frames share: how their columns are named, how they are joined, and which trials count.

A trial counts when study.yaml still plans it and it has ended with scores.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from raysernas.config.schema import Config

Configs = Mapping[str, Config]  # by study
KEY = ("arm", "candidate", "fold", "seed")  # what a trial is named by


def columns(names: str) -> tuple[str, ...]:
    """The columns of a frame, written with spaces between them."""
    return tuple(names.split())


def joined(frames: Iterable[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Frames below one another, in these columns; those without rows are left out."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True)[list(names)] if filled else pd.DataFrame(columns=list(names))


def planned(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that study.yaml plans; all of them if the frame does not say which."""
    return trials[trials["planned"].astype(bool)] if "planned" in trials else trials


def finished(trials: pd.DataFrame) -> pd.DataFrame:
    """The planned trials that ended with scores."""
    rows = planned(trials)
    return rows[rows["status"] == "finished"]


def is_nested(study: str, configs: Configs | None) -> bool:
    """Whether each fold has candidates of its own, so that a number means nothing on another fold."""
    return bool(configs) and study in configs and configs[study].study.protocol == "nested"
