"""Settings one by one: names, types and ranges.

In: a configuration and a nested mapping, as `notation` has read it. Out: a new configuration, or a Fault for
the first thing that is wrong. Unquoted text becomes what its setting means; of all other values only whole
numbers are converted, to floats where a float is declared.
"""

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, get_args

from raysernas.config.fault import Fault
from raysernas.config.identity import RENAMED, flatten
from raysernas.config.notation import Unquoted, meant, resolved
from raysernas.config.schema import PRESETS, Config, Value
from raysernas.config.setting import MOST, Setting, declared

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list",
    list: "a list",
    dict: "a mapping",
}


def merge(node: Any, layer: Any, prefix: str = "") -> Any:
    """A configuration, or a section of it, with the values of a nested mapping; the name of a preset may
    replace a section.

    Raises:
        Fault: for an unknown key or a wrong type.
    """
    presets = PRESETS.get(prefix[:-1], {})
    if isinstance(layer, str) and layer in presets:
        return presets[layer]
    if not isinstance(layer, dict):
        raise _no_section(prefix, fields(node)[0].name, layer)
    settings, names, changes = declared(type(node)), [each.name for each in fields(node)], {}
    for name, value in layer.items():
        key = f"{prefix}{name}"
        if name not in names:
            raise _unknown(key, [f"{prefix}{known}" for known in names])
        section = None if name in settings else getattr(node, name)
        changes[name] = merge(section, value, f"{key}.") if section else _typed(key, value, settings[name])
    return replace(node, **changes)


def with_values(config: Config, values: Mapping[str, Value]) -> Config:
    """`config` with dotted keys set, as strictly as `merge`."""
    for key, value in values.items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        config = merge(config, nested)
    return config


def check_ranges(config: Config) -> None:
    """Refuse the first number or list that is out of its range.

    Raises:
        Fault: which, and its range.
    """
    flat = flatten(config)
    for key, setting in declared(Config).items():
        value = flat[key]
        if setting.kind is tuple:
            _check_list(key, value, setting)
        elif setting.kind in (int, float) and not _within(value, setting):
            expected = (
                f"a number from {setting.least} to {MOST}" if setting.below is None else setting.allowed
            )
            raise Fault("config", f"{key} is out of range", got=value, expected=expected, fix=f"set {key}")


def _within(number: float, setting: Setting) -> bool:
    # NaN fails every comparison
    return (
        setting.least <= number <= MOST if setting.below is None else setting.least <= number < setting.below
    )


def _check_list(key: str, values: tuple[Any, ...], setting: Setting) -> None:
    fix = f"set {key}"
    if (setting.needed and not values) or len(set(values)) != len(values):
        expected = "at least one, each once" if setting.needed else "each once"
        what = f"{key} needs distinct entries"
        raise Fault("config", what, got=list(values), expected=expected, fix=fix)
    low, high = setting.entries
    for value in values:
        if isinstance(value, int | float) and not low <= value <= high:
            what = f"{key} has an entry out of range"
            raise Fault("config", what, got=value, expected=f"{low} to {high}", fix=fix)


def _typed(key: str, value: Any, setting: Setting) -> Any:
    """The value as its setting holds it, if it has the type and is one of the allowed words."""
    kind, written = setting.kind, value
    if isinstance(value, Unquoted):
        value = meant(value, kind)
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(_typed(f"{key}[{i}]", entry, setting.entry) for i, entry in enumerate(value))
    if kind is dict and get_args(setting.hint) == (str, str) and isinstance(value, dict):
        entry = Setting(meaning="")
        return {
            _typed(f"a name in {key}", name, entry): _typed(f"{key}.{name}", text, entry)
            for name, text in value.items()
        }
    if kind is dict:
        value = resolved(value)
    if kind is str and setting.one_of:
        if isinstance(value, str) and value in setting.one_of:
            return value
        what, fix = f"{key} cannot be {value!r}", f"set {key} to one of them"
        raise Fault("config", what, got=_quoted(value), expected=", ".join(setting.one_of), fix=fix)
    if isinstance(value, (int, float) if kind is float else kind) and (
        kind is bool or not isinstance(value, bool)
    ):
        return float(value) if kind is float else value
    what, fix = f"{key} has the wrong type", f"set {key} to {WORDS[kind]}"
    if kind is str and value is None:
        fix = f"leave {key} out, or write '' for no text"
    elif kind is tuple and isinstance(written, Unquoted) and value is not None:
        fix = f"write {key}=[{written}]"
    elif isinstance(value, list) and len(value) == 1 and "[" not in key:
        fix = f"write {key}={value[0]}"
    raise Fault("config", what, got=_quoted(value), expected=WORDS[kind], fix=fix)


def _quoted(value: Any) -> str:
    value = resolved(value)
    return "nothing" if value is None else f"{value!r}, {WORDS.get(type(value), type(value).__name__)}"


def _no_section(prefix: str, first: str, layer: Any) -> Fault:
    section = prefix[:-1]
    what = f"{section} is a section" if section else "this is no configuration"
    fix = (
        f"write {prefix}{first}: ..." if section else "write sections and settings, as in configs/laptop.yaml"
    )
    if section in PRESETS:
        fix += f", or the name of a preset: {', '.join(PRESETS[section])}"
    return Fault("config", what, got=_quoted(layer), expected="a mapping of settings", fix=fix)


def _unknown(key: str, names: list[str]) -> Fault:
    known = declared(Config)
    near = [name for name in known if name.endswith(f".{key}")] or difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    what, expected, fix = (
        f"{key} is not a setting{hint}",
        f"one of {', '.join(names)}",
        "correct or remove it",
    )
    if key in RENAMED:
        what, fix = f"{key} is now called {RENAMED[key]}", f"write {RENAMED[key]}"
    elif key in known:
        nested = "".join(f"{part}: {{" for part in key.split(".")[:-1])
        what, expected = f"{key} is written as one key in a file", "sections inside one another"
        fix = f"write {nested}{key.rpartition('.')[2]}: ...{'}' * nested.count('{')}"
    return Fault("config", what, got=key, expected=expected, fix=fix)
