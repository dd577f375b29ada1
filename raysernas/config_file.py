"""Configuration files: YAML and `key=value` overrides to a `Config`, and back.

The only room that knows OmegaConf. Everything is strict: an unknown key, a wrong type, a value out of its range or an
interpolation is refused with the way to mend it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from raysernas.config import Config, Fault, TrialConfig, Value, flatten, trial_config

AT_LEAST: dict[str, float] = {  # lowest sound value; a strict bound is written as the smallest sensible number
    "study.candidates": 1,
    "study.resources.cpus": 0,
    "study.resources.gpus_per_trial": 0.01,
    "corpus.groups": 2,
    "corpus.valid_speakers": 1,
    "corpus.synthetic_speakers": 2,
    "corpus.synthetic_takes": 1,
    "features.sample_rate_hz": 1000,
    "features.n_fft": 16,
    "features.hop_samples": 1,
    "features.bands": 8,
    "features.coefficients": 8,
    "features.range_db": 1,
    "features.window_s": 0.1,
    "network.cells": 1,
    "network.nodes": 1,
    "network.channels": 1,
    "network.hidden": 1,
    "network.designed_channels": 1,
    "search.epochs": 1,
    "search.batch": 2,
    "search.weights_lr": 0,
    "search.alphas_lr": 0,
    "search.weights_clip": 1e-9,
    "retrain.epochs": 1,
    "retrain.batch": 2,
    "retrain.lr": 0,
    "retrain.weight_decay": 0,
    "retrain.clip": 1e-9,
    "retrain.masks": 0,
    "retrain.mask_frames": 1,
    "retrain.mask_bands": 1,
    "compute.threads": 1,
}
BELOW_ONE = ("network.dropout", "retrain.label_smoothing", "retrain.drop_path", "search.weights_momentum", "search.alphas_beta1")


def shipped() -> Path:
    """The folder of shipped studies: beside the package in a checkout, inside it in a wheel."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


def find(name: str) -> Path:
    """The file that CONFIG means: a path as it is given, else a shipped study (`laptop`, `configs/laptop.yaml`)."""
    candidates = [Path(name), shipped() / Path(name).name, shipped() / f"{Path(name).name}.yaml"]
    for path in candidates:
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in shipped().glob("*.yaml")))
    raise Fault(
        "config", f"there is no configuration {name!r}", got=name, expected=f"a YAML file, or one of: {known}", do="check the path"
    )


def load(name: str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Defaults <- YAML file <- `key=value` overrides, strictly: unknown keys and wrong types are refused.

    Raises:
        Fault: for an unknown key, a wrong type, an unreadable file or a value out of its range.
    """
    for override in overrides:
        if "=" not in override:
            raise Fault("config", f"{override!r} assigns nothing", got=override, expected="key=value", do=f"write {override}=VALUE")
    try:
        layers = [OmegaConf.load(find(name))] if name else []
        layers.append(OmegaConf.from_dotlist(list(overrides)))
        plain = [OmegaConf.to_container(layer, resolve=False) or {} for layer in layers]
    except (OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise Fault(
            "config", f"{name} is not readable YAML", got=_first_line(error), expected="a YAML mapping", do="mend the file"
        ) from error
    return checked(_merge(Config(), *plain))


def assign(config: Config, values: Mapping[str, Value]) -> Config:
    """`config` with dotted keys set, as strictly as a file."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        section, _, leaf = key.partition(".")
        nested.setdefault(section, {})[leaf] = list(value) if isinstance(value, tuple) else value
    return checked(_merge(config, nested))


def trial_from(flat: Mapping[str, Value]) -> TrialConfig:
    """The inverse of `flatten` for a trial: what crosses the border between two processes."""
    sections = {key: value for key, value in flat.items() if "." in key}
    arm, fold, seed = flat["arm"], flat["fold"], flat["seed"]
    if not isinstance(arm, str) or not isinstance(fold, int) or not isinstance(seed, int):
        raise TypeError(f"not a trial: {arm=} {fold=} {seed=}")
    return trial_config(assign(Config(), sections), arm=arm, fold=fold, seed=seed)  # pyright: ignore[reportArgumentType] - checked there


def show(config: Config) -> str:
    """The whole configuration as YAML, which `load` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.create(_plain(config)))


def checked(config: Config) -> Config:
    """The same configuration, or the first thing that is wrong with its values."""
    flat = flatten(config)
    for key, least in AT_LEAST.items():
        if not flat[key] >= least or flat[key] == float("inf"):
            raise Fault(
                "config", f"{key} is out of range", got=flat[key], expected=f"a number of at least {least}", do=f"set {key}"
            )
    for key in BELOW_ONE:
        if not 0 <= flat[key] < 1:
            raise Fault("config", f"{key} is out of range", got=flat[key], expected="0 <= value < 1", do=f"set {key}")
    for key in ("study.arms", "study.seeds", "retrain.seeds"):
        if not flat[key] or len(set(flat[key])) != len(flat[key]):
            raise Fault(
                "config", f"{key} needs distinct entries", got=list(flat[key]), expected="at least one, each once", do=f"set {key}"
            )
    name = config.study.name
    if not name or name != Path(name).name or name.startswith("."):
        raise Fault(
            "config", "study.name is not a folder's name", got=repr(name), expected="letters, digits, - and _", do="set study.name"
        )
    for key, axis in config.study.space.items():
        _check_axis(config, key, axis)
    return config


def _check_axis(config: Config, key: str, axis: Any) -> None:
    flat = flatten(config)
    if key not in flat or key.startswith("study.") or key in ("corpus.root", "corpus.fingerprint"):
        raise Fault(
            "config", f"study.space names {key}", got=key, expected="the dotted key of a trial setting", do="remove or mend it"
        )
    shape = set(axis) if isinstance(axis, dict) else None
    if shape not in ({"choices"}, {"low", "high"}, {"low", "high", "log"}):
        raise Fault(
            "config", f"study.space.{key} has no range", got=axis, expected="{low, high[, log]} or {choices: [...]}", do="mend it"
        )
    if shape == {"choices"}:
        inside = flat[key] in axis["choices"]
    else:
        inside = axis["low"] <= flat[key] <= axis["high"]
    if not inside:
        what = f"{key} lies outside its own range in study.space; the first candidate is the configuration as written"
        raise Fault("config", what, got=flat[key], expected=axis, do=f"set {key} inside it, or widen it")
    for edge in axis.get("choices", ()) or (axis["low"], axis["high"]):
        assign(replace(config, study=replace(config.study, space={})), {key: edge})


def _merge(start: Config, *layers: Any) -> Config:
    for layer in layers:
        if (found := _interpolation(layer)) is not None:
            raise Fault("config", "interpolation is not supported", got=found, expected="plain values", do="write the value itself")
    try:
        merged = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(start), *layers))
    except ConfigKeyError as error:
        known = ", ".join(f"{key}.*" if "." in key else key for key in dict.fromkeys(key.split(".")[0] for key in flatten(start)))
        raise Fault(
            "config", f"{error.full_key} is not a setting", got=_first_line(error), expected=f"a key of {known}", do="mend the key"
        ) from error
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        key = getattr(error, "full_key", None) or "a value"
        raise Fault(
            "config", f"{key} has the wrong type", got=_first_line(error), expected="the type of its default", do=f"set {key}"
        ) from error
    assert isinstance(merged, Config)
    return merged


def _interpolation(node: Any) -> str | None:
    if isinstance(node, str):
        return node if "${" in node else None
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return next((found for child in children if (found := _interpolation(child)) is not None), None)


def _plain(node: Any) -> Any:
    if is_dataclass(node):
        return {spec.name: _plain(getattr(node, spec.name)) for spec in fields(node)}
    return list(node) if isinstance(node, tuple) else node


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
