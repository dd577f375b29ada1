"""What may stand in a setting: its type, its range, and the search space of a study.

In come a configuration and a nested mapping as YAML gives it; out goes a new configuration, or the one thing
that is wrong with it. Nothing is converted but 1 to 1.0: what is written is what the trial gets.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from raysernas.config.arms import ARMS, READ_IF
from raysernas.config.bounds import AT_LEAST, BELOW_ONE, ENTRIES, MOST
from raysernas.config.fault import Fault
from raysernas.config.identity import flatten, reads
from raysernas.config.rules import check_together
from raysernas.config.schema import PRESETS, Config, Value

DISTINCT = (
    "study.arms",
    "study.seeds",
    "study.folds",
    "study.objectives",
    "retrain.seeds",
    "corpus.emotions",
    "corpus.scenarios",
    "network.reductions",
    *ENTRIES,
)
NEEDED = ("study.arms", "study.seeds", "study.objectives", "retrain.seeds")
NOT_SEARCHED = (
    "study.",
    "compute.",
    "features.device",
    "corpus.",
)  # the corpus decides who validates: candidates would be compared on unlike people
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def merge(node: Any, layer: Any, prefix: str = "") -> Any:
    """A configuration, or a section of it, with the values of a nested mapping; a section may be the name of
    a preset.
    """
    if isinstance(layer, str) and layer in (presets := PRESETS.get(prefix[:-1], {})):
        return presets[layer]
    if not isinstance(layer, dict):
        where = f"{prefix[:-1]} is a section" if prefix else "this is no configuration"
        fix = (
            f"write {prefix}{fields(node)[0].name}: ..."
            if prefix
            else "write sections and settings, as in configs/laptop.yaml"
        )
        if prefix[:-1] in PRESETS:
            fix += f", or the name of a preset: {', '.join(PRESETS[prefix[:-1]])}"
        raise Fault("config", where, got=_told(layer), expected="a mapping of settings", fix=fix)
    hints = get_type_hints(type(node))
    words = {spec.name: spec.metadata.get("one_of", ()) for spec in fields(node)}
    changes = {}
    for name, value in layer.items():
        key = f"{prefix}{name}"
        if name not in hints:
            raise _unknown(key, prefix, hints)
        old = getattr(node, name)
        if is_dataclass(old):
            changes[name] = merge(old, value, f"{key}.")
        else:
            changes[name] = _typed(key, hints[name], value, words[name])
    return replace(node, **changes)


def assign(config: Config, values: Mapping[str, Value]) -> Config:
    """`config` with dotted keys set, as strictly as a file."""
    for key, value in values.items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        config = merge(config, nested)
    return checked(config)


def checked(config: Config) -> Config:
    """The same configuration, or the first thing that is wrong with its values."""
    flat = flatten(config)
    for key, least in AT_LEAST.items():
        if not least <= flat[key] <= MOST:  # NaN fails every comparison
            expected = f"a number from {least} to {MOST}"
            raise Fault(
                "config", f"{key} is out of range", got=flat[key], expected=expected, fix=f"set {key}"
            )
    for key in BELOW_ONE:
        if not 0 <= flat[key] < 1:
            raise Fault(
                "config",
                f"{key} is out of range",
                got=flat[key],
                expected="0 <= number < 1",
                fix=f"set {key}",
            )
    for key in DISTINCT:
        _check_list(key, flat[key])
    if not re.fullmatch(r"\w[\w.-]*", config.study.name):
        raise Fault(
            "config",
            "study.name is not a folder's name",
            got=repr(config.study.name),
            expected="letters, digits, - _ and . (not first)",
            fix="set study.name",
        )
    check_together(config)
    for key, axis in config.study.space.items():
        _check_axis(config, key, axis)
    for name, point in config.study.points.items():
        _check_point(config, name, point)
    if len(config.study.points) >= config.study.candidates:
        raise Fault(
            "config",
            "study.points are more than study.candidates leaves room for",
            got=f"{len(config.study.points)} points",
            expected=f"at most {config.study.candidates - 1}: the first candidate is the configuration as "
            "written",
            fix="set study.candidates, or take points out",
        )
    return config


def _check_list(key: str, values: tuple[Any, ...]) -> None:
    if (key in NEEDED and not values) or len(set(values)) != len(values):
        expected = "at least one, each once" if key in NEEDED else "each once"
        raise Fault(
            "config", f"{key} needs distinct entries", got=list(values), expected=expected, fix=f"set {key}"
        )
    low, high = ENTRIES.get(key, (0, MOST))
    if beyond := [value for value in values if isinstance(value, int | float) and not low <= value <= high]:
        raise Fault(
            "config",
            f"{key} has an entry out of range",
            got=beyond[0],
            expected=f"{low} to {high}",
            fix=f"set {key}",
        )


def _check_axis(config: Config, key: str, axis: Any) -> None:
    flat = flatten(config)
    if key not in flat or key.startswith(NOT_SEARCHED) or isinstance(flat[key], tuple):
        raise Fault(
            "config",
            f"study.space names {key}",
            got=key,
            expected="the dotted key of a trial setting that is no list and chooses neither people nor "
            "machine",
            fix="write it like study.space={search.alphas_lr: {low: 1e-3, high: 1e-2}}, or remove it",
        )
    if not isinstance(axis, dict) or set(axis) not in ({"choices"}, {"low", "high"}, {"low", "high", "log"}):
        expected = "{low, high[, log]} or {choices: [...]}"
        raise Fault("config", f"study.space.{key} has no range", got=axis, expected=expected, fix="mend it")
    _check_alive(config, key)
    offered = _choices(key, axis) if "choices" in axis else _edges(key, axis, flat[key])
    alone = replace(config, study=replace(config.study, space={}, points={}))
    for value in offered:
        try:
            assign(alone, {key: value})
        except Fault as fault:
            raise Fault(
                "config",
                f"study.space offers a value that the setting refuses: {fault.what}",
                got=value,
                expected=f"values that {key} takes",
                fix=f"mend study.space.{key}",
            ) from fault
    if not (flat[key] in offered if "choices" in axis else offered[0] <= flat[key] <= offered[1]):
        what = (
            f"{key} lies outside its own range in study.space; the first candidate is the configuration "
            "as written"
        )
        raise Fault("config", what, got=flat[key], expected=axis, fix=f"set {key} inside it, or widen it")


def _check_alive(config: Config, key: str) -> None:
    """Refuse a key that arms of the study read, but that changes no score of any under the other settings."""
    readers = [arm for arm in config.study.arms if reads(arm, key)]
    if readers and not any(_alive(config, arm, key) for arm in readers):
        needed = [
            f"{other}={' or '.join(values)}"
            for prefix, (other, values) in READ_IF.items()
            if key.startswith(prefix)
        ]
        raise Fault(
            "config",
            f"study.space names {key}, which changes nothing under the other settings",
            got=key,
            expected=f"{needed[0] if needed else 'checks.ranking, or the arm random_search'}, for one arm at "
            "least",
            fix=f"take {key} out of study.space, or set what is expected",
        )


def _alive(config: Config, arm: str, key: str) -> bool:
    fixed = ARMS[arm].fixes
    space, flat = config.study.space, flatten(config) | dict(fixed)
    if key == "checks.draw_epochs" and ARMS[arm].searches:
        return config.checks.ranking > 0
    for prefix, (other, values) in READ_IF.items():
        axis = space.get(other) if other not in fixed else None
        choices = axis.get("choices", ()) if isinstance(axis, dict) else ()
        if (
            key.startswith(prefix)
            and flat[other] not in values
            and not any(value in choices for value in values)
        ):
            return False
    return True


def _check_point(config: Config, name: str, point: Any) -> None:
    space = config.study.space
    if not isinstance(point, dict) or not point or any(key not in space for key in point):
        raise Fault(
            "config",
            f"study.points.{name} gives no values to keys of study.space",
            got=point,
            expected="a value for one or more of "
            f"{', '.join(space) or 'the keys of study.space, which has none'}",
            fix="write it like study.points={published: {search.alphas_lr: 3e-4}}, or remove it",
        )
    for key, value in point.items():
        axis = space[key]
        if not (
            value in axis["choices"]
            if "choices" in axis
            else type(value) in (int, float) and axis["low"] <= value <= axis["high"]
        ):
            what = f"study.points.{name} lies outside the range of {key} in study.space"
            raise Fault("config", what, got=value, expected=axis, fix="set it inside, or widen the range")
    try:
        assign(replace(config, study=replace(config.study, space={}, points={})), point)
    except Fault as fault:
        raise Fault(
            "config",
            f"study.points.{name} offers values that do not fit: {fault.what}",
            got=point,
            expected="settings that a study could have",
            fix=f"mend study.points.{name}",
        ) from fault


def _choices(key: str, axis: dict[str, Any]) -> list[Any]:
    choices = axis["choices"]
    if not isinstance(choices, list) or not choices or any(choices.count(choice) > 1 for choice in choices):
        raise Fault(
            "config",
            f"study.space.{key} has no choices",
            got=choices,
            expected="a list of distinct values",
            fix="mend it",
        )
    return choices


def _edges(key: str, axis: dict[str, Any], default: Any) -> list[Any]:
    low, high, log = axis["low"], axis["high"], axis.get("log", False)
    if type(default) not in (int, float):
        what = f"study.space.{key} has a range, but the setting is no number"
        raise Fault("config", what, got=axis, expected="{choices: [...]}", fix="list its choices")
    numbers = all(type(edge) in (int, float) for edge in (low, high))
    if not numbers or not low < high or type(log) is not bool or (log and low <= 0):
        expected = "two numbers, low < high; log true or false, and low > 0 where it is true"
        raise Fault(
            "config", f"study.space.{key} has no sound range", got=axis, expected=expected, fix="mend it"
        )
    return [low, high]


def _unknown(key: str, prefix: str, names: Mapping[str, Any]) -> Fault:
    known = flatten(Config())
    near = [name for name in known if name.endswith(f".{key}")] or difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    expected = ", ".join(f"{prefix}{name}" for name in names)
    return Fault(
        "config",
        f"{key} is not a setting{hint}",
        got=key,
        expected=f"one of {expected}",
        fix="mend or remove it",
    )


def _typed(key: str, hint: Any, value: Any, words: tuple[str, ...] = ()) -> Any:
    """The value as its setting holds it, if it has the type and, where there are `words`, is one of them."""
    kind: Any = get_origin(hint) or hint
    if get_args(hint) == (str, str) and isinstance(value, dict):
        return {
            _typed(f"a name in {key}", str, name): _typed(f"{key}.{name}", str, text)
            for name, text in value.items()
        }
    if kind is tuple and isinstance(value, list | tuple):
        entry_hint = get_args(hint)[0]
        return tuple(_typed(f"{key}[{i}]", entry_hint, entry, words) for i, entry in enumerate(value))
    if words := get_args(hint) if kind is Literal else words if kind is str else ():
        if isinstance(value, str) and value in words:
            return value
        expected = ", ".join(words)
        raise Fault(
            "config",
            f"{key} cannot be {value!r}",
            got=_told(value),
            expected=expected,
            fix=f"set {key} to one of them",
        )
    if isinstance(value, (int, float) if kind is float else kind) and (
        kind is bool or not isinstance(value, bool)
    ):
        return float(value) if kind is float else value
    word = WORDS[list if kind is tuple else kind]
    raise Fault(
        "config", f"{key} has the wrong type", got=_told(value), expected=word, fix=f"set {key} to {word}"
    )


def _told(value: Any) -> str:
    return "nothing" if value is None else f"{value!r}, {WORDS.get(type(value), type(value).__name__)}"
