"""Which settings make a trial what it is: its dotted settings, its digest, and what differs between two
studies.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.schema import Config, TrialConfig

SECTIONS = ("corpus", "features", "network", "search", "checks", "retrain", "compute")
PLACES = ("corpus.root", "corpus.fold_file")  # where something lies; what lies there has a hash


def trial_config(config: Config, *, arm: str, fold: int, seed: int) -> TrialConfig:
    """The part of a study that one trial runs under."""
    if arm not in ARMS:
        raise Fault(
            "config",
            f"{arm!r} is not an arm",
            got=arm,
            expected=", ".join(ARMS),
            fix="name one of them",
        )
    sections = {section: getattr(config, section) for section in SECTIONS}
    fixed = {key.removeprefix("network."): value for key, value in ARMS[arm].fixes.items()}
    sections["network"] = replace(config.network, **fixed)
    return TrialConfig(arm=arm, fold=fold, seed=seed, **sections)


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a configuration, tuples as they are: `{"search.epochs": 30, ...}`."""
    flat: dict[str, Any] = {}
    for spec in fields(node):
        value = getattr(node, spec.name)
        flat |= (
            flatten(value, f"{prefix}{spec.name}.")
            if is_dataclass(value)
            else {f"{prefix}{spec.name}": value}
        )
    return flat


def settings(trial: TrialConfig) -> dict[str, Any]:
    """The dotted settings that the trial's arm reads, without PLACES: its identity and its columns in the
    ledger.
    """
    fixed = ARMS[trial.arm].fixes
    return {key: value for key, value in flatten(trial).items() if key in fixed or reads(trial.arm, key)}


def reads(arm: str, key: str) -> bool:
    """Whether a setting of the study can change the numbers of an arm."""
    of = ARMS[arm]
    return key.startswith(of.reads) and not key.startswith(PLACES) and key not in of.fixes


def digest(trial: TrialConfig) -> str:
    """Identity of a trial: 16 hexadecimal digits over all of its settings, never over their difference to the
    defaults.
    """
    return identity(settings(trial))


def identity(values: Mapping[str, Any]) -> str:
    """`digest`, of what `settings` has given."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Config, new: Config) -> list[str]:
    """Readable lines, one for each setting whose change would make old and new trials incomparable."""
    kept, fresh = flatten(old), flatten(new)
    extendable = (
        "study.name",
        "study.storage",
        "study.cache",
        "study.arms",
        "study.candidates",
        "study.folds",
        "study.seeds",
    )
    free = (*extendable, "study.retry_failed", "study.resources.", *PLACES)
    return [
        f"{key}: {kept[key]!r} -> {fresh[key]!r}"
        for key in fresh
        if kept[key] != fresh[key] and not key.startswith(free)
    ]
