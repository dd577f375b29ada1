"""Settings one by one and together: every refusal word by word, every number in its range."""

import math
from dataclasses import replace
from typing import Any, get_type_hints

import pytest

from raysernas.config.arms import ARMS
from raysernas.config.files import assign, checked, load
from raysernas.config.identity import SECTIONS, flatten
from raysernas.config.schema import PRESETS, Config
from raysernas.config.setting import MOST, declared
from raysernas.config.values import merge
from tests.support.faults import refusal, told

SEARCH_KEYS = ", ".join(f"search.{key}" for key in get_type_hints(type(Config().search)))


WRONG = {  # override -> the text of its refusal
    "search.weight_lr=1": told(
        "search.weight_lr is not a setting; did you mean search.weights_lr?",
        *("search.weight_lr", f"one of {SEARCH_KEYS}", "correct or remove it"),
    ),
    "xyz=1": told(
        "xyz is not a setting", "xyz", f"one of study, {', '.join(SECTIONS)}", "correct or remove it"
    ),
    "epochs=1": told(
        "epochs is not a setting; did you mean search.epochs or retrain.epochs?",
        *("epochs", f"one of study, {', '.join(SECTIONS)}", "correct or remove it"),
    ),
    "search.epochs=2.5": told(
        "search.epochs has the wrong type",
        "2.5, a number",
        "a whole number",
        "set search.epochs to a whole number",
    ),
    "search.epochs=4.0": told(
        "search.epochs has the wrong type",
        "4.0, a number",
        "a whole number",
        "set search.epochs to a whole number",
    ),
    "search.epochs=true": told(
        "search.epochs has the wrong type",
        "True, true or false",
        "a whole number",
        "set search.epochs to a whole number",
    ),
    "search.epochs='3'": told(
        "search.epochs has the wrong type",
        "'3', text",
        "a whole number",
        "set search.epochs to a whole number",
    ),
    "search.epochs=null": told(
        "search.epochs has the wrong type", "nothing", "a whole number", "set search.epochs to a whole number"
    ),
    "search.epochs=": told(
        "search.epochs has the wrong type", "nothing", "a whole number", "set search.epochs to a whole number"
    ),
    "search.epochs.x=5": told(
        "search.epochs has the wrong type",
        "{'x': 5}, a mapping",
        "a whole number",
        "set search.epochs to a whole number",
    ),
    "search.weights_lr=fast": told(
        "search.weights_lr has the wrong type",
        "'fast', text",
        "a number",
        "set search.weights_lr to a number",
    ),
    "search.weights_lr=true": told(
        "search.weights_lr has the wrong type",
        "True, true or false",
        "a number",
        "set search.weights_lr to a number",
    ),
    "study.name=null": told(
        "study.name has the wrong type",
        "nothing",
        "text",
        "leave study.name out, or write '' for no text",
    ),
    "study.retry_failed=1": told(
        "study.retry_failed has the wrong type",
        "1, a whole number",
        "true or false",
        "set study.retry_failed to true or false",
    ),
    "study.space=5": told(
        "study.space has the wrong type", "5, a whole number", "a mapping", "set study.space to a mapping"
    ),
    "search=5": told(
        "search is a section", "5, a whole number", "a mapping of settings", "write search.epochs: ..."
    ),
    "features.kind=fbank": told(
        "features.kind cannot be 'fbank'",
        "'fbank', text",
        "logmel, mfcc, streams, pretrained",
        "set features.kind to one of them",
    ),
    "features.kind=1": told(
        "features.kind cannot be '1'",
        "'1', text",
        "logmel, mfcc, streams, pretrained",
        "set features.kind to one of them",
    ),
    "study.arms=darts": told(
        "study.arms has the wrong type", "'darts', text", "a list", "write study.arms=[darts]"
    ),
    "study.arms=[darts, dart]": told(
        "study.arms[1] cannot be 'dart'",
        "'dart', text",
        ", ".join(ARMS),
        "set study.arms[1] to one of them",
    ),
    "retrain.seeds=[0, a]": told(
        "retrain.seeds[1] has the wrong type",
        "'a', text",
        "a whole number",
        "set retrain.seeds[1] to a whole number",
    ),
    "retrain.seeds=[0, 1, 2.5]": told(
        "retrain.seeds[2] has the wrong type",
        "2.5, a number",
        "a whole number",
        "set retrain.seeds[2] to a whole number",
    ),
    "study.seeds=[0, 1] # two": told(
        "the override 'study.seeds=[0, 1] # two' is not readable",
        *("found more text after the value (line 1, column 7)", "key=value, the value in YAML"),
        "correct it, and quote it for the shell: 'study.arms=[darts, cnn]'",
    ),
    "search.epochs=[3]": told(
        "search.epochs has the wrong type", "[3], a list", "a whole number", "write search.epochs=3"
    ),
    "corpus.emotions=[[joy]]": told(
        "corpus.emotions[0] has the wrong type", "['joy'], a list", "text", "set corpus.emotions[0] to text"
    ),
    "search.weights_lr=${search.alphas_lr}": told(
        "interpolation is not supported", "${search.alphas_lr}", "plain values", "write the value itself"
    ),
    "study.space={a: {choices: ['${x}']}}": told(
        "interpolation is not supported", "${x}", "plain values", "write the value itself"
    ),
    "search.epochs": told(
        "'search.epochs' assigns nothing", "search.epochs", "key=value", "write search.epochs=30, say"
    ),
    "=5": told("'=5' assigns nothing", "=5", "key=value", "write search.epochs=30, say"),
    "study.arms=[darts": told(
        "the override 'study.arms=[darts' is not readable",
        *("did not find expected ',' or ']' (line 2, column 1)", "key=value, the value in YAML"),
        "correct it, and quote it for the shell: 'study.arms=[darts, cnn]'",
    ),
    "search.epochs=0": told(
        "search.epochs is out of range", 0, f"a number from 1 to {MOST}", "set search.epochs"
    ),
    "search.alphas_lr=-1": told(
        "search.alphas_lr is out of range", -1.0, f"a number from 0 to {MOST}", "set search.alphas_lr"
    ),
    "search.alphas_lr=.nan": told(
        "search.alphas_lr is out of range", "nan", f"a number from 0 to {MOST}", "set search.alphas_lr"
    ),
    "network.dropout=1": told(
        "network.dropout is out of range", 1.0, "0 <= number < 1", "set network.dropout"
    ),
    "study.seeds=[]": told(
        "study.seeds needs distinct entries", [], "at least one, each once", "set study.seeds"
    ),
    "study.folds=[1, 1]": told("study.folds needs distinct entries", [1, 1], "each once", "set study.folds"),
    "study.seeds=[0, -1]": told(
        "study.seeds has an entry out of range", -1, f"0 to {MOST}", "set study.seeds"
    ),
    "study.name=../other": told(
        "study.name is not a folder's name",
        "'../other'",
        "letters, digits, - _ and . (not first)",
        "set study.name",
    ),
    "study.name=''": told(
        "study.name is not a folder's name", "''", "letters, digits, - _ and . (not first)", "set study.name"
    ),
}


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_override_is_refused_in_these_words(override: str) -> None:
    assert refusal(lambda: load(None, [override])) == WRONG[override]


def built_with(node: Any, key: str, value: Any) -> Any:
    """The configuration with a value that was never checked."""
    name, _, rest = key.partition(".")
    return replace(node, **{name: built_with(getattr(node, name), rest, value) if rest else value})


SETTINGS = declared(Config)
NUMBERS = [key for key, setting in SETTINGS.items() if setting.kind in (int, float)]
LISTS = [key for key, setting in SETTINGS.items() if setting.kind is tuple]
ENTRIES = {key: SETTINGS[key].entries for key in LISTS if SETTINGS[key].hint == tuple[float, ...]}


def test_every_setting_is_declared_with_a_meaning_in_one_line() -> None:
    assert list(SETTINGS) == list(flatten(Config()))
    for key, setting in SETTINGS.items():
        assert setting.meaning, key
        assert "\n" not in setting.meaning, key
        assert setting.only_if is None or setting.only_if[1] in SETTINGS[setting.only_if[0]].one_of, key


def test_every_number_in_a_list_has_a_range() -> None:
    assert set(ENTRIES) == {"retrain.speeds", "retrain.pitches_st", "retrain.noise_snr_db"}
    assert all(high < MOST for _, high in ENTRIES.values())


@pytest.mark.parametrize("key", LISTS)
def test_no_list_has_an_entry_twice(key: str) -> None:
    entry = (SETTINGS[key].one_of or {int: (1,), float: (1.0,), str: ("a",)}[SETTINGS[key].entry.kind])[0]
    assert refusal(lambda: assign(Config(), {key: [entry, entry]})).startswith(
        f"config: {key} needs distinct entries"
    )


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_no_number_out_of_its_range_is_accepted(key: str, value: float) -> None:
    assert f"config: {key} " in refusal(lambda: assign(Config(), {key: value}))
    assert refusal(lambda: checked(built_with(Config(), key, value))).startswith(
        f"config: {key} is out of range"
    )


def test_the_defaults_are_in_their_ranges() -> None:
    assert checked(Config()) == Config()


def test_more_coefficients_than_bands_are_refused_where_they_are_read() -> None:
    wrong = {"features.kind": "mfcc", "features.bands": 24, "features.coefficients": 25}
    assert refusal(lambda: assign(Config(), wrong)) == told(
        "features.coefficients is more than features.bands",
        25,
        "at most 24",
        "set features.coefficients or features.bands",
    )
    assert assign(Config(), wrong | {"features.kind": "logmel"}).features.bands == 24


# --- what depends on another setting


def test_speaker_dependent_folds_need_permission() -> None:
    for setting in ("folds=random", "valid=utterances"):
        key, value = f"corpus.{setting}".split("=")
        text = refusal(lambda key=key, value=value: assign(Config(), {key: value}))
        assert text == told(
            f"corpus.{setting} lets a speaker be trained on and tested or validated",
            "speaker_dependent: false",
            "speakers on one side only, or your word that they are not: such scores are 5 to 25 points too "
            "high",
            "set corpus.folds=speaker_groups, or corpus.speaker_dependent=true, which marks every table",
        )
        both = built_with(Config(), key, value)
        assert checked(built_with(both, "corpus.speaker_dependent", True)).corpus.speaker_dependent


def test_an_emotion_is_merged_into_one_that_stays() -> None:
    chain = {"excitement": "happiness", "happiness": "positive"}
    assert "counts excitement as an emotion that is itself merged" in refusal(
        lambda: assign(Config(), {"corpus.merge": chain})
    )
    gone: Any = {"corpus.merge": {"excitement": "happiness"}, "corpus.emotions": ["anger", "excitement"]}
    assert "corpus.emotions keeps excitement, which corpus.merge counts as happiness" in refusal(
        lambda: assign(Config(), gone)
    )
    assert "corpus.merge.a has the wrong type" in refusal(
        lambda: merge(Config(), {"corpus": {"merge": {"a": 1}}})
    )


def test_a_fold_file_and_its_scheme_go_together() -> None:
    for values in ({"corpus.folds": "file"}, {"corpus.fold_file": "folds.csv"}):
        assert "corpus.folds=file and corpus.fold_file belong together" in refusal(
            lambda values=values: assign(Config(), values)
        )
    both = merge(Config(), {"corpus": {"folds": "file", "fold_file": "folds.csv"}})
    assert checked(both).corpus.fold_file == "folds.csv"


def test_librosa_is_refused_on_a_gpu() -> None:
    config = built_with(Config(), "features.backend", "librosa")
    assert "librosa computes on the CPU only" in refusal(lambda: assign(config, {"features.device": "cuda"}))


@pytest.mark.parametrize("key", ENTRIES)
def test_entries_of_a_list_have_a_range(key: str) -> None:
    low, high = ENTRIES[key]
    assert flatten(assign(Config(), {key: [low, high]}))[key] == (low, high)
    for value in (low - 1, high + 1, math.nan):
        expected = f"config: {key} has an entry out of range\n  got: {value}\n  expected: {low} to {high}\n"
        assert refusal(lambda value=value: assign(Config(), {key: [value]})).startswith(expected)


def test_a_section_may_be_the_name_of_a_preset() -> None:
    published = merge(Config(), {"features": "published"})
    assert published.features == PRESETS["features"]["published"]
    assert merge(published, {"features": {"window_s": 4.0}}).features.coefficients == 128
    text = refusal(lambda: merge(Config(), {"features": "publishd"}))
    assert "features is a section" in text
    assert text.endswith("fix: write features.kind: ..., or the name of a preset: published")
