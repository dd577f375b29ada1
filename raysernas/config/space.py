"""The search space of a study: `study.space` and the points of it that are tried first, `study.points`.

Everything that they could set must be a sound configuration, so that no candidate is refused later.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.front_ends import LAYERS
from raysernas.config.identity import SWITCHED, flatten, reads
from raysernas.config.rules import check_together
from raysernas.config.schema import Config, Value
from raysernas.config.setting import declared
from raysernas.config.values import check_ranges, with_values

# the corpus decides who validates: candidates would be compared on different speakers; and whether the tested
# model has heard them too, they cannot judge
NOT_SEARCHED = (
    *("study.", "compute.", "corpus.", "features.device", "retrain.on"),
    *("features.model", "features.fingerprint", "features.layer_width"),
)


def check_space(config: Config) -> None:
    """Refuse the first axis or point that could not be tried.

    Raises:
        Fault: which, and what would do.
    """
    study = config.study
    for key, axis in study.space.items():
        _check_axis(config, key, axis)
    for name, point in study.points.items():
        _check_point(config, name, point)
    if len(study.points) >= study.candidates:
        room = study.candidates - 1
        raise Fault(
            "config",
            "study.points are more than study.candidates leaves room for",
            got=f"{len(study.points)} points",
            expected=f"at most {room}: the first candidate is the configuration as written",
            fix="set study.candidates, or take points out",
        )


def _check_axis(config: Config, key: str, axis: Any) -> None:
    flat = flatten(config)
    if key not in flat or key.startswith(NOT_SEARCHED) or isinstance(flat[key], tuple):
        expected = "the dotted key of a trial setting that is no list and chooses neither people nor machine"
        fix = "write it like study.space={search.alphas_lr: {low: 1e-3, high: 1e-2}}, or remove it"
        raise Fault("config", f"study.space names {key}", got=key, expected=expected, fix=fix)
    if not isinstance(axis, dict) or set(axis) not in ({"choices"}, {"low", "high"}, {"low", "high", "log"}):
        expected = "{low, high[, log]} or {choices: [...]}"
        raise Fault(
            "config", f"study.space.{key} has no range", got=axis, expected=expected, fix="correct it"
        )
    _check_effect(config, key)
    offered = _choices(key, axis) if "choices" in axis else _edges(key, axis, flat[key])
    if key == "features.kind" and config.features.kind not in LAYERS and LAYERS.keys() & {*offered}:
        what = "study.space.features.kind offers frames of layers, but the configuration as written has none"
        expected = "the front end with layers in features.kind, the others in the space"
        raise Fault("config", what, got=offered, expected=expected, fix="set features.kind")
    for value in offered:
        if fault := _refused(config, {key: value}):
            what = f"study.space offers a value that the setting refuses: {fault.what}"
            expected, fix = f"values that {key} takes", f"correct study.space.{key}"
            raise Fault("config", what, got=value, expected=expected, fix=fix) from fault
    if not (flat[key] in offered if "choices" in axis else offered[0] <= flat[key] <= offered[1]):
        what = (
            f"{key} lies outside its own range in study.space; the first candidate is the configuration "
            "as written"
        )
        raise Fault("config", what, got=flat[key], expected=axis, fix=f"set {key} inside it, or widen it")


def _refused(config: Config, values: Mapping[str, Value]) -> Fault | None:
    """What is wrong with the study if these values were set, apart from its space."""
    try:
        changed = with_values(replace(config, study=replace(config.study, space={}, points={})), values)
        check_ranges(changed)
        check_together(changed)
    except Fault as fault:
        return fault
    return None


def _check_effect(config: Config, key: str) -> None:
    """Refuse a key that some arm of the study reads, if it can change no score under the other settings."""
    readers = [arm for arm in config.study.arms if reads(arm, key)]
    if not readers or any(_has_effect(config, arm, key) for arm in readers):
        return
    only_if = declared(Config)[key].only_if
    needed = "=".join(only_if) if only_if else "checks.ranking, or the arm random_search"
    if key in SWITCHED:
        needed = f"{SWITCHED[key]}=true"
    raise Fault(
        "config",
        f"study.space names {key}, which changes nothing under the other settings",
        got=key,
        expected=f"{needed}, for one arm at least",
        fix=f"take {key} out of study.space, or set what is expected",
    )


def _has_effect(config: Config, arm: str, key: str) -> bool:
    if key == "checks.draw_epochs" and ARMS[arm].searches:
        return config.checks.ranking > 0
    if (switch := SWITCHED.get(key)) and reads(arm, switch):
        return flatten(config)[switch] or switch in config.study.space
    if (only_if := declared(Config)[key].only_if) is None:
        return True
    other, value = only_if
    fixes = ARMS[arm].fixes
    if other in fixes:
        return fixes[other] == value
    axis = config.study.space.get(other)
    choices = axis.get("choices") if isinstance(axis, dict) else None
    return flatten(config)[other] == value or (isinstance(choices, list) and value in choices)


def _check_point(config: Config, name: str, point: Any) -> None:
    space, where = config.study.space, f"study.points.{name}"
    if not isinstance(point, dict) or not point or any(key not in space for key in point):
        keys = ", ".join(space) or "the keys of study.space, which has none"
        fix = "write it like study.points={published: {search.alphas_lr: 3e-4}}, or remove it"
        what, expected = (
            f"{where} gives no values to keys of study.space",
            f"a value for one or more of {keys}",
        )
        raise Fault("config", what, got=point, expected=expected, fix=fix)
    for key, value in point.items():
        if not _inside(value, space[key]):
            what = f"{where} lies outside the range of {key} in study.space"
            raise Fault(
                "config", what, got=value, expected=space[key], fix="set it inside, or widen the range"
            )
    if fault := _refused(config, point):
        what = f"{where} offers values that do not fit: {fault.what}"
        expected = "settings that a study could have"
        raise Fault("config", what, got=point, expected=expected, fix=f"correct {where}") from fault


def _inside(value: Any, axis: dict[str, Any]) -> bool:
    if "choices" in axis:
        return value in axis["choices"]
    return type(value) in (int, float) and axis["low"] <= value <= axis["high"]


def _choices(key: str, axis: dict[str, Any]) -> list[Any]:
    choices = axis["choices"]
    if not isinstance(choices, list) or not choices or any(choices.count(choice) > 1 for choice in choices):
        what, expected = f"study.space.{key} has no choices", "a list of distinct values"
        raise Fault("config", what, got=choices, expected=expected, fix="correct it")
    return choices


def _edges(key: str, axis: dict[str, Any], default: Any) -> list[Any]:
    low, high, log = axis["low"], axis["high"], axis.get("log", False)
    if type(default) not in (int, float):
        what = f"study.space.{key} has a range, but the setting is no number"
        raise Fault("config", what, got=axis, expected="{choices: [...]}", fix="list its choices")
    numbers = all(type(edge) in (int, float) for edge in (low, high))
    if not numbers or not low < high or type(log) is not bool or (log and low <= 0):
        what = f"study.space.{key} has no sound range"
        expected = "two numbers, low < high; log true or false, and low > 0 where it is true"
        raise Fault("config", what, got=axis, expected=expected, fix="correct it")
    return [low, high]
