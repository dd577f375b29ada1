"""Configuration files: YAML and `key=value` overrides to a `Config`, and back.

The only module that knows OmegaConf, which reads and writes the YAML. An unknown key, a wrong type, a value
out of its range, settings that do not fit together and interpolations are refused with a fix.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from yaml import YAMLError
from yaml.error import MarkedYAMLError

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.identity import trial_config
from raysernas.config.rules import check_together
from raysernas.config.schema import Config, TrialConfig, Value
from raysernas.config.space import check_space
from raysernas.config.values import check_ranges, merge, with_values


def shipped() -> Path:
    """The folder of shipped studies: beside the package in a checkout, inside it in a wheel."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def find(name: str) -> Path:
    """The file that CONFIG names: a path, or else a shipped study (`laptop`, `configs/laptop.yaml`)."""
    candidates = [Path(name), shipped() / Path(name).name, shipped() / f"{Path(name).name}.yaml"]
    for path in candidates:
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in shipped().glob("*.yaml")))
    what, expected = f"there is no configuration {name!r}", f"a YAML file, or one of: {known}"
    raise Fault("config", what, got=name, expected=expected, fix="check the path")


def load(name: str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Defaults <- YAML file <- `key=value` overrides, strictly; a later value replaces an earlier one whole.

    Raises:
        Fault: for an unreadable file and for settings that `checked` refuses.
    """
    config = merge(Config(), _file(find(name))) if name else Config()
    for override in overrides:
        config = merge(config, _override(override))
    return checked(config)


def parse(text: str, name: str) -> Config:
    """The configuration in a YAML text; faults call the text `name`.

    Raises:
        Fault: as `load`.
    """
    return checked(merge(Config(), _read(lambda: OmegaConf.create(text), name)))


def assign(config: Config, values: Mapping[str, Value]) -> Config:
    """`config` with dotted keys set, as strictly as a file."""
    return checked(with_values(config, values))


def checked(config: Config) -> Config:
    """The same configuration.

    Raises:
        Fault: for the first value out of its range, settings that do not fit together, and a space that could
            not be searched.
    """
    check_ranges(config)
    check_together(config)
    check_space(config)
    return config


def trial_from(flat: Mapping[str, Value]) -> TrialConfig:
    """The inverse of `flatten` for a trial: what crosses the border between two processes."""
    arm, fold, seed = flat["arm"], flat["fold"], flat["seed"]
    if not isinstance(arm, str) or not isinstance(fold, int) or not isinstance(seed, int):
        raise TypeError(f"not a trial: {arm=} {fold=} {seed=}")
    fixed = ARMS[arm].fixes if arm in ARMS else ()  # settings of the study may not fit together with these
    sections = {key: value for key, value in flat.items() if "." in key and key not in fixed}
    return trial_config(assign(Config(), sections), arm=arm, fold=fold, seed=seed)


def show(config: Config) -> str:
    """The whole configuration as YAML, which `load` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.create(_plain(config)))


def _file(path: Path) -> Any:
    return _read(lambda: OmegaConf.load(path), str(path))


def _read(act: Callable[[], Any], name: str) -> Any:
    try:
        return _container(act)
    except (YAMLError, UnicodeDecodeError, OmegaConfBaseException, OSError) as error:
        what, expected = f"{name} is not readable YAML", "a YAML mapping of settings"
        raise Fault("config", what, got=_reason(error), expected=expected, fix="correct the file") from error


def _override(override: str) -> Any:
    if not re.match("[^=]+=", override):
        what, fix = f"{override!r} assigns nothing", "write search.epochs=30, say"
        raise Fault("config", what, got=override, expected="key=value", fix=fix)
    try:
        return _container(lambda: OmegaConf.from_dotlist([override]))
    except (YAMLError, OmegaConfBaseException) as error:
        what, expected = f"the override {override!r} is not readable", "key=value, the value in YAML"
        fix = "correct it, and quote it for the shell: 'study.arms=[darts, cnn]'"
        raise Fault("config", what, got=_reason(error), expected=expected, fix=fix) from error


def _container(read: Callable[[], Any]) -> Any:
    try:
        plain = OmegaConf.to_container(read(), resolve=False)
        found = _interpolation(plain)
    except GrammarParseError as error:  # an interpolation that is not even well formed
        found, plain = _reason(error), None
    if found is not None:
        what, fix = "interpolation is not supported", "write the value itself"
        raise Fault("config", what, got=found, expected="plain values", fix=fix)
    return {} if plain is None else plain


def _interpolation(node: Any) -> str | None:
    if isinstance(node, str):
        return node if "${" in node else None
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((found for child in children if (found := _interpolation(child)) is not None), None)


def _reason(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _plain(node: Any) -> Any:
    if is_dataclass(node):
        return {spec.name: _plain(getattr(node, spec.name)) for spec in fields(node)}
    return list(node) if isinstance(node, tuple) else node
