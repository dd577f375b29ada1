"""Configuration files: YAML and `key=value` overrides to a `Config`, and back.

The only room that knows OmegaConf, which reads and writes the YAML. What may stand in a setting is checked in
`config_check.py`: an unknown key, a wrong type, a value out of its range or an interpolation is refused with
the way to mend it.
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
from raysernas.config.schema import Config, TrialConfig, Value
from raysernas.config.values import assign, checked, merge


def shipped() -> Path:
    """The folder of shipped studies: beside the package in a checkout, inside it in a wheel."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def find(name: str) -> Path:
    """The file that CONFIG means: a path as it is given, else a shipped study (`laptop`,
    `configs/laptop.yaml`).
    """
    candidates = [Path(name), shipped() / Path(name).name, shipped() / f"{Path(name).name}.yaml"]
    for path in candidates:
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in shipped().glob("*.yaml")))
    raise Fault(
        "config",
        f"there is no configuration {name!r}",
        got=name,
        expected=f"a YAML file, or one of: {known}",
        fix="check the path",
    )


def load(name: str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Defaults <- YAML file <- `key=value` overrides, strictly; a later value replaces an earlier one whole.

    Raises:
        Fault: for an unknown key, a wrong type, an unreadable file or a value out of its range.
    """
    config = merge(Config(), _file(find(name))) if name else Config()
    for override in overrides:
        config = merge(config, _override(override))
    return checked(config)


def parse(text: str, name: str) -> Config:
    """The configuration that a YAML text states; `name` is what faults call it.

    Raises:
        Fault: as `load`.
    """
    return checked(merge(Config(), _read(lambda: OmegaConf.create(text), name)))


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
        raise Fault(
            "config",
            f"{name} is not readable YAML",
            got=_reason(error),
            expected="a YAML mapping of settings",
            fix="mend the file",
        ) from error


def _override(override: str) -> Any:
    if not re.match("[^=]+=", override):
        raise Fault(
            "config",
            f"{override!r} assigns nothing",
            got=override,
            expected="key=value",
            fix="write search.epochs=30, say",
        )
    try:
        return _container(lambda: OmegaConf.from_dotlist([override]))
    except (YAMLError, OmegaConfBaseException) as error:
        raise Fault(
            "config",
            f"the override {override!r} is not readable",
            got=_reason(error),
            expected="key=value, the value in YAML",
            fix="mend it, and quote it for the shell: 'study.arms=[darts, cnn]'",
        ) from error


def _container(read: Callable[[], Any]) -> Any:
    try:
        plain = OmegaConf.to_container(read(), resolve=False)
        found = _interpolation(plain)
    except GrammarParseError as error:  # an interpolation that is not even well formed
        found, plain = _reason(error), None
    if found is not None:
        raise Fault(
            "config",
            "interpolation is not supported",
            got=found,
            expected="plain values",
            fix="write the value itself",
        )
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
