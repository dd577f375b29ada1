"""What may stand in a setting: its type, its range, and the search space of a study.

In come a configuration and a nested mapping as YAML gives it; out goes a new configuration, or the one thing that is wrong
with it. Nothing is converted but 1 to 1.0: what is written is what the trial gets.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from raysernas.config import PRESETS, Config, Fault, Value, flatten

AT_LEAST: dict[str, float] = {  # lowest sound value; a strict bound is written as the smallest sensible number
    "study.candidates": 1,
    "study.seed": 0,
    "study.resources.cpus": 0,
    "study.resources.gpus_per_trial": 0.01,
    "study.resources.cache_gb": 0,
    "corpus.groups": 2,
    "corpus.synthetic_speakers": 2,
    "corpus.synthetic_takes": 1,
    "corpus.synthetic_seed": 0,
    "features.sample_rate_hz": 1000,
    "features.n_fft": 16,
    "features.hop_samples": 1,
    "features.bands": 8,
    "features.coefficients": 8,
    "features.range_db": 1,
    "features.window_s": 0.1,
    "features.pool_frames": 1,
    "network.cells": 3,  # so that there are normal and reduction cells
    "network.nodes": 1,
    "network.channels": 1,
    "network.hidden": 1,
    "network.stem_multiplier": 1,
    "network.recurrent_cells": 1,
    "network.recurrent_nodes": 1,
    "network.designed_channels": 1,
    "search.difference_scale": 1e-9,
    "search.epochs": 1,
    "search.warmup_epochs": 0,
    "search.alphas_every": 1,
    "search.eigenvalue_every": 0,
    "search.stop_window": 1,
    "search.batch": 2,
    "search.weights_lr": 0,
    "search.weights_lr_min": 0,
    "search.weights_decay": 0,
    "search.alphas_lr": 0,
    "search.alphas_decay": 0,
    "search.weights_clip": 1e-9,
    "checks.draws": 2,
    "checks.draw_epochs": 1,
    "checks.anytime_every": 0,
    "checks.ranking": 0,
    "retrain.epochs": 1,
    "retrain.batch": 2,
    "retrain.lr": 0,
    "retrain.weight_decay": 0,
    "retrain.clip": 1e-9,
    "retrain.masks": 0,
    "retrain.mask_frames": 1,
    "retrain.mask_bands": 1,
    "retrain.shift_s": 0,
    "retrain.versions": 0,
    "retrain.mixup": 0,
    "compute.threads": 1,
}
BELOW_ONE = (
    "corpus.valid_fraction",
    "network.dropout",
    "network.cell_dropout",
    "retrain.label_smoothing",
    "retrain.drop_path",
    "retrain.average",
    "search.weights_momentum",
    "search.alphas_beta1",
    "search.entropy_floor",
    "search.stop_ratio",
)
ENTRIES = {  # lowest and highest entry of a list of numbers
    "retrain.speeds": (0.5, 2.0),
    "retrain.pitches_st": (-24.0, 24.0),
    "retrain.noise_snr_db": (-20.0, 100.0),
}
FEWEST_RANKED = 8  # genotypes of a rank correlation
MOST = 2**32 - 1  # no setting is larger: every count and seed fits whatever is to hold it, and infinity is refused
DISTINCT = (
    "study.arms", "study.seeds", "study.folds", "retrain.seeds", "corpus.emotions", "corpus.scenarios", "network.reductions",
    *ENTRIES,
)  # fmt: skip
NEEDED = ("study.arms", "study.seeds", "retrain.seeds")
NOT_SEARCHED = (
    "study.",
    "compute.",
    "features.device",
    "corpus.",
)  # the corpus decides who validates: candidates would be compared on unlike people
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a mapping"}


def merge(node: Any, layer: Any, prefix: str = "") -> Any:
    """A configuration, or a section of it, with the values of a nested mapping; a section may be the name of a preset."""
    if isinstance(layer, str) and layer in (presets := PRESETS.get(prefix[:-1], {})):
        return presets[layer]
    if not isinstance(layer, dict):
        where = f"{prefix[:-1]} is a section" if prefix else "this is no configuration"
        do = f"write {prefix}{fields(node)[0].name}: ..." if prefix else "write sections and settings, as in configs/laptop.yaml"
        if prefix[:-1] in PRESETS:
            do += f", or the name of a preset: {', '.join(PRESETS[prefix[:-1]])}"
        raise Fault("config", where, got=_told(layer), expected="a mapping of settings", do=do)
    hints = get_type_hints(type(node))
    changes = {}
    for name, value in layer.items():
        key = f"{prefix}{name}"
        if name not in hints:
            raise _unknown(key, prefix, hints)
        old = getattr(node, name)
        changes[name] = merge(old, value, f"{key}.") if is_dataclass(old) else _typed(key, hints[name], value)
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
            raise Fault("config", f"{key} is out of range", got=flat[key], expected=expected, do=f"set {key}")
    for key in BELOW_ONE:
        if not 0 <= flat[key] < 1:
            raise Fault("config", f"{key} is out of range", got=flat[key], expected="0 <= number < 1", do=f"set {key}")
    for key in DISTINCT:
        _check_list(key, flat[key])
    if not re.fullmatch(r"\w[\w.-]*", config.study.name):
        raise Fault(
            "config", "study.name is not a folder's name", got=repr(config.study.name),
            expected="letters, digits, - _ and . (not first)", do="set study.name",
        )  # fmt: skip
    _check_features(config)
    _check_search(config)
    _check_corpus(config)
    _check_network(config)
    for key, axis in config.study.space.items():
        _check_axis(config, key, axis)
    return config


def _check_corpus(config: Config) -> None:
    corpus = config.corpus
    if chained := [old for old, new in corpus.merge.items() if new in corpus.merge]:
        raise Fault(
            "config", f"corpus.merge counts {chained[0]} as an emotion that is itself merged", got=corpus.merge,
            expected="an emotion to keep on the right of every pair", do=f"set corpus.merge.{chained[0]} to the last of them",
        )  # fmt: skip
    if gone := [emotion for emotion in corpus.emotions if emotion in corpus.merge]:
        raise Fault(
            "config", f"corpus.emotions keeps {gone[0]}, which corpus.merge counts as {corpus.merge[gone[0]]}", got=gone[0],
            expected="emotions that are left after merging", do="take it out of one of the two",
        )  # fmt: skip
    if (corpus.folds == "random" or corpus.valid == "utterances") and not corpus.speaker_dependent:
        setting = "folds=random" if corpus.folds == "random" else "valid=utterances"
        raise Fault(
            "config", f"corpus.{setting} lets a speaker be trained on and tested or validated", got="speaker_dependent: false",
            expected="speakers on one side only, or your word that they are not: such scores are 5 to 25 points too high",
            do="set corpus.folds=speaker_groups, or corpus.speaker_dependent=true, which marks every table",
        )  # fmt: skip
    if (corpus.folds == "file") != bool(corpus.fold_file):
        raise Fault(
            "config", "corpus.folds=file and corpus.fold_file belong together",
            got=f"folds: {corpus.folds}, fold_file: {corpus.fold_file!r}", expected="both or neither",
            do="set corpus.folds=file corpus.fold_file=PATH/TO/folds.csv",
        )  # fmt: skip


def _check_network(config: Config) -> None:
    network, ranking = config.network, config.checks.ranking
    places = network.reductions
    if beyond := [cell for cell in places if not 0 <= cell < network.cells] or len(places) == network.cells:
        raise Fault(
            "config", "network.reductions names cells that cannot be reductions", got=list(places),
            expected=f"cells from 0 to {network.cells - 1}, and one that is none" if beyond else "a cell that is none",
            do="set network.reductions or network.cells",
        )  # fmt: skip
    if 0 < ranking < FEWEST_RANKED:
        raise Fault(
            "config", "checks.ranking is too few genotypes for a rank correlation", got=ranking,
            expected=f"0, or at least {FEWEST_RANKED}", do="set checks.ranking",
        )  # fmt: skip


def _check_features(config: Config) -> None:
    features = config.features
    if features.device == "cuda" and features.backend == "librosa":
        raise Fault(
            "config", "features.device=cuda, but librosa computes on the CPU only", got="backend: librosa", expected="torchaudio",
            do="set features.backend=torchaudio or features.device=cpu",
        )  # fmt: skip
    if features.kind == "mfcc" and features.coefficients > features.bands:
        raise Fault(
            "config", "features.coefficients is more than features.bands", got=features.coefficients,
            expected=f"at most {features.bands}", do="set features.coefficients or features.bands",
        )  # fmt: skip


def _check_search(config: Config) -> None:
    search = config.search
    if search.weights_lr_min > search.weights_lr:
        raise Fault(
            "config", "search.weights_lr_min is above search.weights_lr", got=search.weights_lr_min,
            expected=f"at most {search.weights_lr}", do="set search.weights_lr_min or search.weights_lr",
        )  # fmt: skip
    if search.warmup_epochs >= search.epochs:
        raise Fault(
            "config", "search.warmup_epochs leaves no epoch in which the alphas learn", got=search.warmup_epochs,
            expected=f"fewer than search.epochs={search.epochs}", do="set search.warmup_epochs or search.epochs",
        )  # fmt: skip
    if search.stop == "eigenvalue" and search.eigenvalue_every != 1:
        raise Fault(
            "config", "search.stop=eigenvalue, but the eigenvalue is not measured in every epoch",
            got=f"eigenvalue_every: {search.eigenvalue_every}", expected="1",
            do="set search.eigenvalue_every=1 or search.stop=epochs",
        )  # fmt: skip
    if search.difference_error and search.order == "first":
        raise Fault(
            "config", "search.difference_error measures the second order, but search.order is first", got="order: first",
            expected="second_difference or second_exact", do="set search.difference_error=false or another search.order",
        )  # fmt: skip


def _check_list(key: str, values: tuple[Any, ...]) -> None:
    if (key in NEEDED and not values) or len(set(values)) != len(values):
        expected = "at least one, each once" if key in NEEDED else "each once"
        raise Fault("config", f"{key} needs distinct entries", got=list(values), expected=expected, do=f"set {key}")
    low, high = ENTRIES.get(key, (0, MOST))
    if beyond := [value for value in values if isinstance(value, int | float) and not low <= value <= high]:
        raise Fault("config", f"{key} has an entry out of range", got=beyond[0], expected=f"{low} to {high}", do=f"set {key}")


def _check_axis(config: Config, key: str, axis: Any) -> None:
    flat = flatten(config)
    if key not in flat or key.startswith(NOT_SEARCHED) or isinstance(flat[key], tuple):
        raise Fault(
            "config", f"study.space names {key}", got=key,
            expected="the dotted key of a trial setting that is no list and chooses neither people nor machine",
            do="write it like study.space={search.alphas_lr: {low: 1e-3, high: 1e-2}}, or remove it",
        )  # fmt: skip
    if not isinstance(axis, dict) or set(axis) not in ({"choices"}, {"low", "high"}, {"low", "high", "log"}):
        expected = "{low, high[, log]} or {choices: [...]}"
        raise Fault("config", f"study.space.{key} has no range", got=axis, expected=expected, do="mend it")
    offered = _choices(key, axis) if "choices" in axis else _edges(key, axis, flat[key])
    alone = replace(config, study=replace(config.study, space={}))
    for value in offered:
        try:
            assign(alone, {key: value})
        except Fault as fault:
            raise Fault(
                "config", f"study.space offers a value that the setting refuses: {fault.what}", got=value,
                expected=f"values that {key} takes", do=f"mend study.space.{key}",
            ) from fault  # fmt: skip
    if not (flat[key] in offered if "choices" in axis else offered[0] <= flat[key] <= offered[1]):
        what = f"{key} lies outside its own range in study.space; the first candidate is the configuration as written"
        raise Fault("config", what, got=flat[key], expected=axis, do=f"set {key} inside it, or widen it")


def _choices(key: str, axis: dict[str, Any]) -> list[Any]:
    choices = axis["choices"]
    if not isinstance(choices, list) or not choices or any(choices.count(choice) > 1 for choice in choices):
        raise Fault("config", f"study.space.{key} has no choices", got=choices, expected="a list of distinct values", do="mend it")
    return choices


def _edges(key: str, axis: dict[str, Any], default: Any) -> list[Any]:
    low, high, log = axis["low"], axis["high"], axis.get("log", False)
    if type(default) not in (int, float):
        what = f"study.space.{key} has a range, but the setting is no number"
        raise Fault("config", what, got=axis, expected="{choices: [...]}", do="list its choices")
    numbers = all(type(edge) in (int, float) for edge in (low, high))
    if not numbers or not low < high or type(log) is not bool or (log and low <= 0):
        expected = "two numbers, low < high; log true or false, and low > 0 where it is true"
        raise Fault("config", f"study.space.{key} has no sound range", got=axis, expected=expected, do="mend it")
    return [low, high]


def _unknown(key: str, prefix: str, names: Mapping[str, Any]) -> Fault:
    known = flatten(Config())
    near = [name for name in known if name.endswith(f".{key}")] or difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    expected = ", ".join(f"{prefix}{name}" for name in names)
    return Fault("config", f"{key} is not a setting{hint}", got=key, expected=f"one of {expected}", do="mend or remove it")


def _typed(key: str, hint: Any, value: Any) -> Any:
    """The value as its setting holds it, if it has the setting's type."""
    kind: Any = get_origin(hint) or hint
    if get_args(hint) == (str, str) and isinstance(value, dict):
        return {_typed(f"a name in {key}", str, name): _typed(f"{key}.{name}", str, text) for name, text in value.items()}
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(_typed(f"{key}[{i}]", get_args(hint)[0], entry) for i, entry in enumerate(value))
    if kind is Literal:
        if isinstance(value, str) and value in get_args(hint):
            return value
        expected = ", ".join(get_args(hint))
        raise Fault("config", f"{key} cannot be {value!r}", got=_told(value), expected=expected, do=f"set {key} to one of them")
    if isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool)):
        return float(value) if kind is float else value
    word = WORDS[list if kind is tuple else kind]
    raise Fault("config", f"{key} has the wrong type", got=_told(value), expected=word, do=f"set {key} to {word}")


def _told(value: Any) -> str:
    return "nothing" if value is None else f"{value!r}, {WORDS.get(type(value), type(value).__name__)}"
