"""Which settings make a trial what it is: its settings, its digest, and what differs between two studies."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.schema import Config, TrialConfig

SECTIONS = ("corpus", "features", "network", "search", "checks", "retrain", "compute")
# settings that are younger than studies on disk: at this value they are no part of a trial's identity
INTRODUCED: dict[str, Any] = {
    "search.relaxation": "softmax",
    "corpus.channel": "mean",
    "corpus.balance": "genders",
    "corpus.text_groups": 0,
    "features.fingerprint": "",
    "features.streams": ("bands", "cepstra", "band_deltas", "cepstrum_deltas", "contours"),
    "features.layers": (),
    "features.layer_width": 0,
    "features.level": "as_is",
    "network.projection": 64,
    "network.layer": "mix",
    "network.time_pooling": "usual",
    "retrain.on": "train",
    "features.functionals": "none",
    "network.functionals": False,
    "network.functionals_dropout": 0.5,
}
# setting -> the switch without which it changes nothing, for an arm that reads the switch
SWITCHED = {
    "features.functionals": "network.functionals",
    "network.functionals_dropout": "network.functionals",
}
RENAMED = {"study.racing.on": "study.racing.enabled"}  # old -> new, the section unchanged
# where something lies; the hash of its content counts instead
PLACES = ("corpus.root", "corpus.fold_file", "features.model")
FREE = (  # beginnings of keys that may change when a study is continued
    "study.name",
    "study.storage",
    "study.cache",
    "study.arms",
    "study.candidates",
    "study.folds",
    "study.seeds",
    "study.retry_failed",
    "study.resources.",
    *PLACES,
)


def trial_config(config: Config, *, arm: str, fold: int, seed: int) -> TrialConfig:
    """The part of a study that one trial runs under.

    Raises:
        Fault: for an unknown arm.
    """
    if arm not in ARMS:
        what, expected = f"{arm!r} is not an arm", ", ".join(ARMS)
        raise Fault("config", what, got=arm, expected=expected, fix="name one of them")
    sections = {section: getattr(config, section) for section in SECTIONS}
    fixed = {key.removeprefix("network."): value for key, value in ARMS[arm].fixes.items()}
    sections["network"] = replace(config.network, **fixed)
    return TrialConfig(arm=arm, fold=fold, seed=seed, **sections)


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a configuration, tuples as they are: `{"search.epochs": 30, ...}`."""
    flat: dict[str, Any] = {}
    for each in fields(node):
        key, value = f"{prefix}{each.name}", getattr(node, each.name)
        flat |= flatten(value, f"{key}.") if is_dataclass(value) else {key: value}
    return flat


def settings(trial: TrialConfig) -> dict[str, Any]:
    """What the trial's arm reads or fixes: its identity, and its columns in the ledger.

    Left out are PLACES, what is SWITCHED off, and INTRODUCED settings at the value that every older trial
    had.
    """
    fixed, flat = ARMS[trial.arm].fixes, flatten(trial)
    return {
        key: value
        for key, value in flat.items()
        if (key in fixed or reads(trial.arm, key))
        and INTRODUCED.get(key) != value
        and is_on(trial.arm, key, flat)
    }


def is_on(arm: str, key: str, flat: Mapping[str, Any]) -> bool:
    """Whether a setting can change anything: its switch, if the arm reads one, is on."""
    switch = SWITCHED.get(key)
    return switch is None or not reads(arm, switch) or flat[switch]


def functionals(trial: TrialConfig) -> str:
    """The functionals that the trial uses, whatever other arms of its study do."""
    return settings(trial).get("features.functionals", "none")


def reads(arm: str, key: str) -> bool:
    """Whether a setting of the study can change the numbers of an arm."""
    of = ARMS[arm]
    return key.startswith(of.reads) and not key.startswith(PLACES) and key not in of.fixes


def digest(trial: TrialConfig) -> str:
    """Identity of a trial: 16 hexadecimal digits over all of its settings, not over their difference to the
    defaults.
    """
    return identity(settings(trial))


def identity(values: Mapping[str, Any]) -> str:
    """`digest` of a trial, from its `settings`."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Config, new: Config) -> list[str]:
    """Readable lines, one for each setting whose change would make old and new trials incomparable."""
    before, after = flatten(old), flatten(new)
    changed = [key for key in after if before[key] != after[key] and not key.startswith(FREE)]
    return [f"{key}: {before[key]!r} -> {after[key]!r}" for key in changed]
