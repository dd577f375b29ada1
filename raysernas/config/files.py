"""Configuration files: YAML and `key=value` overrides to a `Config`, and back.

An unknown key, a wrong type, a value out of its range, settings that do not fit together and interpolations
are refused with a fix. A study.yaml, which a launch has written into the folder of its results, is also
refused unless it is whole.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.error import MarkedYAMLError

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.identity import RENAMED, trial_config
from raysernas.config.notation import NOTHING, Unquoted, read, resolved
from raysernas.config.rules import check_together
from raysernas.config.schema import Config, TrialConfig, Value
from raysernas.config.setting import declared
from raysernas.config.space import check_space
from raysernas.config.values import check_ranges, merge, with_values

END = "# all {} settings of the study stand above this line"  # the last line of a study.yaml
LAST = "compute.precision"  # the last setting of a study.yaml that has no END
OLDER_LAST = "compute.threads"  # of one that is older than LAST, and so lacks what came after LAST
AFTER_LAST = {"compute.cuda_graph", "study.cache", "search.relaxation"}


class Torn(Fault):
    """A study.yaml that is not as it was written."""


def shipped() -> Path:
    """The folder of shipped studies: beside the package in a checkout, inside it in a wheel."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def find(name: str) -> Path:
    """The file that CONFIG names: a path, or else a shipped study (`laptop`, `configs/laptop.yaml`)."""
    path, candidates = Path(name), [Path(name)]
    if path.parent in (Path(), Path("configs")):
        candidates += [shipped() / path.name, shipped() / f"{path.name}.yaml"]
    for path in candidates:
        with suppress(OSError):  # a name that no disk can have, a folder that may not be entered
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
    return overridden(merge(Config(), _file(find(name))) if name else Config(), overrides)


def overridden(config: Config, overrides: Sequence[str]) -> Config:
    """`config` with `key=value` overrides.

    Raises:
        Fault: as `load`.
    """
    for override in overrides:
        config = merge(config, _override(override))
    return checked(config)


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
    shown: str = yaml.dump(_plain(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return shown


def study_yaml(config: Config) -> str:
    """The text of a study.yaml: `show`, and a last line that says how many settings stand above it."""
    return f"{show(config)}{END.format(len(declared(Config)))}\n"


def from_study_yaml(text: str, name: str) -> Config:
    """The configuration in the text of a study.yaml; faults call the text `name`.

    A file of an older version has no last line of that kind, may lack settings that it did not know, and may
    name one as it was then called.

    Raises:
        Torn: when a part of the file is missing, or it is not readable.
        Fault: as `load`.
    """
    try:
        layer = _plain_values(read(text) or {})
    except yaml.YAMLError as error:
        raise torn(f"{name} is not readable YAML", _reason(error)) from error
    named = _settings_in(layer)
    lines = text.rstrip("\n").splitlines()
    count = len(declared(Config))
    if lines and lines[-1].startswith(END[:6]):
        whole = lines[-1] == END.format(len(named))
    else:
        whole = LAST in named or (OLDER_LAST in named and not named & AFTER_LAST)
    if not whole:
        raise torn(f"{name} is not whole", f"{len(named)} of {count} settings")
    return checked(merge(Config(), _renamed(layer)))


def torn(what: str, got: str) -> Torn:
    """The fault of a study.yaml that is not as it was written."""
    expected = "the file as the launch has written it"
    again = "launch the study with the configuration that it began with"
    fix = f"restore it from a copy; or delete it alone, and {again}"
    return Torn("results", what, got=got, expected=expected, fix=fix)


def _settings_in(layer: Any, prefix: str = "") -> set[str]:
    """The settings that a nested mapping names, dotted; a mapping that is a value is one of them."""
    if prefix[:-1] in declared(Config) or not isinstance(layer, dict):
        return {prefix[:-1]}
    return {key for name, each in layer.items() for key in _settings_in(each, f"{prefix}{name}.")}


def _renamed(layer: Any) -> Any:
    """The settings of an older study.yaml under their present names."""
    for old, new in RENAMED.items():
        *sections, name = old.split(".")
        section = layer
        for each in sections:
            section = section.get(each, {}) if isinstance(section, dict) else {}
        if name in section:
            section[new.rpartition(".")[2]] = section.pop(name)
    return layer


def _file(path: Path) -> Any:
    return _read(lambda: read(path.read_bytes().decode("utf-8-sig")), str(path))


def _read(act: Callable[[], Any], name: str) -> Any:
    try:
        value = act()
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        what, expected = f"{name} is not readable YAML", "a YAML mapping of settings"
        raise Fault("config", what, got=_reason(error), expected=expected, fix="correct the file") from error
    return {} if value is None or (isinstance(value, Unquoted) and value in NOTHING) else _plain_values(value)


def _override(override: str) -> Any:
    key, equals, text = override.partition("=")
    if not key.strip() or not equals:
        what, fix = f"{override!r} assigns nothing", "write search.epochs=30, say"
        raise Fault("config", what, got=override, expected="key=value", fix=fix)
    try:
        nested = _plain_values(_value(key.strip(), text))
    except yaml.YAMLError as error:
        what, expected = f"the override {override!r} is not readable", "key=value, the value in YAML"
        fix = "correct it, and quote it for the shell: 'study.arms=[darts, cnn]'"
        raise Fault("config", what, got=_reason(error), expected=expected, fix=fix) from error
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return nested


def _value(key: str, text: str) -> Any:
    """The value of an override: YAML in brackets or quotes, else the whole text, `#` and `: ` included."""
    setting = declared(Config).get(key)
    brackets = "" if setting and setting.kind is str else "[{"
    stripped = text.strip()
    if stripped[:1] and stripped[0] in f"{brackets}'\"":
        return read(stripped, with_comments=False)
    return Unquoted(text)


def _plain_values(value: Any) -> Any:
    """The same value, without interpolations."""
    if (found := _interpolation(value)) is not None:
        what, fix = "interpolation is not supported", "write the value itself"
        raise Fault("config", what, got=found, expected="plain values", fix=fix)
    return value


def _interpolation(node: Any) -> str | None:
    if isinstance(node, str):
        return node if "${" in node else None
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((found for child in children if (found := _interpolation(child)) is not None), None)


def _reason(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _represented(dumper: Any, text: str) -> yaml.Node:
    style = None if isinstance(resolved(Unquoted(text)), str) else "'"
    style = style if text.isprintable() else '"'  # a line break of Unicode is kept only as an escape
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(yaml.SafeDumper):
    """Quotes text that would be read as something else, by YAML 1.1 or by 1.2."""

    yaml_representers = {**yaml.SafeDumper.yaml_representers, str: _represented}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _plain(node: Any) -> Any:
    if is_dataclass(node):
        return {spec.name: _plain(getattr(node, spec.name)) for spec in fields(node)}
    return list(node) if isinstance(node, tuple) else node
